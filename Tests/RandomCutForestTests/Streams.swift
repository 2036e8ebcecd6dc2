import Foundation
import RandomCutForest

/// The generators of the fixtures: the same numbers as AWS's were made from.
struct Gaussian {
  var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  mutating func next() -> Double {
    let a = 1 - random.uniform()
    let b = random.uniform()
    return (-2 * log(a)).squareRoot() * cos(2 * .pi * b)
  }
}

/// 10·sin(2πt/50) + N(0, 1).
func sine(seed: UInt64, count: Int) -> [Float] {
  var noise = Gaussian(seed: seed)
  return (0..<count).map { t in Float(10 * sin(2 * .pi * Double(t) / 50) + noise.next()) }
}

/// Independent N(0, 1).
func gaussians(seed: UInt64, count: Int) -> [Float] {
  var noise = Gaussian(seed: seed)
  return (0..<count).map { _ in Float(noise.next()) }
}
