// Elementary functions of our own: the results of libm differ between systems, those of the four
// operations and of square roots do not. All are within a few units in the last place.

private let ln2High = 0x1.62e42fefa0000p-1
private let ln2Low = 0x1.cf79abc9e3b3ap-40

/// The natural logarithm of a positive, finite number.
@inline(__always)
package func logarithm(_ x: Double) -> Double {
  let (mantissa, exponent) = splitMantissa(x)
  let series = doubleAtanh((mantissa - 1) / (mantissa + 1))
  return exponent * ln2High + (series + exponent * ln2Low)
}

/// The logarithm to base 2 of a positive, finite number.
package func logarithm2(_ x: Double) -> Double {
  let (mantissa, exponent) = splitMantissa(x)
  return exponent + doubleAtanh((mantissa - 1) / (mantissa + 1)) * 1.442695040888963407
}

/// log(1 + x) for x > -1, exact for small x too.
package func logarithm1p(_ x: Double) -> Double {
  x.magnitude < 0.375 ? doubleAtanh(x / (2 + x)) : logarithm(1 + x)
}

/// e to the x; 0 below -745, infinity above 709.78.
package func exponential(_ x: Double) -> Double {
  if x > 709.78 { return .infinity }
  if !(x > -745) { return x.isNaN ? .nan : 0 }
  // Adding and taking away this number rounds to an integer.
  let steps = (x * 1.442695040888963407 + 0x1.8p52) - 0x1.8p52
  let remainder = (x - steps * ln2High) - steps * ln2Low
  let mantissa = 1 + exponentialSeries(remainder)
  let power = Int(steps)
  // In two factors, because 2 to the power alone may leave the range of normal numbers.
  let half = power / 2
  return mantissa * powerOf2(half) * powerOf2(power - half)
}

/// exp(x) - 1, exact for small x too.
package func exponentialM1(_ x: Double) -> Double {
  x.magnitude < 0.35 ? exponentialSeries(x) : exponential(x) - 1
}

/// x to the power of y for x > 0, and 0 for x = 0.
package func power(_ x: Double, _ y: Double) -> Double {
  x > 0 ? exponential(y * logarithm(x)) : 0
}

/// The nearest integer, halves away from zero; |x| < 2⁶³.
///
/// `rounded` would need libm.
func nearest(_ x: Double) -> Int64 { Int64(x < 0 ? x - 0.5 : x + 0.5) }

/// The smallest integer not below x; |x| < 2⁶³.
func ceiling(_ x: Double) -> Int {
  let whole = Int(x)
  return Double(whole) < x ? whole + 1 : whole
}

/// x = mantissa · 2 to the exponent, the mantissa between √½ and √2.
@inline(__always)
private func splitMantissa(_ x: Double) -> (mantissa: Double, exponent: Double) {
  var bits = x.bitPattern
  var exponent = 0
  if bits < 0x0010_0000_0000_0000 {
    bits = (x * 0x1p54).bitPattern
    exponent = -54
  }
  // Adding the distance from √½ to 1 moves mantissas above √2 to the next exponent.
  let shifted = bits &+ (0x3ff0_0000_0000_0000 &- 0x3fe6_a09e_667f_3bcd)
  exponent += Int(shifted >> 52) - 1023
  let mantissa = (shifted & 0x000f_ffff_ffff_ffff) &+ 0x3fe6_a09e_667f_3bcd
  return (Double(bitPattern: mantissa), Double(exponent))
}

/// 2·atanh(s) for |s| <= 0.24, by its series; summed in pairs, because one chain would wait for
/// every step.
@inline(__always)
private func doubleAtanh(_ s: Double) -> Double {
  let x = s * s
  let x2 = x * x
  let x4 = x2 * x2
  let low = (1.0 / 3 + x * (1.0 / 5)) + x2 * (1.0 / 7 + x * (1.0 / 9))
  let middle = (1.0 / 11 + x * (1.0 / 13)) + x2 * (1.0 / 15 + x * (1.0 / 17))
  let high = (1.0 / 19 + x * (1.0 / 21)) + x2 * (1.0 / 23 + x * (1.0 / 25))
  return 2 * s + 2 * s * x * (low + x4 * (middle + x4 * high))
}

/// exp(r) - 1 for |r| <= 0.35, by its series.
@inline(__always)
private func exponentialSeries(_ r: Double) -> Double {
  let r2 = r * r
  let r4 = r2 * r2
  let low = (1.0 / 2 + r * (1.0 / 6)) + r2 * (1.0 / 24 + r * (1.0 / 120))
  let middle = (1.0 / 720 + r * (1.0 / 5_040)) + r2 * (1.0 / 40_320 + r * (1.0 / 362_880))
  let high =
    (1.0 / 3_628_800 + r * (1.0 / 39_916_800))
    + r2 * (1.0 / 479_001_600 + r * (1.0 / 6_227_020_800 + r * (1.0 / 87_178_291_200)))
  return r + r2 * (low + r4 * (middle + r4 * high))
}

private func powerOf2(_ exponent: Int) -> Double {
  Double(bitPattern: UInt64(exponent + 1023) << 52)
}
