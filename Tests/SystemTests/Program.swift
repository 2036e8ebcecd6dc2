import Dispatch
import Foundation
import Processes
import Synchronization
import Testing

/// The built `cutbank` as a process, or another program: what it prints can be awaited.
final class Program: Sendable {
  fileprivate struct State {
    var lines: [String] = []
    var rest: [UInt8] = []
    var openPipes = 2
    var status: Int32?
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let record = Record()
  private let child: ChildProcess

  /// The program under test stands beside the test runner.
  static var cutbank: String {
    if let path = ProcessInfo.processInfo.environment["CUTBANK_BINARY"] { return path }
    return URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("cutbank").path
  }

  /// Starts a program; without a path, cutbank.
  init(_ path: String? = nil, _ arguments: [String], folder: String? = nil) throws {
    child = try ChildProcess(
      [path ?? Self.cutbank] + arguments, folder: folder, input: .pipe, output: .pipe,
      errors: .pipe)
    // The threads hold the record only, so that a program that nobody waits for is ended.
    let child = child
    let record = record
    for file in [child.output, child.errors] {
      Thread.detachNewThread {
        while let bytes = ChildProcess.read(file) { record.receive(bytes) }
        record.receive([])
      }
    }
    Thread.detachNewThread { record.ended(child.waitForEnd().exitCode) }
  }

  deinit { signal(SIGKILL) }

  /// Everything printed so far, both streams.
  var text: String { record.state.withLock { $0.lines.joined(separator: "\n") } }

  /// The number of the process.
  var id: Int32 { child.id }

  var isRunning: Bool { record.state.withLock { $0.status == nil } }

  /// The memory that it has in use, bytes; 0 when it has ended.
  var residentBytes: Int { 1_024 * status("VmRSS:") }

  /// The most memory that it ever had in use, bytes; 0 when it has ended.
  var peakBytes: Int { 1_024 * status("VmHWM:") }

  /// How many threads it has; 0 when it has ended.
  var threadCount: Int { status("Threads:") }

  /// How many files, pipes and sockets it holds open; 0 when it has ended.
  var openFileCount: Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(child.id)/fd"))?.count ?? 0
  }

  private func status(_ name: String) -> Int {
    let status = (try? String(contentsOfFile: "/proc/\(child.id)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
    return line?.firstMatch(of: /\d+/).flatMap { Int($0.output) } ?? 0
  }

  /// The processes that it has started.
  var children: [Int32] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return all.compactMap { Int32($0) }.filter { id in
      guard let text = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8),
        let end = text.lastIndex(of: ")")
      else { return false }
      let fields = text[end...].split(separator: " ")
      return fields.count > 2 && fields[1] != "Z" && Int32(fields[2]) == child.id
    }
  }

  /// Waits until a process that is nobody's child here has ended.
  ///
  /// One that does not end within `patience` is killed and fails the test.
  static func expectEnd(
    ofProcess id: Int32, within patience: Duration = .seconds(120)
  ) async throws {
    // The system tells only the parent of an end; tail waits for anybody's.
    let tail = try Program(
      "/usr/bin/tail", ["--pid=\(id)", "--sleep-interval=0.05", "--follow", "/dev/null"])
    guard await tail.exitCode(within: patience) != 0 else { return }
    kill(id, SIGKILL)
    Issue.record("process \(id) has not ended within \(patience)")
  }

  /// Writes to the standard input and closes it.
  func send(_ text: String) { child.send(Array(text.utf8)) }

  /// Sends a signal, unless the program has ended.
  func signal(_ number: Int32) {
    record.state.withLock { if $0.status == nil { child.signal(number) } }
  }

  /// Waits for a line that contains `text` and returns it; nil if the program ends without it.
  ///
  /// A program that goes on without it fails the test when `patience` is over.
  func line(containing text: String, within patience: Duration = .seconds(120)) async -> String? {
    let found = await record.first(within: patience) { state -> String?? in
      if let line = state.lines.first(where: { $0.contains(text) }) { return .some(line) }
      return state.status != nil && state.openPipes == 0 ? .some(nil) : nil
    }
    if let found { return found }
    Issue.record("'\(text)' was not printed within \(patience); this was:\n\(self.text)")
    return nil
  }

