import Alerting
import Columns
import Crypto
import Dataflow
import Transport

/// Words the alerts of one output.
struct AlertWriter {
  private let pipeline: String
  private let stream: String
  private let output: String
  private let life: String
  private let plan: WebhookPlan
  private let schema: Schema
  private let link: LinkTemplate
  private let modelVersion: String

  /// A writer for an output; nil when it is no webhook.
  init?(_ plan: PipelinePlan, output index: Int, life: String) {
    let output = plan.outputs[index]
    guard case .webhook(let webhook) = output.kind else { return nil }
    pipeline = plan.configuration.name
    stream = output.stream
    self.output = output.name
    self.life = life
    self.plan = webhook
    schema = output.schema
    link = LinkTemplate(webhook.settings.link)
    modelVersion = plan.applicationVersion
  }

  /// The alert of a row or of a transition.
  func alert(of row: AlertRow) -> Alert {
    var labels = plan.settings.labels.map { Alert.Label($0.0, $0.1) }
    for (name, value) in zip(plan.settings.entity, row.entity) {
      labels.append(Alert.Label(name, value))
    }
    let entity = row.entity.joined(separator: ", ")
    if !plan.settings.entity.isEmpty { labels.append(Alert.Label("entity", entity)) }
    let url = link.link { value(of: $0, in: row) }
    let fields = fields(of: row)
    guard let episode = row.episode else {
      return Alert(
        id: "\(life)/\(output)/\(row.id)", pipeline: pipeline, rule: stream, labels: labels,
        annotations: annotations(of: row), fields: fields, startsAt: row.rowtime,
        generatorURL: url)
    }
    var annotations = [summary(of: episode, entity: entity)]
    annotations.append(Alert.Label("episode", id(of: episode)))
    return Alert(
      id: "\(life)/\(output)/episode-\(row.id)", pipeline: pipeline, rule: stream,
      status: episode.isFiring ? .firing : .resolved, labels: labels, annotations: annotations,
      fields: fields + self.fields(of: episode), startsAt: episode.startedAt,
      endsAt: episode.isFiring ? nil : episode.rowtime, generatorURL: url,
      orderingKey: "\(pipeline)/\(output)/\(row.entity.joined(separator: "\u{1F}"))")
  }

  /// The values of the row, then what every alert carries and the row has no column for.
  private func fields(of row: AlertRow) -> [Alert.Field] {
    var fields: [Alert.Field] = []
    for (field, value) in zip(plan.fields, row.values) {
      let isStructured = field.name == AlertRole.attribution.rawValue
      fields.append(
        Alert.Field(field.name, isStructured ? .structured(value) : Alert.Value(value)))
    }
    func add(_ role: AlertRole, _ value: @autoclosure () -> Alert.Value) {
      guard !plan.fields.contains(where: { $0.name == role.rawValue }) else { return }
      fields.append(Alert.Field(role.rawValue, value()))
    }
    if let threshold = plan.settings.rule?.episode.threshold { add(.threshold, .number(threshold)) }
    let start = row.episode?.startedAt ?? row.rowtime
    add(.windowStart, .text(JSONText.rfc3339(start)))
    add(.windowEnd, .text(JSONText.rfc3339(row.rowtime)))
    add(.modelVersion, .text(modelVersion))
    return fields
  }

  private func annotations(of row: AlertRow) -> [Alert.Label] {
    let time = CivilTime(milliseconds: row.rowtime).description
    let text = zip(plan.fields, row.values).compactMap { field, value -> String? in
      // The attribution is a JSON object, nothing for one line.
      guard field.name != AlertRole.attribution.rawValue else { return nil }
      return "\(field.name)=\(value == .null ? "NULL" : Alert.Value(value).description)"
    }
    return [
      Alert.Label("summary", "\(stream) at \(time): \(text.joined(separator: ", "))"),
      Alert.Label("ROWTIME", time), Alert.Label("row_id", row.id),
    ]
  }

  private func summary(of episode: EpisodeTransition, entity: String) -> Alert.Label {
    let place = entity.isEmpty ? "" : " on \(entity)"
    let start = CivilTime(milliseconds: episode.startedAt).description
    let peak = episode.peak.map { ", peak \($0)" } ?? ""
    let flapping = episode.isFlapping ? " (flapping)" : ""
    guard !episode.isFiring else {
      return Alert.Label(
        "summary", "\(stream)\(place) is anomalous since \(start)\(peak)\(flapping)")
    }
    let end = CivilTime(milliseconds: episode.rowtime).description
    return Alert.Label(
      "summary",
      "\(stream)\(place) was anomalous from \(start) to \(end), \(episode.points) points\(peak)"
        + flapping)
  }

  private func fields(of episode: EpisodeTransition) -> [Alert.Field] {
    [
      Alert.Field("points", .integer(episode.points)),
      Alert.Field("peak", episode.peak.map(Alert.Value.number) ?? .null),
      Alert.Field("flapping", .boolean(episode.isFlapping)),
      Alert.Field(
        "duration_seconds", .number(Double(episode.rowtime - episode.startedAt) / 1_000)),
    ]
  }

  /// The first half of SHA-256 over pipeline, output, entity and beginning.
  private func id(of episode: EpisodeTransition) -> String {
    let parts = [pipeline, output] + episode.entity + ["\(episode.startedAt)"]
    let digest = SHA256.hash(data: Array(parts.joined(separator: "\u{0}").utf8))
    return Hexadecimal.encode(digest.prefix(16))
  }

  private func value(of column: String, in row: AlertRow) -> String {
    if let index = plan.settings.entity.firstIndex(of: column) { return row.entity[index] }
    guard let place = schema.index(of: column),
      let index = plan.fields.firstIndex(where: { $0.column == place }),
      row.values.indices.contains(index)
    else { return "" }
    return Alert.Value(row.values[index]).description
  }
}

extension Alert.Value {
  init(_ value: EpisodeValue) {
    switch value {
    case .null: self = .null
    case .integer(let number): self = .integer(number)
    case .number(let number): self = .number(number)
    case .text(let text): self = .text(text)
    case .boolean(let truth): self = .boolean(truth)
    }
  }

  /// A text that is a JSON object or array as such; everything else as it is.
  static func structured(_ value: EpisodeValue) -> Alert.Value {
    guard case .text(let text) = value, let json = Alert.Value(json: text) else {
      return Alert.Value(value)
    }
    return json
  }
}
