import RandomCutForest
import Testing

/// Invariants after every mutation, and properties of trees from first principles.
@Suite struct StructureTests {
  /// What must hold of every tree and of the store at any moment; throws away nothing.
  static func problems(_ forest: borrowing RandomCutForest) -> [String] {
    var found: [String] = []
    var held: [Int: Int] = [:]
    for number in 0..<forest.configuration.numberOfTrees {
      let tree = forest.core.view(number)
      guard tree.mass > 0 else { continue }
      var positions: Set<Int> = []
      let mass = check(tree, tree.root, &found, &positions)
      if mass != tree.mass { found.append("tree \(number): mass \(mass), not \(tree.mass)") }
      for position in positions { held[position, default: 0] += 1 }
    }
    for position in 0..<forest.core.store.end {
      let count = Int(forest.core.store.references[position])
      if count != held[position, default: 0] {
        found.append("block \(position): \(count) references, \(held[position, default: 0]) held")
      }
    }
    return found
  }

  /// Boxes are unions, cuts separate, points are distinct; returns the mass.
  private static func check(
    _ tree: TreeView, _ node: TreeReference, _ found: inout [String], _ positions: inout Set<Int>
  ) -> Int {
    guard !node.isLeaf else {
      if !positions.insert(tree.position(node)).inserted { found.append("a point in two leaves") }
      return leafMass(tree, node)
    }
    let left = tree.left(node)
    let right = tree.right(node)
    var range = 0.0
    for j in 0..<tree.dimensions {
      if tree.high(node, j) != max(tree.high(left, j), tree.high(right, j)) {
        found.append("upper side \(j) is not the union's")
      }
      if tree.low(node, j) != min(tree.low(left, j), tree.low(right, j)) {
        found.append("lower side \(j) is not the union's")
      }
      range += Double(tree.high(node, j)) - Double(tree.low(node, j))
    }
    if abs(range - tree.range(node)) > 1e-5 * range { found.append("range \(tree.range(node))") }
    let cut = tree.cut(node)
    let dimension = tree.dimension(node)
    if !(tree.high(left, dimension) <= cut && cut < tree.low(right, dimension)) {
      found.append("cut \(cut) of \(dimension) does not separate")
    }
    let leftMass = check(tree, left, &found, &positions)
    if leftMass != tree.leftMass(node) { found.append("left mass \(tree.leftMass(node))") }
    return leftMass + check(tree, right, &found, &positions)
  }

  /// Entries that stand for the leaf's point.
  private static func leafMass(_ tree: TreeView, _ leaf: TreeReference) -> Int {
    tree.entries(at: tree.position(leaf))
  }

  @Test(arguments: Workload.all, 0..<4)
  func invariantsHoldAfterEveryUpdate(_ work: Workload, seed: UInt64) throws {
    var configuration = work.configuration
    configuration.seed = seed
    configuration.sampleSize = min(32, configuration.sampleSize)
    configuration.numberOfTrees = min(4, configuration.numberOfTrees)
    configuration.timeDecay = max(configuration.timeDecay, 0.02)
    var forest = try RandomCutForest(configuration)
    let length = configuration.pointLength
    var random = SplitMix64(seed: seed)
    // Few distinct values: duplicates, and points on the sides of boxes.
    for step in 0..<300 {
      let input = (0..<length).map { _ in Float(random.next() % 5) }
      try forest.update(input.span)
      let problems = Self.problems(forest)
      try #require(problems.isEmpty, "seed \(seed), step \(step): \(problems)")
    }
  }

