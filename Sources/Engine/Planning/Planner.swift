import Alerting
import Codecs
import Columns
import Crypto
import Dataflow
import Delivery
import Kafka
import StreamSQL
import Transport

extension PipelinePlan {
  /// Checks a configuration and compiles its application.
  ///
  /// - Returns: The plan, and warnings.
  /// - Throws: `ConfigurationRefused` with every problem found.
  public static func make(
    _ configuration: PipelineConfiguration, dataDirectory: String
  ) throws -> (PipelinePlan, [ConfigurationProblem]) {
    var planner = Planner(configuration: configuration, dataDirectory: dataDirectory)
    let plan = planner.plan()
    guard let plan, !planner.problems.contains(where: { $0.severity == .error }) else {
      throw ConfigurationRefused(problems: planner.problems)
    }
    return (plan, planner.problems)
  }
}

/// Turns a configuration into a plan and collects what is wrong with it.
struct Planner {
  let configuration: PipelineConfiguration
  let dataDirectory: String
  var problems: [ConfigurationProblem] = []

  mutating func plan() -> PipelinePlan? {
    if configuration.kafka.brokers.isEmpty {
      problem(
        "no Kafka brokers are set",
        hint: "run with --brokers HOST:PORT, set CUTBANK_KAFKA__BROKERS, or write "
          + "kafka: {brokers: HOST:PORT}")
    }
    let consumer = ConsumerConfiguration(
      brokers: configuration.kafka.brokers, group: configuration.group,
      properties: configuration.kafka.properties)
    for error in consumer.validate() { problem("kafka: \(error.message)", hint: error.hint) }
    var inputs = configuration.inputs.compactMap { input($0) }
    let sources =
      zip(configuration.inputs, inputs).map { input, plan in
        SourceStream(name: input.stream, schema: plan.schema, key: input.key)
      } + (inputs.count == configuration.inputs.count ? lateSources(&inputs) : [])
    let tables = configuration.referenceTables.compactMap { table($0) }
    let result = compile(
      configuration.application, file: configuration.applicationFile, sources: sources,
      referenceTables: tables.map {
        ReferenceTable(name: $0.settings.table, schema: $0.schema)
      },
      options: CompileOptions(extensions: configuration.sql.extensions))
    let offset = configuration.applicationOffset
    problems += result.diagnostics.map { ConfigurationProblem($0, offset: offset) }
    guard var application = result.plan else { return nil }
    seedForests(of: &application)
    guard fits(application) else { return nil }
    var outputs: [OutputPlan] = []
    for output in configuration.outputs {
      if let plan = self.output(output, application: application, before: outputs) {
        outputs.append(plan)
      }
    }
    var planner = OutputPlanner(configuration: configuration, dataDirectory: dataDirectory)
    let deadLetters = planner.deadLetters()
    problems += planner.problems
    guard let deadLetters, inputs.count == configuration.inputs.count,
      tables.count == configuration.referenceTables.count,
      outputs.count == configuration.outputs.count
    else { return nil }
    var models = ModelPlanner(configuration: configuration)
    let plans = models.plans(inputs: inputs, outputs: outputs, application: application)
    problems += models.problems
    checkStateStore(application, outputs)
    outputs.append(deadLetters)
    return PipelinePlan(
      configuration: configuration, inputs: inputs, tables: tables, application: application,
      outputs: outputs, models: plans, parallelism: parallelism(application),
      fingerprint: PipelinePlan.fingerprint(of: configuration, outputs, namesFolders: false),
      formerFingerprint: PipelinePlan.fingerprint(of: configuration, outputs, namesFolders: true))
  }

  mutating func problem(_ message: String, hint: String? = nil) {
    problems.append(
      ConfigurationProblem(file: configuration.file, message: message, hint: hint))
  }

  /// Names the endpoints that forests begin with, in pumps that have some.
  private mutating func seedForests(of application: inout Plan) {
    let pumps = application.forestPumps
    for seed in configuration.forestSeeds {
      if pumps.contains(seed.pump) {
        application.seedForests(ofPump: seed.pump, from: seed.endpoint)
        continue
      }
      problems.append(
        ConfigurationProblem(
          file: configuration.file, line: seed.place.line, column: seed.place.column,
          message: "seed_forests: no started pump '\(seed.pump)' has a RANDOM_CUT_FOREST or "
            + "ML_DETECT_ANOMALIES",
          hint: MappingReader.nearest(seed.pump, in: pumps).map { "did you mean \($0)?" }
            ?? (pumps.isEmpty ? nil : "pumps that do: \(pumps.joined(separator: ", "))")))
    }
  }

