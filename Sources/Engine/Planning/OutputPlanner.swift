import Alerting
import Columns
import Delivery
import Transport

/// Plans where the rows of streams go and collects what is wrong with it.
struct OutputPlanner {
  let configuration: PipelineConfiguration
  let dataDirectory: String
  var problems: [ConfigurationProblem] = []
  /// The output that is being planned, for messages.
  private var place = Place()

  init(configuration: PipelineConfiguration, dataDirectory: String) {
    self.configuration = configuration
    self.dataDirectory = dataDirectory
  }

  /// How rows of one output are treated; nil after noting what is wrong.
  mutating func kind(
    _ output: PipelineConfiguration.Output, name: String, schema: Schema
  ) -> OutputPlan.Kind? {
    place = output.place
    switch output.kind {
    case .delivery(let settings):
      return delivery(settings, name: name, schema: schema).map(OutputPlan.Kind.delivery)
    case .kafka(let settings):
      var plan = TopicPlan(settings: settings)
      if let key = settings.key {
        guard let column = column(key, in: schema, "the key of \(name)") else { return nil }
        plan.keyColumn = column
      }
      return .kafka(plan)
    case .webhook(let settings):
      return webhook(settings, name: name, schema: schema).map(OutputPlan.Kind.webhook)
    }
  }

  /// Where records go that cannot be decoded or scored.
  mutating func deadLetters() -> OutputPlan? {
    place = Place()
    var settings =
      configuration.deadLetter ?? DeliverySettings(destination: ownFolder("dead-letters"))
    if configuration.deadLetter == nil { settings.bufferMilliseconds = 10_000 }
    let kind: OutputPlan.Kind?
    switch destination(settings.destination) {
    case .topic(let name)?: kind = .kafka(TopicPlan(settings: TopicSettings(topic: name)))
    case nil: kind = nil
    case .directory?, .objectStore?, .httpEndpoint?:
      kind = delivery(settings, name: "dead-letters", schema: Schema([]))
        .map(OutputPlan.Kind.delivery)
    }
    return kind.map {
      OutputPlan(name: "dead-letters", stream: "", schema: Schema([]), kind: $0)
    }
  }

  private mutating func problem(_ message: String, hint: String? = nil) {
    problems.append(
      ConfigurationProblem(
        file: configuration.file, line: place.line, column: place.column, message: message,
        hint: hint))
  }

  private func ownFolder(_ name: String) -> String {
    let path = "\(dataDirectory)/\(configuration.name)/\(name)"
    return path.hasPrefix("/") || path.hasPrefix("./") ? "file://\(path)" : "file://./\(path)"
  }

  private mutating func destination(_ text: String) -> DestinationURL? {
    do {
      return try DestinationURL(parsing: text)
    } catch {
      problem("'\(text)': \(error.message)", hint: error.hint)
      return nil
    }
  }

  // MARK: Deliveries

  private mutating func delivery(
    _ settings: DeliverySettings, name: String, schema: Schema
  ) -> DeliveryPlan? {
    guard let destination = destination(settings.destination),
      isReachable(destination, settings.objectStore),
      let compression = Compression(rawValue: settings.compression)
    else { return nil }
    if settings.encoding == .raw, schema.columns.count != 1 || !schema.columns[0].isText {
      problem(
        "format: raw stores the only column of a stream, and \(name) has "
          + "\(schema.columns.count) or no text", hint: "select one VARCHAR or VARBINARY column")
      return nil
    }
    do {
      let hints = try BufferingHints(
        sizeBytes: Int(settings.bufferBytes), intervalMilliseconds: settings.bufferMilliseconds,
        records: settings.bufferRecords.map(Int.init))
      let prefix = try Prefix(parsing: settings.prefix)
      var plan = DeliveryPlan(
        settings: settings, destination: destination, hints: hints,
        naming: ObjectNaming(
          stream: name, version: 1, prefix: prefix,
          fileExtension: Self.fileExtension(settings, compression)),
        compression: compression)
      if settings.encoding == .parquet {
        plan.parquet = ParquetFormat(schema: schema, compression: compression)
      }
      guard partitions(&plan, prefix, name: name, schema: schema) else { return nil }
      if settings.transform != nil || plan.isEndpoint {
        guard let backup = try backup(settings, prefix, name: name) else { return nil }
        plan.backup = backup
      }
      return plan
    } catch let errors as SettingErrors {
      for error in errors.errors {
        problem("delivery of \(name): \(error.setting): \(error.message)", hint: error.hint)
      }
    } catch {
      problem("delivery of \(name): \(error)")
    }
    return nil
  }

