package import Dataflow
package import Registry

/// What happens next to what an endpoint serves.
package enum RolloutDecision: Hashable, Sendable {
  /// It stays.
  case wait
  /// The candidate serves a share of the keys.
  case canary
  /// The candidate serves alone.
  case promote
  /// What served before serves again.
  case rollBack(reason: String)
}

extension ModelConfiguration {
  /// The name of the variant that a rollout brings in.
  static let candidateName = "candidate"

  /// Decides what happens next to an endpoint.
  ///
  /// - Parameters:
  ///   - endpoint: What it serves and since when.
  ///   - counters: What its variants have done since then.
  ///   - now: Milliseconds since 1970.
  /// - Returns: What to do; `wait` for nothing.
  package func decide(
    _ endpoint: Endpoint, _ counters: [VariantCounters], now: Int64
  ) -> RolloutDecision {
    let watched: String
    let stage: Stage?
    switch endpoint.phase {
    case .shadow:
      watched = Self.candidateName
      stage = rollout.shadow ?? Stage(time: 600_000)
    case .canary:
      watched = Self.candidateName
      stage = rollout.canary ?? Stage(time: 600_000)
    case .inService:
      guard endpoint.previous != nil, let champion = endpoint.champion else { return .wait }
      watched = champion.name
      stage = rollout.watch
    case .rolledBack: return .wait
    }
    guard let stage else { return .wait }
    let age = now - endpoint.changedAt
    let own = counters.first { $0.name == watched }
    // What serves is watched only for its time.
    if endpoint.phase == .inService,
      age > stage.time, own.map({ $0.rows >= stage.records }) ?? true
    {
      return .wait
    }
    if let own, let reason = guards.trip(own) { return .rollBack(reason: reason) }
    guard endpoint.phase != .inService, rollout.isAutomatic, age >= stage.time,
      own?.rows ?? 0 >= stage.records
    else { return .wait }
    return endpoint.phase == .shadow && rollout.canary != nil ? .canary : .promote
  }
}

extension ModelConfiguration.Guards {
  /// Why a variant must not go on; nil when it may.
  package func trip(_ counters: VariantCounters) -> String? {
    guard counters.rows >= minimumRecords else { return nil }
    let rows = Double(counters.rows)
    func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }
    let errors = Double(counters.failed) / rows
    if errors > errorRate {
      return "\(counters.version) failed on \(percent(errors)) of \(counters.rows) rows, "
        + "guards.error_rate allows \(percent(errorRate))"
    }
    let alerts = Double(counters.alerts) / rows
    if let alertRate, alerts > alertRate {
      return "\(counters.version) put \(percent(alerts)) of \(counters.rows) rows above "
        + "alert_above, guards.alert_rate allows \(percent(alertRate))"
    }
    let time = Double(counters.nanoseconds) / rows
    if let latency, time > Double(latency) {
      return "\(counters.version) took \((time / 10).rounded() / 100) us a row over "
        + "\(counters.rows) rows, guards.latency allows \(Double(latency) / 1_000) us"
    }
    return nil
  }
}
