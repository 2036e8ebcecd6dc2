internal import Columns

/// An operator that remembers rows, and by what its memory is divided.
public struct StatefulOperator: Hashable, Sendable {
  /// The pump's name.
  public let pump: String
  /// The operator's number within the pump.
  public let node: Int
  /// What it is, for people: `tumbling aggregation by "TICKER"`.
  public let name: String
  /// Whether one of its keys is the source record's key, so that each partition can have its own.
  public let isKeyed: Bool
}

/// Whether a plan can run once per partition.
public enum Parallelism: Hashable, Sendable {
  /// Every stateful operator is keyed by the source's key: task i reads partition i.
  case partitionParallel
  /// One task merges all partitions, because of these operators (or other reasons, as text).
  case single(reasons: [String])
}

extension Plan {
  /// The operators that keep state, in the order of the pumps, inputs before users.
  public var statefulOperators: [StatefulOperator] {
    var trace = KeyTrace(self)
    return trace.run()
  }

  /// Whether an expression reads the clock: its values depend on when it runs, and on replay on the
  /// recorded ticks.
  public var readsClock: Bool { pumps.contains { $0.root.readsClock } }

  /// How the plan may be run, as far as its operators decide; the engine adds what the inputs decide.
  public var parallelism: Parallelism {
    let sources = streams.filter { $0.origin != .pumps }
    let global = statefulOperators.filter { !$0.isKeyed }
    if global.isEmpty { return .partitionParallel }
    var reasons = global.map { "pump \"\($0.pump)\": \($0.name)" }
    if sources.allSatisfy({ $0.key == nil }) {
      reasons.append("no input declares its key column")
    }
    return .single(reasons: reasons)
  }
}

/// Follows the source's key column through the operators.
private struct KeyTrace {
  private let plan: Plan
  /// For each stream its columns that equal the record's key.
  private var keys: [Set<Int>]
  private var found: [StatefulOperator] = []
  private var pump = ""

  init(_ plan: Plan) {
    self.plan = plan
    keys = plan.streams.map { stream in stream.key.map { [$0] } ?? [] }
  }

  mutating func run() -> [StatefulOperator] {
    var fed: Set<Int> = []
    for pump in plan.pumps {
      self.pump = pump.name
      let columns = trace(pump.root)
      // A stream of several pumps has the keys that all of them preserve.
      keys[pump.target] =
        fed.contains(pump.target) ? keys[pump.target].intersection(columns) : columns
      fed.insert(pump.target)
    }
    return found
  }

  private mutating func note(_ node: PlanNode, _ name: String, isKeyed: Bool) {
    found.append(StatefulOperator(pump: pump, node: node.id, name: name, isKeyed: isKeyed))
  }