  private static func fileExtension(
    _ settings: DeliverySettings, _ compression: Compression
  ) -> String {
    switch settings.encoding {
    case .jsonLines: ".jsonl" + compression.fileExtension
    case .csv: ".csv" + compression.fileExtension
    case .raw: compression.fileExtension
    case .parquet: ParquetFormat.fileExtension
    }
  }

  private mutating func partitions(
    _ plan: inout DeliveryPlan, _ prefix: Prefix, name: String, schema: Schema
  ) -> Bool {
    var ids: [String] = []
    for id in prefix.partitionKeys where !ids.contains(id) { ids.append(id) }
    for id in ids {
      let column = plan.settings.partitionKeys.first { $0.id == id }?.column ?? id
      guard let index = schema.index(of: column) else {
        missing(column, in: schema, "the partition key '\(id)' of \(name)")
        return false
      }
      plan.partitionColumns.append(index)
    }
    if !ids.isEmpty, plan.isEndpoint {
      problem("an HTTP endpoint has no partitions", hint: "leave the prefix out")
      return false
    }
    return true
  }

  private mutating func backup(
    _ settings: DeliverySettings, _ prefix: Prefix, name: String
  ) throws -> BackupPlan? {
    let chosen = settings.backup ?? BackupSettings(destination: ownFolder("undelivered"))
    guard let destination = destination(chosen.destination),
      isReachable(destination, chosen.objectStore)
    else { return nil }
    let isPlain = settings.prefix?.contains("!{") != true
    let text = isPlain ? settings.errorPrefix : settings.errorPrefix ?? Self.errorPrefix
    return BackupPlan(
      settings: chosen, destination: destination,
      naming: ObjectNaming(
        stream: name, version: 1,
        prefix: try Prefix.errorPrefix(parsing: text, besides: settings.prefix),
        fileExtension: ".jsonl"))
  }

  /// Used beside a prefix with expressions, since the backup has a place of its own.
  private static let errorPrefix = "!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH/}"

  private mutating func isReachable(
    _ destination: DestinationURL, _ store: ObjectStoreSettings
  ) -> Bool {
    guard case .objectStore(let bucket, _) = destination else { return true }
    do {
      _ = try ObjectStore(
        bucket: bucket, region: store.region, endpoint: store.endpoint,
        usesPathStyle: store.usesPathStyle)
      return true
    } catch {
      problem("\(error.setting): \(error.message)", hint: error.hint)
      return false
    }
  }

  // MARK: Webhooks

  private mutating func webhook(
    _ settings: WebhookSettings, name: String, schema: Schema
  ) -> WebhookPlan? {
    let before = problems.count
    var plan = WebhookPlan(settings: settings)
    plan.entityColumns = settings.entity.compactMap {
      column($0, in: schema, "the entity of the webhook of \(name)")
    }
    for value in settings.values {
      guard let index = column(value.column, in: schema, "the value '\(value.name)' of \(name)")
      else { continue }
      plan.fields.append(.init(name: value.name, column: index))
    }
    if let rule = settings.rule {
      plan.valueColumn = number(rule.value, in: schema, "value of the rule of \(name)")
      plan.actualColumn = number(rule.actual, in: schema, "actual of the rule of \(name)")
      plan.expectedColumn = number(rule.expected, in: schema, "expected of the rule of \(name)")
    }
    plan.nameColumns(of: schema)
    for placeholder in LinkTemplate(settings.link).columns {
      _ = column(placeholder, in: schema, "the link of the webhook of \(name)")
    }
    return problems.count == before ? plan : nil
  }

  private mutating func column(_ name: String, in schema: Schema, _ what: String) -> Int? {
    if let index = schema.index(of: name) { return index }
    missing(name, in: schema, what)
    return nil
  }

  private mutating func number(_ name: String?, in schema: Schema, _ what: String) -> Int? {
    guard let name, let index = column(name, in: schema, what) else { return nil }
    guard schema.columns[index].isNumber else {
      let numbers = schema.columns.filter(\.isNumber).map(\.name)
      problem(
        "\(what): \(name) is \(schema.columns[index].type), not a number",
        hint: numbers.isEmpty
          ? "the stream has no column with numbers"
          : "columns with numbers: \(numbers.joined(separator: ", "))")
      return nil
    }
    return index
  }

  private mutating func missing(_ column: String, in schema: Schema, _ what: String) {
    let names = schema.columns.map(\.name)
    problem(
      "\(what): the stream has no column '\(column)'",
      hint: MappingReader.nearest(column, in: names).map { "did you mean \($0)?" }
        ?? "columns: \(names.joined(separator: ", "))")
  }
}

extension ColumnDefinition {
  fileprivate var isText: Bool { if case .text = type.storage { true } else { false } }

  fileprivate var isNumber: Bool {
    switch type {
    case .tinyint, .smallint, .integer, .bigint, .decimal, .real, .double: true
    default: false
    }
  }
}
