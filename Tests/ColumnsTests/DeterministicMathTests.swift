import Columns
import Foundation
import Testing

@Suite struct DeterministicMathTests {
  private func ulps(_ actual: Double, _ expected: Double) -> Double {
    if actual == expected { return 0 }
    return abs(actual - expected) / expected.ulp
  }

  @Test func logarithmsAndExponentialsAgreeWithTheLibrary() {
    var state: UInt64 = 42
    var worst = (log: 0.0, exp: 0.0, pow: 0.0, log10: 0.0)
    for _ in 0..<200_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let unit = Double(state >> 11) * 0x1p-53
      let x = Foundation.exp((unit - 0.5) * 600)
      worst.log = max(worst.log, ulps(DeterministicMath.log(x), Foundation.log(x)))
      let near = 0.5 + unit
      worst.log = max(worst.log, ulps(DeterministicMath.log(near), Foundation.log(near)))
      worst.log10 = max(worst.log10, ulps(DeterministicMath.log10(x), Foundation.log10(x)))
      let power = (unit - 0.5) * 1400
      worst.exp = max(worst.exp, ulps(DeterministicMath.exp(power), Foundation.exp(power)))
      worst.pow = max(
        worst.pow,
        ulps(DeterministicMath.pow(near * 10, power / 7), Foundation.pow(near * 10, power / 7)))
    }
    #expect(worst.log <= 2, "\(worst)")
    #expect(worst.log10 <= 2, "\(worst)")
    #expect(worst.exp <= 2, "\(worst)")
    #expect(worst.pow <= 32, "\(worst)")
  }

  @Test func specialValues() {
    #expect(DeterministicMath.log(1) == 0)
    #expect(DeterministicMath.log(0) == -.infinity)
    #expect(DeterministicMath.log(-1).isNaN)
    #expect(DeterministicMath.log10(1_000) == 3)
    #expect(DeterministicMath.exp(0) == 1)
    #expect(DeterministicMath.exp(1_000) == .infinity)
    #expect(DeterministicMath.exp(-1_000) == 0)
    #expect(DeterministicMath.pow(3, 2) == 9)
    #expect(DeterministicMath.pow(-2, 3) == -8)
    #expect(DeterministicMath.pow(2, -1) == 0.5)
    #expect(DeterministicMath.pow(-2, 0.5).isNaN)
    #expect(DeterministicMath.pow(0, 0.5) == 0)
  }
}
