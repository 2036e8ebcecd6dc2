import Dataflow
import Engine
import LearnedModels
import Registry
import Testing

/// What a gate lets pass, what a guard takes back, and what follows in a rollout.
@Suite struct RolloutTests {
  typealias Settings = ModelConfiguration

  static func figures(
    _ candidate: Double, champion: Double? = nil, baseline: Double? = nil
  ) throws -> HoldoutFigures {
    var metrics = [Metric(name: "holdout:msd", step: 0, value: candidate)]
    if let champion { metrics.append(Metric(name: "champion:msd", step: 0, value: champion)) }
    if let baseline { metrics.append(Metric(name: "baseline:msd", step: 0, value: baseline)) }
    return try #require(HoldoutFigures(metrics))
  }

  struct GateCase: Sendable {
    var candidate: Double
    var champion: Double?
    var baseline: Double?
    var tolerance = 0.0
    var limit: Double?
    let passes: Bool
    let reason: String
  }

  @Test(arguments: [
    GateCase(candidate: 2, passes: true, reason: "version 4 could not be measured"),
    GateCase(candidate: 2, champion: 2, passes: true, reason: "no worse than the 2.0 of version 4"),
    GateCase(candidate: 1, champion: 2, passes: true, reason: "no worse"),
    GateCase(candidate: 2.1, champion: 2, passes: false, reason: "above the 2.0 of version 4"),
    GateCase(candidate: 2.1, champion: 2, tolerance: 0.05, passes: true, reason: "5.0 %"),
    GateCase(candidate: 2.11, champion: 2, tolerance: 0.05, passes: false, reason: "above"),
    GateCase(candidate: -1.9, champion: -2, tolerance: 0.05, passes: true, reason: "no worse"),
    GateCase(candidate: 2, limit: 1.5, passes: false, reason: "gate.limit 1.5"),
    GateCase(candidate: 1, champion: 2, limit: 0.5, passes: false, reason: "gate.limit"),
    GateCase(candidate: 1, champion: 2, baseline: 0.9, passes: false, reason: "simple method"),
    GateCase(candidate: 0.8, champion: 2, baseline: 0.9, passes: true, reason: "no worse"),
    GateCase(candidate: .nan, champion: 2, passes: false, reason: "no finite number"),
    GateCase(candidate: .infinity, passes: false, reason: "no finite number"),
  ]) func theGate(_ example: GateCase) throws {
    var gate = Settings.Gate()
    gate.tolerance = example.tolerance
    gate.limit = example.limit
    let result = gate.judge(
      try Self.figures(
        example.candidate, champion: example.champion, baseline: example.baseline), champion: 4)
    #expect(result.passed == example.passes && result.reason.contains(example.reason), "\(result)")
    #expect(result.champion == example.champion && result.baseline == example.baseline)
  }

  @Test func theFirstVersionHasNoChampion() throws {
    let result = Settings.Gate().judge(try Self.figures(2), champion: nil)
    #expect(result.passed && result.reason.contains("there is no champion"), "\(result)")
  }

