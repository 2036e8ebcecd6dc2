import Columns
import Dataflow
import StreamSQL
import Yams

/// Turns a pipeline file's mapping into a `PipelineConfiguration`.
struct PipelineParser {
  let reader: ConfigurationReader
  let sourceText: String
  let daemonKafka: KafkaSettings
  let readFile: (String) throws -> String

  func parse(_ root: MappingReader) -> PipelineConfiguration {
    let name = root.requiredString("name") ?? ""
    if !name.isEmpty, !Self.isName(name) {
      root.reader.report(
        "name '\(name)' has other characters than letters, digits, '-', '_' and '.'",
        at: root.value("name"),
        hint: "it becomes part of topic, group and object names; at most 128, the first no '.'")
    }
    let (applicationFile, application) = parseApplication(root)
    var configuration = PipelineConfiguration(
      file: reader.file, sourceText: sourceText, name: name, applicationFile: applicationFile,
      application: application, inputs: parseInputs(root),
      outputs: OutputParser(reader: reader).outputs(root),
      kafka: daemonKafka, group: root.filledString("group") ?? "cutbank.\(name)",
      seed: UInt64(root.integer("seed", in: 0...Int64.max) ?? 0),
      guarantee: root.choice(
        "guarantee", [("exactly_once", .exactlyOnce), ("at_least_once", .atLeastOnce)])
        ?? .exactlyOnce,
      timing: parseTiming(root), deadLetter: nil, sql: .init())
    if let kafka = root.mapping("kafka") {
      configuration.kafka = daemonKafka.overridden(by: KafkaParser.parse(kafka))
    }
    if let sql = root.mapping("sql") {
      configuration.sql.extensions = sql.boolean("extensions") ?? false
      sql.finish()
    }
    if let limits = root.mapping("limits") { configuration.limits = parseLimits(limits) }
    configuration.referenceTables = parseReferenceTables(root)
    configuration.history = parseHistory(root)
    configuration.stateStore = parseStateStore(root)
    if let breaker = root.mapping("circuit_breaker") {
      let defaults = CircuitBreakerSettings()
      configuration.circuitBreaker.percent =
        breaker.integer("percent", in: 0...100) ?? defaults.percent
      configuration.circuitBreaker.records =
        breaker.integer("records", in: 1...1_000_000_000) ?? defaults.records
      breaker.finish()
    }
    if let deadLetter = root.mapping("dead_letter") {
      configuration.deadLetter = OutputParser(reader: reader).deadLetters(deadLetter)
      deadLetter.finish()
    }
    configuration.models = ModelParser(
      reader: reader, seed: configuration.seed, inputs: configuration.inputs,
      outputs: configuration.outputs
    ).models(root)
    configuration.forestSeeds = parseForestSeeds(root)
    configuration.applicationOffset = inlineOffset(root)
    root.finish()
    // In a transaction rows are seen with their commit; without one they go ahead of it, and each commit
    // holds up the rows behind it until those before are acknowledged.
    if root.value("commit_interval") == nil, configuration.hasTopicOutput,
      configuration.guarantee == .exactlyOnce
    {
      configuration.timing.commitInterval = 25
      configuration.timing.adaptsCommitInterval = true
    }
    checkOutputs(configuration, root)
    return configuration
  }

