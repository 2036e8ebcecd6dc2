/// Lloyd's algorithm over all rows, from centres that are good already.
///
/// For each row an upper bound of the distance to its own centre and a lower bound of that to any
/// other are kept: while they and the way the centres moved prove that nothing changed, no distance
/// is computed. Rows beyond `boundLimit` are not remembered; then every distance is computed, in
/// memory that does not depend on the rows.
///
/// - Source: Hamerly, "Making k-means even faster", SDM 2010.
struct FullLloyd {
  /// Rows whose bounds fit 96 MB.
  static let boundLimit = 8_000_000

  private let dimensions: Int
  private let k: Int
  private let shift: [Float]
  private let blockSize: Int
  private(set) var centres: [Float]

  private var sums: CentreSums
  private var bounds = DistanceBounds()
  private var isBounded = true
  private var ways: CentreWays
  private var squares = 0.0
  private var rowCount = 0

  private var shifted: [Float] = []
  private var gathered: [Float] = []
  private var doubtful: [UInt32]
  private var nearest: [UInt32]
  private var least: [Float]
  private var second: [Float]

  /// Starts from centres that have `shift` subtracted.
  init(centres: [Float], shift: [Float], blockSize: Int) {
    dimensions = shift.count
    k = centres.count / shift.count
    self.centres = centres
    self.shift = shift
    self.blockSize = blockSize
    sums = CentreSums(count: k, dimensions: dimensions)
    ways = CentreWays(count: k)
    doubtful = [UInt32](repeating: 0, count: blockSize)
    nearest = [UInt32](repeating: 0, count: blockSize)
    least = [Float](repeating: 0, count: blockSize)
    second = [Float](repeating: 0, count: blockSize)
  }

  /// Makes passes until the centres rest or the limit is reached; returns how many were made.
  mutating func run(
    _ source: any RowSource, limit: Int, tolerance: Double, progress: TrainingProgress
  ) throws(TrainingError) -> Int {
    for pass in 1...max(1, limit) {
      if pass > limit { return 0 }
      let first = pass == 1
      if first || !isBounded { sums.reset() }
      try measureCentres(progress)
      var rows = try RowPass(source, "Lloyd pass \(pass) of at most \(limit)", progress: progress)
      let panels = NearestCentres(centres, dimensions: dimensions)
      while try rows.next(limit: blockSize) {
        RowKernels.shift(rows.block.values, by: shift, into: &shifted)
        let start = rows.rowsRead - rows.block.count
        if first {
          try assignAll(rows.block.count, panels, remember: true, progress)
        } else if isBounded {
          try assignDoubtful(rows.block.count, from: start, panels, progress)
        } else {
          try assignAll(rows.block.count, panels, remember: false, progress)
        }
      }
      rowCount = rows.rowsRead
      if moveCentres() <= tolerance * meanVariance() { return pass }
    }
    return limit
  }

  private mutating func assignAll(
    _ count: Int, _ panels: NearestCentres, remember: Bool, _ progress: TrainingProgress
  ) throws(TrainingError) {
    try panels.assign(
      shifted, count: count, nearest: &nearest, least: &least, second: &second, progress: progress)
    sums.add(shifted, count: count, centres: centres, nearest: nearest)
    guard remember else { return }
    isBounded = isBounded && bounds.count + count <= Self.boundLimit
    if !isBounded { bounds = DistanceBounds() }
    var scratch = DistanceBounds()
    if isBounded { swap(&scratch, &bounds) }
    squares += scratch.append(
      shifted, count: count, dimensions: dimensions, nearest: nearest, least: least, second: second)
    if isBounded { swap(&scratch, &bounds) }
  }

