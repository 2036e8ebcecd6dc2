/// 10^`exponent` for exponents from 0 to 19.
@inline(__always)
func powerOfTen(_ exponent: Int) -> UInt64 { integerPowers[exponent] }

/// 10^`exponent` for exponents from 0 to 22, which are exact.
@inline(__always)
func exactPowerOfTen(_ exponent: Int) -> Double { exactPowers[exponent] }

// Tables, because a `switch` over so many cases becomes a jump that is often foretold wrongly.
private let integerPowers: [UInt64] = [
  1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
  10_000_000_000, 100_000_000_000, 1_000_000_000_000, 10_000_000_000_000, 100_000_000_000_000,
  1_000_000_000_000_000, 10_000_000_000_000_000, 100_000_000_000_000_000,
  1_000_000_000_000_000_000, 10_000_000_000_000_000_000,
]

private let exactPowers: [Double] = [
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
  1e18, 1e19, 1e20, 1e21, 1e22,
]