  /// Waits until `holds` does, which is asked again whenever the program prints something.
  ///
  /// - Returns: Whether it did before the program ended and `patience` was over; if not, the test
  ///   has failed with what was printed.
  func waits(
    within patience: Duration = .seconds(120), until holds: @Sendable () throws -> Bool
  ) async rethrows -> Bool {
    if try await outlives(within: patience, holds) { return true }
    Issue.record("what was waited for did not come within \(patience); printed was:\n\(text)")
    return false
  }

  /// Waits until `holds` does; returns whether it did before the program ended and `patience` was over.
  func outlives(
    within patience: Duration, _ holds: @Sendable () throws -> Bool
  ) async rethrows -> Bool {
    // A folder tells of no change that could be awaited portably, so it is looked at.
    let end = ContinuousClock.now + patience
    while true {
      if try holds() { return true }
      guard isRunning, ContinuousClock.now < end else { break }
      await record.pause(.milliseconds(20))
    }
    return try holds()
  }

  /// Waits for the end and returns the exit code; -1 after a signal that was not handled.
  ///
  /// A program that does not end within `patience` is killed and fails the test.
  func exitCode(within patience: Duration = .seconds(120)) async -> Int32 {
    let ended = await record.first(within: patience) { $0.openPipes == 0 ? $0.status : nil }
    if let ended { return ended }
    signal(SIGKILL)
    Issue.record("the program did not end within \(patience); it has printed:\n\(text)")
    return -1
  }
}

/// What a program has printed, and how it ended.
private final class Record: Sendable {
  let state = Mutex(Program.State())

  /// Waits until `value` gives something, looking again whenever something has happened; nil when
  /// that has not come about in time.
  func first<Value: Sendable>(
    within patience: Duration, _ value: @Sendable (inout Program.State) -> Value?
  ) async -> Value? {
    let end = ContinuousClock.now + patience
    let alarm = alarm(after: patience)
    defer { alarm.cancel() }
    while true {
      if let found = state.withLock({ value(&$0) }) { return found }
      guard ContinuousClock.now < end else { return nil }
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          if value(&state) != nil || ContinuousClock.now >= end { return true }
          state.waiters.append(continuation)
          return false
        }
        if isReady { continuation.resume() }
      }
    }
  }

  /// Waits until something has happened, at most for a moment.
  func pause(_ moment: Duration) async {
    let alarm = alarm(after: moment)
    defer { alarm.cancel() }
    await withCheckedContinuation { continuation in
      state.withLock { $0.waiters.append(continuation) }
    }
  }

  /// Wakes all that wait when `patience` is over.
  private func alarm(after patience: Duration) -> DispatchWorkItem {
    let alarm = DispatchWorkItem { [self] in wake { _ in } }
    let (seconds, attoseconds) = patience.components
    let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    DispatchQueue.global().asyncAfter(
      deadline: .now() + .nanoseconds(Int(nanoseconds) + 1), execute: alarm)
    return alarm
  }

  func receive(_ bytes: [UInt8]) {
    wake { state in
      if bytes.isEmpty {
        state.openPipes -= 1
        if state.openPipes == 0, !state.rest.isEmpty { state.split(atEnd: true) }
      }
      state.rest += bytes
      state.split(atEnd: false)
    }
  }

  func ended(_ status: Int32) {
    wake { $0.status = status }
  }

  func wake(_ change: (inout Program.State) -> Void) {
    let waiters = state.withLock { state in
      change(&state)
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}

extension Program.State {
  /// Moves whole lines from `rest` to `lines`.
  fileprivate mutating func split(atEnd: Bool) {
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      lines.append(String(decoding: rest[..<end], as: UTF8.self))
      rest.removeFirst(end + 1)
    }
    if atEnd {
      lines.append(String(decoding: rest, as: UTF8.self))
      rest = []
    }
  }
}
