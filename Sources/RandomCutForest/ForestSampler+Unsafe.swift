package import CKernels

/// The clock of the time-decayed reservoirs of all trees.
///
/// Each sample has the key log(E / w) - λ·(i - base): E exponential, w the item's weight, i its
/// arrival number. A tree keeps the `sampleSize` smallest keys. Hence an arrival is accepted when
/// its E is below h = w·exp(K + λ·(i - base)), K being the largest key held, and the number of
/// arrivals to skip until the next acceptance has a closed form: only accepted points cost random
/// numbers.
///
/// - Source: Efraimidis, Spirakis, "Weighted random sampling with a reservoir", IPL 2006, with
///   decay as a weight.
package struct SamplerClock: Equatable, Sendable {
  package private(set) var timeDecay: Double
  /// Points offered so far; the last one's arrival number.
  package var arrivals: Int64 = 0
  /// Keys are relative to this arrival, so that single precision always suffices.
  package var base: Int64 = 0
  /// exp(λ) - 1.
  private var growth: Double

  package init(timeDecay: Double) {
    self.timeDecay = timeDecay
    growth = exponentialM1(timeDecay)
  }

  /// λ·(i - base) for the latest arrival.
  package var elapsed: Double { timeDecay * Double(arrivals - base) }

  /// Arrivals before the keys must be moved to a new base.
  package var arrivalsBeforeRebase: Int64 {
    timeDecay > 0 ? max(0, Int64(min(32 / timeDecay, 0x1p60)) - (arrivals - base)) : .max
  }

  package mutating func change(timeDecay: Double) {
    self.timeDecay = timeDecay
    growth = exponentialM1(timeDecay)
  }

  /// When a full tree accepts next, and the key of the point that it then takes.
  ///
  /// The waiting time is the first k with Σ exp(largestKey + λ·(elapsed + j)), j = 1...k, at least
  /// `exponent`, a unit exponential. What the last step leaves of the exponent has the distribution
  /// of an exponential below the bound, as the accepted point's must: one number decides both.
  package func next(
    largestKey: Float, elapsed: Double, exponent: Double
  ) -> (skipped: Int64, key: Float) {
    let first = exponential(Double(largestKey) + elapsed + timeDecay)
    let decays = timeDecay > 1e-12
    var steps = exponent / first
    if decays { steps = logarithm1p(steps * growth) / timeDecay }
    guard steps < 0x1p60 else { return (1 << 60, 0) }
    var skipped = Int64(steps)
    if Double(skipped) < steps || skipped == 0 { skipped += 1 }
    let before = Double(skipped - 1)
    let passed = first * (decays ? exponentialM1(timeDecay * before) / growth : before)
    let rest = max(exponent - passed, exponent * 0x1p-53)
    let at = elapsed + timeDecay * Double(skipped)
    return (skipped, Float(logarithm(rest) - at))
  }
}

extension ForestCore {
  private func random(_ tree: Int) -> Double {
    var generator = SplitMix64(seed: forest.pointee.trees[tree].random)
    let number = generator.openUniform()
    forest.pointee.trees[tree].random = generator.state
    return number
  }

  private func keys(_ tree: Int) -> UnsafeMutablePointer<Float> {
    forest.pointee.keys + tree * capacity
  }

  /// Draws when a full tree accepts next, and with what key.
  package func schedule(_ tree: Int, at arrival: Int64, elapsed: Double) {
    findLastEntry(tree)
    let next = clock.next(
      largestKey: keys(tree)[Int(lastEntry[tree])], elapsed: elapsed,
      exponent: -logarithm(random(tree)))
    nextAcceptance[tree] = arrival + next.skipped
    nextKey[tree] = next.key
  }

  package func findLastEntry(_ tree: Int) {
    lastEntry[tree] = UInt16(rcf_last_entry(forest, UInt32(tree)))
  }

  /// A scheduled acceptance: the sample with the largest key gives way to the query.
  package mutating func acceptScheduled(
    _ tree: Int, query: UnsafePointer<Float>, position: Int, arrival: Int64
  ) {
    let elapsed = clock.timeDecay * Double(arrival - clock.base)
    replace(tree, query: query, position: position, key: nextKey[tree])
    schedule(tree, at: arrival, elapsed: elapsed)
  }

  /// Puts the query in the place of the sample that leaves next.
  private mutating func replace(
    _ tree: Int, query: UnsafePointer<Float>, position: Int, key: Float
  ) {
    var number = UInt16(tree)
    rcf_find_walks(forest, &number, 1, lastEntry, query, walks)
    replace(tree, query: query, position: position, key: key, walk: walks)
  }

  package mutating func replace(
    _ tree: Int, query: UnsafePointer<Float>, position: Int, key: Float,
    walk: UnsafePointer<rcf_walk>
  ) {
    let leaving = lastEntry[tree]
    let left = Int(forest.pointee.position(tree * capacity + Int(leaving)))
    let outcome = rcf_replace(
      forest, UInt32(tree), UInt32(leaving), query, UInt32(position), key, walk)
    if outcome & RCF_LEFT != 0 { store.release(left) }
    if outcome & RCF_JOINED == 0 { store.retain(position) }
  }