  static func isName(_ name: String) -> Bool {
    name.utf8.allSatisfy { byte in
      (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        || byte == 45 || byte == 46 || byte == 95
    } && name.count <= 128 && name.first != "."
  }

  private func parseApplication(_ root: MappingReader) -> (String, String) {
    guard let node = root.required("application"), let text = root.text(node, "application") else {
      return (reader.file, "")
    }
    if case .scalar(let scalar) = node, scalar.style == .literal || scalar.style == .folded {
      return (reader.file, text)
    }
    let folder = reader.file.lastIndex(of: "/").map { String(reader.file[...$0]) } ?? ""
    let path = text.hasPrefix("/") ? text : folder + text
    do {
      return (path, try readFile(path))
    } catch {
      reader.report(
        "the application file \(path) cannot be read: \(error)", at: node,
        hint:
          "the path is relative to the pipeline file; an inline program begins with 'application: |'"
      )
      return (path, "")
    }
  }

  /// Where the text of `application: |` stands in the file.
  private func inlineOffset(_ root: MappingReader) -> (lines: Int, columns: Int) {
    guard case .scalar(let scalar)? = root.value("application"), scalar.style == .literal,
      let mark = scalar.mark
    else { return (0, 0) }
    let lines = sourceText.split(separator: "\n", omittingEmptySubsequences: false)
    let first = lines.dropFirst(mark.line).first { $0.contains { $0 != " " } } ?? ""
    return (mark.line, first.prefix { $0 == " " }.count)
  }

  private func parseStateStore(_ root: MappingReader) -> PipelineConfiguration.StateStore {
    guard let state = root.mapping("state") else { return .directory }
    defer { state.finish() }
    return state.choice("store", [("directory", .directory), ("topics", .topics)]) ?? .directory
  }

  private func parseTiming(_ root: MappingReader) -> PipelineConfiguration.Timing {
    var timing = PipelineConfiguration.Timing()
    let day: Int64 = 86_400_000
    timing.idleTimeout = root.duration("idle_timeout", in: 0...day) ?? timing.idleTimeout
    timing.mergeWait = root.duration("merge_wait", in: 0...600_000) ?? timing.mergeWait
    timing.maxFuture = root.duration("max_future", in: 0...(36_500 * day)) ?? timing.maxFuture
    if let snapshot = root.mapping("snapshot") {
      timing.snapshotInterval =
        snapshot.duration("interval", in: 1_000...day) ?? timing.snapshotInterval
      timing.snapshotRecords =
        snapshot.integer("records", in: 1...Int64.max) ?? timing.snapshotRecords
      snapshot.finish()
    }
    timing.commitInterval =
      root.duration("commit_interval", in: 20...3_600_000) ?? timing.commitInterval
    return timing
  }

  private func parseLimits(_ limits: MappingReader) -> DataflowLimits {
    defer { limits.finish() }
    var result = DataflowLimits()
    func count(_ key: String, _ usual: Int) -> Int {
      limits.integer(key, in: 1...1_000_000_000).map { Int($0) } ?? usual
    }
    result.keys = count("keys", result.keys)
    result.heldRows = count("held_rows", result.heldRows)
    result.matchesPerRow = count("matches_per_row", result.matchesPerRow)
    result.models = count("models", result.models)
    result.modelBytes = limits.size("model_memory", in: 1...(1 << 44)).map { Int($0) }
    result.modelTTL = limits.duration("model_ttl", in: 1_000...(36_500 * 86_400_000))
    result.modelAfter =
      limits.integer("model_after", in: 1...100).map { Int($0) } ?? result.modelAfter
    return result
  }

  private func parseHistory(_ root: MappingReader) -> PipelineConfiguration.History? {
    guard let node = root.value("history") else { return nil }
    if case .scalar(let scalar) = node, scalar.string == "none" { return nil }
    guard let history = reader.mapping(node, path: "history") else { return nil }
    defer { history.finish() }
    let records = history.integer("records", in: 1...1_000_000_000)
    let duration = history.duration("duration", in: 1_000...(366 * 86_400_000))
    guard (history.value("records") == nil) != (history.value("duration") == nil) else {
      reader.report(
        "history needs either records or duration", at: node,
        hint: "history: {records: 10000}, or history: {duration: 2h}")
      return nil
    }
    return records.map { .records($0) } ?? duration.map { .duration($0) }
  }

  private func parseForestSeeds(_ root: MappingReader) -> [PipelineConfiguration.ForestSeed] {
    guard let seeds = root.mapping("seed_forests") else { return [] }
    defer { seeds.finish() }
    return seeds.keys.sorted().compactMap { pump in
      seeds.requiredString(pump).map {
        PipelineConfiguration.ForestSeed(
          pump: pump, endpoint: $0, place: Place(of: seeds.value(pump)))
      }
    }
  }

  private func parseInputs(_ root: MappingReader) -> [PipelineConfiguration.Input] {
    let mappings = root.mappings("inputs")
    if mappings.isEmpty {
      reader.report(
        "inputs is missing or empty", at: root.node,
        hint: "name at least one stream with its kafka topic, format and columns")
    }
    return mappings.map(parseInput)
  }

  private func parseInput(_ input: MappingReader) -> PipelineConfiguration.Input {
    defer { input.finish() }
    let stream = input.requiredString("stream") ?? ""
    var topic = ""
    var start = PipelineConfiguration.StartPosition.latest
    var gapPolicy = PipelineConfiguration.GapPolicy.stop
    if let node = input.required("kafka"),
      let kafka = reader.mapping(node, path: input.path(to: "kafka"))
    {
      topic = kafka.requiredTopic("topic") ?? ""
      start = parseStart(kafka)
      gapPolicy =
        kafka.choice(
          "offset_out_of_range", [("stop", .stop), ("earliest", .earliest), ("latest", .latest)])
        ?? .stop
      kafka.finish()
    }
    return PipelineConfiguration.Input(
      stream: stream, topic: topic, start: start, gapPolicy: gapPolicy, format: parseFormat(input),
      key: input.string("key"), columns: parseColumns(input), eventTime: parseEventTime(input))
  }

  private func parseEventTime(_ input: MappingReader) -> PipelineConfiguration.EventTime? {
    guard let mapping = input.mapping("event_time") else { return nil }
    defer { mapping.finish() }
    let column = mapping.requiredString("column") ?? ""
    _ = mapping.required("lateness")
    let lateness = mapping.duration("lateness", in: 0...(366 * 86_400_000)) ?? 0
    return PipelineConfiguration.EventTime(
      column: column, lateness: lateness, lateStream: mapping.string("late"))
  }

  private func parseStart(_ kafka: MappingReader) -> PipelineConfiguration.StartPosition {
    guard let node = kafka.value("start") else { return .latest }
    if case .scalar = node {
      return kafka.choice(
        "start", [("latest", .latest), ("earliest", .earliest), ("trim_horizon", .earliest)])
        ?? .latest
    }
    guard let start = reader.mapping(node, path: kafka.path(to: "start")) else { return .latest }
    defer { start.finish() }
    if let text = start.string("timestamp") {
      if let moment = Self.moment(text) { return .timestamp(moment) }
      reader.report(
        "start.timestamp must be milliseconds since 1970 or 'yyyy-MM-dd HH:mm:ss', not '\(text)'",
        at: start.value("timestamp"))
    }
    var offsets: [Int32: Int64] = [:]
    if let table = start.mapping("offsets") {
      for key in table.keys {
        guard let partition = Int32(key), partition >= 0 else {
          reader.report("'\(key)' is not a partition number", at: table.node)
          continue
        }
        offsets[partition] = table.integer(key, in: 0...Int64.max)
      }
      return .offsets(offsets)
    }
    return .latest
  }

  /// Milliseconds since 1970 of a number or of `yyyy-MM-dd[ HH:mm:ss]`, UTC.
  static func moment(_ text: String) -> Int64? {
    if let number = Int64(text) { return number }
    let fields = text.split { !$0.isNumber }.map { Int($0) }
    guard fields.count == 3 || fields.count == 6, !fields.contains(nil) else { return nil }
    let numbers = fields.compactMap { $0 } + [0, 0, 0]
    let time = CivilTime(
      year: numbers[0], month: numbers[1], day: numbers[2], hour: numbers[3], minute: numbers[4],
      second: numbers[5])
    return time.isValid ? time.milliseconds : nil
  }

  /// The format of an input or table; `readMore` reads further keys of `csv`.
  func parseFormat(
    _ input: MappingReader, readMore: (MappingReader) -> Void = { _ in }
  ) -> PipelineConfiguration.Format {
    let rowPath = input.string("row_path")
    let csv = input.mapping("csv")
    let columnDelimiter = csv?.string("column_delimiter") ?? ","
    let rowDelimiter = csv?.string("row_delimiter") ?? "\n"
    if let csv {
      readMore(csv)
      csv.finish()
    }
    let isCSV = input.choice("format", [("json", false), ("csv", true)]) ?? false
    if isCSV { return .csv(columnDelimiter: columnDelimiter, rowDelimiter: rowDelimiter) }
    return .json(rowPath: rowPath)
  }

  func parseColumns(_ input: MappingReader) -> [PipelineConfiguration.InputColumn] {
    let mappings = input.mappings("columns")
    if mappings.isEmpty {
      reader.report(
        "\(input.path(to: "columns")) is missing or empty", at: input.node,
        hint: "columns: [{name: price, type: DOUBLE, path: $.price}]")
    }
    var names: Set<String> = []
    return mappings.compactMap { column in
      let path = column.string("path")
      let isNullable = column.boolean("nullable") ?? true
      defer { column.finish() }
      guard let name = column.requiredString("name"), let text = column.requiredString("type")
      else { return nil }
      if !names.insert(name).inserted {
        reader.report("the column '\(name)' is declared twice", at: column.node)
      }
      let type: ColumnType
      do throws(ColumnTypeError) {
        type = try ColumnType(sql: text)
      } catch {
        reader.report(error.message, at: column.value("type"), hint: error.hint)
        return nil
      }
      let definition = ColumnDefinition(name: name, type: type, isNullable: isNullable)
      return PipelineConfiguration.InputColumn(definition: definition, path: path)
    }
  }

  private func checkOutputs(_ configuration: PipelineConfiguration, _ root: MappingReader) {
    if configuration.outputs.isEmpty {
      reader.report(
        "no output: the results would go nowhere", at: root.node,
        hint: "outputs: [{stream: DESTINATION_SQL_STREAM, delivery: {to: file://./out}}]")
    }
  }
}

/// Reads a `kafka:` mapping; every key but `brokers` is a property of librdkafka.
enum KafkaParser {
  static func parse(_ mapping: MappingReader) -> KafkaSettings {
    var settings = KafkaSettings(brokers: mapping.string("brokers") ?? "")
    for key in mapping.keys where key != "brokers" {
      settings.properties[key] = mapping.string(key)
    }
    mapping.finish()
    return settings
  }
}
