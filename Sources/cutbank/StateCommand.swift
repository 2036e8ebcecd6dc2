import ArgumentParser
import Engine
import Foundation
import Kafka
import Logging

struct StateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "state", abstract: "Look at the state of a pipeline's tasks.",
    discussion: """
      A task's state lies in DATA_DIRECTORY/PIPELINE/task-N, or with state: {store: topics} in the topics \
      cutbank.PIPELINE.state and cutbank.PIPELINE.journal, which --brokers or the settings lead to: \
      snapshots, and a journal of what came after each. Both commands only read, and may be used while \
      the daemon runs: the last block of a journal in a folder may then be cut short.
      """,
    subcommands: [StateInspect.self, StateVerify.self])
}

struct StateInspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Print the snapshots, their sections and the journal.")

  @OptionGroup var place: StatePlace

  func run() throws {
    let tasks = try place.read()
    for task in tasks {
      if tasks.count > 1 { try Output.write("\(task.place)\n") }
      let found = task.inspection
      for line in found.lines + found.problems.map({ "damaged: \($0)" }) {
        try Output.write(line + "\n")
      }
    }
  }
}

struct StateVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check every checksum; fails when one is wrong.")

  @OptionGroup var place: StatePlace

  func run() throws {
    let tasks = try place.read()
    let problems = tasks.flatMap(\.inspection.problems)
    guard problems.isEmpty else {
      var hints: [String] = []
      for hint in tasks.flatMap(\.inspection.hints) where !hints.contains(hint) {
        hints.append(hint)
      }
      throw Failure(
        message: problems.joined(separator: "\n"), hint: hints.joined(separator: "\n  hint: "))
    }
    try Output.write("everything can be read\n")
  }
}

/// Where the state lies that a command looks at.
struct StatePlace: ParsableArguments {
  @Argument(
    help:
      "The folder of a task, such as data/machines/task-0, or a pipeline file: then all its tasks.")
  var place: String

  @Option(name: .long, help: "Of a pipeline file, only the task of this number.")
  var task: Int?

  @OptionGroup var options: PipelineOptions

  /// What is there, of at least one task.
  func read() throws -> [PipelineInspection.Task] {
    let found = isPipeline ? try readPipeline() : try readFolder()
    let isEmpty = found.allSatisfy {
      $0.inspection.lines.isEmpty && $0.inspection.problems.isEmpty
    }
    guard !isEmpty else {
      throw Failure(
        message: "\(place) \(isPipeline ? "has" : "holds") no state",
        hint: isPipeline
          ? "with state in a folder, --data-directory names another one than \(try dataDirectory())"
          : "name the folder of a task, such as data/machines/task-0, or a pipeline file")
    }
    return found
  }

  private var isPipeline: Bool { place.hasSuffix(".yaml") || place.hasSuffix(".yml") }

  private func dataDirectory() throws -> String { try options.daemon().dataDirectory }

  private func readFolder() throws -> [PipelineInspection.Task] {
    do {
      return [
        PipelineInspection.Task(place: place, inspection: try StateInspection(folder: place))
      ]
    } catch {
      throw Failure(message: "\(error)")
    }
  }

  private func readPipeline() throws -> [PipelineInspection.Task] {
    let settings = try options.daemon()
    let (plans, _) = try PipelineFiles.plans([place], daemon: settings, brokersRequired: false)
    guard let plan = plans.first else { return [] }
    guard
      plan.configuration.stateStore == .directory
        || plan.configuration.kafka.brokers != PipelineFiles.noBrokers
    else {
      throw ConfigurationRefused(
        problems: [
          ConfigurationProblem(
            file: place, message: "its state is in topics, and no Kafka brokers are set",
            hint:
              "name them with --brokers HOST:PORT, CUTBANK_KAFKA__BROKERS or kafka: {brokers: …}")
        ])
    }
    do {
      return try PipelineInspection.tasks(
        of: plan, only: task, dataDirectory: settings.dataDirectory,
        logger: Logger(label: "cutbank.state") { _ in SwiftLogNoOpLogHandler() })
    } catch let error as KafkaError {
      throw Failure(
        message: "the topics of \(plan.configuration.name) cannot be read: \(error)",
        code: Outcome.code(of: error))
    } catch let error as ConfigurationRefused {
      throw error
    } catch {
      throw Failure(message: "\(error)")
    }
  }
}
