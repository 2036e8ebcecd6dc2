import CKernels

/// Centres laid out for the kernel that finds the nearest of them.
struct NearestCentres {
  private let dimensions: Int
  private let panelCount: Int
  private var panels: [Float]
  private var halfNorms: [Float]

  /// Centres that lie one after the other.
  init(_ centres: [Float], dimensions: Int) {
    let count = centres.count / dimensions
    let lanes = Int(KM_LANES)
    self.dimensions = dimensions
    panelCount = (count + lanes - 1) / lanes
    panels = [Float](repeating: 0, count: panelCount * lanes * dimensions)
    halfNorms = [Float](repeating: .infinity, count: panelCount * lanes)
    for centre in 0..<count {
      let base = centre / lanes * lanes * dimensions + centre % lanes
      var norm: Float = 0
      for feature in 0..<dimensions {
        let value = centres[centre * dimensions + feature]
        panels[base + feature * lanes] = value
        norm += value * value
      }
      halfNorms[centre] = norm / 2
    }
  }

  /// Finds the nearest centre of each row; `second` is filled when it is not empty.
  ///
  /// - Throws: When the training was cancelled, which is asked about once in a second or so.
  func assign(
    _ rows: [Float], count: Int, nearest: inout [UInt32], least: inout [Float],
    second: inout [Float], progress: TrainingProgress
  ) throws(TrainingError) {
    precondition(rows.count >= count * dimensions && nearest.count >= count)
    precondition(least.count >= count && (second.isEmpty || second.count >= count))
    var start = 0
    while start < count {
      let end = min(count, start + pieceSize)
      assign(rows, start..<end, &nearest, &least, &second)
      if end < count { try progress.check() }
      start = end
    }
  }

  /// So many rows that their distances take a moment; whole tiles of the kernel.
  private var pieceSize: Int {
    let perRow = max(1, panelCount * Int(KM_LANES) * dimensions)
    return max(1, (1 << 32) / perRow / Int(KM_LANES)) * Int(KM_LANES)
  }

  private func assign(
    _ rows: [Float], _ piece: Range<Int>, _ nearest: inout [UInt32], _ least: inout [Float],
    _ second: inout [Float]
  ) {
    // The caller has checked the counts; the kernel keeps none of the pointers.
    rows.withUnsafeBufferPointer { rows in
      nearest.withUnsafeMutableBufferPointer { nearest in
        least.withUnsafeMutableBufferPointer { least in
          second.withUnsafeMutableBufferPointer { second in
            guard let row = rows.baseAddress, let nearest = nearest.baseAddress,
              let least = least.baseAddress
            else { return }
            km_nearest(
              row + piece.lowerBound * dimensions, piece.count, dimensions, panels, halfNorms,
              panelCount, nearest + piece.lowerBound, least + piece.lowerBound,
              second.isEmpty ? nil : second.baseAddress.map { $0 + piece.lowerBound })
          }
        }
      }
    }
  }
}

/// The sums and counts of the rows of each centre.
struct CentreSums {
  let dimensions: Int
  var sums: [Double]
  var counts: [Double]
  /// The sum of the squared distances of all rows from their centres.
  var squaredDistance = 0.0

  init(count: Int, dimensions: Int) {
    self.dimensions = dimensions
    sums = [Double](repeating: 0, count: count * dimensions)
    counts = [Double](repeating: 0, count: count)
  }

  mutating func reset() {
    for index in sums.indices { sums[index] = 0 }
    for index in counts.indices { counts[index] = 0 }
    squaredDistance = 0
  }

  /// Adds rows to their centres.
  mutating func add(_ rows: [Float], count: Int, centres: [Float], nearest: [UInt32]) {
    precondition(rows.count >= count * dimensions && nearest.count >= count)
    precondition(centres.count == sums.count)
    // The assignment gave only numbers of centres; the kernel keeps none of the pointers.
    squaredDistance += km_accumulate(
      rows, count, dimensions, centres, nearest, &sums, &counts)
  }
}

