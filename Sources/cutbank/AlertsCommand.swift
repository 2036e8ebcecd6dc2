import Alerting
import ArgumentParser
import Columns
import Engine
import Foundation
import Transport

/// `cutbank alerts`: receivers, messages that were given up, silences.
struct AlertsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alerts",
    abstract: "Try receivers, replay alerts that were given up, and silence alerts.",
    discussion: """
      A receiver is named PIPELINE/STREAM. The commands work on the outbox of the data directory, \
      also while the daemon runs; it notices changes within ten seconds.
      """,
    subcommands: [
      AlertsTestCommand.self, AlertsListCommand.self, AlertsReplayCommand.self,
      AlertsEnableCommand.self, AlertsSilenceCommand.self,
    ])
}

/// Which receivers a command is about.
struct ReceiverOptions: ParsableArguments {
  @Argument(help: "A pipeline file.") var pipeline: String
  @Option(help: "Only this receiver, PIPELINE/STREAM.") var receiver: String?
  @OptionGroup var options: PipelineOptions

  func targets() throws -> [AlertTarget] {
    let (plans, _) = try PipelineFiles.plans(
      [pipeline], daemon: try options.daemon(), brokersRequired: false)
    let all = plans.flatMap(\.alertTargets)
    let chosen = all.filter { receiver == nil || $0.receiver.name == receiver }
    guard !chosen.isEmpty else {
      let names = all.map(\.receiver.name).joined(separator: ", ")
      throw ValidationError(
        names.isEmpty ? "the pipeline has no webhook" : "no such receiver; there are: \(names)")
    }
    return chosen
  }

  func outbox() throws -> Outbox { try Outbox.existing(try options.daemon()) }
}

extension Outbox {
  /// The outbox of a data directory, which must exist.
  static func existing(_ daemon: DaemonConfiguration) throws -> Outbox {
    guard FileManager.default.fileExists(atPath: daemon.outboxPath) else {
      throw ValidationError(
        "there is no outbox \(daemon.outboxPath): name the daemon's --data-directory")
    }
    return try Outbox(path: daemon.outboxPath)
  }
}

/// `cutbank alerts test`: sends a sample alert to receivers.
struct AlertsTestCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test", abstract: "Send one sample alert to the receivers of a pipeline.")

  @OptionGroup var selection: ReceiverOptions

  func run() async throws {
    let threads = BlockingThreads(count: 1)
    var failed = false
    for target in try selection.targets() {
      let connections = HTTPConnections(policy: target.policy, threads: threads)
      let result = try await target.receiver.sendSample(over: connections)
      try await connections.shutdown()
      failed = failed || !result.isDelivered
      let word = result.isDelivered ? "delivered" : "failed"
      try Output.write("\(target.receiver.name): \(word): \(result.message)\n")
    }
    try await threads.stop()
    if failed { throw ExitCode.failure }
  }
}

/// `cutbank alerts list`: what waits and what was given up.
struct AlertsListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Count waiting alerts, and list those that were given up.")

  @OptionGroup var selection: ReceiverOptions
  @Option(help: "The most dead letters that are listed per receiver.") var limit = 100
  @Flag(help: "Print one line of JSON per dead letter, with its body.") var json = false

  func run() throws {
    let outbox = try selection.outbox()
    for target in try selection.targets() {
      let name = target.receiver.name
      let letters = try outbox.deadLetters(receiver: name, limit: limit)
      if json {
        for letter in letters { try Output.write(Self.line(letter) + "\n") }
        continue
      }
      let statistics = try outbox.statistics(receiver: name)
      let now = Int64(Date().timeIntervalSince1970 * 1_000)
      try Output.write("\(name): \(statistics.summary(now: now))\n")
      for letter in letters {
        let time = CivilTime(milliseconds: letter.endedAt)
        try Output.write(
          "  \(letter.sequence)  \(time)  \(letter.attempts) attempts  \(letter.error)\n")
      }
    }
  }

  private static func line(_ letter: Alerting.DeadLetter) -> String {
    var text = JSONText(capacity: 512 + letter.body.count * 2)
    text.object { text in
      text.member("sequence", Int(letter.sequence))
      text.member("webhookId", letter.webhookID)
      text.member("receiver", letter.receiver)
      text.member("pipeline", letter.pipeline)
      text.member("attempts", letter.attempts)
      text.member("error", letter.error)
      text.member("createdAt", time: letter.createdAt)
      text.member("endedAt", time: letter.endedAt)
      text.member("body", String(decoding: letter.body, as: UTF8.self))
    }
    return String(decoding: text.bytes, as: UTF8.self)
  }
}

/// `cutbank alerts replay`: puts messages that were given up back into the queue.
struct AlertsReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Send alerts that were given up again, with their ids.",
    discussion: "The running daemon sends them; without one they wait for its start.")

  @OptionGroup var selection: ReceiverOptions
  @Option(help: "Only the message of this number, as list shows it; may be repeated.")
  var sequence: [Int64] = []

  func run() throws {
    let outbox = try selection.outbox()
    for target in try selection.targets() {
      let name = target.receiver.name
      var count = 0
      while true {
        let letters = try outbox.deadLetters(receiver: name, limit: 1_000)
        let chosen = letters.map(\.sequence).filter { sequence.isEmpty || sequence.contains($0) }
        guard !chosen.isEmpty else { break }
        count += try outbox.replay(chosen)
      }
      try Output.write("\(name): \(count) alerts are queued again\n")
    }
  }
}

/// `cutbank alerts enable`: ends the rest that a 410 began.
struct AlertsEnableCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "enable", abstract: "Send again to a receiver that answered 410 Gone.")

  @OptionGroup var selection: ReceiverOptions

  func run() throws {
    let outbox = try selection.outbox()
    for target in try selection.targets() {
      try outbox.enable(receiver: target.receiver.name)
      try Output.write("\(target.receiver.name): enabled\n")
    }
  }
}
