import Dispatch
import Glibc

/// The signals that a daemon obeys.
enum Signals {
  /// Waits for SIGTERM or SIGINT and returns its number.
  static func termination() async -> Int32 {
    var first = SIGTERM
    await serve([SIGTERM, SIGINT], keeping: .unbounded) { number in
      first = number
      return false
    }
    return first
  }

  /// Calls `body` for SIGHUP until it is cancelled; those that come meanwhile are one.
  static func hangups(_ body: () -> Void) async {
    await serve([SIGHUP], keeping: .bufferingNewest(1)) { _ in
      body()
      return true
    }
  }

  /// Calls `body` for each signal until it returns false.
  private static func serve(
    _ numbers: [Int32], keeping policy: AsyncStream<Int32>.Continuation.BufferingPolicy,
    _ body: (Int32) -> Bool
  ) async {
    let (stream, continuation) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: policy)
    let sources = numbers.map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number)
      source.setEventHandler { continuation.yield(number) }
      source.resume()
      return source
    }
    defer { for source in sources { source.cancel() } }
    for await number in stream where !body(number) { return }
  }
}
