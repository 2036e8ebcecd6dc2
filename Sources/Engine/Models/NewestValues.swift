/// The values of many series from some period on: the newest, and no more than a limit.
///
/// Between two calls of `trim` there may be a quarter more, so that each value is looked at a few times
/// only.
package struct NewestValues {
  /// A value of a series.
  package typealias Point = (period: Int, value: Float)

  /// By series the values in the order in which they came.
  package private(set) var series: [String: [Point]] = [:]
  /// How many values there are.
  package private(set) var count = 0
  /// The period that the values begin with, once some were dropped.
  package private(set) var firstPeriod: Int?
  private let limit: Int

  /// Holds `limit` values at most; 1 or more.
  package init(limit: Int) { self.limit = limit }

  /// Adds a value, unless it is older than what was dropped.
  package mutating func add(_ value: Float, period: Int, to key: String) {
    if let firstPeriod, period < firstPeriod { return }
    series[key, default: []].append((period, value))
    count += 1
    if count > limit + limit / 4 { trim() }
  }

  /// Drops the oldest periods of all series until no more values than the limit are left; a period
  /// that does not fit as a whole is dropped.
  package mutating func trim() {
    guard count > limit else { return }
    let periods = series.values.flatMap { $0.map(\.period) }.sorted()
    let border = periods[periods.count - limit - 1]
    for key in series.keys { series[key]?.removeAll { $0.period <= border } }
    series = series.filter { !$0.value.isEmpty }
    count = periods.count { $0 > border }
    firstPeriod = border + 1
  }
}