  @Test(arguments: 0..<5 as Range<UInt64>)
  func boxesKeptOrNotGiveTheSameScores(seed: UInt64) throws {
    var kept = try RandomCutForest(ForestConfiguration(dimensions: 5, numberOfTrees: 8, seed: seed))
    var none = try RandomCutForest(
      ForestConfiguration(
        dimensions: 5, numberOfTrees: 8, seed: seed, boundingBoxCacheFraction: 0))
    let input = gaussians(seed: seed, count: 5 * 800)
    for t in 0..<800 {
      if t == 400 { try none.setBoundingBoxCacheFraction(0.5) }
      if t == 600 { try none.setBoundingBoxCacheFraction(1) }
      if t == 700 { try none.setBoundingBoxCacheFraction(0) }
      let point = input.span.extracting(5 * t..<5 * t + 5)
      let score = try kept.scoreAndUpdate(point)
      #expect(try none.scoreAndUpdate(point) == score, "seed \(seed), step \(t)")
    }
  }

  /// The exact expectation of the score over random cut trees of the points, by definition.
  static func expectedScore(_ points: [[Double]], _ query: [Double], depth: Int = 0) -> Double {
    if points.allSatisfy({ $0 == points[0] }) {
      if points[0] == query { return .nan }
      return 1 / Double(depth + 1)
    }
    // The cut of the points' own box, given that it is not the one that cuts the query off.
    let dimensions = query.count
    var gap = 0.0
    var range = 0.0
    var pieces: [(dimension: Int, cut: Double, length: Double)] = []
    for j in 0..<dimensions {
      let values = Array(Set(points.map { $0[j] })).sorted()
      gap += max(0, query[j] - values.last!) + max(0, values.first! - query[j])
      range += values.last! - values.first!
      // Between neighbouring values, and on either side of the query, all cuts do the same.
      let ends = Array(Set(values + [query[j]].filter { values.first! < $0 && $0 < values.last! }))
        .sorted()
      for (low, high) in zip(ends, ends.dropFirst()) {
        pieces.append((j, (low + high) / 2, high - low))
      }
    }
    let separation = gap / (range + gap)
    var inside = 0.0
    for piece in pieces {
      let side = query[piece.dimension] <= piece.cut
      let mine = points.filter { ($0[piece.dimension] <= piece.cut) == side }
      inside += piece.length / range * expectedScore(mine, query, depth: depth + 1)
    }
    return separation / Double(depth + 1) + (1 - separation) * inside
  }

  @Test(arguments: 0..<6 as Range<UInt64>)
  func scoresOfSmallSamplesAreThoseOfTheDefinition(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let count = 3 + Int(random.next() % 6)
    let dimensions = 1 + Int(random.next() % 3)
    let points = (0..<count).map { _ in (0..<dimensions).map { _ in Double(random.next() % 20) } }
    let query = (0..<dimensions).map { _ in Double(random.next() % 20) + 0.5 }
    var forest = try RandomCutForest(
      ForestConfiguration(
        dimensions: dimensions, sampleSize: count, numberOfTrees: 10_000, timeDecay: 0,
        outputAfter: 1, seed: seed))
    for point in points {
      let values = point.map { Float($0) }
      try forest.update(values.span)
    }
    let asked = query.map { Float($0) }
    let score = try forest.score(asked.span)
    let expected = Self.expectedScore(points, query) * logarithm2(Double(count + 1))
    #expect(abs(score / expected - 1) < 0.02, "seed \(seed): \(score), exactly \(expected)")
  }

  @Test func insertingAndDeletingRestoresTheDistribution() throws {
    // The root cut of trees that saw other points come and go, and of trees that did not.
    func rootCuts(_ passing: Bool) throws -> [Double] {
      var forest = try RandomCutForest(
        ForestConfiguration(
          dimensions: 1, sampleSize: 8, numberOfTrees: 4000, timeDecay: passing ? 1 : 0,
          seed: passing ? 1 : 2))
      if passing {
        var random = SplitMix64(seed: 3)
        for _ in 0..<60 { try forest.update([Float(random.uniform() * 10)].span) }
      }
      // With decay 1 the last arrivals push all before them out.
      for _ in 0..<(passing ? 6 : 1) {
        for value in [0, 1, 3, 4, 6, 7, 8, 10] as [Float] { try forest.update([value].span) }
      }
      return (0..<4000).compactMap { tree in
        guard case .node(_, let cut, _, _)? = forest.describe(tree: tree) else { return nil }
        return Double(cut)
      }
    }
    let fresh = try rootCuts(false)
    // Cuts of a fixed set are uniform over its range.
    for tenth in 1...9 {
      let below = Double(fresh.count { $0 < Double(tenth) }) / Double(fresh.count)
      #expect(abs(below - Double(tenth) / 10) < 0.04)
    }
    var sum = 0.0
    let used = try rootCuts(true)
    for cut in used { sum += cut / Double(used.count) }
    #expect(abs(sum - 5) < 0.35, "\(sum)")
  }

