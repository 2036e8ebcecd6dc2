public import Columns

/// An aggregate or analytic function.
///
/// NULLs are ignored by all but `countRows` and, unless the call ignores them, the positional functions.
/// Without a value the result is NULL, of counts 0. Result types stand in the call.
public enum AggregateFunction: Hashable, Sendable {
  /// `COUNT(*)`, BIGINT; no argument.
  case countRows
  /// `COUNT(x)`, BIGINT.
  case count
  /// `SUM(x)`: BIGINT for the integer family, DECIMAL(18, s), DOUBLE. Overflow fails the group.
  case sum
  /// `AVG(x)`: of integers their type, truncated toward zero; else DECIMAL or DOUBLE.
  case average
  /// `MIN(x)` of any type.
  case minimum
  /// `MAX(x)` of any type.
  case maximum
  /// `STDDEV_POP(x)`, DOUBLE over DOUBLE.
  case populationDeviation
  /// `STDDEV_SAMP(x)`: NULL for one value.
  case sampleDeviation
  /// `VAR_POP(x)`.
  case populationVariance
  /// `VAR_SAMP(x)`: NULL for one value.
  case sampleVariance
  /// `EVERY(b)`: whether all are true.
  case every
  /// `ANY(b)`, `SOME(b)`: whether one is true.
  case any
  /// `FIRST_VALUE(x)`.
  case firstValue
  /// `LAST_VALUE(x)`.
  case lastValue
  /// `NTH_VALUE(x, n) FROM FIRST|LAST`; n from 1; NULL if there are fewer.
  case nthValue(Int, fromLast: Bool)
  /// `LAG(x, n, default)`: the value n rows before within the window, else the default, which is the
  /// call's second argument if present, else NULL.
  case lag(Int)
  /// `EXP_AVG(x, halfLife)`: mean with weights 0.5^(age / half-life in milliseconds), normalised; DOUBLE.
  case exponentialAverage(halfLifeMilliseconds: Int64)
  /// `PERCENTILE_CONT(fraction, x)`: interpolated, DOUBLE (extension).
  case continuousPercentile(Double)
  /// `PERCENTILE_DISC(fraction, x)`: a value of the set (extension).
  case discretePercentile(Double)
  /// `APPROX_COUNT_DISTINCT(x)`, BIGINT (extension).
  case approximateCountDistinct
}

/// One use of an aggregate or analytic function.
public struct AggregateCall: Equatable, Sendable {
  /// The function.
  public let function: AggregateFunction
  /// Its arguments over the input; empty for `COUNT(*)`.
  public let arguments: [BoundExpression]
  /// Whether only different values count.
  public let isDistinct: Bool
  /// Whether FIRST_VALUE, LAST_VALUE, NTH_VALUE and LAG pass over NULLs.
  public let ignoresNulls: Bool
  /// The type of the result.
  public let type: ColumnType
  /// Where the call stands in the program.
  public let position: SourcePosition

  /// Creates a call.
  public init(
    function: AggregateFunction, arguments: [BoundExpression], isDistinct: Bool = false,
    ignoresNulls: Bool = false, type: ColumnType, position: SourcePosition
  ) {
    self.function = function
    self.arguments = arguments
    self.isDistinct = isDistinct
    self.ignoresNulls = ignoresNulls
    self.type = type
    self.position = position
  }
}

/// When the groups of an aggregation are complete.
public enum GroupWindow: Hashable, Sendable {
  /// `GROUP BY` with a monotonic expression, which is key `key`.
  ///
  /// All groups close when its value changes: by a row, or by a rowtime bound where it is a function of
  /// ROWTIME. The result's ROWTIME is then `nextChange(after:)` of the group's rows; for an asserted key
  /// it is the ROWTIME of the row that closed it.
  case tumbling(key: Int, MonotonicKey)
  /// `WINDOWED BY STAGGER`: a key's window opens at its first row at t and closes at t + length, which is
  /// the result's ROWTIME; a row at or after the close opens the next one.
  case stagger(milliseconds: Int64)
  /// Overlapping windows `[k * slide, k * slide + size)` for every k; the result's ROWTIME is the end.
  case hopping(slideMilliseconds: Int64, sizeMilliseconds: Int64)
  /// A key's window ends `gap` after its last row, which is the result's ROWTIME.
  case session(gapMilliseconds: Int64)
}

/// The rows that an analytic function sees, all in arrival order and ending with the current row.
public enum WindowFrame: Hashable, Sendable {
  /// Rows with a ROWTIME from `t - milliseconds` (included) to the current row.
  case range(milliseconds: Int64)
  /// Rows from so many calendar months before t (included) to the current row.
  case rangeMonths(Int64)
  /// So many rows before the current row, and the current row.
  case rows(Int)
  /// All rows so far; only for MIN, MAX, SUM, COUNT, AVG.
  case unbounded
}

/// A window of `OVER`.
public struct SlidingWindow: Equatable, Sendable {
  /// Keys over the input; NULLs are equal to each other.
  public let partitionBy: [BoundExpression]
  /// The rows that are seen.
  public let frame: WindowFrame

  /// Creates a window.
  public init(partitionBy: [BoundExpression], frame: WindowFrame) {
    self.partitionBy = partitionBy
    self.frame = frame
  }
}

/// An analytic function over one of the node's windows.
public struct WindowCall: Equatable, Sendable {
  /// The index of the window in the node.
  public let window: Int
  /// The function.
  public let call: AggregateCall

  /// Creates a call.
  public init(window: Int, call: AggregateCall) {
    self.window = window
    self.call = call
  }
}
