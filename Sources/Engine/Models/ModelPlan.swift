import Codecs
import Columns
import Delivery
import LearnedModels
import StreamSQL

/// A model whose data were found.
struct ModelPlan: Sendable {
  let configuration: ModelConfiguration
  let source: TrainingSource
}

/// Where training rows come from and which columns count.
enum TrainingSource: Sendable {
  /// The records of a topic.
  case topic(name: String, TrainingColumns)
  /// The objects of a folder, compressed like this.
  case objects(folder: String, Compression, TrainingColumns)
  /// The Parquet files of a folder.
  case parquet(folder: String, ParquetFormat, TrainingColumns)
  /// A file in a form that the trainer reads.
  case file(String)

  /// Where rows come from, for people.
  var description: String {
    switch self {
    case .topic(let name, _): "topic \(name)"
    case .objects(let folder, _, _), .parquet(let folder, _, _): folder
    case .file(let path): path
    }
  }
}

/// How records become rows of a model.
struct TrainingColumns: Sendable {
  let schema: Schema
  let format: RecordFormat
  /// The places of the features in the schema, in the model's order.
  let features: [Int]
  /// The place of the time of a row; nil is the record's timestamp.
  let time: Int?
  /// The places of what tells series apart.
  let key: [Int]
  /// The places of the categories of a series.
  let categories: [Int]
  /// The places of what is known beforehand in every period of a series.
  let dynamicFeatures: [Int]
}

/// Finds the data of models and collects what is wrong with them.
struct ModelPlanner {
  let configuration: PipelineConfiguration
  private(set) var problems: [ConfigurationProblem] = []
  private var place = Place()

  init(configuration: PipelineConfiguration) { self.configuration = configuration }

  mutating func plans(
    inputs: [InputPlan], outputs: [OutputPlan], application: Plan
  ) -> [ModelPlan] {
    configuration.models.compactMap { model in
      place = model.place
      checkUse(of: model, application)
      guard let source = source(of: model, inputs, outputs) else { return nil }
      return ModelPlan(configuration: model, source: source)
    }
  }

  private mutating func problem(
    _ message: String, hint: String? = nil, severity: ConfigurationProblem.Severity = .error
  ) {
    problems.append(
      ConfigurationProblem(
        file: configuration.file, line: place.line, column: place.column, severity: severity,
        message: message, hint: hint))
  }

  /// Compares a model with who asks its endpoint.
  private mutating func checkUse(of model: ModelConfiguration, _ application: Plan) {
    guard application.endpoints.contains(model.endpoint) else {
      let nearest = MappingReader.nearest(model.endpoint, in: application.endpoints)
      return problem(
        "model \(model.name): no statement of the application asks the endpoint '\(model.endpoint)'",
        hint: nearest.map { "it asks '\($0)'" }, severity: .warning)
    }
    let columns = model.data.columns
    guard model.algorithm != .deepAR else { return checkSeries(of: model, application) }
    guard !columns.isEmpty else { return }
    for features in application.features(ofEndpoint: model.endpoint)
    where features.count != columns.count {
      problem(
        "model \(model.name) is trained on \(columns.count) columns (\(columns.joined(separator: ", ")))"
          + ", but ML_PREDICT gives '\(model.endpoint)' \(features.count) "
          + "(\(features.joined(separator: ", ")))",
        hint: "columns are those that the cursor has outside PARTITION BY, in its order")
    }
  }

  /// What a forecaster learns of a series ML_FORECAST must tell it.
  private mutating func checkSeries(of model: ModelConfiguration, _ application: Plan) {
    for (categories, features) in application.seriesColumns(ofEndpoint: model.endpoint) {
      compare(model, "categories", "cardinality", model.data.categories, categories)
      compare(model, "dynamic_features", "num_dynamic_feat", model.data.dynamicFeatures, features)
    }
  }

  private mutating func compare(
    _ model: ModelConfiguration, _ option: String, _ parameter: String, _ trained: [String],
    _ given: [String]
  ) {
    let isIgnored = ["ignore", ""].contains(model.hyperparameters[parameter] ?? "auto")
    guard !trained.isEmpty, !isIgnored, trained.count != given.count else { return }
    let list = given.isEmpty ? "none" : given.joined(separator: ", ")
    problem(
      "model \(model.name) is trained with \(option) \(trained.joined(separator: ", ")), but "
        + "ML_FORECAST gives '\(model.endpoint)' \(list)",
      hint:
        "write \(option) => '\(trained.joined(separator: ", "))' with the columns of the cursor, or "
        + "\(parameter): ignore among the hyperparameters")
  }