  @Test func howPointsAreStoredDoesNotShow() throws {
    // As blocks of one value, of which there come to be more than 65,536, or as whole points.
    func scores(_ shingleSize: Int) throws -> [Double] {
      var forest = try RandomCutForest(
        ForestConfiguration(
          dimensions: 64, shingleSize: shingleSize, sampleSize: 128, numberOfTrees: 30,
          timeDecay: 0.002, seed: 3, internalShingling: false))
      let input = gaussians(seed: 4, count: 64 * 2500)
      let scores = try ReproducibilityTests.pointScores(&forest, input)
      #expect(forest.core.isWide == (shingleSize == 64))
      #expect(Self.problems(forest).isEmpty)
      let bytes = forest.snapshot()
      var restored = try RandomCutForest(snapshot: bytes.span)
      #expect(restored.snapshot() == bytes)
      return scores
    }
    #expect(try scores(64) == scores(1))
  }

  @Test func oneThousandDimensions() throws {
    var forest = try RandomCutForest(
      ForestConfiguration(dimensions: 1000, sampleSize: 64, numberOfTrees: 5, seed: 1))
    let input = gaussians(seed: 1, count: 1000 * 200)
    for t in 0..<200 { try forest.update(input.span.extracting(1000 * t..<1000 * (t + 1))) }
    #expect(Self.problems(forest).isEmpty)
    let far = [Float](repeating: 9, count: 1000)
    #expect(try forest.score(far.span) > 3)
    #expect(abs(try forest.attribution(far.span).total - forest.score(far.span)) < 1e-9)
  }

  @Test func constantDataScoresHalf() throws {
    var forest = try RandomCutForest(ForestConfiguration(dimensions: 3))
    for _ in 0..<1000 { try forest.update([7, 7, 7].span) }
    #expect(Self.problems(forest).isEmpty)
    #expect(abs(try forest.score([7, 7, 7].span) - 0.5) < 1e-12)
    #expect(try forest.score([7, 7, 8].span) > 7.9)
  }

