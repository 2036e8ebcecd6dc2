import ArgumentParser
import Engine
import Foundation
import Glibc
import Logging
import Transport

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

  @Argument(help: "Pipeline files, or folders of them; a reload looks into folders again.")
  var pipelines: [String]

  @OptionGroup var options: PipelineOptions

  func run() async throws {
    // Before anything is read: a signal that comes meanwhile is obeyed afterwards.
    let hangups = Signals([SIGHUP], keeping: .newest)
    let first = try load()
    let level = LogLevel(first.settings.logLevel)
    let logger = level.logger("cutbank")
    let supervisor = Supervisor(
      first, manager: ServiceManager(environment: ProcessInfo.processInfo.environment),
      level: level, logger: logger, load: { try load() })
    let terminations = Signals([SIGTERM, SIGINT], keeping: .all)
    let signals = Task {
      guard let number = await terminations.next() else { return }
      logger.notice("signal \(number): delivering what was taken; a second signal ends at once")
      supervisor.stop()
      guard let again = await terminations.next() else { return }
      // Nothing is lost: the next start recovers from the last commit.
      _exit(128 + again)
    }
    let reloads = Task {
      await Self.reload(supervisor, at: hangups, time: SystemTime())
    }
    defer {
      signals.cancel()
      reloads.cancel()
    }
    try await supervisor.run()
    logger.notice("stopped")
  }

  /// Reloads at each signal, at most once a second; those that come meanwhile are one.
  private static func reload(
    _ supervisor: Supervisor, at hangups: Signals, time: any TimeSource
  ) async {
    while await hangups.next() != nil {
      await supervisor.reload()
      do {
        try await time.sleep(milliseconds: 1_000)
      } catch {
        return
      }
    }
  }

  private func load() throws -> Supervisor.Loaded {
    let settings = try options.daemon()
    let (plans, warnings) = try PipelineFiles.plans(pipelines, daemon: settings)
    for warning in warnings { Output.note(warning.description) }
    return Supervisor.Loaded(settings: settings, plans: plans)
  }
}
