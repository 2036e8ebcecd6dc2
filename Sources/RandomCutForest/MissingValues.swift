extension ThresholdedForest {
  /// Fills the steps that a gap in time left out; returns how many.
  mutating func fillGap(before timestamp: Int64, next: [Double]) -> Int {
    let steps = preprocessor.steps(to: timestamp)
    guard steps > 1 else { return 0 }
    let previous = preprocessor.statistics.map { $0.previous }
    // What lies more than a few shingles back no point contains.
    let filled = min(steps - 1, 3 * configuration.forest.shingleSize)
    for step in 0..<filled {
      let fraction = Double(step + 1) / Double(filled + 1)
      let values = filling(previous: previous, next: next, fraction: fraction)
      let block = preprocessor.block(
        values, timestamp: preprocessor.previousTimestamp, scales: preprocessor.scales)
      preprocessor.updateImputed(values)
      learn(block)
    }
    return steps - 1
  }

  /// One filled-in step.
  private mutating func filling(
    previous: [Double], next: [Double], fraction: Double
  ) -> [Double] {
    switch configuration.imputation {
    case .zero: [Double](repeating: 0, count: previous.count)
    case .fixed(let values): values
    case .previous: previous
    case .next: next
    case .linear: zip(previous, next).map { $0 + ($1 - $0) * fraction }
    case .forest: forestFilling(Array(previous.indices), of: previous)
    }
  }

  /// The coordinates of the newest block as the forest would have them.
  private mutating func forestFilling(_ missing: [Int], of values: [Double]) -> [Double] {
    guard forest.isReady, forest.hasShingle else { return values }
    let scales = preprocessor.scales
    let block = preprocessor.block(
      values, timestamp: preprocessor.previousTimestamp, scales: scales)
    let point = forest.shingled(block)
    let start = point.count - configuration.blockSize
    let imputed = forest.imputed(point, missing: missing.map { start + $0 })
    var result = values
    for coordinate in missing {
      result[coordinate] = scales[coordinate].invert(imputed[start + coordinate])
    }
    return result
  }

  /// The input with its missing coordinates filled in.
  ///
  /// Its successor is not known yet, so `next` and `linear` go on from its predecessor.
  mutating func completed(_ input: [Double], timestamp: Int64, missing: [Int]) -> [Double] {
    guard !missing.isEmpty else { return input }
    var result = input
    for coordinate in missing {
      switch configuration.imputation {
      case .zero: result[coordinate] = 0
      case .fixed(let values): result[coordinate] = values[coordinate]
      case .previous, .next, .linear, .forest:
        result[coordinate] = preprocessor.statistics[coordinate].previous
      }
    }
    return configuration.imputation == .forest ? forestFilling(missing, of: result) : result
  }

  /// The first inputs with their missing coordinates on lines between what is known.
  func completedByLines(_ held: [Preprocessor.HeldInput]) -> [Preprocessor.HeldInput] {
    var result = held
    for coordinate in 0..<configuration.inputDimensions {
      let known = held.indices.filter { !held[$0].missing.contains(coordinate) }
      for index in held.indices where held[index].missing.contains(coordinate) {
        let before = known.last { $0 < index }
        let after = known.first { $0 > index }
        switch (before, after) {
        case (let a?, let b?):
          let fraction = Double(index - a) / Double(b - a)
          let from = held[a].values[coordinate]
          result[index].values[coordinate] = from + (held[b].values[coordinate] - from) * fraction
        case (let a?, nil): result[index].values[coordinate] = held[a].values[coordinate]
        case (nil, let b?): result[index].values[coordinate] = held[b].values[coordinate]
        case (nil, nil): result[index].values[coordinate] = 0
        }
      }
    }
    return result
  }
}
