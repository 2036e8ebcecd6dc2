import Columns
import RandomCutForest

/// How this program computes on this machine, as a number: a small fixed computation through the
/// logarithm, the exponential function, powers and the kernels of a forest.
///
/// State that is replayed by a program with another number might take another course.
enum Arithmetic {
  static let fingerprint: UInt64? = try? compute()

  private static func compute() throws(ForestError) -> UInt64 {
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    func fold(_ value: Double) {
      digest = (digest ^ value.bitPattern) &* 0x0000_0100_0000_01B3
      digest ^= digest >> 29
    }
    for step in 1...64 {
      let value = Double(step) * 0.137
      fold(DeterministicMath.log(value))
      fold(DeterministicMath.exp(4 - value))
      fold(DeterministicMath.pow(value, 1 / value))
    }
    var forest = try RandomCutForest(
      ForestConfiguration(dimensions: 4, shingleSize: 2, sampleSize: 32, numberOfTrees: 8, seed: 7))
    for step in 0..<96 {
      let values = [Float(step * 7 % 11), step == 80 ? 90 : Float(step * step % 13)]
      fold(try forest.attribution(values.span).high.reduce(0, +))
      fold(try forest.scoreAndUpdate(values.span))
    }
    return digest
  }
}
