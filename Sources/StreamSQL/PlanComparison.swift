internal import Columns

/// Names an operator of a plan, and its state with it.
public struct OperatorName: Hashable, Sendable {
  /// The pump's name.
  public let pump: String
  /// The operator's number within the pump.
  public let node: Int

  /// Creates a name.
  public init(pump: String, node: Int) {
    self.pump = pump
    self.node = node
  }
}

extension Plan {
  /// The operators of started pumps that do what an operator of an earlier plan did, on the same rows.
  ///
  /// Down to the sources everything that feeds them is the same; names of pumps and places in the program
  /// do not count. Each earlier operator is given once, to a pump of the same name first.
  public func unchangedOperators(
    since former: Plan
  ) -> [(now: OperatorName, before: OperatorName)] {
    var comparison = PlanComparison(now: self, before: former)
    var found: [(now: OperatorName, before: OperatorName)] = []
    var given: Set<OperatorName> = []
    var taken: Set<OperatorName> = []
    for isNamedAlike in [true, false] {
      for pump in pumps where pump.isStarted {
        let candidates = former.pumps.filter {
          $0.isStarted && ($0.name == pump.name) == isNamedAlike
            && $0.forestSeed == pump.forestSeed
        }
        for node in pump.root.withInputs {
          let name = OperatorName(pump: pump.name, node: node.id)
          guard !taken.contains(name) else { continue }
          for candidate in candidates {
            let same = candidate.root.withInputs.first {
              !given.contains(OperatorName(pump: candidate.name, node: $0.id))
                && comparison.isSame(node, $0)
            }
            guard let same else { continue }
            let before = OperatorName(pump: candidate.name, node: same.id)
            given.insert(before)
            taken.insert(name)
            found.append((name, before))
            break
          }
        }
      }
    }
    return found
  }
}

extension PlanNode {
  /// The operators of a pump, inputs before their users.
  public var withInputs: [PlanNode] { inputs.flatMap(\.withInputs) + [self] }
}

/// Compares operators of two plans with all that they read.
private struct PlanComparison {
  let now: Plan
  let before: Plan
  /// What was found out about streams: it is asked for each of their readers.
  private var streams: [StreamPair: Bool] = [:]

  private struct StreamPair: Hashable {
    let now: Int
    let before: Int
  }

  init(now: Plan, before: Plan) {
    self.now = now
    self.before = before
  }

  mutating func isSame(_ left: PlanNode, _ right: PlanNode) -> Bool {
    guard left.output == right.output, left.inputs.count == right.inputs.count else { return false }
    for (first, second) in zip(left.inputs, right.inputs) where !isSame(first, second) {
      return false
    }
    switch (left.operation, right.operation) {
    case (.scan(let first), .scan(let second)): return isSameStream(first, second)
    case (.filter(_, let first), .filter(_, let second)): return first == second
    case (.project(_, let first, let time), .project(_, let second, let otherTime)):
      return first == second && time == otherTime
    case (.parseRecord(_, let first, let texts), .parseRecord(_, let second, let otherTexts)):
      return first == second && texts == otherTexts
    case (
      .aggregate(_, let window, let keys, let calls),
      .aggregate(_, let otherWindow, let otherKeys, let otherCalls)
    ):
      return window == otherWindow && keys == otherKeys
        && calls.elementsEqual(otherCalls) { $0.isSame(as: $1) }
    case (
      .slidingWindows(_, let windows, let calls),
      .slidingWindows(_, let otherWindows, let otherCalls)
    ):
      return windows == otherWindows
        && calls.elementsEqual(otherCalls) {
          $0.window == $1.window && $0.call.isSame(as: $1.call)
        }
    case (
      .distinct(_, let columns, let key, let keyColumn),
      .distinct(_, let otherColumns, let otherKey, let otherKeyColumn)
    ):
      return columns == otherColumns && key == otherKey && keyColumn == otherKeyColumn
    case (.orderBy(_, let key, let keys), .orderBy(_, let otherKey, let otherKeys)):
      return key == otherKey && keys == otherKeys
    case (.unionAll, .unionAll): return true
    case (.join(let first), .join(let second)):
      return first.kind == second.kind && first.leftWindow == second.leftWindow
        && first.rightWindow == second.rightWindow && first.keys == second.keys
        && first.condition == second.condition
    case (.referenceJoin(_, let first), .referenceJoin(_, let second)):
      return first.preservesStream == second.preservesStream && first.keys == second.keys
        && first.condition == second.condition && isSameTable(first.table, second.table)
    case (
      .tableFunction(_, let function, let keys),
      .tableFunction(_, let otherFunction, let otherKeys)
    ):
      return function == otherFunction && keys == otherKeys
    default: return false
    }
  }

  private mutating func isSameStream(_ first: Int, _ second: Int) -> Bool {
    let pair = StreamPair(now: first, before: second)
    if let known = streams[pair] { return known }
    let isSame = compareStreams(now.streams[first], first, before.streams[second], second)
    streams[pair] = isSame
    return isSame
  }

  private mutating func compareStreams(
    _ left: PlanStream, _ first: Int, _ right: PlanStream, _ second: Int
  ) -> Bool {
    guard left.schema == right.schema, left.key == right.key else { return false }
    switch (left.origin, right.origin) {
    case (.source, .source): return left.name == right.name
    case (.pumps, .pumps):
      let writers = now.writers(of: first)
      let others = before.writers(of: second)
      guard writers.count == others.count else { return false }
      for (writer, other) in zip(writers, others) {
        guard writer.forestSeed == other.forestSeed, isSame(writer.root, other.root) else {
          return false
        }
      }
      return true
    default: return false
    }
  }

  private func isSameTable(_ first: Int, _ second: Int) -> Bool {
    let left = now.tables[first]
    let right = before.tables[second]
    guard left.schema == right.schema, left.rows == right.rows else { return false }
    // The name of a list of VALUES is made up.
    return left.rows != nil || left.name == right.name
  }
}

extension Plan {
  /// The started pumps that feed a stream, as they stand in the program.
  fileprivate func writers(of stream: Int) -> [Pump] {
    pumps.filter { $0.isStarted && $0.target == stream }.sorted { $0.position < $1.position }
  }
}

extension AggregateCall {
  /// Whether both compute the same; the place in the program does not count.
  fileprivate func isSame(as other: AggregateCall) -> Bool {
    function == other.function && arguments == other.arguments && isDistinct == other.isDistinct
      && ignoresNulls == other.ignoresNulls && type == other.type
  }
}