  package mutating func hold(
    _ tree: Int, query: UnsafePointer<Float>, position: Int, entry: Int, key: Float
  ) {
    let joined = rcf_insert(forest, UInt32(tree), query, UInt32(entry), UInt32(position))
    if joined < 0 { store.retain(position) }
    keys(tree)[entry] = key
  }

  /// Offers the query to a tree that is not full: taken for certain up to the initial accept
  /// fraction, then less and less often, else only in place of a sample with a larger key.
  package mutating func fill(
    _ tree: Int, query: UnsafePointer<Float>, position: Int, arrival: Int64, weight: Double,
    initialAcceptFraction: Double
  ) {
    let size = mass(ofTree: tree)
    let full = Double(size) / Double(sampleSize)
    let elapsed = clock.timeDecay * Double(arrival - clock.base)
    let isTaken =
      full < initialAcceptFraction
      || initialAcceptFraction < 1
        && random(tree) < 1 - (full - initialAcceptFraction) / (1 - initialAcceptFraction)
    let key = Float(logarithm(-logarithm(random(tree)) / weight) - elapsed)
    if isTaken {
      hold(tree, query: query, position: position, entry: size, key: key)
      if size + 1 == sampleSize { schedule(tree, at: arrival, elapsed: elapsed) }
    } else {
      findLastEntry(tree)
      guard key < keys(tree)[Int(lastEntry[tree])] else { return }
      replace(tree, query: query, position: position, key: key)
    }
  }

  /// Offers the query to a full tree with a weight other than 1.
  ///
  /// As the waiting time has no memory, the schedule is drawn anew.
  package mutating func acceptWeighted(
    _ tree: Int, query: UnsafePointer<Float>, position: Int, arrival: Int64, weight: Double
  ) {
    let elapsed = clock.timeDecay * Double(arrival - clock.base)
    let exponent = -logarithm(random(tree)) / weight
    if logarithm(exponent) - elapsed < Double(keys(tree)[Int(lastEntry[tree])]) {
      let key = Float(logarithm(exponent) - elapsed)
      replace(tree, query: query, position: position, key: key)
    }
    schedule(tree, at: arrival, elapsed: elapsed)
  }

  /// Makes keys relative to the present.
  package mutating func rebase() {
    let shift = Float(clock.elapsed)
    for tree in 0..<numberOfTrees {
      let keys = keys(tree)
      for entry in 0..<mass(ofTree: tree) { keys[entry] += shift }
      nextKey[tree] += shift
    }
    clock.base = clock.arrivals
  }

  /// Gives the samples of full trees the keys that a long stream would have left them with.
  ///
  /// Of a stream that never began, the number of keys below a small x, as a power of e, is x / λ on
  /// average: the powers of the smallest ones are sums of exponentials with mean λ. The order of the
  /// samples' keys stays.
  package mutating func settle(timeDecay: Double) {
    rebase()
    clock.change(timeDecay: timeDecay)
    for tree in 0..<numberOfTrees where mass(ofTree: tree) == sampleSize {
      if timeDecay > 0 {
        let keys = keys(tree)
        let order = (0..<sampleSize).sorted { (keys[$0], $0) < (keys[$1], $1) }
        var sum = 0.0
        for entry in order {
          sum -= timeDecay * logarithm(random(tree))
          keys[entry] = Float(logarithm(sum))
        }
      }
      schedule(tree, at: clock.arrivals, elapsed: 0)
    }
  }

  /// Mean and standard deviation of each of `width` values over all blocks of all samples.
  package func sampleMoments(width: Int) -> (mean: [Double], deviation: [Double]) {
    var sums = [Double](repeating: 0, count: width)
    var count = 0.0
    let fields = forest.pointee
    func visit(_ body: (_ feature: Int, _ value: Double) -> Void) {
      for tree in 0..<numberOfTrees {
        for entry in 0..<mass(ofTree: tree) {
          let point = store.floats + Int(fields.position(tree * capacity + entry)) * store.block
          for index in 0..<dimensions { body(index % width, Double(point[index])) }
        }
      }
    }
    visit { feature, value in
      sums[feature] += value
      if feature == 0 { count += 1 }
    }
    guard count > 0 else { return (sums, sums) }
    let mean = sums.map { $0 / count }
    var squares = [Double](repeating: 0, count: width)
    visit { feature, value in
      squares[feature] += (value - mean[feature]) * (value - mean[feature])
    }
    return (mean, squares.map { ($0 / count).squareRoot() })
  }

  /// Changes how fast old points lose weight from now on.
  package mutating func change(timeDecay: Double) {
    rebase()
    clock.change(timeDecay: timeDecay)
    for tree in 0..<numberOfTrees where mass(ofTree: tree) == sampleSize {
      schedule(tree, at: clock.arrivals, elapsed: 0)
    }
  }
}
