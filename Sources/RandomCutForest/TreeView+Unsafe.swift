import CKernels

/// One tree, to be walked by the answers that need more than a score.
///
/// Valid until the forest changes; boxes of a tree that keeps none are valid until the next tree is
/// viewed.
package struct TreeView {
  private let forest: UnsafeMutablePointer<rcf_forest>
  private let nodes: UnsafePointer<rcf_node>
  private let boxes: UnsafePointer<Float>
  private let ranges: UnsafePointer<Float>
  private let first: Int
  private let lanes: Int
  private let half: Int
  private let query: UnsafePointer<Float>
  package let mass: Int
  package let dimensions: Int
  package let root: TreeReference

  fileprivate init(_ core: borrowing ForestCore, _ tree: Int) {
    forest = core.forest
    lanes = core.lanes
    half = lanes / 2
    query = UnsafePointer(core.query)
    dimensions = core.dimensions
    first = tree * core.capacity
    nodes = UnsafePointer(forest.pointee.nodes + first)
    boxes = rcf_boxes(forest, UInt32(tree))
    ranges = rcf_ranges(forest, UInt32(tree))
    mass = core.mass(ofTree: tree)
    root = TreeReference(raw: forest.pointee.trees[tree].root)
  }

  /// Factor that makes scores of trees of different mass comparable: log2(mass + 1).
  package var normaliser: Double { forest.pointee.log2_table[mass + 1] }
  package func log2(_ number: Int) -> Double { forest.pointee.log2_table[number] }

  package func dimension(_ node: TreeReference) -> Int { Int(nodes[node.index].dimension) }
  package func cut(_ node: TreeReference) -> Float { nodes[node.index].cut }
  package func left(_ node: TreeReference) -> TreeReference {
    TreeReference(raw: nodes[node.index].left)
  }
  package func right(_ node: TreeReference) -> TreeReference {
    TreeReference(raw: nodes[node.index].right)
  }
  package func leftMass(_ node: TreeReference) -> Int { Int(nodes[node.index].left_mass) }

  /// The sum of the sides of the box of an inner node.
  package func range(_ node: TreeReference) -> Double { Double(ranges[node.index]) }

  /// Upper end of a box in one dimension.
  @inline(__always)
  package func high(_ reference: TreeReference, _ dimension: Int) -> Float {
    reference.isLeaf
      ? value(reference, dimension) : boxes[reference.index * lanes + dimension]
  }

  /// Lower end of a box in one dimension.
  @inline(__always)
  package func low(_ reference: TreeReference, _ dimension: Int) -> Float {
    reference.isLeaf
      ? value(reference, dimension) : -boxes[reference.index * lanes + half + dimension]
  }

  /// A coordinate of a leaf's point.
  @inline(__always)
  package func value(_ leaf: TreeReference, _ dimension: Int) -> Float {
    forest.pointee.store[position(leaf) * Int(forest.pointee.block) + dimension]
  }

  /// Where the leaf's point begins in the store: equal for equal points of a tree.
  package func position(_ leaf: TreeReference) -> Int {
    Int(forest.pointee.position(first + leaf.index))
  }

  /// A coordinate of the query at hand.
  package func query(_ dimension: Int) -> Float { query[dimension] }

  package func equalsQuery(_ leaf: TreeReference) -> Bool {
    for j in 0..<dimensions where value(leaf, j) != query[j] { return false }
    return true
  }

  /// The walk of the query from the root to a leaf.
  package func descend(into path: inout TreePath) {
    path.nodes.removeAll(keepingCapacity: true)
    path.masses.removeAll(keepingCapacity: true)
    path.siblings.removeAll(keepingCapacity: true)
    var reference = root
    var mass = mass
    while !reference.isLeaf {
      path.nodes.append(reference)
      path.masses.append(mass)
      if query[dimension(reference)] <= cut(reference) {
        path.siblings.append(right(reference))
        mass = leftMass(reference)
        reference = left(reference)
      } else {
        path.siblings.append(left(reference))
        mass -= leftMass(reference)
        reference = right(reference)
      }
    }
    path.leaf = reference
    path.leafMass = mass
  }
}

/// A node or a leaf of a tree.
package struct TreeReference: Equatable {
  package let raw: UInt16

  package var isLeaf: Bool { raw & UInt16(RCF_LEAF) != 0 }
  package var index: Int { Int(raw & UInt16(RCF_LEAF - 1)) }
}

/// The nodes that a query passes, root first, with their masses and what hangs beside the path.
package struct TreePath {
  package var nodes: [TreeReference] = []
  package var masses: [Int] = []
  package var siblings: [TreeReference] = []
  package var leaf = TreeReference(raw: UInt16(RCF_LEAF))
  package var leafMass = 0
  package var depth: Int { nodes.count }

  package init() {}
}

extension ForestCore {
  package func view(_ tree: Int) -> TreeView { TreeView(self, tree) }

  /// Scores of the trees from `first` on, as many as come together.
  package func scores(from first: Int, into scores: inout [Double]) {
    var some: (Double, Double, Double, Double, Double, Double, Double, Double, Double, Double) = (
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    )
    withUnsafeMutableBytes(of: &some) { bytes in
      let values = bytes.assumingMemoryBound(to: Double.self)
      rcf_score_some(forest, query, UInt32(first), values.baseAddress)
      for k in 0..<min(Int(RCF_LOCKSTEP), numberOfTrees - first) { scores.append(values[k]) }
    }
  }

  /// Replaces coordinates of the point at hand and brings it into the query.
  package func set(_ values: [Float]) {
    for j in 0..<dimensions { point[j] = values[j] }
    prepareQuery()
  }

  /// The point at hand.
  package var values: [Float] { (0..<dimensions).map { point[$0] } }
  package var shingleValues: [Float] { (0..<dimensions).map { shingle[$0] } }
}

extension TreeView {
  /// Samples that stand for the point at a position of the store.
  package func entries(at position: Int) -> Int {
    (0..<mass).count { Int(forest.pointee.position(first + $0)) == position }
  }
}
