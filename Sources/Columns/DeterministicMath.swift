/// Elementary functions with the same bits on every machine: only IEEE additions, multiplications,
/// divisions and comparisons in a fixed order, no libm.
///
/// The error is below two units in the last place, that of `pow` below 32.
public enum DeterministicMath {
  private static let logarithmOfTwoHigh = Double(bitPattern: 0x3FE6_2E42_FEE0_0000)
  private static let logarithmOfTwoLow = 1.908_214_929_270_587_7e-10
  private static let inverseLogarithmOfTwo = 1.442_695_040_888_963_4
  private static let inverseLogarithmOfTenHigh = 0.434_294_481_903_251_83
  private static let inverseLogarithmOfTenLow = 1.098_319_650_216_765e-17
  private static let inverseFactorials: [Double] = {
    var values: [Double] = [1]
    var factorial = 1.0
    for index in 1...14 {
      factorial *= Double(index)
      values.append(1 / factorial)
    }
    return values
  }()

  /// The natural logarithm; NaN below zero, minus infinity at zero.
  public static func log(_ x: Double) -> Double {
    guard x > 0, x < .infinity else { return x == 0 ? -.infinity : (x > 0 ? x : .nan) }
    let (high, low) = logarithm(x)
    return high + low
  }

  /// The logarithm to base ten; NaN below zero, minus infinity at zero.
  public static func log10(_ x: Double) -> Double {
    guard x > 0, x < .infinity else { return x == 0 ? -.infinity : (x > 0 ? x : .nan) }
    if let exact = exactPowerOfTen(x) { return exact }
    let (high, low) = logarithm(x)
    let product = high * inverseLogarithmOfTenHigh
    let rest = (-product).addingProduct(high, inverseLogarithmOfTenHigh)
    return product
      + (rest + high * inverseLogarithmOfTenLow + low * inverseLogarithmOfTenHigh)
  }

  /// The exponential.
  public static func exp(_ x: Double) -> Double { exponential(x, 0) }

  /// The power; NaN for a negative base with an exponent that is not an integer.
  public static func pow(_ base: Double, _ exponent: Double) -> Double {
    if exponent == 0 || base == 1 { return 1 }
    guard base == base, exponent == exponent else { return .nan }
    if exponent == exponent.rounded(.towardZero), abs(exponent) <= 64 {
      return integerPower(base, Int(exponent))
    }
    let isOdd =
      exponent == exponent.rounded(.towardZero) && abs(exponent) < 9_007_199_254_740_992
      && Int64(exponent) & 1 != 0
    if base == 0 { return exponent > 0 ? (isOdd ? base : 0) : (isOdd ? 1 / base : .infinity) }
    if base < 0, exponent != exponent.rounded(.towardZero) { return .nan }
    let magnitude = abs(base)
    if magnitude == .infinity {
      let value: Double = exponent > 0 ? .infinity : 0
      return base < 0 && isOdd ? -value : value
    }
    let (high, low) = logarithm(magnitude)
    let product = exponent * high
    let rest = (-product).addingProduct(exponent, high) + exponent * low
    let value = exponential(product, rest == rest ? rest : 0)
    return base < 0 && isOdd ? -value : value
  }

  private static func integerPower(_ base: Double, _ exponent: Int) -> Double {
    var result = 1.0
    var square = base
    var rest = exponent.magnitude
    while rest > 0 {
      if rest & 1 != 0 { result *= square }
      square *= square
      rest >>= 1
    }
    return exponent < 0 ? 1 / result : result
  }

  /// ten to the n for 0...22 is exact in binary, so its logarithm shall be too.
  private static func exactPowerOfTen(_ x: Double) -> Double? {
    guard x >= 1, x <= 1e22, x == x.rounded(.towardZero) else { return nil }
    var power = 1.0
    for exponent in 0...22 {
      if power == x { return Double(exponent) }
      if power > x { return nil }
      power *= 10
    }
    return nil
  }

  /// log x as an unevaluated sum: x = 2^k m, log m = 2 atanh((m - 1) / (m + 1)).
  private static func logarithm(_ x: Double) -> (high: Double, low: Double) {
    var exponent = Double(x.exponent)
    var significand = x.significand
    if significand > 1.414_213_562_373_095_1 {
      significand /= 2
      exponent += 1
    }
    let numerator = significand - 1
    let denominator = significand + 1
    let denominatorRest = (significand - denominator) + 1
    let quotient = numerator / denominator
    let remainder = numerator.addingProduct(-quotient, denominator) - quotient * denominatorRest
    let quotientRest = remainder / denominator
    let square = quotient * quotient
    var series = 0.0
    var odd = 25.0
    while odd >= 3 {
      series = series * square + 1 / odd
      odd -= 2
    }
    let tail = 2 * quotientRest + 2 * quotient * square * series
    let leading = 2 * quotient
    let scaled = exponent * logarithmOfTwoHigh
    let sum = scaled + leading
    let rest = scaled == 0 ? 0 : (scaled - sum) + leading
    let low = rest + (exponent * logarithmOfTwoLow + tail)
    let high = sum + low
    return (high, (sum - high) + low)
  }

  /// exp(x + rest) for a rest far below x.
  private static func exponential(_ x: Double, _ rest: Double) -> Double {
    guard x == x else { return .nan }
    if x > 709.79 { return .infinity }
    if x < -745.14 { return 0 }
    let multiple = (x * inverseLogarithmOfTwo).rounded(.toNearestOrEven)
    let high = x - multiple * logarithmOfTwoHigh
    let low = rest - multiple * logarithmOfTwoLow
    let reduced = high + low
    let reducedRest = (high - reduced) + low
    var series = 0.0
    for index in stride(from: 14, through: 2, by: -1) {
      series = series * reduced + inverseFactorials[index]
    }
    let value = 1 + (reduced + (reduced * reduced * series + reducedRest * (1 + reduced)))
    let half = Int(multiple) / 2
    return value * Double(sign: .plus, exponent: half, significand: 1)
      * Double(sign: .plus, exponent: Int(multiple) - half, significand: 1)
  }
}
