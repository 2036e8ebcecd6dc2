package import RandomCutForest

// Special functions of the laws, from elementary functions of our own, so that a score has the same
// bits on every machine.

/// The logarithm of the gamma function for x > 0; error below 1e-12.
///
/// - Source: Stirling's series after shifting the argument above 8.
package func logGamma(_ x: Double) -> Double {
  var x = x
  var product = 1.0
  while x < 8 {
    product *= x
    x += 1
  }
  let y = 1 / (x * x)
  let series =
    (1.0 / 12 - y * (1.0 / 360 - y * (1.0 / 1_260 - y * (1.0 / 1_680 - y * (1.0 / 1_188))))) / x
  return (x - 0.5) * logarithm(x) - x + 0.918_938_533_204_672_74 + series - logarithm(product)
}

/// The derivative of `logGamma`.
package func digamma(_ x: Double) -> Double {
  var x = x
  var shift = 0.0
  while x < 8 {
    shift += 1 / x
    x += 1
  }
  let y = 1 / (x * x)
  let series =
    y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y * (1.0 / 132)))))
  return logarithm(x) - 0.5 / x - series - shift
}

/// The regularised incomplete beta function I_x(a, b).
///
/// - Source: the continued fraction of Abramowitz and Stegun 26.5.8, by Lentz's method.
func regularizedBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
  guard x > 0 else { return 0 }
  guard x < 1 else { return 1 }
  let front = exponential(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * logarithm(x) + b * logarithm1p(-x))
  return x < (a + 1) / (a + b + 2)
    ? front * betaFraction(x, a, b) / a : 1 - front * betaFraction(1 - x, b, a) / b
}

private func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
  let tiny = 1e-300
  func safe(_ value: Double) -> Double { value.magnitude < tiny ? tiny : value }
  var c = 1.0
  var d = 1 / safe(1 - (a + b) * x / (a + 1))
  var result = d
  for step in 1...2_000 {
    let m = Double(step)
    let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / safe(1 + even * d)
    c = safe(1 + even / c)
    result *= d * c
    let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / safe(1 + odd * d)
    c = safe(1 + odd / c)
    let factor = d * c
    result *= factor
    if (factor - 1).magnitude < 1e-14 { break }
  }
  return result
}

/// The distribution function of Student's law.
func studentCumulative(_ t: Double, degrees: Double) -> Double {
  guard t == t else { return .nan }
  let tail = 0.5 * regularizedBeta(degrees / (degrees + t * t), degrees / 2, 0.5)
  return t > 0 ? 1 - tail : tail
}

/// The inverse of `studentCumulative`: Hill's expansion, then Newton's steps.
///
/// - Source: G. W. Hill, Algorithm 396, Communications of the ACM 13, 1970.
func studentQuantile(_ probability: Double, degrees n: Double) -> Double {
  if probability == 0.5 { return 0 }
  let tail = min(probability, 1 - probability)
  let z = -normalQuantile(tail)
  let z2 = z * z
  // Fisher and Cornish: four terms in 1/n, a good start for n > 2.
  let one = z * (z2 + 1) / 4
  let two = z * ((5 * z2 + 16) * z2 + 3) / 96
  let three = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384
  var t = z + (one + (two + three / n) / n) / n
  let norm = logGamma((n + 1) / 2) - logGamma(n / 2) - 0.5 * logarithm(n * Double.pi)
  for _ in 0..<20 {
    let error = 0.5 * regularizedBeta(n / (n + t * t), n / 2, 0.5) - tail
    let density = exponential(norm - (n + 1) / 2 * logarithm1p(t * t / n))
    guard density > 0 else { break }
    // Halley's step: the tail is convex.
    let newton = error / density
    let step = newton / (1 - 0.5 * newton * (n + 1) * t / (n + t * t))
    t = max(t + step, t / 4)
    if step.magnitude < 1e-10 * (1 + t) { break }
  }
  return probability < 0.5 ? -t : t
}