  /// Several windows: the figure of all decides, and the reason says how many are better.
  @Test func theReasonCountsTheWindows() throws {
    func metrics(_ role: String, _ values: [Double], all: Double) -> [Metric] {
      values.enumerated().map { Metric(name: "\(role):loss", step: $0 + 1, value: $1) }
        + [Metric(name: "\(role):loss", step: 0, value: all)]
    }
    let figures = try #require(
      HoldoutFigures(
        metrics("holdout", [1, 2, 3, 4], all: 2.5) + metrics("champion", [2, 2, 4, 5], all: 3)))
    #expect(figures.candidate == 2.5 && figures.champion == 3)
    let result = Settings.Gate().judge(figures, champion: 4)
    #expect(
      result.passed && result.reason.hasSuffix("of version 4, better in 3 of 4 windows"),
      "\(result)")
  }

  @Test func withoutAFigureNothingIsJudged() {
    #expect(HoldoutFigures([Metric(name: "test:msd", step: 1, value: 3)]) == nil)
  }

  static func counters(
    _ name: String, rows: Int64, failed: Int64 = 0, alerts: Int64 = 0, nanoseconds: Int64 = 0
  ) -> VariantCounters {
    VariantCounters(
      name: name, version: "load/2", isShadow: false, rows: rows, failed: failed, alerts: alerts,
      nanoseconds: nanoseconds)
  }

  @Test(
    arguments: [
      (99, 99, 99, 0, nil), (100, 1, 0, 0, nil), (100, 2, 0, 0, "error_rate"),
      (100, 0, 10, 0, nil), (100, 0, 11, 0, "alert_rate"), (100, 0, 0, 100_000, nil),
      (100, 0, 0, 100_100, "latency"),
    ] as [(Int64, Int64, Int64, Int64, String?)])
  func aGuardTripsAboveItsBound(
    rows: Int64, failed: Int64, alerts: Int64, nanoseconds: Int64, reason: String?
  ) {
    var guards = Settings.Guards()
    guards.alertAbove = 3
    guards.alertRate = 0.1
    guards.latency = 1_000
    let found = guards.trip(
      Self.counters(
        "candidate", rows: rows, failed: failed, alerts: alerts, nanoseconds: nanoseconds))
    if let reason {
      #expect(found?.contains("guards.\(reason)") == true)
    } else {
      #expect(found == nil)
    }
  }

  static func settings(
    shadow: (Int64, Int64)? = nil, canary: (Int64, Int64)? = nil, watch: (Int64, Int64)? = nil
  ) -> Settings {
    var settings = Settings(
      name: "load", algorithm: .kMeans, hyperparameters: ["k": "2"], seed: 0,
      data: .init(origin: .file("rows.csv")), schedule: .every(1_000))
    func stage(_ pair: (Int64, Int64)) -> Settings.Stage {
      var stage = Settings.Stage(time: pair.0)
      stage.records = pair.1
      return stage
    }
    settings.rollout.shadow = shadow.map(stage)
    settings.rollout.canary = canary.map(stage)
    settings.rollout.watch = watch.map(stage)
    return settings
  }

  /// An endpoint whose phase began at 0.
  static func endpoint(_ phase: Endpoint.Phase, previous: Int64? = 1) -> Endpoint {
    Endpoint(
      name: "load", configuration: 2, previous: previous, phase: phase, changedAt: 0,
      variants: settings().variants(
        champion: EndpointVariant(name: "champion", model: "load", version: 1),
        candidate: ("load", 2), in: phase))
  }

  @Test func aStageLastsForItsTimeAndItsRecords() {
    let settings = Self.settings(shadow: (1_000, 50), canary: (2_000, 0))
    func decide(_ phase: Endpoint.Phase, _ now: Int64, _ rows: Int64) -> RolloutDecision {
      settings.decide(Self.endpoint(phase), [Self.counters("candidate", rows: rows)], now: now)
    }
    #expect(decide(.shadow, 999, 50) == .wait)
    #expect(decide(.shadow, 1_000, 49) == .wait)
    #expect(decide(.shadow, 1_000, 50) == .canary)
    #expect(decide(.canary, 1_999, 50) == .wait)
    #expect(decide(.canary, 2_000, 0) == .promote)
    #expect(decide(.inService, 10_000, 5) == .wait)
    #expect(decide(.rolledBack, 10_000, 5) == .wait)
    var byHand = settings
    byHand.rollout.isAutomatic = false
    #expect(
      byHand.decide(Self.endpoint(.canary), [Self.counters("candidate", rows: 500)], now: 1 << 40)
        == .wait)
    let withoutCanary = Self.settings(shadow: (0, 0))
    #expect(withoutCanary.decide(Self.endpoint(.shadow), [], now: 0) == .promote)
  }

  @Test(arguments: [Endpoint.Phase.shadow, .canary])
  func aCandidateWhoseGuardTripsGoesBackAtOnce(phase: Endpoint.Phase) {
    let settings = Self.settings(shadow: (1_000_000, 0), canary: (1_000_000, 0))
    let bad = Self.counters("candidate", rows: 200, failed: 100)
    guard case .rollBack(let reason) = settings.decide(Self.endpoint(phase), [bad], now: 1) else {
      Issue.record("the guard did not trip")
      return
    }
    #expect(reason.contains("50.0 % of 200 rows"))
    // What the champion does is no fault of the candidate.
    let champion = Self.counters("champion", rows: 200, failed: 100)
    #expect(settings.decide(Self.endpoint(phase), [champion], now: 1) == .wait)
  }

  @Test func whatWasPromotedIsWatchedForAWhile() {
    let settings = Self.settings(watch: (1_000, 300))
    let bad = Self.counters("champion", rows: 200, failed: 100)
    let isBack = { (decision: RolloutDecision) in
      if case .rollBack = decision { true } else { false }
    }
    #expect(isBack(settings.decide(Self.endpoint(.inService), [bad], now: 500)))
    #expect(isBack(settings.decide(Self.endpoint(.inService), [bad], now: 5_000)))
    let late = Self.counters("champion", rows: 400, failed: 100)
    #expect(settings.decide(Self.endpoint(.inService), [late], now: 1_001) == .wait)
    // There is nothing to go back to.
    #expect(
      settings.decide(Self.endpoint(.inService, previous: nil), [bad], now: 500) == .wait)
    #expect(Self.settings().decide(Self.endpoint(.inService), [bad], now: 500) == .wait)
  }

  @Test func whatServesInAPhase() {
    var settings = Self.settings(canary: (1, 1))
    settings.rollout.canaryWeight = 0.2
    let champion = EndpointVariant(name: "a", model: "load", version: 1)
    let canary = settings.variants(champion: champion, candidate: ("load", 2), in: .canary)
    #expect(canary.map(\.weight) == [0.8, 0.2] && canary.map(\.isShadow) == [false, false])
    let shadow = settings.variants(champion: champion, candidate: ("load", 2), in: .shadow)
    #expect(shadow.map(\.weight) == [1, 1] && shadow.map(\.isShadow) == [false, true])
    let alone = settings.variants(champion: champion, candidate: ("load", 2), in: .inService)
    #expect(alone == [EndpointVariant(name: "champion", model: "load", version: 2)])
    #expect(settings.variants(champion: nil, candidate: ("load", 1), in: .canary).count == 1)
    #expect(settings.rollout.firstPhase(hasChampion: true) == .canary)
    #expect(settings.rollout.firstPhase(hasChampion: false) == .inService)
    #expect(Self.settings().rollout.firstPhase(hasChampion: true) == .inService)
    #expect(Self.settings(shadow: (1, 1)).rollout.firstPhase(hasChampion: true) == .shadow)
  }
}
