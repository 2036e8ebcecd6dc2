/// A remembered point near a query.
public struct NearNeighbour: Equatable, Sendable {
  /// The point, one value per dimension.
  public var point: [Float]
  /// Euclidean distance to the query.
  public var distance: Double
  /// Trees whose cuts led to it.
  public var count: Int
}

extension RandomCutForest {
  /// The remembered points that share a leaf with the point that `input` would complete, nearest
  /// first: a sample of its neighbours, one per tree at most, not an exact search.
  ///
  /// - Parameters:
  ///   - input: As for `score`.
  ///   - maximumDistance: Points at this Euclidean distance or farther are left out.
  /// - Returns: Distinct points; empty until ready.
  /// - Throws: When the input has the wrong length or a value that cannot be used.
  public mutating func nearNeighbours(
    _ input: Span<Float>, maximumDistance: Double = .infinity
  ) throws(ForestError) -> [NearNeighbour] {
    guard try ask(input) else { return [] }
    return neighboursOfQuery(maximumDistance: maximumDistance)
  }

  mutating func neighboursOfQuery(maximumDistance: Double) -> [NearNeighbour] {
    let dimensions = configuration.dimensions
    var path = TreePath()
    var found: [NearNeighbour] = []
    var point = [Float](repeating: 0, count: dimensions)
    for number in 0..<configuration.numberOfTrees {
      let tree = core.view(number)
      tree.descend(into: &path)
      var squares = 0.0
      for j in 0..<dimensions {
        point[j] = tree.value(path.leaf, j)
        let difference = Double(point[j]) - Double(tree.query(j))
        squares += difference * difference
      }
      let distance = squares.squareRoot()
      guard distance < maximumDistance else { continue }
      if let known = found.firstIndex(where: { $0.distance == distance && $0.point == point }) {
        found[known].count += 1
      } else {
        found.append(NearNeighbour(point: point, distance: distance, count: 1))
      }
    }
    // Equal distances stay in the order of their coordinates, whatever the trees.
    return found.sorted { a, b in
      a.distance != b.distance
        ? a.distance < b.distance : a.point.lexicographicallyPrecedes(b.point)
    }
  }
}
