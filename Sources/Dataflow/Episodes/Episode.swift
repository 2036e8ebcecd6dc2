import Columns

/// What is known of one entity while it is not at rest.
struct Episode: Hashable {
  enum Phase: UInt8 {
    /// No episode; what follows the last one is remembered.
    case resting = 0
    case pending = 1
    case firing = 2
  }

  let entity: [String]
  var phase = Phase.resting
  var startedAt: Int64 = 0
  var lastAnomalous: Int64 = 0
  var lastSeen: Int64 = 0
  /// Anomalous rows of the episode.
  var points: Int64 = 0
  /// Normal rows since the last anomalous one.
  var normalPoints: Int64 = 0
  var peak: Double?
  /// What the row of the peak held, or the last anomalous row when there is no peak.
  var values: [EpisodeValue] = []
  /// No episode fires before this.
  var cooldownUntil = Int64.min
  /// When the last episodes fired, the newest last.
  var firings: [Int64] = []

  init(entity: [String]) { self.entity = entity }

  func isFlapping(_ rule: EpisodeRule) -> Bool {
    guard rule.flapCount > 0, firings.count >= rule.flapCount, let newest = firings.last else {
      return false
    }
    let start = firings[firings.count - rule.flapCount]
    return newest - start <= rule.flapMilliseconds
  }

  /// When the episode changes if no row comes, ROWTIME.
  func deadline(_ rule: EpisodeRule) -> Int64 {
    switch phase {
    case .resting:
      let flapping = firings.last.map { Self.sum($0, rule.flapMilliseconds) }
      return max(cooldownUntil, rule.flapCount > 0 ? flapping ?? .min : .min)
    case .pending: return Self.sum(lastSeen, rule.quietMilliseconds)
    case .firing:
      if isFlapping(rule) { return Self.sum(lastAnomalous, rule.flapMilliseconds) }
      guard case .milliseconds(let keep) = rule.keep else {
        return Self.sum(lastSeen, rule.quietMilliseconds)
      }
      let kept = Self.sum(lastAnomalous, keep)
      // Without a normal row nothing says yet that the condition has ended.
      return normalPoints > 0 ? kept : max(kept, Self.sum(lastSeen, rule.quietMilliseconds))
    }
  }

  private static func sum(_ time: Int64, _ span: Int64) -> Int64 {
    let (sum, overflows) = time.addingReportingOverflow(span)
    return overflows ? .max : sum
  }

  func save(into writer: inout SectionWriter) {
    writer.write(entity.count)
    for value in entity { writer.write(value) }
    writer.write(phase.rawValue)
    writer.write([
      startedAt, lastAnomalous, lastSeen, points, normalPoints, cooldownUntil,
      peak == nil ? 0 : 1, Int64(bitPattern: (peak ?? 0).bitPattern), Int64(values.count),
    ])
    for value in values { value.save(into: &writer) }
    writer.write(firings)
  }

  init(restoring reader: inout SectionReader) throws(StateError) {
    var entity: [String] = []
    for _ in 0..<(try reader.count()) { entity.append(try reader.text()) }
    self.entity = entity
    guard let phase = Phase(rawValue: try reader.integer()) else {
      throw reader.failure("an episode has no known phase")
    }
    self.phase = phase
    let numbers = try reader.integers()
    // The first release kept nothing of the row.
    guard numbers.count == 8 || numbers.count == 9 else {
      throw reader.failure("nine values of an episode are needed")
    }
    startedAt = numbers[0]
    lastAnomalous = numbers[1]
    lastSeen = numbers[2]
    points = numbers[3]
    normalPoints = numbers[4]
    cooldownUntil = numbers[5]
    peak = numbers[6] == 1 ? Double(bitPattern: UInt64(bitPattern: numbers[7])) : nil
    for _ in 0..<(numbers.count > 8 ? numbers[8] : 0) {
      values.append(try EpisodeValue(restoring: &reader))
    }
    firings = try reader.integers()
  }
}
