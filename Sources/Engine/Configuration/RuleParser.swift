import Dataflow

/// Reads the `rule:` of a webhook.
struct RuleParser {
  let reader: ConfigurationReader
  private static let day: Int64 = 86_400_000

  func rule(_ mapping: MappingReader) -> WebhookSettings.Rule {
    defer { mapping.finish() }
    var rule = WebhookSettings.Rule()
    rule.value = mapping.string("value")
    let above = number(mapping, "above")
    let below = number(mapping, "below")
    let until = number(mapping, "until")
    if above != nil, below != nil {
      reader.report(
        "\(mapping.path) has both above and below", at: mapping.value("below"),
        hint: "write a second output for the other side")
    }
    rule.episode.threshold = above ?? below
    rule.episode.side = below != nil ? .below : .above
    rule.episode.release = until
    if let threshold = rule.episode.threshold, let until,
      below != nil ? until < threshold : until > threshold
    {
      reader.report(
        "\(mapping.path(to: "until")) lies on the anomalous side of the threshold",
        at: mapping.value("until"),
        hint: "an episode begins at above: 3 and ends below until: 2, for example")
    }
    if (rule.value == nil) != (rule.episode.threshold == nil) {
      reader.report(
        "\(mapping.path) needs value together with above or below", at: mapping.node,
        hint: "value: ANOMALY_SCORE, above: 3; leave both out when every row is an anomaly")
    }
    if until != nil, rule.episode.threshold == nil {
      reader.report(
        "\(mapping.path(to: "until")) needs a threshold", at: mapping.value("until"),
        hint: "add value and above or below")
    }
    rule.episode.hold = extent(mapping, "for") ?? rule.episode.hold
    rule.episode.keep = extent(mapping, "keep_firing_for") ?? rule.episode.keep
    rule.episode.quietMilliseconds =
      mapping.duration("resolve_after", in: 1_000...(30 * Self.day))
      ?? rule.episode.quietMilliseconds
    rule.episode.cooldownMilliseconds = mapping.duration("cooldown", in: 0...(30 * Self.day)) ?? 0
    if let flapping = mapping.mapping("flapping") {
      rule.episode.flapCount = Int(flapping.integer("episodes", in: 2...100) ?? 3)
      rule.episode.flapMilliseconds =
        flapping.duration("within", in: 1_000...(30 * Self.day)) ?? rule.episode.flapMilliseconds
      flapping.finish()
    }
    rule.episode.entityLimit =
      Int(mapping.integer("max_entities", in: 1...1_000_000) ?? 100_000)
    deviation(&rule, mapping)
    return rule
  }

  private func deviation(_ rule: inout WebhookSettings.Rule, _ mapping: MappingReader) {
    rule.actual = mapping.string("actual")
    rule.expected = mapping.string("expected")
    rule.episode.direction =
      mapping.choice("direction", [("both", .both), ("up", .up), ("down", .down)]) ?? .both
    if let text = mapping.string("min_deviation") {
      let isShare = text.hasSuffix("%")
      if let number = Double(isShare ? String(text.dropLast()) : text), number >= 0,
        number.isFinite
      {
        if isShare {
          rule.episode.leastShare = number / 100
        } else {
          rule.episode.leastDeviation = number
        }
      } else {
        reader.report(
          "\(mapping.path(to: "min_deviation")) is '\(text)'", at: mapping.value("min_deviation"),
          hint: "write a number, or a share of the expected value such as 10%")
      }
    }
    let countsDeviations =
      rule.episode.direction != .both || mapping.value("min_deviation") != nil
    if countsDeviations, rule.actual == nil || rule.expected == nil {
      reader.report(
        "\(mapping.path): direction and min_deviation need actual and expected", at: mapping.node,
        hint: "name the columns that hold the actual and the expected value")
    }
  }

  private func number(_ mapping: MappingReader, _ key: String) -> Double? {
    guard let text = mapping.string(key) else { return nil }
    if let number = Double(text), number.isFinite { return number }
    reader.report(
      "\(mapping.path(to: key)) must be a number, not '\(text)'", at: mapping.value(key))
    return nil
  }

  /// `3 points`, or a duration.
  private func extent(_ mapping: MappingReader, _ key: String) -> EpisodeRule.Extent? {
    guard let text = mapping.string(key) else { return nil }
    let words = text.split(separator: " ")
    if words.count == 2, words[1] == "points" || words[1] == "point", let count = Int(words[0]),
      (1...1_000_000).contains(count)
    {
      return .points(count)
    }
    if let span = Quantity.milliseconds(text), (0...(30 * Self.day)).contains(span) {
      return .milliseconds(span)
    }
    reader.report(
      "\(mapping.path(to: key)) is '\(text)'", at: mapping.value(key),
      hint: "write a number of rows such as 3 points, or a duration such as 5m")
    return nil
  }
}