  private mutating func source(
    of model: ModelConfiguration, _ inputs: [InputPlan], _ outputs: [OutputPlan]
  ) -> TrainingSource? {
    switch model.data.origin {
    case .file(let path): return .file(path)
    case .topic(let stream):
      guard let index = configuration.inputs.firstIndex(where: { $0.stream == stream }) else {
        return nil
      }
      let input = inputs[index]
      return columns(of: model, stream, input.schema, input.format)
        .map { .topic(name: input.topic, $0) }
    case .delivered(let stream):
      return delivered(model, outputs.first { $0.stream == stream && $0.kind.isDelivery })
    }
  }

  private mutating func delivered(
    _ model: ModelConfiguration, _ output: OutputPlan?
  ) -> TrainingSource? {
    guard let output, case .delivery(let delivery) = output.kind else { return nil }
    let encoding = delivery.settings.encoding
    guard case .directory(let folder) = delivery.destination else {
      problem(
        "model \(model.name) cannot be trained on what \(output.stream) delivers: only files in a "
          + "folder are read back",
        hint: "deliver {to: file://…} as well, or train on the topic")
      return nil
    }
    guard encoding == .parquet || encoding != .raw && delivery.settings.endsLines else {
      problem(
        "model \(model.name) cannot be trained on what \(output.stream) delivers: records without "
          + "columns or line ends cannot be told apart",
        hint: "deliver {format: jsonl}, csv or parquet with line ends, or train on the topic")
      return nil
    }
    if encoding == .csv {
      return columns(of: model, output.stream, output.schema, .csv(CSVFormat())).map {
        .objects(folder: folder, delivery.compression, $0)
      }
    }
    do {
      let paths = try output.schema.columns.map { column throws -> JSONPath in
        try JSONPath("$['\(column.name)']")
      }
      let format = RecordFormat.json(rowPath: try JSONPath("$"), paths: paths)
      return columns(of: model, output.stream, output.schema, format).map {
        encoding == .parquet
          ? .parquet(folder: folder, ParquetFormat(schema: output.schema), $0)
          : .objects(folder: folder, delivery.compression, $0)
      }
    } catch {
      problem("model \(model.name): a column of \(output.stream) has no path: \(error)")
      return nil
    }
  }

  private mutating func columns(
    of model: ModelConfiguration, _ stream: String, _ schema: Schema, _ format: RecordFormat
  ) -> TrainingColumns? {
    let data = model.data
    let features = data.columns.compactMap { column($0, of: model, stream, schema) }
    let key = data.key.compactMap { column($0, of: model, stream, schema) }
    let time = data.time.flatMap { column($0, of: model, stream, schema) }
    let categories = data.categories.compactMap { column($0, of: model, stream, schema) }
    let dynamic = data.dynamicFeatures.compactMap { column($0, of: model, stream, schema) }
    guard categories.count == data.categories.count, dynamic.count == data.dynamicFeatures.count
    else { return nil }
    guard features.count == data.columns.count, key.count == data.key.count,
      (time == nil) == (data.time == nil)
    else { return nil }
    for column in categories.map({ schema.columns[$0] })
    where !column.type.isFeature || column.type.storage != .integer {
      problem(
        "model \(model.name): column '\(column.name)' of \(stream) is \(column.type), categories are "
          + "integers from 0")
      return nil
    }
    for column in (features + dynamic).map({ schema.columns[$0] }) where !column.type.isFeature {
      problem(
        "model \(model.name): column '\(column.name)' of \(stream) is \(column.type), features are "
          + "integers, REAL and DOUBLE")
      return nil
    }
    if let time, schema.columns[time].type != .timestamp {
      problem(
        "model \(model.name): time names '\(schema.columns[time].name)' of \(stream), which is "
          + "\(schema.columns[time].type) and no TIMESTAMP")
      return nil
    }
    return TrainingColumns(
      schema: schema, format: format, features: features, time: time, key: key,
      categories: categories, dynamicFeatures: dynamic)
  }

  private mutating func column(
    _ name: String, of model: ModelConfiguration, _ stream: String, _ schema: Schema
  ) -> Int? {
    if let index = schema.index(of: name), schema.columns[index].role == .data { return index }
    let names = schema.columns.filter { $0.role == .data }.map(\.name)
    problem(
      "model \(model.name): \(stream) has no column '\(name)'",
      hint: MappingReader.nearest(name, in: names).map { "did you mean \($0)?" }
        ?? "columns: \(names.joined(separator: ", "))")
    return nil
  }
}

extension OutputPlan.Kind {
  fileprivate var isDelivery: Bool { if case .delivery = self { true } else { false } }
}

extension ColumnType {
  /// Whether ML_PREDICT takes such columns too.
  fileprivate var isFeature: Bool {
    if case .decimal = self { return false }
    return isNumeric
  }
}
