import ArgumentParser
import Engine

struct StateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "state", abstract: "Look at the state that a task has on disk.",
    discussion: """
      A task's state lies in DATA_DIRECTORY/PIPELINE/task-N: snapshots, and a journal of what came after \
      each. Both commands only read, and may be used while the daemon runs: the last block of the journal \
      may then be cut short.
      """,
    subcommands: [StateInspect.self, StateVerify.self])
}

struct StateInspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Print the snapshots, their sections and the journal.")

  @Argument(help: "The folder of a task, such as data/machines/task-0.") var folder: String

  func run() throws {
    let found = try StateCommand.read(folder)
    for line in found.lines + found.problems.map({ "damaged: \($0)" }) {
      try Output.write(line + "\n")
    }
  }
}

struct StateVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check every checksum; fails when one is wrong.")

  @Argument(help: "The folder of a task, such as data/machines/task-0.") var folder: String

  func run() throws {
    let found = try StateCommand.read(folder)
    guard found.problems.isEmpty else {
      throw Failure(
        message: found.problems.joined(separator: "\n"),
        hint: found.hints.joined(separator: "\n  hint: "))
    }
    try Output.write("everything can be read\n")
  }
}

extension StateCommand {
  fileprivate static func read(_ folder: String) throws -> StateInspection {
    let found: StateInspection
    do {
      found = try StateInspection(folder: folder)
    } catch {
      throw Failure(message: "\(error)")
    }
    guard !found.lines.isEmpty || !found.problems.isEmpty else {
      throw Failure(
        message: "\(folder) holds no state",
        hint: "name the folder of a task, such as data/machines/task-0")
    }
    return found
  }
}