  /// Whether the operators can be made of the application's parameters and the limits.
  private mutating func fits(_ application: Plan) -> Bool {
    do {
      _ = try Dataflow(
        plan: application, configuration: DataflowConfiguration(limits: configuration.limits))
      return true
    } catch {
      problem("\(error)")
      return false
    }
  }

  /// Refuses to keep in topics what they have no place for.
  private mutating func checkStateStore(_ application: Plan, _ outputs: [OutputPlan]) {
    guard configuration.stateStore == .topics else { return }
    let hint = "set state: {store: directory}, which is the default"
    if outputs.contains(where: { if case .webhook = $0.kind { true } else { false } }) {
      problem("state in topics: alerts of webhooks wait on the machine's disk", hint: hint)
    }
    if !application.endpoints.isEmpty || !application.tables.isEmpty {
      problem("state in topics: models and reference tables are kept in files", hint: hint)
    }
  }

  // MARK: Inputs

  private mutating func input(_ input: PipelineConfiguration.Input) -> InputPlan? {
    let mentioned = MetadataColumn.allCases.filter {
      configuration.application.uppercased().contains($0.rawValue)
    }
    let schema = Schema(input.columns.map(\.definition) + mentioned.map(\.definition))
    if let key = input.key, schema.index(of: key) == nil {
      problem("input \(input.stream): the key '\(key)' is none of its columns")
    }
    guard
      let format = format(
        input.format, input.columns, schema: schema, of: "input \(input.stream)")
    else { return nil }
    var plan = InputPlan(
      topic: input.topic, schema: schema, format: format, start: input.start,
      gapPolicy: input.gapPolicy)
    if let eventTime = input.eventTime {
      guard let column = eventTimeColumn(eventTime, input, schema) else { return nil }
      plan.eventTime = EventTimePlan(column: column, lateness: eventTime.lateness)
    }
    return plan
  }

  /// How records become rows of `schema`, tried out; nil after noting what is wrong.
  private mutating func format(
    _ declared: PipelineConfiguration.Format, _ columns: [PipelineConfiguration.InputColumn],
    schema: Schema, of what: String
  ) -> RecordFormat? {
    let format: RecordFormat
    switch declared {
    case .csv(let columnDelimiter, let rowDelimiter):
      format = .csv(CSVFormat(columnDelimiter: columnDelimiter, rowDelimiter: rowDelimiter))
    case .json(let rowPath):
      var paths: [JSONPath] = []
      for column in columns {
        let text = column.path ?? "$.\(column.definition.name)"
        if let path = path(text, of: "column '\(column.definition.name)'") { paths.append(path) }
      }
      guard paths.count == columns.count,
        let root = path(rowPath ?? "$", of: "row_path of \(what)")
      else { return nil }
      format = .json(rowPath: root, paths: paths)
    }
    do {
      _ = try RecordDecoder(schema: schema, format: format)
    } catch {
      problem("\(what): \(error.message)", hint: error.hint)
      return nil
    }
    return format
  }

  // MARK: Reference tables

  private mutating func table(_ settings: ReferenceTableSettings) -> TablePlan? {
    let what = "table \(settings.table)"
    let schema = Schema(settings.columns.map(\.definition))
    if configuration.inputs.contains(where: { $0.stream == settings.table }) {
      problem("\(what): an input has the same name", hint: "give the table a name of its own")
      return nil
    }
    guard case .topic(_, let keyColumn?) = settings.source else {
      return format(settings.format, settings.columns, schema: schema, of: what).map {
        TablePlan(settings: settings, schema: schema, decodingSchema: schema, format: $0)
      }
    }
    guard let index = schema.index(of: keyColumn),
      case .text = schema.columns[index].type.storage
    else {
      problem(
        "\(what): key_column '\(keyColumn)' is none of its columns, or no text",
        hint: "declare it as VARCHAR under columns")
      return nil
    }
    var others = settings.columns
    others.remove(at: index)
    var columns = schema.columns
    columns[index] = ColumnDefinition(
      name: keyColumn, type: columns[index].type, role: .metadata)
    let decodingSchema = Schema(columns)
    return format(settings.format, others, schema: decodingSchema, of: what).map {
      TablePlan(
        settings: settings, schema: schema, decodingSchema: decodingSchema, format: $0,
        keyColumn: index)
    }
  }

  private mutating func path(_ text: String, of what: String) -> JSONPath? {
    do {
      return try JSONPath(text)
    } catch {
      problem(
        "\(what): '\(text)' is no path: \(error)",
        hint: "paths look like $.name, $.outer.inner, $['odd name'] or $.list[0:].name")
      return nil
    }
  }

  // MARK: Outputs

