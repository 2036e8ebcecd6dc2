/// Exponential back-off with full jitter: each delay is drawn evenly from zero to a doubling bound.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
public struct Backoff: Hashable, Sendable {
  /// The bound of the first delay in milliseconds.
  public var firstMilliseconds: Int64
  /// No bound exceeds this many milliseconds.
  public var capMilliseconds: Int64

  /// Creates a back-off; the defaults are 1 s doubling to 120 s.
  public init(firstMilliseconds: Int64 = 1_000, capMilliseconds: Int64 = 120_000) {
    self.firstMilliseconds = firstMilliseconds
    self.capMilliseconds = capMilliseconds
  }

  /// The longest delay after `failures` failed attempts (1 or more), in milliseconds.
  public func bound(failures: Int) -> Int64 {
    let doublings = Int64(min(max(failures - 1, 0), 40))
    let (product, overflow) = firstMilliseconds.multipliedReportingOverflow(by: 1 << doublings)
    return overflow ? capMilliseconds : min(product, capMilliseconds)
  }

  /// The delay after `failures` failed attempts (1 or more), in milliseconds.
  public func delay(failures: Int, using generator: inout some RandomNumberGenerator) -> Int64 {
    Int64.random(in: 0...max(0, bound(failures: failures)), using: &generator)
  }
}

/// A small generator for jitter; not for secrets.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
public struct SplitMix64: RandomNumberGenerator, Hashable, Sendable {
  private var state: UInt64

  /// Creates a generator.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
