import Glibc

/// A child process at low priority whose memory and time are bounded, with its output.
///
/// The only unsafe code of this folder: C strings and buffers live for the duration of the call that
/// takes them. Its standard input stays open and empty: when this process ends, however it does, the
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
    let child = try Child(arguments)
    defer { child.close() }
    let start = Self.monotonicMilliseconds
    var output = Lines(limit: Self.lineLimit)
    var errors: [UInt8] = []
    var ending: Outcome?
    var isOpen = true
    while isOpen {
      isOpen = child.read(
        waitingMilliseconds: 100, output: { output.add($0, line) },
        errors: { bytes in
          errors += bytes
          errors.removeFirst(max(0, errors.count - Self.errorLimit))
        })
      guard ending == nil else { continue }
      if isCancelled() { ending = .cancelled }
      // The process ends by itself a moment before; this is for one that does not come to it.
      if Self.monotonicMilliseconds - start > timeLimit + 5_000 { ending = .failed(overTime) }
      if ending != nil { child.kill() }
    }
    let end = child.wait()
    return Report(
      outcome: ending ?? outcome(end.status, String(decoding: errors, as: UTF8.self)),
      cpuMilliseconds: end.cpuMilliseconds)
  }

  private var overTime: String {
    "it took longer than its limit of \(timeLimit / 1_000) s: raise limits.time, or train on less data"
  }

  private func outcome(_ status: Int32, _ errors: String) -> Outcome {
    let said = errors.split(separator: "\n").joined(separator: " ")
    let text = said.isEmpty ? "" : ": \(said)"
    let signal = status & 0x7F
    switch (signal, status >> 8 & 0xFF) {
    case (0, 0): return .finished
    case (0, 75): return .failed("it went over a limit" + text)
    case (0, let code): return .failed("it ended with exit code \(code)" + text)
    case (SIGKILL, _):
      return .failed("it was killed, by somebody or by the system for lack of memory" + text)
    default:
      return .failed(
        "it was ended by signal \(signal), as when its memory is used up: raise limits.memory, or "
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

/// A process with pipes, by the system's own calls.
private final class Child {
  private let id: pid_t
  private let input: Int32
  private var outputs: [Int32]

  init(_ arguments: [String]) throws {
    var pipes: [(read: Int32, write: Int32)] = []
    for _ in 0..<3 { pipes.append(try Self.makePipe(pipes)) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, pipes[0].read, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, pipes[1].write, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, pipes[2].write, STDERR_FILENO)
    var words = arguments.map { strdup($0) } + [nil]
    var variables = Self.environment().map { strdup($0) } + [nil]
    defer { for text in words + variables { free(text) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, arguments[0], &actions, nil, &words, &variables)
    for file in [pipes[0].read, pipes[1].write, pipes[2].write] { Glibc.close(file) }
    input = pipes[0].write
    outputs = [pipes[1].read, pipes[2].read]
    id = process
    guard code == 0 else {
      close()
      throw TrainingFailure(
        "\(arguments[0]) cannot be started: \(String(cString: strerror(code)))")
    }
  }

  /// What the linker and temporary files need, and no secret; one thread, since a second slows small
  /// models down and would take the stream's core.
  private static func environment() -> [String] {
    let kept = ["HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR"].compactMap { (name: String) in
      getenv(name).map { "\(name)=\(String(cString: $0))" }
    }
    return kept + ["OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "SWIFT_BACKTRACE=enable=no"]
  }

  /// A pipe that no other child inherits.
  private static func makePipe(
    _ before: [(read: Int32, write: Int32)]
  ) throws -> (read: Int32, write: Int32) {
    var files: [Int32] = [0, 0]
    guard pipe(&files) == 0 else {
      let reason = String(cString: strerror(errno))
      for pipe in before {
        Glibc.close(pipe.read)
        Glibc.close(pipe.write)
      }
      throw TrainingFailure("there is no pipe for the training process: \(reason)")
    }
    for file in files { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
    return (files[0], files[1])
  }

  /// Waits a moment for output and hands it out; false when both pipes are at their end.
  func read(
    waitingMilliseconds: Int32, output: ([UInt8]) -> Void, errors: ([UInt8]) -> Void
  ) -> Bool {
    var polls = outputs.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    guard poll(&polls, nfds_t(polls.count), waitingMilliseconds) > 0 else { return true }
    for (index, result) in polls.enumerated() where result.fd >= 0 && result.revents != 0 {
      var buffer = [UInt8](repeating: 0, count: 16_384)
      let count = Glibc.read(result.fd, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      if count > 0 {
        (index == 0 ? output : errors)(Array(buffer[..<count]))
      } else {
        Glibc.close(result.fd)
        // poll passes over negative numbers.
        outputs[index] = -1
      }
    }
    return outputs.contains { $0 >= 0 }
  }

  func kill() { _ = Glibc.kill(id, SIGKILL) }

  /// Waits for the end.
  func wait() -> (status: Int32, cpuMilliseconds: Int64) {
    var status: Int32 = 0
    var usage = rusage()
    while wait4(id, &status, 0, &usage) < 0, errno == EINTR {}
    let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
    let microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
    return (status, Int64(seconds * 1_000 + microseconds / 1_000))
  }

  func close() {
    Glibc.close(input)
    for file in outputs where file >= 0 { Glibc.close(file) }
    outputs = [-1, -1]
  }
}

/// Why a training has no model.
struct TrainingFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