/// Kernels over rows.
enum RowKernels {
  /// The rows less `shift`.
  static func shift(_ rows: [Float], by shift: [Float], into shifted: inout [Float]) {
    if shifted.count < rows.count {
      shifted.append(contentsOf: [Float](repeating: 0, count: rows.count - shifted.count))
    }
    km_shift(rows, rows.count / shift.count, shift.count, shift, &shifted)
  }

  /// Lowers the squared distances to that from one more centre, row `centre` of the rows.
  static func approach(_ rows: [Float], dimensions: Int, centre: Int, least: inout [Float]) {
    precondition(rows.count >= least.count * dimensions && centre < least.count)
    rows.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      km_approach(base, least.count, dimensions, base + centre * dimensions, &least)
    }
  }

  /// The weighted sum of the squared distances, were row `centre` chosen too.
  static func potential(
    _ rows: [Float], dimensions: Int, centre: Int, weights: [Float], least: [Float]
  ) -> Double {
    precondition(rows.count >= least.count * dimensions && centre < least.count)
    precondition(weights.count == least.count)
    return rows.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return 0 }
      return km_potential(
        base, least.count, dimensions, base + centre * dimensions, weights, least)
    }
  }

  /// The first value that cannot be computed with.
  static func firstUnusable(_ values: [Float]) -> Int? {
    let index = km_first_unusable(values, values.count, 1e18)
    return index < values.count ? index : nil
  }
}

/// For each row an upper bound of the distance to its own centre and a lower bound of that to any
/// other.
struct DistanceBounds {
  private var upper: [Float] = []
  private var lower: [Float] = []
  private(set) var own: [UInt32] = []

  var count: Int { own.count }

  /// Appends rows just assigned; returns the sum of their squared lengths.
  mutating func append(
    _ rows: [Float], count: Int, dimensions: Int, nearest: [UInt32], least: [Float],
    second: [Float]
  ) -> Double {
    let start = own.count
    own.append(contentsOf: nearest[0..<count])
    upper.append(contentsOf: repeatElement(0, count: count))
    lower.append(contentsOf: repeatElement(0, count: count))
    return set(
      rows, count: count, dimensions: dimensions, least: least, second: second, entries: nil,
      from: start)
  }

  /// Replaces the bounds of the `entries` behind `start` by those of rows just assigned.
  @discardableResult
  mutating func set(
    _ rows: [Float], count: Int, dimensions: Int, least: [Float], second: [Float],
    entries: [UInt32]?, from start: Int
  ) -> Double {
    precondition(rows.count >= count * dimensions && least.count >= count)
    precondition(second.count >= count && (entries?.count ?? count) >= count)
    return view(from: start) { bounds in
      km_set_bounds(rows, count, dimensions, least, second, entries, bounds)
    }
  }

  /// Moves the bounds of `count` rows behind `start` with the centres.
  ///
  /// Returns how many of them need their distances computed; which ones stands in `doubtful`, counted
  /// from `start`.
  mutating func review(
    from start: Int, count: Int, _ ways: CentreWays, doubtful: inout [UInt32]
  ) -> Int {
    precondition(start + count <= own.count && doubtful.count >= count)
    return view(from: start) { bounds in
      km_review(
        bounds, count, ways.moves, ways.margins, ways.farthest, ways.longest, ways.next, &doubtful)
    }
  }

  /// Gives a row to another centre.
  mutating func assign(_ row: Int, to centre: UInt32) { own[row] = centre }

  /// All entries below `count` exist; the kernels keep none of the pointers.
  private mutating func view<Result>(from start: Int, _ body: (km_bounds) -> Result) -> Result {
    upper.withUnsafeMutableBufferPointer { upper in
      lower.withUnsafeMutableBufferPointer { lower in
        own.withUnsafeMutableBufferPointer { own in
          body(
            km_bounds(
              upper: upper.baseAddress.map { $0 + start },
              lower: lower.baseAddress.map { $0 + start },
              own: own.baseAddress.map { $0 + start }))
        }
      }
    }
  }
}
