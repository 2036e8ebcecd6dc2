import Foundation
import Synchronization

/// The built `cutbank` as a process, or another program: what it prints can be awaited.
final class Program: Sendable {
  fileprivate struct State {
    var lines: [String] = []
    var rest: [UInt8] = []
    var openPipes = 2
    var status: Int32?
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())
  private let process: Mutex<Process>
  private let input = Pipe()

  /// The program under test stands beside the test runner.
  static var cutbank: String {
    if let path = ProcessInfo.processInfo.environment["CUTBANK_BINARY"] { return path }
    return URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("cutbank").path
  }

  /// Starts a program; without a path, cutbank.
  init(
    _ path: String? = nil, _ arguments: [String], environment: [String: String] = [:],
    folder: String? = nil
  ) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path ?? Self.cutbank)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    self.process = Mutex(process)
    let outputs = [Pipe(), Pipe()]
    process.standardOutput = outputs[0]
    process.standardError = outputs[1]
    process.standardInput = input
    for pipe in outputs {
      pipe.fileHandleForReading.readabilityHandler = { [self] handle in
        let data = handle.availableData
        if data.isEmpty { handle.readabilityHandler = nil }
        receive(Array(data))
      }
    }
    process.terminationHandler = { [self] process in
      ended(process.terminationReason == .exit ? process.terminationStatus : -1)
    }
    try process.run()
  }

  deinit {
    process.withLock { if $0.isRunning { kill($0.processIdentifier, SIGKILL) } }
  }

  /// Everything printed so far, both streams.
  var text: String { state.withLock { $0.lines.joined(separator: "\n") } }

  var isRunning: Bool { state.withLock { $0.status == nil } }

  /// Writes to the standard input and closes it.
  func send(_ text: String) throws {
    try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    try input.fileHandleForWriting.close()
  }

  func signal(_ number: Int32) {
    process.withLock { _ = kill($0.processIdentifier, number) }
  }

  /// Waits for a line that contains `text` and returns it; nil if the program ends without it.
  func line(containing text: String) async -> String? {
    await first { state in
      if let line = state.lines.first(where: { $0.contains(text) }) { return .some(line) }
      return state.status != nil && state.openPipes == 0 ? .some(nil) : nil
    }
  }

  /// Waits for the end and returns the exit code; -1 after a signal that was not handled.
  func exitCode() async -> Int32 {
    await first { $0.openPipes == 0 ? $0.status : nil }
  }

  /// Waits until `value` gives something, looking again whenever something has happened.
  private func first<Value: Sendable>(_ value: @Sendable (inout State) -> Value?) async -> Value {
    while true {
      if let found = state.withLock({ value(&$0) }) { return found }
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          if value(&state) != nil { return true }
          state.waiters.append(continuation)
          return false
        }
        if isReady { continuation.resume() }
      }
    }
  }

  private func receive(_ bytes: [UInt8]) {
    wake { state in
      if bytes.isEmpty {
        state.openPipes -= 1
        if state.openPipes == 0, !state.rest.isEmpty { state.split(atEnd: true) }
      }
      state.rest += bytes
      state.split(atEnd: false)
    }
  }

  private func ended(_ status: Int32) {
    wake { $0.status = status }
  }

  private func wake(_ change: (inout State) -> Void) {
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