  @Test func whatCannotBeUsedIsRefused() throws {
    var forest = try RandomCutForest(ForestConfiguration(dimensions: 2))
    for _ in 0..<100 { try forest.update([1, 2].span) }
    let before = forest.snapshot()
    for bad in [Float.nan, .infinity, -.infinity, 3e38] {
      #expect(throws: ForestError.self) { try forest.update([1, bad].span) }
      #expect(throws: ForestError.self) { _ = try forest.scoreAndUpdate([bad, 1].span) }
      #expect(throws: ForestError.self) {
        var scores = [0.0, 0.0]
        var span = scores.mutableSpan
        try forest.scoreAndUpdate(points: [1, 2, 1, bad].span, count: 2, into: &span)
      }
    }
    #expect(throws: ForestError.wrongLength(parameter: "point", count: 1, expected: 2)) {
      try forest.update([1].span)
    }
    #expect(forest.snapshot() == before)
    for (configuration, parameter) in [
      (ForestConfiguration(dimensions: 0), "dimensions"),
      (ForestConfiguration(dimensions: 2, sampleSize: 0), "sampleSize"),
      (ForestConfiguration(dimensions: 2, numberOfTrees: 0), "numberOfTrees"),
      (ForestConfiguration(dimensions: 2, timeDecay: -0.1), "timeDecay"),
      (ForestConfiguration(dimensions: 2, timeDecay: .nan), "timeDecay"),
      (ForestConfiguration(dimensions: 2, initialAcceptFraction: 0), "initialAcceptFraction"),
      (ForestConfiguration(dimensions: 2, boundingBoxCacheFraction: 2), "boundingBoxCacheFraction"),
    ] {
      let error = #expect(throws: ForestError.self) { try configuration.validate() }
      #expect(error?.description.hasPrefix(parameter) == true)
    }
    #expect(
      ForestError.outOfRange(parameter: "timeDecay", value: -1, range: 0...1).description
        == "timeDecay is -1.0; it must lie in 0.0...1.0")
  }

  @Test func aDamagedSnapshotIsRefused() throws {
    var forest = try RandomCutForest(
      ForestConfiguration(dimensions: 2, sampleSize: 16, numberOfTrees: 3))
    for value in gaussians(seed: 1, count: 100) { try forest.update([value, -value].span) }
    let bytes = forest.snapshot()
    for position in stride(from: 0, to: bytes.count, by: 7) {
      var damaged = bytes
      damaged[position] ^= 0x10
      #expect(throws: ForestError.self) { _ = try RandomCutForest(snapshot: damaged.span) }
      #expect(throws: ForestError.self) {
        _ = try RandomCutForest(snapshot: bytes.span.extracting(0..<position))
      }
    }
  }

  @Test(arguments: [1, 8], [true, false])
  func theSizeEstimateIsExact(dimensions: Int, shingled: Bool) throws {
    let configuration = ForestConfiguration(
      dimensions: dimensions, shingleSize: shingled ? dimensions : 1, seed: 1)
    var forest = try RandomCutForest(configuration)
    for value in gaussians(seed: 2, count: 20_000) {
      let point = [Float](repeating: value, count: configuration.pointLength)
      try forest.update(point.span)
    }
    #expect(try configuration.byteCount() == forest.byteCount)
  }
}

@Suite struct AnswerTests {
  @Test func collusiveDisplacementIsItsExpectation() throws {
    // Insert the query into many trees of the same points, and look.
    let points: [Float] = [0, 1, 2, 10, 11, 30]
    let query: Float = 14
    var forest = try RandomCutForest(
      ForestConfiguration(
        dimensions: 1, sampleSize: 7, numberOfTrees: 10_000, timeDecay: 0, outputAfter: 1, seed: 4))
    for point in points { try forest.update([point].span) }
    let expected = try forest.collusiveDisplacement([query].span)
    try forest.update([query].span)
    func displacement(_ tree: TreeDescription) -> Double {
      guard case .node(_, let cut, let left, let right) = tree else { return 0 }
      let (mine, other) = query <= cut ? (left, right) : (right, left)
      return max(Double(other.mass) / Double(mine.mass), displacement(mine))
    }
    var mean = 0.0
    for tree in 0..<10_000 { mean += displacement(forest.describe(tree: tree)!) / 10_000 }
    #expect(abs(mean / expected - 1) < 0.03, "\(mean), \(expected)")
  }

  @Test func approximateScoresAgreeWithFewerTrees() throws {
    var forest = try RandomCutForest(
      ForestConfiguration(dimensions: 4, numberOfTrees: 100, seed: 2))
    let input = gaussians(seed: 8, count: 4 * 1500)
    for t in 0..<1500 { try forest.update(input.span.extracting(4 * t..<4 * t + 4)) }
    var trees = 0
    for t in 0..<100 {
      let point = input.span.extracting(4 * t..<4 * t + 4)
      let full = try forest.score(point)
      let (score, used) = try forest.approximateScore(point)
      trees += used
      #expect(abs(score / full - 1) < 0.4)
    }
    #expect(trees < 6000)
  }

