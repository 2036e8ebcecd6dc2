import Glibc
import Processes

/// A child process at low priority whose memory and time are bounded, with its output.
///
/// The only unsafe code of this folder: buffers live for the duration of the call that takes them. Its
/// standard input stays open and empty: when this process ends, however it does, the
/// child sees the end of its input and ends too.
struct TrainingProcess {
  /// The program and its arguments.
  let arguments: [String]
  /// The longest that it may take, milliseconds.
  let timeLimit: Int64

  /// How a process ended.
  enum Outcome: Hashable, Sendable {
    case finished
    /// Why it did not come to a good end.
    case failed(String)
    case cancelled
  }

  /// What became of a process.
  struct Report: Sendable {
    let outcome: Outcome
    /// Processor time, milliseconds.
    let cpuMilliseconds: Int64
  }

  private static let errorLimit = 2_048
  private static let lineLimit = 1 << 20

  /// Runs the process on this thread until it has ended.
  ///
  /// - Parameters:
  ///   - isCancelled: Asked several times a second; true kills the process.
  ///   - line: Takes each line of standard output.
  /// - Returns: How it ended, and its processor time.
  /// - Throws: `TrainingFailure` when it cannot be started.
  func run(isCancelled: () -> Bool, line: (String) -> Void) throws -> Report {
    let child = try start()
    var files = Outputs(child)
    defer {
      files.close()
      // It ends with its standard input.
      child.send()
    }
    let start = Self.monotonicMilliseconds
    var output = Lines(limit: Self.lineLimit)
    var errors: [UInt8] = []
    var ending: Outcome?
    while files.isOpen, ending == nil {
      files.read(
        waitingMilliseconds: 100, output: { output.add($0, line) },
        errors: { bytes in
          errors += bytes
          errors.removeFirst(max(0, errors.count - Self.errorLimit))
        })
      if isCancelled() { ending = .cancelled }
      // The process ends by itself a moment before; this is for one that does not come to it.
      if Self.monotonicMilliseconds - start > timeLimit + 5_000 { ending = .failed(overTime) }
    }
    if ending != nil { child.signal(SIGKILL) }
    let end = child.waitForEnd()
    return Report(
      outcome: ending ?? outcome(end, String(decoding: errors, as: UTF8.self)),
      cpuMilliseconds: end.cpuMilliseconds)
  }

  /// Starts it with what the linker and temporary files need, and no secret; one thread, since a second
  /// slows small models down and would take the stream's core.
  private func start() throws -> ChildProcess {
    var environment = [
      "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "SWIFT_BACKTRACE": "enable=no",
    ]
    for name in ["HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR"] {
      environment[name] = getenv(name).map { String(cString: $0) }
    }
    do {
      return try ChildProcess(
        arguments, environment: environment, input: .pipe, output: .pipe, errors: .pipe)
    } catch {
      throw TrainingFailure(error.description)
    }
  }

  private var overTime: String {
    "it took longer than its limit of \(timeLimit / 1_000) s: raise limits.time, or train on less data"
  }

  private func outcome(_ end: ChildProcess.End, _ errors: String) -> Outcome {
    let said = errors.split(separator: "\n").joined(separator: " ")
    let text = said.isEmpty ? "" : ": \(said)"
    switch (end.signal, end.exitCode) {
    case (0, 0): return .finished
    case (0, 75): return .failed("it went over a limit" + text)
    case (0, let code): return .failed("it ended with exit code \(code)" + text)
    case (SIGKILL, _):
      return .failed("it was killed, by somebody or by the system for lack of memory" + text)
    default:
      return .failed(
        "it was ended by signal \(end.signal), as when its memory is used up: raise limits.memory, or "
          + "train on less data" + text)
    }
  }

  private static var monotonicMilliseconds: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }
}

/// Cuts output into lines.
private struct Lines {
  private var rest: [UInt8] = []
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  mutating func add(_ bytes: [UInt8], _ line: (String) -> Void) {
    rest += bytes
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      line(String(decoding: rest[..<end], as: UTF8.self))
      rest.removeFirst(end + 1)
    }
    // What has no end is no line of ours; memory stays bounded.
    if rest.count > limit { rest.removeAll() }
  }
}

/// The two outputs of a process, until both are at their end.
private struct Outputs {
  private var files: [Int32]

  init(_ child: ChildProcess) { files = [child.output, child.errors] }

  /// Whether one of them is not at its end.
  var isOpen: Bool { files.contains { $0 >= 0 } }

  /// Waits a moment for output and hands it out.
  mutating func read(
    waitingMilliseconds: Int32, output: ([UInt8]) -> Void, errors: ([UInt8]) -> Void
  ) {
    var polls = files.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    guard poll(&polls, nfds_t(polls.count), waitingMilliseconds) > 0 else { return }
    for (index, result) in polls.enumerated() where result.fd >= 0 && result.revents != 0 {
      if let bytes = ChildProcess.read(result.fd) {
        (index == 0 ? output : errors)(bytes)
      } else {
        // poll passes over negative numbers.
        files[index] = -1
      }
    }
  }

  mutating func close() {
    for file in files where file >= 0 { Glibc.close(file) }
    files = [-1, -1]
  }
}

/// Why a training has no model.
struct TrainingFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
