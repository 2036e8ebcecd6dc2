/// A dense region of the window.
public struct Hotspot: Hashable, Sendable {
  /// Records in the region divided by the volume of its box; a side of length 0 counts as the scan radius.
  public let density: Double
  /// How many records of the window belong to the region.
  public let count: Int
  /// The least value of each dimension.
  public let minimum: [Double]
  /// The greatest value of each dimension.
  public let maximum: [Double]
}

/// Finds the dense regions among the last points of a stream.
///
/// A point with at least `minimumPoints` points of the window within `scanRadius` (itself included, Euclidean
/// distance) is a core point; core points within the radius of each other are one region, to which other
/// points within the radius of a core point belong, each to that of its oldest core point. What is found
/// depends on the points of the window and their order alone.
///
/// Neighbours are counted as points come and go, over a grid of the first two dimensions; only a region that
/// loses a core point is searched anew.
///
/// - Source: M. Ester, H.-P. Kriegel, J. Sander, X. Xu, "A density-based algorithm for discovering
///   clusters in large spatial databases with noise", KDD 1996.
public struct HotspotDetector: Sendable {
  /// Values of a point.
  public let dimensions: Int
  /// How many points are remembered.
  public let windowSize: Int
  /// The distance within which points are neighbours.
  public let scanRadius: Double
  /// How many neighbours make a core point, itself included.
  public let minimumPoints: Int
  /// How many points have come.
  public private(set) var total = 0

  private let squaredRadius: Double
  // By slot; point number n lives in slot n mod windowSize.
  private var coordinates: [Double]
  private var neighbours: [Int32]
  private var isCore: [Bool]
  /// The region of a core point, -1 for others.
  private var region: [Int32]
  /// The oldest core point within reach of a point that is none, -1 without.
  private var anchor: [Int32]
  private var grid: PointGrid
  private var nextRegion: Int32 = 0
  private var isStale = true
  private var found: [Hotspot] = []

  /// Creates a detector without points.
  ///
  /// - Precondition: `dimensions` and `windowSize` are above 0, `scanRadius` is above 0 and finite.
  public init(dimensions: Int, windowSize: Int, scanRadius: Double, minimumPoints: Int) {
    precondition(dimensions > 0 && windowSize > 0 && scanRadius > 0 && scanRadius.isFinite)
    self.dimensions = dimensions
    self.windowSize = windowSize
    self.scanRadius = scanRadius
    self.minimumPoints = minimumPoints
    squaredRadius = scanRadius * scanRadius
    coordinates = [Double](repeating: 0, count: dimensions * windowSize)
    neighbours = [Int32](repeating: 0, count: windowSize)
    isCore = [Bool](repeating: false, count: windowSize)
    region = [Int32](repeating: -1, count: windowSize)
    anchor = region
    grid = PointGrid(capacity: windowSize, side: scanRadius)
  }

  /// How many points the window holds.
  public var count: Int { min(total, windowSize) }

  /// The window's points, oldest first, one after the other.
  public var points: [Double] {
    slotsByAge.flatMap { slot in
      coordinates[(Int(slot) * dimensions)..<((Int(slot) + 1) * dimensions)]
    }
  }

  private var slotsByAge: [Int32] {
    ((total - count)..<total).map { Int32($0 % windowSize) }
  }

  /// Adds a point; the oldest one leaves a full window.
  ///
  /// - Precondition: `point` has `dimensions` finite values.
  public mutating func add(_ point: Span<Double>) {
    precondition(point.count == dimensions)
    let slot = Int32(total % windowSize)
    if total >= windowSize { remove(slot) }
    for index in 0..<dimensions { coordinates[Int(slot) * dimensions + index] = point[index] }
    total += 1
    insert(slot)
  }

  /// The same for a point in an array.
  public mutating func add(_ point: [Double]) { add(point.span) }

  @inline(__always)
  private func isNear(_ left: Int32, _ right: Int32) -> Bool {
    var sum = 0.0
    let first = Int(left) * dimensions
    let second = Int(right) * dimensions
    for index in 0..<dimensions {
      let difference = coordinates[first + index] - coordinates[second + index]
      sum += difference * difference
    }
    return sum <= squaredRadius
  }

  /// The other points within the radius.
  private func near(_ slot: Int32) -> [Int32] {
    var result: [Int32] = []
    grid.forEachCandidate(of: slot) { other in
      if other != slot, isNear(slot, other) { result.append(other) }
    }
    return result
  }

  /// How many points came after the one in a slot: larger is older.
  private func age(_ slot: Int32) -> Int {
    let last = (total - 1) % windowSize
    return (last - Int(slot) + windowSize) % windowSize
  }

  private func oldestCore(_ slots: [Int32]) -> Int32 {
    var oldest: Int32 = -1
    for slot in slots where isCore[Int(slot)] {
      if oldest < 0 || age(slot) > age(oldest) { oldest = slot }
    }
    return oldest
  }

  // MARK: Points come

