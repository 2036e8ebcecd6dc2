import CKernels

/// A whole tree as a value: for tests and for looking at one.
public indirect enum TreeDescription: Equatable, Sendable {
  /// Points equal to this one, so many of them.
  case leaf(point: [Float], mass: Int)
  /// Points with the coordinate up to the cut on the left, the others on the right.
  case node(dimension: Int, cut: Float, left: TreeDescription, right: TreeDescription)

  /// Number of points.
  public var mass: Int {
    switch self {
    case .leaf(_, let mass): mass
    case .node(_, _, let left, let right): left.mass + right.mass
    }
  }
}

extension RandomCutForest {
  /// A tree as it stands; nil when it holds no point.
  public func describe(tree: Int) -> TreeDescription? {
    precondition((0..<configuration.numberOfTrees).contains(tree))
    return core.describe(tree)
  }

  /// A forest with one tree, exactly as described, ready to answer.
  package init(_ description: TreeDescription, dimensions: Int) throws(ForestError) {
    try self.init(
      ForestConfiguration(
        dimensions: dimensions, sampleSize: max(1, description.mass), numberOfTrees: 1,
        outputAfter: 1))
    core.adopt(description)
    totalUpdates = description.mass
  }
}

extension ForestCore {
  func describe(_ tree: Int) -> TreeDescription? {
    guard mass(ofTree: tree) > 0 else { return nil }
    let view = view(tree)
    return describe(view, view.root, mass: view.mass)
  }

  private func describe(_ tree: TreeView, _ node: TreeReference, mass: Int) -> TreeDescription {
    guard !node.isLeaf else {
      return .leaf(point: (0..<dimensions).map { tree.value(node, $0) }, mass: mass)
    }
    let left = tree.leftMass(node)
    return .node(
      dimension: tree.dimension(node), cut: tree.cut(node),
      left: describe(tree, tree.left(node), mass: left),
      right: describe(tree, tree.right(node), mass: mass - left))
  }

  /// Makes tree 0 as described.
  mutating func adopt(_ description: TreeDescription) {
    resize(capacity: sampleSize, boxed: boxedTrees, isWide: isWide)
    var entry = 0
    var node = 0
    var masses: [Int] = []
    forest.pointee.trees[0].root = place(description, &entry, &node, &masses)
    forest.pointee.trees[0].mass = UInt32(description.mass)
    forest.pointee.trees[0].node_limit = UInt16(node)
    _ = setMasses(0, masses: masses)
    rebuildBoxes(ofTree: 0)
    findLastEntry(0)
  }

  private mutating func place(
    _ description: TreeDescription, _ entry: inout Int, _ node: inout Int, _ masses: inout [Int]
  ) -> UInt16 {
    switch description {
    case .leaf(let values, let mass):
      set(values)
      makeRoom(points: 1)
      let position = store.append(point)
      store.retain(position)
      let leaf = entry
      while masses.count < leaf { masses.append(0) }
      masses.append(mass)
      for _ in 0..<mass {
        forest.pointee.setPosition(entry, UInt32(position))
        entry += 1
        // Room made while the tree grows must find its points.
        forest.pointee.trees[0].mass = UInt32(entry)
      }
      return UInt16(RCF_LEAF) | UInt16(leaf)
    case .node(let dimension, let cut, let left, let right):
      let number = node
      node += 1
      let leftReference = place(left, &entry, &node, &masses)
      let rightReference = place(right, &entry, &node, &masses)
      forest.pointee.nodes[number] = rcf_node(
        cut: cut, left: leftReference, right: rightReference, dimension: UInt16(dimension),
        left_mass: 0)
      return UInt16(number)
    }
  }
}
