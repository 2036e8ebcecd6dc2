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
      once and loses nothing. SIGHUP reads the files again and goes on with them, or as before when they \
      are refused; it also lets pipelines go on that bad records have paused. A configuration that is refused ends with 78.
      """)

  @Argument(help: "Pipeline files.")
  var pipelines: [String]

  @OptionGroup var options: PipelineOptions

  func run() async throws {
    let first = try load()
    let logger = Self.logger(level: first.settings.logLevel)
    let supervisor = Supervisor(
      manager: ServiceManager(environment: ProcessInfo.processInfo.environment), logger: logger,
      load: { try load() })
    let signals = Task {
      let number = await Signals.termination()
      guard !Task.isCancelled else { return }
      logger.notice("signal \(number): delivering what was taken; a second signal ends at once")
      supervisor.stop()
      _ = await Signals.termination()
      guard !Task.isCancelled else { return }
      // Nothing is lost: the next start recovers from the last commit.
      _exit(128 + number)
    }
    let reloads = Task {
      await Signals.hangups { supervisor.reload() }
    }
    let (daemon, isFine) = try await supervisor.run(first)
    signals.cancel()
    reloads.cancel()
    guard isFine else {
      let problems = daemon.statuses.compactMap { status in
        status.problem.map { "pipeline \(status.name): \($0)" }
      }
      throw Failure(message: problems.joined(separator: "\n"))
    }
    logger.notice("stopped")
  }

  private func load() throws -> Supervisor.Loaded {
    let settings = try options.daemon()
    let (plans, warnings) = try PipelineFiles.plans(pipelines, daemon: settings)
    for warning in warnings { Output.note(warning.description) }
    return Supervisor.Loaded(settings: settings, plans: plans)
  }

  static func logger(level: String) -> Logger {
    var logger = Logger(label: "cutbank") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = Logger.Level(rawValue: level) ?? .info
    return logger
  }
}
