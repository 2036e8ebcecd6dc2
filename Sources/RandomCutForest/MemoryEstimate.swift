extension ForestConfiguration {
  /// Bytes of the arrays of a full forest of this configuration, before it is built.
  ///
  /// It is exactly what `RandomCutForest.byteCount` says once the trees are full, as long as the
  /// point store has not outgrown what the time decay lets one expect: without decay it grows on
  /// with the number of distinct points held. A forest that has seen fewer points takes less.
  public func byteCount() throws(ForestError) -> Int {
    try validate()
    let trees = TreeLayout(
      capacity: sampleSize, lanes: laneCount(dimensions: dimensions), trees: numberOfTrees,
      boxed: boxedTreeCount(boundingBoxCacheFraction, of: numberOfTrees),
      isWide: expectedStoreBlocks > 1 << 16)
    return FixedLayout(self).byteCount + trees.byteCount
      + PointStore.byteCount(capacity: expectedStoreBlocks, block: storeBlock)
      + PointBlock.byteCount(dimensions: dimensions)
  }
}
