/// A random cut forest: learns a stream of points and says how anomalous a point is among those it
/// remembers.
///
/// One owner, no reference counting, no lock. The same configuration, seed and input give the same
/// answers, bit for bit, on every CPU and whether points come singly or in batches.
///
/// - Source: Guha, Mishra, Roy, Schrijvers, "Robust Random Cut Forest Based Anomaly Detection on
///   Streams", ICML 2016.
public struct RandomCutForest: ~Copyable {
  package var core: ForestCore

  /// As given, with every later change of time decay and box cache.
  public package(set) var configuration: ForestConfiguration
  /// Calls of `update` so far, those included that only filled the shingle.
  public package(set) var totalUpdates: Int
  /// While true, points are scored and shingled but not learned.
  public var isSamplingPaused: Bool

  /// An empty forest; throws the first parameter that is out of range.
  public init(_ configuration: ForestConfiguration) throws(ForestError) {
    try configuration.validate()
    self.configuration = configuration
    core = ForestCore(configuration)
    totalUpdates = 0
    isSamplingPaused = false
  }

  /// Whether scores mean something: `outputAfter` updates have come and every tree holds a point.
  public var isReady: Bool {
    totalUpdates >= configuration.outputAfter && core.mass(ofTree: 0) > 0
  }

  /// Bytes of all arrays of this forest.
  public var byteCount: Int { core.byteCount }

  /// Whether enough inputs have come to form a point.
  package var hasShingle: Bool {
    !configuration.internalShingling || totalUpdates >= configuration.shingleSize - 1
  }

  package var shingling: Shingling {
    Shingling(
      isWhole: !configuration.internalShingling || configuration.shingleSize == 1,
      isRotating: configuration.internalRotation,
      slot: totalUpdates % configuration.shingleSize)
  }

  /// Throws when the input has the wrong length or a value that cannot be computed with.
  package func check(_ input: Span<Float>) throws(ForestError) {
    try ForestError.check("point", count: input.count, is: configuration.pointLength)
    try ForestError.check(input)
  }

  /// The anomaly score of the point that `input` would complete; nothing is learned.
  ///
  /// It is the expected inverse depth at which the point would be cut off: 0 until ready, about 1
  /// for ordinary points, log2(sample size + 1) at most.
  ///
  /// - Parameter input: `pointLength` values; one time step under internal shingling.
  /// - Returns: The mean over the trees.
  /// - Throws: When the input has the wrong length or a value that cannot be used.
  public mutating func score(_ input: Span<Float>) throws(ForestError) -> Double {
    try check(input)
    guard isReady, hasShingle else { return 0 }
    core.form(input, shingling: shingling, learned: false)
    core.prepareQuery()
    return core.score()
  }

  /// Learns the point that `input` completes.
  ///
  /// - Parameters:
  ///   - input: `pointLength` values.
  ///   - weight: How many ordinary points this one stands for when samples are drawn; 0 is shingled
  ///     but not learned.
  /// - Throws: When the input has the wrong length or a value that cannot be used.
  public mutating func update(_ input: Span<Float>, weight: Double = 1) throws(ForestError) {
    try check(input)
    try ForestError.check("weight", weight, in: 0...1e9)
    let isComplete = hasShingle
    core.form(input, shingling: shingling, learned: true)
    if isComplete && !isSamplingPaused && weight > 0 {
      core.prepareQuery()
      core.expect()
      core.offer(weight: weight, initialAcceptFraction: configuration.initialAcceptFraction)
    }
    totalUpdates += 1
  }

  /// The score of the point that `input` completes, which is then learned.
  public mutating func scoreAndUpdate(_ input: Span<Float>) throws(ForestError) -> Double {
    try check(input)
    return scoreAndUpdate(checked: input)
  }

  private mutating func scoreAndUpdate(checked input: Span<Float>) -> Double {
    let isComplete = hasShingle
    core.form(input, shingling: shingling, learned: true)
    var score = 0.0
    if isComplete {
      core.prepareQuery()
      if !isSamplingPaused { core.expect() }
      if isReady { score = core.score() }
      if !isSamplingPaused {
        core.offer(weight: 1, initialAcceptFraction: configuration.initialAcceptFraction)
      }
    }
    totalUpdates += 1
    return score
  }

  /// Scores and learns many points; the scores are those of as many calls of `scoreAndUpdate`, bit
  /// for bit.
  ///
  /// - Parameters:
  ///   - points: `count` × `pointLength` values, point after point.
  ///   - count: Number of points.
  ///   - scores: Takes `count` scores; may have room for more.
  /// - Throws: Before anything is learned, when a value cannot be used or an array has the wrong
  ///   length.
  public mutating func scoreAndUpdate(
    points: Span<Float>, count: Int, into scores: inout MutableSpan<Double>
  ) throws(ForestError) {
    let length = configuration.pointLength
    try ForestError.check("points", count: points.count, is: count * length)
    guard scores.count >= count else {
      throw .wrongLength(parameter: "scores", count: scores.count, expected: count)
    }
    try ForestError.check(points)
    var done = 0
    while done < count {
      let room = core.clock.arrivalsBeforeRebase
      guard hasShingle, !isSamplingPaused, room > 0 else {
        let input = points.extracting(done * length..<(done + 1) * length)
        scores[done] = scoreAndUpdate(checked: input)
        done += 1
        continue
      }
      let size = min(blockSize, count - done, Int(min(room, 64)))
      process(
        points.extracting(done * length..<(done + size) * length), count: size, into: &scores,
        at: done)
      done += size
    }
  }

  private mutating func process(
    _ points: Span<Float>, count: Int, into scores: inout MutableSpan<Double>, at offset: Int
  ) {
    let length = configuration.pointLength
    var firstScored = max(0, configuration.outputAfter - totalUpdates)
    if core.mass(ofTree: 0) == 0 { firstScored = max(firstScored, 1) }
    var block = core.block.take() ?? PointBlock(dimensions: configuration.dimensions)
    block.count = 0
    for k in 0..<count {
      core.form(
        points.extracting(k * length..<(k + 1) * length), shingling: shingling, learned: true)
      core.enter(&block)
      totalUpdates += 1
    }
    core.scoreAndOffer(
      block, firstScored: min(count, firstScored),
      initialAcceptFraction: configuration.initialAcceptFraction)
    for k in 0..<count {
      scores[offset + k] = block.scores[k] / Double(configuration.numberOfTrees)
    }
    core.block = consume block
  }

  /// Changes how fast old points give way to new ones, from now on.
  public mutating func setTimeDecay(_ timeDecay: Double) throws(ForestError) {
    try ForestConfiguration.validate(timeDecay: timeDecay)
    configuration.timeDecay = timeDecay
    core.change(timeDecay: timeDecay)
  }

  /// Changes how many trees keep their boxes; the answers stay the same.
  public mutating func setBoundingBoxCacheFraction(_ fraction: Double) throws(ForestError) {
    try ForestConfiguration.validate(boundingBoxCacheFraction: fraction)
    configuration.boundingBoxCacheFraction = fraction
    core.resize(
      capacity: core.capacity,
      boxed: boxedTreeCount(fraction, of: configuration.numberOfTrees), isWide: core.isWide)
  }
}
