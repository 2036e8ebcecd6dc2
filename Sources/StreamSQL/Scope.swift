internal import Columns

/// Indexes that stand for columns which exist only after a later operator.
enum Placeholder {
  private static let base = 1 << 40
  /// The produced row's ROWTIME.
  static let producedRowtime = base
  /// Start of a hopping or session window.
  static let windowStart = base + 1
  /// End of a hopping or session window.
  static let windowEnd = base + 2
  /// What `TUMBLE_START(…)` and its like stand for; their arguments repeat those of GROUP BY.
  static func windowBound(_ function: String) -> Int? {
    switch function {
    case "TUMBLE_START", "HOP_START", "SESSION_START": windowStart
    case "TUMBLE_END", "HOP_END", "SESSION_END": windowEnd
    default: nil
    }
  }

  /// The result of the aggregate call with this number.
  static func aggregate(_ number: Int) -> Int { 2 * base + number }
  /// The result of the analytic call with this number.
  static func analytic(_ number: Int) -> Int { 3 * base + number }

  static func aggregateNumber(_ index: Int) -> Int? {
    index >= 2 * base && index < 3 * base ? index - 2 * base : nil
  }

  static func analyticNumber(_ index: Int) -> Int? {
    index >= 3 * base ? index - 3 * base : nil
  }
}

/// A column as expressions see it.
struct ScopeColumn {
  let name: String
  /// Where it stands in the input; for a record that of its first field.
  let index: Int
  let type: ColumnType
  var isMetadata = false
  /// The fields of a record.
  var fields: [ScopeColumn]?
  /// Where it was written.
  var offset = 0

  /// The columns that it occupies.
  var width: Int { fields?.count ?? 1 }
}

/// One stream, table or query of a FROM.
struct Relation {
  /// Its alias, or its own name.
  let name: String?
  /// Its own name where an alias hides it.
  var hiddenName: String?
  var columns: [ScopeColumn]
  /// The column that holds its rows' ROWTIME; nil if the input row's ROWTIME is theirs.
  var rowtimeColumn: Int?
  /// False for a reference table.
  var hasRowtime = true
}

/// A node with what is known about its columns.
struct BoundRelation {
  var node: PlanNode
  /// The columns that have names.
  var columns: [ScopeColumn]
  /// For each column of the node's output how it depends on the row's ROWTIME.
  var monotonic: [MonotonicKey?]
  /// The windows of a TUMBLE, HOP or SESSION table function over it.
  var groupWindow: GroupWindowFunction?
}

/// A window function of other systems' spelling.
enum GroupWindowFunction {
  case tumble(Int64)
  case hop(slide: Int64, size: Int64)
  case session(Int64)
}
