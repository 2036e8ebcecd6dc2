internal import Columns

/// A never decreasing function of ROWTIME, as a chain of steps on 64-bit integers.
///
/// `value(at:)` is what the SQL expression evaluates to in its stored form (milliseconds, days of a DATE,
/// milliseconds of an interval, a number); `nextChange(after:)` finds window boundaries without rows.
public struct MonotonicFunction: Hashable, Sendable {
  /// One step.
  public enum Step: Hashable, Sendable {
    /// `x + c`.
    case add(Int64)
    /// `x * c` with c above 0.
    case multiply(Int64)
    /// The largest integer not above `x / n`, n above 0.
    case divide(Int64)
    /// The largest multiple of p not above x, p above 0.
    case floor(Int64)
    /// The smallest multiple of p not below x, p above 0.
    case ceiling(Int64)
    /// The start of the run of n calendar months, counted from 1970-01, that holds the time x.
    case floorMonths(Int64)
    /// The first such start that is not before x.
    case ceilingMonths(Int64)
  }

  /// The steps, the first applied to ROWTIME.
  public let steps: [Step]

  /// Creates a function; without steps it is ROWTIME itself.
  public init(_ steps: [Step] = []) {
    self.steps = steps
  }

  /// The function followed by one more step.
  public func then(_ step: Step) -> Self { Self(steps + [step]) }

  /// Whether it is ROWTIME itself.
  public var isIdentity: Bool { steps.isEmpty }

  /// The value for a row at `rowtime`; saturates at the ends of `Int64`.
  public func value(at rowtime: Int64) -> Int64 {
    var x = rowtime
    for step in steps { x = step.apply(x) }
    return x
  }

  /// The first moment after `rowtime` at which the value differs; `Int64.max` if there is none.
  public func nextChange(after rowtime: Int64) -> Int64 {
    let (target, overflow) = value(at: rowtime).addingReportingOverflow(1)
    if overflow { return .max }
    var y = target
    for step in steps.reversed() { y = step.smallestArgument(atLeast: y) }
    // Near the ends of the range steps saturate.
    return y > rowtime ? y : .max
  }
}

extension MonotonicFunction.Step {
  func apply(_ x: Int64) -> Int64 {
    switch self {
    case .add(let c): saturating(x.addingReportingOverflow(c), sign: c)
    case .multiply(let c): saturating(x.multipliedReportingOverflow(by: c), sign: x)
    case .divide(let n): floorDivide(x, n)
    case .floor(let p): saturating(floorDivide(x, p).multipliedReportingOverflow(by: p), sign: x)
    case .ceiling(let p): ceiling(x, p)
    case .floorMonths(let n): monthStart(monthRun(of: x, n) * n)
    case .ceilingMonths(let n):
      monthStart(monthRun(of: x, n) * n) == x ? x : monthStart((monthRun(of: x, n) + 1) * n)
    }
  }

  /// The smallest x with `apply(x) >= y`.
  func smallestArgument(atLeast y: Int64) -> Int64 {
    switch self {
    case .add(let c): saturating(y.subtractingReportingOverflow(c), sign: -c)
    case .multiply(let c):
      -floorDivide(saturating((0 as Int64).subtractingReportingOverflow(y), sign: -1), c)
    case .divide(let n): saturating(y.multipliedReportingOverflow(by: n), sign: y)
    case .floor(let p): ceiling(y, p)
    case .ceiling(let p):
      saturating(ceiling(y, p).subtractingReportingOverflow(p - 1), sign: -1)
    case .floorMonths(let n): Self.ceilingMonths(n).apply(y)
    case .ceilingMonths(let n):
      monthStart((monthRun(of: Self.ceilingMonths(n).apply(y), n) - 1) * n) + 1
    }
  }

  private func ceiling(_ x: Int64, _ p: Int64) -> Int64 {
    let low = saturating(floorDivide(x, p).multipliedReportingOverflow(by: p), sign: x)
    return low == x ? x : saturating(low.addingReportingOverflow(p), sign: 1)
  }
}

private func saturating(_ result: (partialValue: Int64, overflow: Bool), sign: Int64) -> Int64 {
  result.overflow ? (sign < 0 ? .min : .max) : result.partialValue
}

private func floorDivide(_ x: Int64, _ n: Int64) -> Int64 {
  let quotient = x / n
  return x % n < 0 ? quotient - 1 : quotient
}

private func monthRun(of x: Int64, _ n: Int64) -> Int64 {
  let time = CivilTime(milliseconds: x)
  return floorDivide(Int64(time.year - 1970) * 12 + Int64(time.month - 1), n)
}

private func monthStart(_ month: Int64) -> Int64 {
  // Beyond these years milliseconds since 1970 do not fit 64 bits.
  let month = min(max(month, -290_000_000 * 12), 290_000_000 * 12)
  let year = floorDivide(month, 12)
  return CivilTime(year: Int(year) + 1970, month: Int(month - year * 12) + 1).milliseconds
}

/// A key by which a stream is cut into runs: it never decreases.
public enum MonotonicKey: Hashable, Sendable {
  /// A function of the row's ROWTIME; bounds move it as rows do.
  case rowtime(MonotonicFunction)
  /// The user vouches for it (`MONOTONIC(e)`); only rows move it.
  case asserted
}
