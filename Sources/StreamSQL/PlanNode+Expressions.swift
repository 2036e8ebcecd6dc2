extension PlanNode {
  /// The expressions of the operator itself.
  var expressions: [BoundExpression] {
    switch operation {
    case .scan, .distinct, .orderBy, .unionAll, .tableFunction: []
    case .filter(_, let predicate): [predicate]
    case .project(_, let expressions, let rowtime): expressions + (rowtime.map { [$0] } ?? [])
    case .parseRecord(_, _, let arguments): arguments
    case .aggregate(_, _, let keys, let calls): keys + calls.flatMap(\.arguments)
    case .slidingWindows(_, let windows, let calls):
      windows.flatMap(\.partitionBy) + calls.flatMap(\.call.arguments)
    case .join(let join):
      join.keys.flatMap { [$0.left, $0.right] } + (join.condition.map { [$0] } ?? [])
    case .referenceJoin(_, let join):
      join.keys.flatMap { [$0.left, $0.right] } + (join.condition.map { [$0] } ?? [])
    }
  }

  /// Whether it or an input reads the clock.
  var readsClock: Bool {
    expressions.contains { $0.contains(\.isClock) } || inputs.contains(where: \.readsClock)
  }
}

extension BoundExpression {
  fileprivate var isClock: Bool {
    switch kind {
    case .call(.queryStartTimestamp, _), .call(.currentRowTimestamp, _): true
    default: false
    }
  }
}
