import Synchronization

/// A number that only grows.
final class Counter: Sendable {
  private let number: Mutex<Int>

  init(_ start: Int) { number = Mutex(start) }

  var value: Int { number.withLock { $0 } }

  /// The number before.
  func advance(by step: Int) -> Int {
    number.withLock { number in
      defer { number += step }
      return number
    }
  }
}
