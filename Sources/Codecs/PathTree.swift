import Columns

/// The paths of a mapping as a tree of the members to look for, flat in memory.
///
/// The sinks of a node and of all that lies under it are consecutive, so that a repeated member can
/// forget what its predecessor left.
struct PathTree {
  struct Node {
    /// The children, consecutive in `children`.
    var children = 0..<0
    /// The node of an array's elements, or -1.
    var elements = -1
    /// The sinks that take this node's own value.
    var sinks = 0..<0
    /// The sinks of this node and of all below it.
    var subtreeSinks = 0..<0
    /// The first of the node's learned keys.
    var firstPrediction = 0
    /// Whether anything lies below.
    var isInner: Bool { !children.isEmpty || elements >= 0 }
  }

  struct Child {
    /// Where the name lies in `names`.
    let name: Range<Int>
    let node: Int
  }

  private(set) var nodes: [Node] = []
  private(set) var children: [Child] = []
  private(set) var names: [UInt8] = []
  private(set) var sinks: [ColumnSink] = []
  /// How many nodes have members to look for.
  private(set) var objectCount = 0
  /// The node whose elements become rows, or -1.
  private(set) var flattened = -1
  /// The names that lead from the document to the row.
  let rowMembers: [[UInt8]]
  /// Whether the row path ends in an array.
  let rowIsElement: Bool

  /// Whether rows are whole documents of which only members are wanted: the common case.
  private(set) var isPlain = false

  /// The row itself.
  static let root = 0

  init(
    rowPath: JSONPath, columns: [ColumnDefinition], paths: [JSONPath]
  ) throws(MappingError) {
    guard columns.count == paths.count else {
      throw MappingError(
        message: "\(columns.count) columns but \(paths.count) paths", column: nil,
        hint: "give each column a path")
    }
    var members = rowPath.steps
    rowIsElement = members.last == .elements
    if rowIsElement { members.removeLast() }
    rowMembers = try members.map { step throws(MappingError) in
      guard case .member(let name) = step else {
        throw MappingError(
          message: "the row path goes on behind an array", column: nil,
          hint: "end the row path with '[0:]' and begin the columns' paths at the elements")
      }
      return Array(name.utf8)
    }
    let draft = Draft()
    for (slot, path) in paths.enumerated() {
      try draft.add(path, column: columns[slot], slot: slot)
    }
    if rowIsElement, let column = draft.flattenedColumn {
      throw MappingError(
        message: "only one array can be flattened and the row path does it already",
        column: column, hint: "leave '[0:]' out of the row path or of the column's path")
    }
    _ = append(draft)
    isPlain =
      rowMembers.isEmpty && !rowIsElement && nodes[Self.root].sinks.isEmpty
      && !nodes[Self.root].children.isEmpty && flattened < 0
  }

  private mutating func append(_ draft: Draft) -> Int {
    let index = nodes.count
    nodes.append(Node())
    let firstSink = sinks.count
    sinks += draft.sinks
    nodes[index].sinks = firstSink..<sinks.count
    if !draft.members.isEmpty {
      nodes[index].firstPrediction = objectCount * MemberPredictions.placesPerObject
      objectCount += 1
    }
    let firstChild = children.count
    for member in draft.members {
      let start = names.count
      names += Array(member.name.utf8)
      children.append(Child(name: start..<names.count, node: -1))
    }
    for (offset, member) in draft.members.enumerated() {
      let name = children[firstChild + offset].name
      let node = append(member.draft)
      children[firstChild + offset] = Child(name: name, node: node)
    }
    nodes[index].children = firstChild..<firstChild + draft.members.count
    if let elements = draft.elements {
      flattened = index
      nodes[index].elements = append(elements)
    }
    nodes[index].subtreeSinks = firstSink..<sinks.count
    return index
  }

  /// The child of `node` with this name, or -1.
  func child(of node: Int, named name: Span<UInt8>) -> Int {
    for index in nodes[node].children where equals(children[index].name, name) {
      return children[index].node
    }
    return -1
  }

  private func equals(_ stored: Range<Int>, _ name: Span<UInt8>) -> Bool {
    guard stored.count == name.count else { return false }
    for offset in 0..<name.count where names[stored.lowerBound + offset] != name[offset] {
      return false
    }
    return true
  }
}

/// A node while the paths are put together.
private final class Draft {
  var members: [(name: String, draft: Draft)] = []
  var elements: Draft?
  var sinks: [ColumnSink] = []
  /// At the root: the first column that flattens, and the array that it flattens.
  private(set) var flattenedColumn: String?
  private var flattenedPath: [JSONPath.Step] = []

  func add(_ path: JSONPath, column: ColumnDefinition, slot: Int) throws(MappingError) {
    var steps = path.steps
    // A path that ends in '[0:]' is the array as a whole.
    if steps.last == .elements { steps.removeLast() }
    if let array = steps.firstIndex(of: .elements) {
      let prefix = Array(steps[..<array])
      if steps[(array + 1)...].contains(.elements) {
        throw MappingError(
          message: "arrays within arrays cannot be flattened", column: column.name,
          hint: "take the inner array as text and split it in SQL")
      }
      if flattenedColumn != nil, flattenedPath != prefix {
        throw MappingError(
          message: "only one array can be flattened", column: column.name,
          hint: "take the other array as text with a path that ends in '[0:]'")
      }
      flattenedColumn = flattenedColumn ?? column.name
      flattenedPath = prefix
    }
    var node = self
    for step in steps { node = node.down(step) }
    node.sinks.append(ColumnSink(type: column.type, slot: slot))
  }

  private func down(_ step: JSONPath.Step) -> Draft {
    switch step {
    case .elements:
      let next = elements ?? Draft()
      elements = next
      return next
    case .member(let name):
      // Bytes, not characters: canonically equivalent names are different members.
      if let known = members.first(where: { Array($0.name.utf8) == Array(name.utf8) }) {
        return known.draft
      }
      let next = Draft()
      members.append((name, next))
      return next
    }
  }
}