/// The distribution function of the standard normal law; relative error below 1e-13 in the tails.
package func normalCumulative(_ x: Double) -> Double {
  guard x == x else { return .nan }
  let size = x.magnitude
  guard size < 38 else { return x > 0 ? 1 : 0 }
  let density = exponential(-0.5 * size * size) * 0.398_942_280_401_432_68
  var tail: Double
  if size < 3 {
    var term = size
    var sum = size
    var odd = 3.0
    while term > 1e-17 * sum {
      term *= size * size / odd
      sum += term
      odd += 2
    }
    tail = 0.5 - density * sum
  } else {
    // The continued fraction of Mills' ratio.
    var fraction = size
    for index in stride(from: 80.0, through: 1, by: -1) { fraction = size + index / fraction }
    tail = density / fraction
  }
  if tail < 0 { tail = 0 }
  return x > 0 ? 1 - tail : tail
}

/// The inverse of `normalCumulative`, polished by a Halley step.
///
/// - Source of the start: Abramowitz and Stegun 26.2.23.
func normalQuantile(_ probability: Double) -> Double {
  guard probability > 0 else { return -.infinity }
  guard probability < 1 else { return .infinity }
  let tail = min(probability, 1 - probability)
  let root = (-2 * logarithm(tail)).squareRoot()
  var x =
    root - (2.515517 + root * (0.802853 + root * 0.010328))
    / (1 + root * (1.432788 + root * (0.189269 + root * 0.001308)))
  for _ in 0..<3 {
    let density = exponential(-0.5 * x * x) * 0.398_942_280_401_432_68
    let newton = (normalCumulative(-x) - tail) / density
    x += newton / (1 - 0.5 * newton * x)
  }
  return probability < 0.5 ? -x : x
}

/// A standard normal number.
///
/// - Source: Marsaglia's polar method, one of the two numbers.
package func standardNormal(_ random: inout SplitMix64) -> Double {
  while true {
    let x = 2 * random.openUniform() - 1
    let y = 2 * random.openUniform() - 1
    let square = x * x + y * y
    if square < 1, square > 0 { return x * (-2 * logarithm(square) / square).squareRoot() }
  }
}

/// A number of the gamma law with this shape and scale 1.
///
/// - Source: Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", 2000.
func standardGamma(_ shape: Double, _ random: inout SplitMix64) -> Double {
  if shape < 1 {
    let power = exponential(logarithm(random.openUniform()) / shape)
    return standardGamma(shape + 1, &random) * power
  }
  let d = shape - 1.0 / 3
  let c = 1 / (9 * d).squareRoot()
  while true {
    let x = standardNormal(&random)
    let root = 1 + c * x
    guard root > 0 else { continue }
    let v = root * root * root
    let u = random.openUniform()
    if u < 1 - 0.0331 * x * x * x * x { return d * v }
    if logarithm(u) < 0.5 * x * x + d * (1 - v + logarithm(v)) { return d * v }
  }
}

/// A number of the Poisson law: by halving great means with gamma numbers, then by products.
///
/// - Source: Ahrens and Dieter, "Computer Methods for Sampling from Gamma, Beta, Poisson and
///   Binomial Distributions", 1974.
func poisson(_ mean: Double, _ random: inout SplitMix64) -> Double {
  guard mean < 1e12 else { return flooring(mean + standardNormal(&random) * mean.squareRoot()) }
  var mean = mean
  var count = 0.0
  while mean > 20 {
    let arrivals = flooring(mean * 0.875)
    let time = standardGamma(arrivals, &random)
    if time > mean { return count + binomial(arrivals - 1, mean / time, &random) }
    count += arrivals
    mean -= time
  }
  let limit = exponential(-mean)
  var product = random.openUniform()
  while product > limit {
    product *= random.openUniform()
    count += 1
  }
  return count
}

/// A number of the binomial law, by medians of beta numbers.
private func binomial(
  _ trials: Double, _ probability: Double, _ random: inout SplitMix64
) -> Double {
  var trials = trials
  var probability = probability
  var count = 0.0
  while trials > 20 {
    let middle = flooring(trials / 2) + 1
    let one = standardGamma(middle, &random)
    let other = standardGamma(trials + 1 - middle, &random)
    let median = one / (one + other)
    if median <= probability {
      count += middle
      trials -= middle
      probability = (probability - median) / (1 - median)
    } else {
      trials = middle - 1
      probability /= median
    }
  }
  while trials >= 1 {
    if random.uniform() < probability { count += 1 }
    trials -= 1
  }
  return count
}
