import LearnedModels

extension ModelPlan {
  /// What is trained, from what, when, and how it comes into service, as indented lines.
  var explanation: String {
    let model = configuration
    let parameters = model.hyperparameters.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
    var lines = ["\(model.name) for endpoint \(model.endpoint)"]
    let settings = ["seed=\(model.seed)"] + parameters
    lines.append("  \(model.algorithm.rawValue) " + settings.joined(separator: " "))
    lines.append("  data      \(dataText)")
    lines.append(
      "  trained   \(model.schedule), at most \(model.timeLimit / 1_000) s and "
        + "\(model.memoryLimit >> 20) MiB")
    let share = Self.percent(model.gate.holdout)
    var gate =
      model.algorithm == .deepAR
      ? "  gate      up to \(model.gate.windows) windows of prediction_length held out, at most \(share) "
        + "of each series" : "  gate      \(share) of the newest rows held out"
    if model.gate.tolerance > 0 {
      gate += ", up to \(Self.percent(model.gate.tolerance)) worse than the champion"
    }
    if let limit = model.gate.limit { gate += ", at most \(limit)" }
    lines.append(gate)
    lines.append("  rollout   \(rolloutText)")
    lines.append("  guards    \(guardText)")
    return lines.map { "  \($0)\n" }.joined()
  }

  private var dataText: String {
    let data = configuration.data
    var text = source.description
    if !data.columns.isEmpty { text += ", columns \(data.columns.joined(separator: ", "))" }
    if !data.key.isEmpty { text += " by \(data.key.joined(separator: ", "))" }
    if !data.categories.isEmpty {
      text += ", categories \(data.categories.joined(separator: ", "))"
    }
    if !data.dynamicFeatures.isEmpty {
      text += ", dynamic features \(data.dynamicFeatures.joined(separator: ", "))"
    }
    if let window = data.window { text += ", the last \(window / 1_000) s" }
    return text + ", \(data.minimumRows) to \(data.maximumRows) rows"
  }

  private var rolloutText: String {
    let rollout = configuration.rollout
    guard rollout.isAutomatic else { return "by command" }
    var stages: [String] = []
    if let shadow = rollout.shadow { stages.append("shadow for \(Self.length(shadow))") }
    if let canary = rollout.canary {
      stages.append(
        "canary with \(Self.percent(rollout.canaryWeight)) for \(Self.length(canary))")
    }
    stages.append("promoted")
    if let watch = rollout.watch { stages.append("watched for \(Self.length(watch))") }
    return stages.joined(separator: ", then ")
  }

  private var guardText: String {
    let guards = configuration.guards
    var texts = ["errors up to \(Self.percent(guards.errorRate))"]
    if let rate = guards.alertRate, let above = guards.alertAbove {
      texts.append("results above \(above) up to \(Self.percent(rate))")
    }
    if let latency = guards.latency { texts.append("up to \(Double(latency) / 1_000) us a row") }
    return texts.joined(separator: ", ") + ", from \(guards.minimumRecords) records on"
  }

  private static func length(_ stage: ModelConfiguration.Stage) -> String {
    "\(stage.time / 1_000) s" + (stage.records > 0 ? " and \(stage.records) records" : "")
  }

  private static func percent(_ share: Double) -> String {
    "\((share * 10_000).rounded() / 100) %"
  }
}