  @Test func displacementIsAFraction() throws {
    var forest = try RandomCutForest(ForestConfiguration(dimensions: 2, seed: 2))
    let input = gaussians(seed: 9, count: 2 * 1000)
    for t in 0..<1000 { try forest.update(input.span.extracting(2 * t..<2 * t + 2)) }
    let normal = try forest.displacementScore([0.1, 0.1].span)
    let far = try forest.displacementScore([50, 50].span)
    #expect(0 <= normal && normal < 0.2 && far > 0.9 && far <= 1)
  }

  @Test func neighboursAreNear() throws {
    var forest = try RandomCutForest(ForestConfiguration(dimensions: 2, seed: 2))
    let input = gaussians(seed: 9, count: 2 * 1000)
    for t in 0..<1000 { try forest.update(input.span.extracting(2 * t..<2 * t + 2)) }
    let near = try forest.nearNeighbours([0.2, -0.3].span, maximumDistance: 1)
    #expect(near.count > 5)
    #expect(near.map(\.distance) == near.map(\.distance).sorted())
    #expect(near.allSatisfy { $0.distance < 1 })
    #expect(near.reduce(0) { $0 + $1.count } <= 50)
  }

  @Test func imputationFollowsWhatIsKnown() throws {
    var forest = try RandomCutForest(ForestConfiguration(dimensions: 3, seed: 5))
    var noise = Gaussian(seed: 3)
    for _ in 0..<2000 {
      let x = Float(noise.next())
      try forest.update([x, 2 * x, -x].span)
    }
    for x in [-1, 0, 0.5, 1.2] as [Float] {
      let estimate = try forest.impute([x, 0, -x].span, missing: [1])
      #expect(abs(estimate.values[1] - 2 * x) < 0.4, "\(x): \(estimate)")
      #expect(estimate.values[0] == x && estimate.values[2] == -x)
      #expect(estimate.lower[1] <= estimate.values[1] && estimate.values[1] <= estimate.upper[1])
      let again = try forest.impute([x, 0, -x].span, missing: [1], centrality: 0.3)
      #expect(try forest.impute([x, 0, -x].span, missing: [1], centrality: 0.3) == again)
    }
    #expect(throws: ForestError.self) { _ = try forest.impute([0, 0, 0].span, missing: [3]) }
  }

  @Test func rotatingShinglesForecastAsSlidingOnes() throws {
    for isRotating in [false, true] {
      var forest = try RandomCutForest(
        ForestConfiguration(dimensions: 25, shingleSize: 25, seed: 1, internalRotation: isRotating))
      func value(_ t: Int) -> Float { Float([0, 4, 9, 4, 0][t / 5 % 5] + t % 5) }
      for t in 0..<1500 { try forest.update([value(t)].span) }
      let forecast = try forest.extrapolate(horizon: 20)
      var error: Float = 0
      for lead in 0..<20 { error += abs(forecast.values[lead] - value(1500 + lead)) / 20 }
      #expect(error < 0.5, "rotating \(isRotating): \(error)")
    }
  }

  @Test func elementaryFunctionsAreExact() {
    // Values of the functions to 20 digits, from tables.
    #expect(abs(logarithm(2) - 0.69314718055994530942) < 1e-16)
    #expect(abs(logarithm(10) - 2.30258509299404568402) < 5e-16)
    #expect(abs(logarithm(1e-300) + 690.77552789821370521) < 2e-13)
    #expect(logarithm2(8) == 3 && logarithm2(1) == 0)
    #expect(abs(exponential(1) - 2.71828182845904523536) < 5e-16)
    #expect(abs(exponential(-20) / 2.0611536224385578280e-9 - 1) < 5e-16)
    #expect(exponential(1000) == .infinity && exponential(-1000) == 0)
    #expect(abs(logarithm1p(1e-10) - 9.9999999995e-11) < 1e-25)
    #expect(abs(exponentialM1(1e-10) - 1.00000000005e-10) < 1e-25)
    var random = SplitMix64(seed: 1)
    for _ in 0..<1000 {
      let x = (random.uniform() - 0.5) * 100
      #expect(abs(logarithm(exponential(x)) - x) < 2e-14)
    }
  }
}