  private mutating func output(
    _ output: PipelineConfiguration.Output, application: Plan, before: [OutputPlan]
  ) -> OutputPlan? {
    let schema: Schema
    if output.stream == ErrorStream.name {
      schema = ErrorStream.schema
    } else if let found = application.streams.first(where: { $0.name == output.stream }) {
      schema = Schema(found.schema.columns.filter { $0.role == .data })
    } else {
      let names = application.streams.map(\.name) + [ErrorStream.name]
      let nearest = MappingReader.nearest(output.stream, in: names)
      problem(
        "the application has no stream '\(output.stream)' for an output",
        hint: nearest.map { "did you mean \($0)?" } ?? "streams: \(names.joined(separator: ", "))")
      return nil
    }
    let repeats = before.count { $0.stream == output.stream }
    let name = repeats == 0 ? output.stream : "\(output.stream)-\(repeats + 1)"
    var planner = OutputPlanner(configuration: configuration, dataDirectory: dataDirectory)
    let kind = planner.kind(output, name: name, schema: schema)
    problems += planner.problems
    guard let kind else { return nil }
    return OutputPlan(name: name, stream: output.stream, schema: schema, kind: kind)
  }

  // MARK: Parallelism

  private func parallelism(_ application: Plan) -> PipelinePlan.Parallelism {
    if configuration.inputs.count > 1 {
      return .single(reason: "rows of several inputs are merged by time")
    }
    switch application.parallelism {
    case .partitionParallel:
      return .partitionParallel(
        reason: configuration.inputs.first?.key.map { "all state is keyed by \($0)" }
          ?? "no operator keeps state")
    case .single(let reasons):
      return .single(
        reason: "state is not keyed by the record key: \(reasons.joined(separator: "; "))")
    }
  }
}

extension ConfigurationProblem {
  fileprivate init(_ diagnostic: Diagnostic, offset: (lines: Int, columns: Int)) {
    let indent = String(
      diagnostic.sourceLine.prefix(diagnostic.position.column - 1).map { $0 == "\t" ? "\t" : " " })
    self.init(
      file: diagnostic.file, line: diagnostic.position.line + offset.lines,
      column: diagnostic.position.column + offset.columns,
      severity: diagnostic.severity == .error ? .error : .warning, message: diagnostic.message,
      hint: diagnostic.hint, excerpt: "  \(diagnostic.sourceLine)\n  \(indent)^")
  }
}

extension DataflowLimits {
  /// Names the limits that results depend on; where models wait changes none.
  fileprivate var identity: String {
    var text =
      "DataflowLimits(keys: \(keys), heldRows: \(heldRows), matchesPerRow: \(matchesPerRow), "
      + "models: \(models), modelBytes: nil"
    // What is new and not used leaves the name of older states as it was.
    if let modelTTL { text += ", modelTTL: \(modelTTL)" }
    if modelAfter > 1 { text += ", modelAfter: \(modelAfter)" }
    return text + ")"
  }
}

extension PipelinePlan {
  /// Names the application, for alerts of models that have no version of their own.
  var applicationVersion: String {
    let digest = SHA256.hash(data: Array(configuration.application.utf8))
    return "application-" + Hexadecimal.encode(digest.prefix(6))
  }

  /// SHA-256 of inputs, outputs, application and seed.
  ///
  /// Where a machine has its folders does not count, since another one may go on with the state; in states
  /// of earlier versions it did (`namesFolders`).
  fileprivate static func fingerprint(
    of configuration: PipelineConfiguration, _ outputs: [OutputPlan], namesFolders: Bool
  ) -> String {
    let timing = configuration.timing
    var parts = [
      configuration.name, configuration.application, "\(configuration.seed)",
      "\(configuration.sql)", "\(timing.maxFuture)", configuration.limits.identity,
    ]
    parts += configuration.forestSeeds.map { "seed \($0.pump) \($0.endpoint)" }
    parts += configuration.inputs.map { "\($0.stream) \($0.topic) \($0.format) \($0.columns)" }
    parts += configuration.inputs.compactMap { $0.eventTime.map { "\($0)" } }
    parts += configuration.referenceTables.map { "\($0.table) \($0.columns)" }
    for output in outputs {
      switch output.kind {
      case .delivery(let delivery):
        var place = delivery.settings.destination
        if case .directory = delivery.destination, !namesFolders { place = "file" }
        parts.append("\(output.name) \(delivery.settings.contentIdentity(place: place))")
      case .webhook(let webhook):
        let rule = webhook.settings.rule.map { "\($0)" } ?? ""
        parts.append("\(output.name) webhook \(webhook.settings.entity) \(rule)")
      case .kafka(let plan):
        // The key is no part of it: it may be given to a pipeline that has run.
        parts.append("\(output.name) \(plan.settings.topic) \(plan.settings.includesID)")
      }
    }
    let digest = SHA256.hash(data: Array(parts.joined(separator: "\u{0}").utf8))
    return Hexadecimal.encode(digest)
  }
}
