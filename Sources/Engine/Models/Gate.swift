package import Registry

/// What a training process has measured on the rows that it held out; smaller figures are better.
package struct HoldoutFigures: Sendable {
  /// For example `holdout:msd`.
  package var metric: String
  /// The new model's figure.
  package var candidate: Double
  /// That of the model in service, on the same rows.
  package var champion: Double?
  /// That of a simple method, the seasonal naive forecast for instance.
  package var baseline: Double?
  /// In how many of the windows that both were measured on the new model is better; nil for less than two.
  package var wins: (better: Int, windows: Int)?

  /// Picks the figures out of everything that was measured.
  ///
  /// - Returns: nil when the new model has none.
  package init?(_ metrics: [Metric]) {
    guard let own = metrics.last(where: { $0.name.hasPrefix("holdout:") }) else { return nil }
    let name = own.name.dropFirst("holdout:".count)
    metric = own.name
    candidate = own.value
    champion = metrics.last { $0.name == "champion:\(name)" }?.value
    baseline = metrics.last { $0.name == "baseline:\(name)" }?.value
    let others = metrics.filter { $0.name == "champion:\(name)" && $0.step > 0 }
    let pairs = metrics.filter { $0.name == own.name && $0.step > 0 }.compactMap { figure in
      others.first { $0.step == figure.step }.map { (own: figure.value, other: $0.value) }
    }
    if pairs.count > 1 { wins = (pairs.count { $0.own < $0.other }, pairs.count) }
  }
}

extension ModelConfiguration.Gate {
  /// Decides whether a candidate may be rolled out.
  ///
  /// - Parameters:
  ///   - figures: What was measured.
  ///   - champion: The version in service; nil for none.
  /// - Returns: The figures with the decision and its reason.
  package func judge(_ figures: HoldoutFigures, champion: Int?) -> GateResult {
    var result = GateResult(
      metric: figures.metric, candidate: figures.candidate, champion: figures.champion,
      championVersion: champion, baseline: figures.baseline, passed: false, reason: "")
    let name = "\(figures.metric) \(Self.text(figures.candidate))"
    if !figures.candidate.isFinite {
      result.reason = "\(name) is no finite number"
    } else if let limit, figures.candidate > limit {
      result.reason = "\(name) is above gate.limit \(Self.text(limit))"
    } else if let baseline = figures.baseline, figures.candidate > baseline {
      result.reason = "\(name) is above the \(Self.text(baseline)) of a simple method"
    } else if let value = figures.champion, let champion {
      let bound = value + tolerance * value.magnitude
      result.passed = figures.candidate <= bound
      let tolerated = tolerance > 0 ? " with a tolerance of \(Self.text(tolerance * 100)) %" : ""
      result.reason =
        "\(name) is \(result.passed ? "no worse than" : "above") the \(Self.text(value)) of "
        + "version \(champion)\(tolerated)"
        + (figures.wins.map { ", better in \($0.better) of \($0.windows) windows" } ?? "")
    } else {
      result.passed = true
      result.reason =
        name
        + (champion.map { ", and version \($0) could not be measured" }
          ?? ", and there is no champion to compare with")
    }
    return result
  }

  /// A figure with six digits.
  private static func text(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return "\(value)" }
    var scale = 1.0
    while value.magnitude * scale < 100_000, scale < 1e12 { scale *= 10 }
    return "\((value * scale).rounded() / scale)"
  }
}