  private mutating func insert(_ slot: Int32) {
    let start = Int(slot) * dimensions
    grid.insert(
      slot, x: coordinates[start], y: dimensions > 1 ? coordinates[start + 1] : 0)
    let around = near(slot)
    var gained: [Int32] = []
    neighbours[Int(slot)] = Int32(around.count + 1)
    isCore[Int(slot)] = false
    region[Int(slot)] = -1
    anchor[Int(slot)] = oldestCore(around)
    if anchor[Int(slot)] >= 0 { isStale = true }
    for other in around {
      neighbours[Int(other)] += 1
      if !isCore[Int(other)], Int(neighbours[Int(other)]) >= minimumPoints { gained.append(other) }
    }
    if around.count + 1 >= minimumPoints { gained.append(slot) }
    for other in gained { makeCore(other) }
  }

  private mutating func makeCore(_ slot: Int32) {
    isStale = true
    isCore[Int(slot)] = true
    anchor[Int(slot)] = -1
    region[Int(slot)] = nextRegion
    nextRegion &+= 1
    for other in near(slot) {
      if isCore[Int(other)] {
        merge(region[Int(other)], into: region[Int(slot)])
      } else if anchor[Int(other)] < 0 || age(slot) > age(anchor[Int(other)]) {
        anchor[Int(other)] = slot
      }
    }
  }

  private mutating func merge(_ from: Int32, into target: Int32) {
    guard from != target else { return }
    for slot in region.indices where region[slot] == from { region[slot] = target }
  }

  // MARK: Points go

  private mutating func remove(_ slot: Int32) {
    let around = near(slot)
    grid.remove(slot)
    var lost: [Int32] = []
    var torn: [Int32] = []
    if isCore[Int(slot)] {
      lost.append(slot)
      torn.append(region[Int(slot)])
    }
    if isCore[Int(slot)] || anchor[Int(slot)] >= 0 { isStale = true }
    for other in around {
      neighbours[Int(other)] -= 1
      if isCore[Int(other)], Int(neighbours[Int(other)]) < minimumPoints {
        lost.append(other)
        if !torn.contains(region[Int(other)]) { torn.append(region[Int(other)]) }
      }
    }
    anchor[Int(slot)] = -1
    guard !lost.isEmpty else { return }
    isStale = true
    for other in lost {
      isCore[Int(other)] = false
      region[Int(other)] = -1
    }
    for label in torn { split(label) }
    for other in lost where other != slot { anchor[Int(other)] = oldestCore(near(other)) }
    for other in anchor.indices
    where anchor[other] >= 0 && !isCore[Int(anchor[other])] && other != Int(slot) {
      anchor[other] = oldestCore(near(Int32(other)))
    }
  }

  /// Labels the connected parts of a region anew.
  private mutating func split(_ label: Int32) {
    var members: [Int32] = []
    for slot in region.indices where region[slot] == label { members.append(Int32(slot)) }
    guard members.count > 1 else { return }
    var unvisited = PointGrid.Selection(grid, members)
    var queue: [Int32] = []
    for member in members where unvisited.take(member) {
      let fresh = nextRegion
      nextRegion &+= 1
      queue.removeAll(keepingCapacity: true)
      queue.append(member)
      var head = 0
      while head < queue.count {
        let slot = queue[head]
        head += 1
        region[Int(slot)] = fresh
        unvisited.takeCandidates(of: slot, in: grid, where: { isNear(slot, $0) }, into: &queue)
      }
    }
  }

  // MARK: Regions

  /// Whether `hotspots` may differ from what it was when it was last asked for.
  public var hasChanged: Bool { isStale }

  /// The dense regions, in the order of their oldest core points.
  ///
  /// - Complexity: O(window × dimensions) if something changed.
  public mutating func hotspots() -> [Hotspot] {
    guard isStale else { return found }
    isStale = false
    let slots = slotsByAge
    var labels: [Int32] = []
    for slot in slots where isCore[Int(slot)] && !labels.contains(region[Int(slot)]) {
      labels.append(region[Int(slot)])
    }
    var counts = [Int](repeating: 0, count: labels.count)
    var minimum = [Double](repeating: .infinity, count: labels.count * dimensions)
    var maximum = [Double](repeating: -.infinity, count: labels.count * dimensions)
    for slot in slots {
      let core = isCore[Int(slot)] ? slot : anchor[Int(slot)]
      guard core >= 0, let place = labels.firstIndex(of: region[Int(core)]) else { continue }
      counts[place] += 1
      for index in 0..<dimensions {
        let value = coordinates[Int(slot) * dimensions + index]
        minimum[place * dimensions + index] = min(minimum[place * dimensions + index], value)
        maximum[place * dimensions + index] = max(maximum[place * dimensions + index], value)
      }
    }
    found = labels.indices.map { place in
      let range = (place * dimensions)..<((place + 1) * dimensions)
      var volume = 1.0
      for index in range {
        let side = maximum[index] - minimum[index]
        volume *= side > 0 ? side : scanRadius
      }
      return Hotspot(
        density: Double(counts[place]) / max(volume, .leastNormalMagnitude),
        count: counts[place], minimum: Array(minimum[range]), maximum: Array(maximum[range]))
    }
    return found
  }
}
