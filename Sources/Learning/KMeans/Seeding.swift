import RandomCutForest

/// Chooses rows to be the first centres.
enum Seeding {
  /// `count` different rows, each set of them equally likely.
  static func random(_ count: Int, of rows: Int, _ random: inout SplitMix64) -> [Int] {
    var order = Array(0..<rows)
    for index in 0..<min(count, rows) {
      order.swapAt(index, index + Int(random.next(upperBound: UInt64(rows - index))))
    }
    return Array(order.prefix(count))
  }

  /// Greedy k-means++: of some candidates, each drawn with probability in proportion to weight ×
  /// squared distance from the nearest row chosen so far, the one that lowers their sum most; fewer
  /// than `count` when all others are copies of those.
  ///
  /// - Throws: When the training was cancelled.
  /// - Source: Arthur, Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
  static func plusPlus(
    _ count: Int, rows: [Float], dimensions: Int, weights: [Double], candidates: Int,
    progress: TrainingProgress, _ random: inout SplitMix64
  ) throws(TrainingError) -> [Int] {
    var least = [Float](repeating: .infinity, count: weights.count)
    let masses = weights.map { Float($0) }
    var cumulative = weights
    var chosen: [Int] = []
    while chosen.count < count {
      if chosen.count % 64 == 0 { try progress.check() }
      var total = 0.0
      for row in weights.indices {
        total += chosen.isEmpty ? weights[row] : weights[row] * Double(least[row])
        cumulative[row] = total
      }
      guard total > 0 else { break }
      var next = draw(cumulative, random.uniform() * total)
      if candidates > 1, !chosen.isEmpty {
        var lowest = Double.infinity
        for _ in 0..<candidates {
          let candidate = draw(cumulative, random.uniform() * total)
          let potential = RowKernels.potential(
            rows, dimensions: dimensions, centre: candidate, weights: masses, least: least)
          if potential < lowest {
            lowest = potential
            next = candidate
          }
        }
      }
      chosen.append(next)
      RowKernels.approach(rows, dimensions: dimensions, centre: next, least: &least)
    }
    return chosen
  }

  /// The first entry above `value`.
  private static func draw(_ cumulative: [Double], _ value: Double) -> Int {
    var low = 0
    var high = cumulative.count - 1
    while low < high {
      let middle = (low + high) / 2
      if cumulative[middle] > value { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
