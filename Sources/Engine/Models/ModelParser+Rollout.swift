import LearnedModels

/// The parts of a model that say how a candidate is judged and comes into service.
extension ModelParser {
  private static let month: Int64 = 31 * 86_400_000

  func gate(
    _ mapping: MappingReader, _ algorithm: Algorithm?
  ) -> ModelConfiguration.Gate {
    defer { mapping.finish() }
    var gate = ModelConfiguration.Gate()
    gate.holdout = mapping.share("holdout", in: 0.01...0.9) ?? gate.holdout
    let windows = mapping.integer("windows", in: 1...100)
    gate.windows = windows.map { Int($0) } ?? gate.windows
    if let algorithm, algorithm != .deepAR, mapping.value("windows") != nil {
      reader.report(
        "\(mapping.path(to: "windows")) are those of a forecaster, \(algorithm.rawValue) has none",
        at: mapping.value("windows"), hint: "holdout says which share of the rows is held out")
    }
    gate.tolerance = mapping.share("tolerance", in: 0...10) ?? gate.tolerance
    gate.limit = mapping.number("limit", in: -1e300...1e300)
    return gate
  }

  func rollout(_ mapping: MappingReader) -> ModelConfiguration.Rollout {
    defer { mapping.finish() }
    var rollout = ModelConfiguration.Rollout()
    rollout.isAutomatic = mapping.boolean("automatic") ?? true
    rollout.shadow = mapping.mapping("shadow").map { stage($0) }
    if let canary = mapping.mapping("canary") {
      rollout.canaryWeight = canary.share("weight", in: 0.001...0.5) ?? rollout.canaryWeight
      rollout.canary = stage(canary)
    }
    rollout.watch = mapping.mapping("watch").map { stage($0) }
    return rollout
  }

  private func stage(_ mapping: MappingReader) -> ModelConfiguration.Stage {
    defer { mapping.finish() }
    var stage = ModelConfiguration.Stage(
      time: mapping.duration("for", in: 0...Self.month) ?? 600_000)
    stage.records = mapping.integer("records", in: 0...Int64.max) ?? 0
    return stage
  }

  func guards(_ mapping: MappingReader) -> ModelConfiguration.Guards {
    defer { mapping.finish() }
    var guards = ModelConfiguration.Guards()
    guards.errorRate = mapping.share("error_rate", in: 0...1) ?? guards.errorRate
    guards.alertRate = mapping.share("alert_rate", in: 0...1)
    guards.alertAbove = mapping.number("alert_above", in: -1e300...1e300)
    guards.latency = latency(mapping)
    guards.minimumRecords =
      mapping.integer("minimum_records", in: 1...1_000_000_000) ?? guards.minimumRecords
    if mapping.value("alert_rate") != nil, mapping.value("alert_above") == nil {
      reader.report(
        "\(mapping.path(to: "alert_rate")) needs alert_above: the result from which on a row counts",
        at: mapping.value("alert_rate"))
    }
    return guards
  }

  /// Nanoseconds of `250us` or `2ms`.
  private func latency(_ mapping: MappingReader) -> Int64? {
    guard let text = mapping.string("latency") else { return nil }
    let digits = text.prefix { $0.isNumber || $0 == "." }
    let units = ["us": 1_000.0, "ms": 1_000_000, "s": 1_000_000_000]
    if let unit = units[String(text.dropFirst(digits.count))], let number = Double(digits),
      case let value = number * unit, (1...60e9).contains(value)
    {
      return Int64(value)
    }
    reader.report(
      "\(mapping.path(to: "latency")) is '\(text)'", at: mapping.value("latency"),
      hint: "write the time for a row such as 250us or 2ms")
    return nil
  }
}

extension MappingReader {
  /// A number within a range.
  func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
    guard let node = value(key), let text = text(node, key) else { return nil }
    return check(Double(text), text, key, in: range, "a number")
  }

  /// A share such as `0.2` or `20%`, within a range.
  func share(_ key: String, in range: ClosedRange<Double>) -> Double? {
    guard let node = value(key), let text = text(node, key) else { return nil }
    let number = text.hasSuffix("%") ? Double(text.dropLast()).map { $0 / 100 } : Double(text)
    return check(number, text, key, in: range, "a share such as 0.2 or 20%,")
  }

  private func check(
    _ number: Double?, _ text: String, _ key: String, in range: ClosedRange<Double>, _ what: String
  ) -> Double? {
    if let number, range.contains(number) { return number }
    reader.report(
      "\(path(to: key)) must be \(what) from \(range.lowerBound) to \(range.upperBound), "
        + "not '\(text)'", at: value(key))
    return nil
  }
}