  /// Computes distances only for rows whose bounds leave a doubt.
  private mutating func assignDoubtful(
    _ count: Int, from start: Int, _ panels: NearestCentres, _ progress: TrainingProgress
  ) throws(TrainingError) {
    let found = bounds.review(from: start, count: count, ways, doubtful: &doubtful)
    gathered.removeAll(keepingCapacity: true)
    for index in 0..<found {
      let row = Int(doubtful[index])
      gathered.append(contentsOf: shifted[(row * dimensions)..<((row + 1) * dimensions)])
    }
    try panels.assign(
      gathered, count: found, nearest: &nearest, least: &least, second: &second,
      progress: progress)
    bounds.set(
      gathered, count: found, dimensions: dimensions, least: least, second: second,
      entries: doubtful, from: start)
    for index in 0..<found {
      let position = start + Int(doubtful[index])
      guard bounds.own[position] != nearest[index] else { continue }
      transfer(index, from: Int(bounds.own[position]), to: Int(nearest[index]))
      bounds.assign(position, to: nearest[index])
    }
  }

  private mutating func transfer(_ row: Int, from old: Int, to new: Int) {
    for feature in 0..<dimensions {
      let value = Double(gathered[row * dimensions + feature])
      sums.sums[old * dimensions + feature] -= value
      sums.sums[new * dimensions + feature] += value
    }
    sums.counts[old] -= 1
    sums.counts[new] += 1
  }

  /// Moves the centres to the means of their rows; returns the sum of the squared ways.
  private mutating func moveCentres() -> Double {
    var total = 0.0
    ways.reset()
    for centre in 0..<k {
      var way = 0.0
      // A centre without rows stays where it is.
      if sums.counts[centre] > 0 {
        for index in (centre * dimensions)..<((centre + 1) * dimensions) {
          let value = Float(sums.sums[index] / sums.counts[centre])
          let difference = Double(value) - Double(centres[index])
          way += difference * difference
          centres[index] = value
        }
      }
      total += way
      ways.record(centre, way)
    }
    return total
  }

  private mutating func measureCentres(_ progress: TrainingProgress) throws(TrainingError) {
    var squared = [Float](repeating: .infinity, count: k)
    for centre in 0..<k {
      if centre % 64 == 0 { try progress.check() }
      for other in 0..<centre {
        var distance: Float = 0
        for feature in 0..<dimensions {
          let difference =
            centres[centre * dimensions + feature] - centres[other * dimensions + feature]
          distance += difference * difference
        }
        squared[centre] = min(squared[centre], distance)
        squared[other] = min(squared[other], distance)
      }
    }
    ways.margins = squared.map { $0.squareRoot() / 2 * 0.999_999 }
  }

  /// The mean over the features of the variance of the rows.
  private func meanVariance() -> Double {
    guard rowCount > 0 else { return 0 }
    var squaredMean = 0.0
    for feature in 0..<dimensions {
      var sum = 0.0
      for centre in 0..<k { sum += sums.sums[centre * dimensions + feature] }
      squaredMean += (sum / Double(rowCount)) * (sum / Double(rowCount))
    }
    return max(0, squares / Double(rowCount) - squaredMean) / Double(dimensions)
  }
}

/// How far the centres moved last, and how far they are from each other.
struct CentreWays {
  private(set) var moves: [Float]
  /// Half the distance of each centre from its nearest neighbour.
  var margins: [Float] = []
  /// The centre that moved farthest, how far, and how far any other did.
  private(set) var farthest: UInt32 = 0
  private(set) var longest: Float = 0
  private(set) var next: Float = 0

  init(count: Int) { moves = [Float](repeating: 0, count: count) }

  mutating func reset() {
    farthest = 0
    longest = 0
    next = 0
  }

  /// Notes the square of the way of one centre, rounded up.
  mutating func record(_ centre: Int, _ squaredWay: Double) {
    let way = Float(squaredWay.squareRoot()) * 1.000_001
    moves[centre] = way
    if way > longest {
      next = longest
      longest = way
      farthest = UInt32(centre)
    } else {
      next = max(next, way)
    }
  }
}
