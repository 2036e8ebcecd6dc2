import Columns

/// The spacing of a series: a number of months, weeks, days, business days, hours or minutes.
public struct DeepARFrequency: Hashable, Sendable {
  /// The unit of the spacing.
  public enum Unit: String, Hashable, Sendable, CaseIterable {
    case month = "M"
    case week = "W"
    case day = "D"
    case businessDay = "B"
    case hour = "H"
    case minute = "min"
  }

  /// The unit.
  public let unit: Unit
  /// How many units lie between two values; at least 1.
  public let multiple: Int

  /// A spacing of `multiple` units, at least one.
  public init(unit: Unit, multiple: Int = 1) {
    self.unit = unit
    self.multiple = max(1, multiple)
  }

  /// Reads `H`, `5min`, `1D`, …; nil for anything else.
  public init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let name = text.dropFirst(digits.count)
    let known: Unit? = name == "T" ? .minute : name == "h" ? .hour : Unit(rawValue: String(name))
    guard let unit = known, let multiple = digits.isEmpty ? 1 : Int(digits),
      (1...10_000).contains(multiple)
    else { return nil }
    self.init(unit: unit, multiple: multiple)
  }

  /// The spacing as it is written in a hyperparameter.
  public var text: String { multiple == 1 ? unit.rawValue : "\(multiple)\(unit.rawValue)" }

  /// The number of the period in which a moment lies, counted from 1970.
  public func period(of milliseconds: Int64) -> Int {
    let minute: Int64 = 60_000
    let days = Self.floor(milliseconds, CivilTime.millisecondsPerDay)
    let units: Int64
    switch unit {
    case .minute: units = Self.floor(milliseconds, minute)
    case .hour: units = Self.floor(milliseconds, 60 * minute)
    case .day: units = days
    case .week: units = Self.floor(days + 3, 7)
    case .businessDay:
      let week = Self.floor(days + 3, 7)
      units = week * 5 + min(4, days + 3 - week * 7)
    case .month:
      let time = CivilTime(milliseconds: milliseconds)
      units = Int64(time.year * 12 + time.month - 1)
    }
    return Int(Self.floor(units, Int64(multiple)))
  }

  /// The first moment of a period, in milliseconds since 1970-01-01 00:00 UTC.
  public func start(of period: Int) -> Int64 {
    let units = Int64(period) * Int64(multiple)
    let day = CivilTime.millisecondsPerDay
    switch unit {
    case .minute: return units * 60_000
    case .hour: return units * 3_600_000
    case .day: return units * day
    case .week: return (units * 7 - 3) * day
    case .businessDay:
      let week = Self.floor(units, 5)
      return (week * 7 - 3 + (units - week * 5)) * day
    case .month:
      let year = Self.floor(units, 12)
      return CivilTime(year: Int(year), month: Int(units - year * 12) + 1).milliseconds
    }
  }

  private static func floor(_ value: Int64, _ divisor: Int64) -> Int64 {
    value >= 0 ? value / divisor : -((divisor - 1 - value) / divisor)
  }
}

extension DeepARFrequency {
  /// How far back the network sees, in periods, ascending: the last seven, and the neighbourhoods of
  /// one and more hours, days, weeks, months and years as far as 1,200 periods reach.
  ///
  /// - Source: the lags of GluonTS, by exact division; at one minute we add the day before.
  public var lags: [Int] {
    let hour = 60
    let day = 24 * hour
    let week = 7 * day
    var found: [Int] = []
    func add(_ distance: Int, _ unit: Int, around: Int) {
      let middle = distance / (unit * multiple)
      found += (middle - around)...(middle + around)
    }
    func addDays(_ unit: Int, day: Int, perWeek: Int, perMonth: Int) {
      for count in 1...4 { add(count * perWeek * day, unit, around: 1) }
      add(perMonth * day, unit, around: 1)
    }
    func addWeeks(_ unit: Int, week: Int) {
      for count in 1...3 { add(count * 52 * week, unit, around: 1) }
      for count in [4, 8, 12] { add(count * week, unit, around: 0) }
    }
    switch unit {
    case .minute:
      for count in 1...3 { add(count * hour, 1, around: 2) }
      for count in 1...7 { add(count * day, 1, around: 1) }
      addDays(1, day: day, perWeek: 7, perMonth: 30)
      addWeeks(1, week: week)
    case .hour:
      for count in 1...7 { add(count * day, hour, around: 1) }
      addDays(hour, day: day, perWeek: 7, perMonth: 30)
      addWeeks(hour, week: week)
    case .day:
      addDays(1, day: 1, perWeek: 7, perMonth: 30)
      addWeeks(1, week: 7)
    case .businessDay:
      addDays(1, day: 1, perWeek: 5, perMonth: 22)
      addWeeks(1, week: 5)
    case .week: addWeeks(1, week: 1)
    case .month: for count in 1...3 { add(count * 12, 1, around: 1) }
    }
    let limit = self == DeepARFrequency(unit: .minute) ? 1_441 : 1_200
    let far = found.filter { $0 > 7 && $0 <= limit }.sorted()
    var lags = Array(1...7)
    for lag in far where lag != lags[lags.count - 1] { lags.append(lag) }
    return lags
  }

  /// How many calendar features a period has.
  public var calendarFeatureCount: Int {
    switch unit {
    case .minute: 5
    case .hour: 4
    case .day, .businessDay: 3
    case .week: 2
    case .month: 1
    }
  }

  /// Writes the calendar features of a period, each between -0.5 and 0.5, to `features[offset...]`.
  public func calendarFeatures(of period: Int, into features: inout [Float], at offset: Int) {
    let milliseconds = start(of: period)
    let time = CivilTime(milliseconds: milliseconds)
    let days = Int(Self.floor(milliseconds, CivilTime.millisecondsPerDay))
    let dayOfWeek = Int(days + 3) - Int(Self.floor(Int64(days + 3), 7)) * 7
    let newYear = Int(CivilTime(year: time.year).daysSinceEpoch)
    let dayOfYear = days - newYear
    var index = offset
    func write(_ value: Int, _ range: Float) {
      features[index] = Float(value) / range - 0.5
      index += 1
    }
    switch unit {
    case .minute:
      write(time.minute, 59)
      write(time.hour, 23)
    case .hour: write(time.hour, 23)
    case .day, .businessDay: break
    case .week:
      write(time.day - 1, 30)
      write(Self.weekOfYear(dayOfYear: dayOfYear, dayOfWeek: dayOfWeek) - 1, 52)
      return
    case .month:
      write(time.month - 1, 11)
      return
    }
    write(dayOfWeek, 6)
    write(time.day - 1, 30)
    write(dayOfYear, 365)
  }

  /// The week's number by ISO 8601, 1 to 53; the days before the first week count to week 1.
  private static func weekOfYear(dayOfYear: Int, dayOfWeek: Int) -> Int {
    min(53, max(1, (dayOfYear - dayOfWeek + 10) / 7))
  }
}
