/// The parameters of a forest.
///
/// Defaults follow AWS's implementation; `validate` says what each may be.
public struct ForestConfiguration: Equatable, Sendable {
  /// Dimensions of a point in the forest, after shingling: input dimensions × `shingleSize`.
  public var dimensions: Int
  /// How many consecutive inputs make one point.
  public var shingleSize: Int
  /// Points held by each tree.
  public var sampleSize: Int
  /// More trees give steadier scores, in proportion to time and memory.
  public var numberOfTrees: Int
  /// The fraction of its weight that a point loses with every later arrival; 0 keeps a uniform
  /// sample of all that ever arrived.
  public var timeDecay: Double
  /// Updates before the first answer; every score is 0 until then.
  public var outputAfter: Int
  /// Below this fraction of the sample size a tree takes every point; above it fewer and fewer
  /// until it is full.
  public var initialAcceptFraction: Double
  /// Two forests with the same configuration, seed and input give the same answers, bit for bit.
  public var seed: UInt64
  /// Whether the forest forms the shingles from single inputs, or is given whole points.
  public var internalShingling: Bool
  /// Keeps the input of time t in block t mod `shingleSize` in place of sliding.
  ///
  /// Needs internal shingling.
  public var internalRotation: Bool
  /// The fraction of the trees that keep their bounding boxes; the others compute them when
  /// visited: the same answers, in less memory and more time.
  public var boundingBoxCacheFraction: Double

  /// A configuration; `timeDecay` nil means 1 / (10 × sample size), `outputAfter` nil a quarter of
  /// the sample size.
  public init(
    dimensions: Int,
    shingleSize: Int = 1,
    sampleSize: Int = 256,
    numberOfTrees: Int = 50,
    timeDecay: Double? = nil,
    outputAfter: Int? = nil,
    initialAcceptFraction: Double = 1,
    seed: UInt64 = 0,
    internalShingling: Bool = true,
    internalRotation: Bool = false,
    boundingBoxCacheFraction: Double = 1
  ) {
    self.dimensions = dimensions
    self.shingleSize = shingleSize
    self.sampleSize = sampleSize
    self.numberOfTrees = numberOfTrees
    self.timeDecay = timeDecay ?? 1 / (10 * Double(max(1, sampleSize)))
    self.outputAfter = outputAfter ?? max(1, sampleSize / 4)
    self.initialAcceptFraction = initialAcceptFraction
    self.seed = seed
    self.internalShingling = internalShingling
    self.internalRotation = internalRotation
    self.boundingBoxCacheFraction = boundingBoxCacheFraction
  }

  /// Values of one time step: `dimensions / shingleSize`.
  public var inputDimensions: Int { dimensions / shingleSize }

  /// Values expected by `score` and `update`: one step under internal shingling, else a whole
  /// point.
  public var pointLength: Int { internalShingling ? inputDimensions : dimensions }

  /// Throws the first parameter that is out of range, with its value and the range.
  public func validate() throws(ForestError) {
    try ForestError.check("dimensions", Double(dimensions), in: 1...32_768)
    try ForestError.check("shingleSize", Double(shingleSize), in: 1...Double(dimensions))
    guard dimensions.isMultiple(of: shingleSize) else {
      throw .inconsistent(
        parameter: "shingleSize", value: Double(shingleSize),
        hint: "it must divide the \(dimensions) dimensions")
    }
    try ForestError.check("sampleSize", Double(sampleSize), in: 1...32_768)
    try ForestError.check("numberOfTrees", Double(numberOfTrees), in: 1...10_000)
    try Self.validate(timeDecay: timeDecay)
    try ForestError.check("outputAfter", Double(outputAfter), in: 1...1e9)
    try ForestError.check(
      "initialAcceptFraction", initialAcceptFraction, in: Double.leastNonzeroMagnitude...1)
    try Self.validate(boundingBoxCacheFraction: boundingBoxCacheFraction)
    guard internalShingling || !internalRotation else {
      throw .inconsistent(
        parameter: "internalRotation", value: 1, hint: "it needs internal shingling")
    }
  }

  static func validate(timeDecay: Double) throws(ForestError) {
    try ForestError.check("timeDecay", timeDecay, in: 0...1)
  }

  static func validate(boundingBoxCacheFraction: Double) throws(ForestError) {
    try ForestError.check("boundingBoxCacheFraction", boundingBoxCacheFraction, in: 0...1)
  }
}
