import Alerting
import ArgumentParser
import Columns
import Engine
import Foundation

/// `cutbank alerts silence`: keeps alerts back for a time.
struct AlertsSilenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "silence", abstract: "Add, list and remove silences.",
    subcommands: [SilenceAddCommand.self, SilenceListCommand.self, SilenceRemoveCommand.self])
}

struct SilenceAddCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Silence alerts whose labels meet all conditions.")

  @Argument(help: #"Conditions such as severity="warning" or entity=~"pump-.*"."#)
  var matchers: [String]
  @Option(help: "How long from now, in minutes.") var minutes: Int
  @Option(help: "Why.") var comment: String
  @OptionGroup var options: PipelineOptions

  func run() throws {
    guard minutes > 0 else { throw ValidationError("--minutes must be positive") }
    let conditions = try matchers.map { text in
      guard let matcher = Matcher(parsing: text) else {
        throw ValidationError("'\(text)' is no condition; write name=\"value\", !=, =~ or !~")
      }
      return matcher
    }
    let now = Int64(Date().timeIntervalSince1970 * 1_000)
    let id = UUID().uuidString.lowercased()
    let silence = Silence(
      id: id, matchers: conditions, startsAt: now, endsAt: now + Int64(minutes) * 60_000,
      createdBy: ProcessInfo.processInfo.environment["USER"] ?? "", comment: comment)
    guard let silence else { throw ValidationError("at least one condition is needed") }
    try Outbox.existing(try options.daemon()).add(silence)
    try Output.write("\(id)\n")
  }
}

struct SilenceListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the silences that have not ended.")

  @OptionGroup var options: PipelineOptions

  func run() throws {
    for silence in try Outbox.existing(try options.daemon()).silences() {
      let conditions = silence.matchers.map {
        "\($0.name)\($0.comparison.rawValue)\"\($0.value)\""
      }
      let end = CivilTime(milliseconds: silence.endsAt)
      try Output.write(
        "\(silence.id)  until \(end)  \(conditions.joined(separator: ","))  "
          + "\(silence.createdBy): \(silence.comment)\n")
    }
  }
}

struct SilenceRemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "End a silence.")

  @Argument(help: "The id that add printed.") var id: String
  @OptionGroup var options: PipelineOptions

  func run() throws {
    guard try Outbox.existing(try options.daemon()).removeSilence(id: id) else {
      throw ValidationError("there is no silence \(id)")
    }
    try Output.write("\(id): removed\n")
  }
}
