import Foundation
import Glibc
import Processes

/// `cutbank run` as a process of its own, so that its memory and its time are its alone.
final class ChildDaemon {
  private let process: ChildProcess
  private let log: String

  /// Starts a daemon for one pipeline file.
  ///
  /// - Parameters:
  ///   - pipeline: The file's path.
  ///   - folder: Where its data and its log go.
  ///   - brokers: The brokers, host:port.
  /// - Throws: when the process cannot be started.
  init(pipeline: String, folder: String, brokers: String) throws {
    log = folder + "/daemon.log"
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
    process = try ChildProcess(
      [program, "run", pipeline, "--brokers", brokers],
      environment: ProcessInfo.processInfo.environment.merging(
        ["CUTBANK_DATA_DIRECTORY": folder + "/data"]) { $1 },
      errors: .file(log))
  }

  /// Bytes of memory that it holds.
  var residentBytes: Int {
    get throws {
      let status = try String(
        contentsOfFile: "/proc/\(process.id)/status", encoding: .utf8)
      let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
      return
        (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0)
        << 10
    }
  }

  /// Seconds of processors that it has used.
  var processorSeconds: Double {
    get throws {
      let stat = try String(
        contentsOfFile: "/proc/\(process.id)/stat", encoding: .utf8)
      // The name, in parentheses, may hold anything; the times are fields 14 and 15.
      let fields = stat.split(separator: ")").last.map { $0.split(separator: " ") } ?? []
      guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
        throw Failure(message: "cannot read the times of process \(process.id)")
      }
      return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
  }

  /// Waits for a line of its log.
  ///
  /// - Throws: when it has ended instead.
  func wait(for text: String) async throws {
    while true {
      let lines = try String(contentsOfFile: log, encoding: .utf8)
      if lines.contains(text) { return }
      guard process.isRunning else { throw Failure(message: "the daemon has ended:\n\(lines)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Lets it deliver what it has and end.
  ///
  /// - Throws: when it does not end as it should.
  func stop() async throws {
    process.signal(SIGTERM)
    while process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
    let end = process.waitForEnd()
    guard end.exitCode == 0 else {
      let lines = try String(contentsOfFile: log, encoding: .utf8)
      throw Failure(message: "the daemon ended with \(end.exitCode):\n\(lines)")
    }
  }
}
