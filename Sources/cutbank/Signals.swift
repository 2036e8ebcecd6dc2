import Dispatch
import Glibc

/// Signals that the process obeys instead of ending, from the creation of this value on.
///
/// One that comes while nobody waits for it is kept; the newest of several, where only one counts.
final class Signals {
  /// How many of those that came meanwhile are kept.
  enum Kept {
    case all
    case newest
  }

  private let stream: AsyncStream<Int32>
  private let sources: [any DispatchSourceSignal]

  /// Begins to listen.
  init(_ numbers: [Int32], keeping kept: Kept) {
    let policy: AsyncStream<Int32>.Continuation.BufferingPolicy =
      kept == .all ? .unbounded : .bufferingNewest(1)
    let (stream, continuation) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: policy)
    self.stream = stream
    sources = numbers.map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number)
      source.setEventHandler { continuation.yield(number) }
      source.resume()
      return source
    }
  }

  deinit { for source in sources { source.cancel() } }

  /// The number of the next signal; nil when the waiting task is cancelled.
  func next() async -> Int32? {
    for await number in stream { return number }
    return nil
  }

  /// Waits for SIGTERM or SIGINT.
  static func termination() async {
    _ = await Signals([SIGTERM, SIGINT], keeping: .all).next()
  }
}
