import ArgumentParser
import Engine
import Foundation
import Logging

/// `cutbank run`: the daemon.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run pipelines until SIGTERM.",
    discussion: """
      SIGTERM or SIGINT delivers what was taken, commits and ends with 0; a second signal ends at \
      once and loses nothing. A configuration that is refused ends with 78.
      """)

  @Argument(help: "Pipeline files.")
  var pipelines: [String]

  @OptionGroup var options: PipelineOptions

  func run() async throws {
    let settings = try options.daemon()
    let (plans, warnings) = try PipelineFiles.plans(pipelines, daemon: settings)
    let logger = Self.logger(level: settings.logLevel)
    for warning in warnings { Output.note(warning.description) }
    let daemon = Daemon(
      plans: plans, configuration: settings, logger: logger,
      seed: UInt64.random(in: 0...UInt64.max))
    let manager = ServiceManager(environment: ProcessInfo.processInfo.environment)
    let signals = Task {
      let number = await Signals.termination()
      guard !Task.isCancelled else { return }
      logger.notice("signal \(number): delivering what was taken; a second signal ends at once")
      manager.stopping()
      daemon.stop()
      _ = await Signals.termination()
      guard !Task.isCancelled else { return }
      // Nothing is lost: the next start recovers from the last commit.
      _exit(128 + number)
    }
    for plan in plans {
      logger.notice("pipeline \(plan.configuration.name): \(plan.summary)")
    }
    let watchdog = Task {
      try await Watchdog(manager: manager, logger: logger).watch(daemon)
    }
    let summary = "running \(plans.map(\.configuration.name).joined(separator: ", "))"
    let isFine = try await daemon.run { manager.ready(summary) }
    signals.cancel()
    watchdog.cancel()
    guard isFine else {
      let problems = daemon.statuses.compactMap { status in
        status.problem.map { "pipeline \(status.name): \($0)" }
      }
      throw Failure(message: problems.joined(separator: "\n"))
    }
    logger.notice("stopped")
  }

  static func logger(level: String) -> Logger {
    var logger = Logger(label: "cutbank") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = Logger.Level(rawValue: level) ?? .info
    return logger
  }
}
