public import Columns

/// An operator of a pump with its inputs.
public struct PlanNode: Equatable, Sendable {
  /// Number within the pump, inputs before users: a name for the operator's state.
  public let id: Int
  /// What it does.
  public let operation: Operation
  /// The columns of its rows; ROWTIME is not among them.
  public let output: Schema
  /// Where its clause stands in the program.
  public let position: SourcePosition

  /// Creates a node.
  public init(id: Int, operation: Operation, output: Schema, position: SourcePosition) {
    self.id = id
    self.operation = operation
    self.output = output
    self.position = position
  }

  /// The operators.
  ///
  /// Unless a case says otherwise a row keeps its ROWTIME.
  public indirect enum Operation: Equatable, Sendable {
    /// The rows of a stream of the plan, metadata columns included.
    case scan(stream: Int)
    /// The rows whose predicate, a BOOLEAN, is true.
    case filter(PlanNode, predicate: BoundExpression)
    /// One column per expression.
    ///
    /// `rowtime`, a TIMESTAMP over the input, replaces the row's ROWTIME (`AS ROWTIME`). A row whose new
    /// ROWTIME is NULL or lower than that of a row before it goes to the error stream.
    case project(PlanNode, [BoundExpression], rowtime: BoundExpression?)
    /// The input's columns, then the columns of a record cut out of a text, or NULLs if it does not match.
    ///
    /// The first argument is the text; the others are literals. Types of the record's columns are those
    /// of `output` behind the input's columns.
    case parseRecord(PlanNode, RecordFunction, [BoundExpression])
    /// Groups: the values of `keys` (NULLs are equal), for hopping and session windows then the window's
    /// start and end as TIMESTAMPs, then the results of `calls`. HAVING and select list are nodes above.
    ///
    /// There is no output for windows without rows, and none at the end of input.
    case aggregate(
      PlanNode, window: GroupWindow, keys: [BoundExpression], calls: [AggregateCall])
    /// The input's columns, then the results of the calls: one row per row, at once.
    case slidingWindows(PlanNode, [SlidingWindow], [WindowCall])
    /// Rows that differ in `columns` from all rows since `key` last changed; out as soon as first seen.
    ///
    /// `keyColumn` holds the values of an asserted key; nil for a function of ROWTIME.
    case distinct(PlanNode, columns: [Int], key: MonotonicKey, keyColumn: Int?)
    /// Rows held until `key` changes, then emitted in the order of `keys`, ties in order of arrival.
    ///
    /// The values of `key` stand in the first sort key's column. Their ROWTIME stays if `key` is ROWTIME
    /// itself; otherwise it becomes the end of the run, `nextChange(after:)` (for an asserted key the
    /// ROWTIME of the row that ended the run).
    case orderBy(PlanNode, key: MonotonicKey, keys: [SortKey])
    /// The rows of all inputs merged by ROWTIME, ties in the order of the inputs.
    case unionAll([PlanNode])
    /// Pairs of rows of two streams; columns of the left, then of the right.
    ///
    /// A pair comes out when its later row arrives; its ROWTIME is the later one.
    case join(StreamJoin)
    /// A stream's rows with all matching rows of a table; columns of the stream, then of the table.
    case referenceJoin(PlanNode, ReferenceJoin)
    /// A table function over the node (the cursor); a state for each value of `partitionBy` (columns of
    /// the cursor), one for all if there are none.
    case tableFunction(PlanNode, TableFunction, partitionBy: [Int])
  }
}

/// A column to sort by.
public struct SortKey: Hashable, Sendable {
  /// The index in the input; NULL is the largest value.
  public let column: Int
  /// Whether the largest value comes first.
  public let isDescending: Bool

  /// Creates a sort key.
  public init(column: Int, isDescending: Bool) {
    self.column = column
    self.isDescending = isDescending
  }
}

/// Which rows of one side of a join a row of the other side meets.
public enum JoinWindow: Hashable, Sendable {
  /// Those with the same ROWTIME.
  case currentRow
  /// Also those up to so long before (included); how long a row of this side is kept.
  case preceding(milliseconds: Int64)
  /// Those up to so long after (included).
  case following(milliseconds: Int64)
  /// The last n rows before the newest, and the newest.
  case rows(Int)
}

/// A join of two streams.
///
/// A left row l and a right row r match if `condition` holds and r lies in the right window as seen from
/// l, or l in the left window as seen from r: with windows `preceding(a)` on the left and `preceding(b)` on
/// the right, `r.t - a <= l.t <= r.t + b`. An unmatched row of a preserved side comes out with NULLs
/// at its own ROWTIME if its side has no window, else at ROWTIME + its window's length.
public struct StreamJoin: Equatable, Sendable {
  /// Which sides are preserved.
  public enum Kind: String, Hashable, Sendable {
    case inner = "INNER"
    case left = "LEFT"
    case right = "RIGHT"
    case full = "FULL"
  }

  /// The left input.
  public let left: PlanNode
  /// The right input.
  public let right: PlanNode
  /// Which sides are preserved.
  public let kind: Kind
  /// The left side's window.
  public let leftWindow: JoinWindow
  /// The right side's window.
  public let rightWindow: JoinWindow
  /// Pairs that must be equal (NULL equals nothing) with the same representation on both sides.
  public let keys: [JoinKey]
  /// What else must be true, over left columns followed by right columns.
  public let condition: BoundExpression?

  /// Creates a join.
  public init(
    left: PlanNode, right: PlanNode, kind: Kind, leftWindow: JoinWindow, rightWindow: JoinWindow,
    keys: [JoinKey], condition: BoundExpression?
  ) {
    self.left = left
    self.right = right
    self.kind = kind
    self.leftWindow = leftWindow
    self.rightWindow = rightWindow
    self.keys = keys
    self.condition = condition
  }
}

/// An equality of a join.
public struct JoinKey: Equatable, Sendable {
  /// Over the left (or stream's) columns.
  public let left: BoundExpression
  /// Over the right (or table's) columns.
  public let right: BoundExpression

  /// Creates a key.
  public init(left: BoundExpression, right: BoundExpression) {
    self.left = left
    self.right = right
  }
}

/// A join of a stream with a reference table.
public struct ReferenceJoin: Equatable, Sendable {
  /// The index of the table in the plan.
  public let table: Int
  /// Whether a row without match comes out with NULLs.
  public let preservesStream: Bool
  /// Pairs that must be equal.
  public let keys: [JoinKey]
  /// What else must be true, over the stream's columns followed by the table's.
  public let condition: BoundExpression?

  /// Creates a join.
  public init(
    table: Int, preservesStream: Bool, keys: [JoinKey], condition: BoundExpression?
  ) {
    self.table = table
    self.preservesStream = preservesStream
    self.keys = keys
    self.condition = condition
  }
}