  /// The columns of the node's output that equal the key of the record behind the row.
  private mutating func trace(_ node: PlanNode) -> Set<Int> {
    switch node.operation {
    case .scan(let stream): return keys[stream]
    case .filter(let input, _), .parseRecord(let input, _, _): return trace(input)
    case .project(let input, let expressions, let rowtime):
      let columns = trace(input)
      if rowtime != nil {
        // It refuses rows whose time goes back: what that is depends on all rows.
        note(node, "AS ROWTIME", isKeyed: false)
      }
      return Set(expressions.indices.filter { expressions[$0].copies(columns) })
    case .aggregate(let input, let window, let expressions, _):
      let columns = trace(input)
      let kept = Set(expressions.indices.filter { expressions[$0].copies(columns) })
      note(node, "\(window.name)\(list(expressions, input))", isKeyed: !kept.isEmpty)
      return kept
    case .slidingWindows(let input, let windows, _):
      let columns = trace(input)
      let isKeyed = windows.allSatisfy { $0.partitionBy.contains { $0.copies(columns) } }
      let keys = windows.first?.partitionBy ?? []
      note(node, "sliding windows\(list(keys, input))", isKeyed: isKeyed)
      return columns
    case .distinct(let input, let compared, _, _):
      let columns = trace(input)
      note(node, "DISTINCT", isKeyed: compared.contains { columns.contains($0) })
      return columns
    case .orderBy(let input, _, _):
      let columns = trace(input)
      note(node, "ORDER BY", isKeyed: false)
      return columns
    case .unionAll(let inputs):
      let all = inputs.map { trace($0) }
      return all.dropFirst().reduce(all[0]) { $0.intersection($1) }
    case .join(let join): return trace(join, node)
    case .referenceJoin(let input, _): return trace(input)
    case .tableFunction(let input, let function, let partition):
      let columns = trace(input)
      // A prediction depends on its row alone.
      if case .predict = function { return columns }
      let isKeyed = partition.contains { columns.contains($0) }
      let names = partition.map { "\"\(input.output.columns[$0].name)\"" }
      let by = names.isEmpty ? "" : " by \(names.joined(separator: ", "))"
      note(node, function.name + by, isKeyed: isKeyed)
      if function.replacesColumns {
        return Set(partition.indices.filter { columns.contains(partition[$0]) })
      }
      return columns
    }
  }

  private mutating func trace(_ join: StreamJoin, _ node: PlanNode) -> Set<Int> {
    let left = trace(join.left)
    let right = trace(join.right)
    let isKeyed = join.keys.contains { $0.left.copies(left) && $0.right.copies(right) }
    note(node, "\(join.kind.rawValue) JOIN", isKeyed: isKeyed)
    guard isKeyed else { return [] }
    let width = join.left.output.columns.count
    // A side that may be filled with NULLs does not hold the key.
    let kept = join.kind == .inner || join.kind == .left ? left : []
    let other = join.kind == .inner || join.kind == .right ? right : []
    return kept.union(other.map { $0 + width })
  }

  private func list(_ keys: [BoundExpression], _ input: PlanNode) -> String {
    keys.isEmpty ? "" : " by " + keys.map { $0.text(input.output) }.joined(separator: ", ")
  }
}

extension BoundExpression {
  /// Whether the value is that of one of the columns, unchanged.
  fileprivate func copies(_ columns: Set<Int>) -> Bool {
    switch kind {
    case .column(let index): return columns.contains(index)
    case .cast(let operand):
      // A longer text or wider integer keeps different keys different.
      guard case .column(let from) = operand.type, case .column(let to) = type else { return false }
      let keeps =
        (from.isInteger && to.isInteger && from.integerDigits <= to.integerDigits)
        || (from.isCharacter && to.isCharacter && from.length <= to.length)
      return keeps && operand.copies(columns)
    default: return false
    }
  }
}

extension GroupWindow {
  /// What it is called in plans.
  var name: String {
    switch self {
    case .tumbling: "tumbling aggregation"
    case .stagger: "stagger aggregation"
    case .hopping: "hopping aggregation"
    case .session: "session aggregation"
    }
  }
}

extension TableFunction {
  /// What it is called in programs.
  var name: String {
    switch self {
    case .randomCutForest(let parameters):
      parameters.explanation == .none
        ? "RANDOM_CUT_FOREST" : "RANDOM_CUT_FOREST_WITH_EXPLANATION"
    case .hotspots: "HOTSPOTS"
    case .topKItems: "TOP_K_ITEMS_TUMBLING"
    case .countDistinctItems: "COUNT_DISTINCT_ITEMS_TUMBLING"
    case .groupRank: "GROUP_RANK"
    case .detectAnomalies: "ML_DETECT_ANOMALIES"
    case .predict: "ML_PREDICT"
    case .forecast: "ML_FORECAST"
    }
  }

  /// Whether the cursor's columns do not pass through.
  var replacesColumns: Bool {
    switch self {
    case .topKItems, .countDistinctItems: true
    default: false
    }
  }
}
