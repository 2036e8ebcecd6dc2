import GRDB

/// Which alerts of one append nobody hears of.
///
/// As with Alertmanager: what a silence or a maintenance window holds back when it is raised is not
/// told, and the end of what was not told is not told either.
struct Mutings {
  private let silences: [Silence]
  private let receiver: Receiver
  private let now: Int64
  /// What was decided in this append, by ordering key.
  private var last: [String: OutboxSchema.Muting] = [:]

  init(silences: [Silence], _ receiver: Receiver, now: Int64) {
    self.silences = silences
    self.receiver = receiver
    self.now = now
  }

  mutating func muting(
    of alert: Alert, in database: Database
  ) throws -> OutboxSchema.Muting {
    let isHeldBack =
      silences.contains { $0.mutes(alert, at: now) }
      || receiver.maintenance.contains { $0.mutes(alert, at: now) }
    let muting: OutboxSchema.Muting
    switch alert.status {
    case .firing: muting = isHeldBack ? .beginning : .told
    case .resolved:
      let before = try last[alert.orderingKey] ?? stored(alert.orderingKey, in: database)
      muting = isHeldBack || before == .beginning ? .end : .told
    }
    if muting != .told || last[alert.orderingKey] != nil { last[alert.orderingKey] = muting }
    return muting
  }

  private func stored(_ key: String, in database: Database) throws -> OutboxSchema.Muting? {
    try Int.fetchOne(
      database.cachedStatement(sql: OutboxSchema.lastMuting), arguments: [receiver.name, key]
    ).flatMap(OutboxSchema.Muting.init(rawValue:))
  }
}
