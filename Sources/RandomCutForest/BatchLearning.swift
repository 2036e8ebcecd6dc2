extension RandomCutForest {
  /// Learns a point in one tree only: the trees of a batch forest have samples of their own.
  ///
  /// - Parameters:
  ///   - point: `pointLength` values, with no shingling by the forest.
  ///   - tree: The tree, which holds fewer points than the sample size.
  /// - Throws: When the point has the wrong length or a value that cannot be used, or the forest
  ///   forms shingles itself.
  public mutating func learn(_ point: Span<Float>, inTree tree: Int) throws(ForestError) {
    try check(point)
    guard configuration.shingleSize == 1 || !configuration.internalShingling else {
      throw .inconsistent(
        parameter: "internalShingling", value: 1, hint: "single trees learn whole points only")
    }
    try ForestError.check(
      "tree", Double(tree), in: 0...Double(configuration.numberOfTrees - 1))
    try ForestError.check(
      "points in the tree", Double(core.mass(ofTree: tree)),
      in: 0...Double(configuration.sampleSize - 1))
    core.form(point, shingling: shingling, learned: true)
    core.prepareQuery()
    core.offer(toTree: tree)
    totalUpdates += 1
  }

  /// Makes a forest of trees with samples of their own go on with a stream: it scores from the first
  /// whole shingle on, and forms the shingles itself.
  ///
  /// The samples of full trees stand for the past of a long stream: they give way to new points as
  /// fast as `timeDecay` says, not as if nothing had come before them.
  ///
  /// - Throws: When the time decay is out of range.
  public mutating func beginStream(timeDecay: Double) throws(ForestError) {
    try ForestConfiguration.validate(timeDecay: timeDecay)
    configuration.timeDecay = timeDecay
    configuration.internalShingling = true
    configuration.outputAfter = 1
    core.settle(timeDecay: timeDecay)
    totalUpdates = configuration.shingleSize == 1 ? 1 : 0
  }

  /// Mean and standard deviation of each value of a time step over the samples of all trees.
  public func sampleMoments() -> (mean: [Double], deviation: [Double]) {
    core.sampleMoments(width: configuration.inputDimensions)
  }
}
