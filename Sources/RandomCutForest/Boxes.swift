/// A box that grows by what hangs beside the path of a query: the box of a node as if the leaf that
/// the query equals had never been there.
struct ShadowBox {
  private(set) var high: [Float]
  private(set) var low: [Float]
  private var isEmpty = true

  init(dimensions: Int) {
    high = [Float](repeating: 0, count: dimensions)
    low = high
  }

  mutating func clear() { isEmpty = true }

  mutating func widen(by reference: TreeReference, of tree: TreeView) {
    for j in high.indices {
      let upper = tree.high(reference, j)
      let lower = tree.low(reference, j)
      high[j] = isEmpty ? upper : max(high[j], upper)
      low[j] = isEmpty ? lower : min(low[j], lower)
    }
    isEmpty = false
  }

  var range: Double {
    var sum = 0.0
    for j in high.indices { sum += Double(high[j]) - Double(low[j]) }
    return sum
  }
}

/// How far the query lies above and below a box, per dimension.
struct Gaps {
  var high: [Double]
  var low: [Double]
  private(set) var sum = 0.0

  init(dimensions: Int) {
    high = [Double](repeating: 0, count: dimensions)
    low = high
  }

  /// Measures the gaps to a node's or a leaf's own box.
  mutating func measure(_ tree: TreeView, _ reference: TreeReference) {
    sum = 0
    for j in high.indices {
      high[j] = Double(max(0, tree.query(j) - tree.high(reference, j)))
      low[j] = Double(max(0, tree.low(reference, j) - tree.query(j)))
      sum += high[j] + low[j]
    }
  }

  mutating func measure(_ tree: TreeView, _ box: ShadowBox) {
    sum = 0
    for j in high.indices {
      high[j] = Double(max(0, tree.query(j) - box.high[j]))
      low[j] = Double(max(0, box.low[j] - tree.query(j)))
      sum += high[j] + low[j]
    }
  }
}
