public import Columns

/// A constant of any SQL type.
public enum SQLValue: Hashable, Sendable {
  case null
  /// What `ColumnType.Storage.integer` stores; for intervals milliseconds or months.
  case integer(Int64)
  /// A REAL or DOUBLE.
  case double(Double)
  /// UTF-8 of a CHAR or VARCHAR, bytes of a BINARY or VARBINARY.
  case bytes([UInt8])
}

/// A field of a date, a time or an interval, from large to small.
public enum DatetimeUnit: Int, Hashable, Sendable, Comparable, CaseIterable {
  case year
  case month
  case day
  case hour
  case minute
  case second

  /// Orders from large to small.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// How long the unit is; nil for months and years, which differ.
  public var milliseconds: Int64? {
    switch self {
    case .year, .month: nil
    case .day: 86_400_000
    case .hour: 3_600_000
    case .minute: 60_000
    case .second: 1_000
    }
  }
}

/// The type of an interval: `first TO last`.
///
/// Intervals are no column types: they appear only within expressions.
public struct IntervalQualifier: Hashable, Sendable {
  /// The largest field.
  public let first: DatetimeUnit
  /// The smallest field.
  public let last: DatetimeUnit
  /// Digits of the first field.
  public let leadingPrecision: Int
  /// Digits behind the point of SECOND.
  public let fractionalPrecision: Int

  /// Creates a qualifier with the standard's default precisions.
  public init(
    first: DatetimeUnit, last: DatetimeUnit, leadingPrecision: Int = 2, fractionalPrecision: Int = 3
  ) {
    self.first = first
    self.last = last
    self.leadingPrecision = leadingPrecision
    self.fractionalPrecision = fractionalPrecision
  }

  /// Whether values are months (YEAR, MONTH) and not milliseconds (DAY to SECOND).
  public var isYearMonth: Bool { first <= .month }
}

/// The type of an expression.
public enum ExpressionType: Hashable, Sendable {
  /// A value that a column can hold.
  case column(ColumnType)
  /// An `Int64`: months if `isYearMonth`, else milliseconds.
  case interval(IntervalQualifier)

  /// The column type, or nil for an interval.
  public var columnType: ColumnType? {
    if case .column(let type) = self { return type }
    return nil
  }

  /// How values lie in memory; intervals are integers.
  public var storage: ColumnType.Storage { columnType?.storage ?? .integer }
}

/// An expression whose names are resolved, whose types are known and whose conversions are explicit.
///
/// Evaluated over one input: the rows of the node's input (or, for a join's condition, left columns
/// followed by right columns). NULL in, NULL out, unless a case says otherwise. A failing row (division
/// by zero, failed cast, overflow of the result type) goes to the error stream with `position`.
public struct BoundExpression: Equatable, Sendable {
  /// What it computes.
  public let kind: Kind
  /// The type of the result.
  public let type: ExpressionType
  /// Where it stands in the program.
  public let position: SourcePosition

  /// Creates an expression.
  public init(_ kind: Kind, type: ExpressionType, position: SourcePosition) {
    self.kind = kind
    self.type = type
    self.position = position
  }

  /// The forms of an expression.
  public indirect enum Kind: Equatable, Sendable {
    /// The value of the input's column at this index.
    case column(Int)
    /// The input row's ROWTIME, a TIMESTAMP.
    case rowtime
    /// A constant; the type tells how it is stored.
    case literal(SQLValue)
    /// A function of the library; `FunctionID` says what arguments it has.
    case call(FunctionID, [BoundExpression])
    /// The operand converted to the expression's type.
    ///
    /// Approximate to exact rounds half away from zero; too long text is cut; CHAR is padded with
    /// blanks; text that does not parse and a number out of range fail the row. An interval becomes
    /// text as its qualifier writes it, a number by truncation to its only field, and another interval
    /// of its class by truncation to the last field (SECOND keeps milliseconds).
    case cast(BoundExpression)
    /// The result of the first branch whose condition is true, else `otherwise`; types are equal.
    case conditional([Branch], otherwise: BoundExpression)
    /// The first argument that is not NULL; types are equal.
    case coalesce([BoundExpression])
    /// Three-valued conjunction of two or more.
    case and([BoundExpression])
    /// Three-valued disjunction of two or more.
    case or([BoundExpression])
    /// Three-valued negation.
    case not(BoundExpression)
    /// A comparison of operands with the same representation: both of the integer family, decimals
    /// of one scale, both DOUBLE or REAL, both text (by bytes), both binary, both BOOLEAN, the same
    /// date/time type, or intervals of the same class.
    case comparison(ComparisonOperator, BoundExpression, BoundExpression)
    /// Never NULL: equal, with NULL equal to NULL. Operands as in `comparison`.
    case isNotDistinct(BoundExpression, BoundExpression)
    /// Whether the first equals one of the others, three-valued; operands as in `comparison`.
    case inList(BoundExpression, [BoundExpression])
    /// Arithmetic; `ArithmeticOperator` says which types the operands have.
    case arithmetic(ArithmeticOperator, BoundExpression, BoundExpression)
    /// The negative of a number or an interval of the same type.
    case negate(BoundExpression)
    /// Never NULL: whether the operand is NULL.
    case isNull(BoundExpression)
    /// Never NULL: whether the BOOLEAN operand is not NULL and equals the flag (`IS TRUE`, `IS FALSE`).
    case isBoolean(BoundExpression, Bool)
  }

  /// One `WHEN condition THEN result`.
  public struct Branch: Equatable, Sendable {
    /// A BOOLEAN.
    public let condition: BoundExpression
    /// The value if the condition is true.
    public let result: BoundExpression

    /// Creates a branch.
    public init(condition: BoundExpression, result: BoundExpression) {
      self.condition = condition
      self.result = result
    }
  }
}

/// `=`, `<>`, `<`, `<=`, `>`, `>=`.
public enum ComparisonOperator: String, Hashable, Sendable {
  case equal = "="
  case notEqual = "<>"
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
}

/// The arithmetic operators and the types of their operands.
///
/// Numbers: for the integer family both operands and the result are integers, overflow of the result
/// type fails the row, division truncates toward zero. For DOUBLE both operands and the result are
/// DOUBLE; division by zero fails the row. For decimals with scales `l`, `r` and result scale `s`: add,
/// subtract and remainder have `l == r == s`; multiply computes the product (scale `l + r`) and rounds
/// half away from zero to `s`; divide computes `left * 10^(s + r - l) / right` and truncates; use 128
/// bits in between.
///
/// Times: `timestamp ± interval` is a timestamp (`date`, `time` alike; a time wraps at midnight; months
/// keep the day, cut to the month's last), `timestamp - timestamp` is a day-time interval in milliseconds,
/// `interval ± interval` is an interval of the same class, `interval * BIGINT` and `interval / BIGINT`
/// (truncating) are intervals; the interval is always the left operand; with a DOUBLE on the right the
/// result is truncated. A date minus a date is an interval in milliseconds as well.
public enum ArithmeticOperator: String, Hashable, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  /// `MOD(a, b)`; the sign is the dividend's.
  case remainder = "%"
}
