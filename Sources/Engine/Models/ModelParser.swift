import LearnedModels
import Learning
import Yams

/// Reads the `models:` of a pipeline file.
struct ModelParser {
  let reader: ConfigurationReader
  let seed: UInt64
  let inputs: [PipelineConfiguration.Input]
  let outputs: [PipelineConfiguration.Output]
  private static let year: Int64 = 366 * 86_400_000

  func models(_ root: MappingReader) -> [ModelConfiguration] {
    var models: [ModelConfiguration] = []
    for mapping in root.mappings("models") {
      guard let model = model(mapping) else { continue }
      if models.contains(where: { $0.name == model.name }) {
        reader.report("there is another model '\(model.name)'", at: mapping.value("name"))
      } else if models.contains(where: { $0.endpoint == model.endpoint }) {
        reader.report(
          "another model serves the endpoint '\(model.endpoint)' already",
          at: mapping.value("endpoint") ?? mapping.node,
          hint: "give each model an endpoint of its own")
      }
      models.append(model)
    }
    return models
  }

  private func model(_ mapping: MappingReader) -> ModelConfiguration? {
    defer { mapping.finish() }
    let name = mapping.requiredString("name")
    let endpoint = mapping.string("endpoint") ?? name
    check(name, "name", mapping)
    if mapping.value("endpoint") != nil { check(endpoint, "endpoint", mapping) }
    _ = mapping.required("algorithm")
    let algorithm = mapping.choice("algorithm", Algorithm.allCases.map { ($0.rawValue, $0) })
    let hyperparameters = Dictionary(
      mapping.stringTable("hyperparameters"), uniquingKeysWith: { $1 })
    let own = mapping.integer("seed", in: 0...Int64.max)
    let data = data(mapping, algorithm)
    let schedule = schedule(mapping)
    let gate = mapping.mapping("gate").map { self.gate($0, algorithm) }
    let rollout = mapping.mapping("rollout").map(rollout)
    let guards = mapping.mapping("guards").map(guards)
    let limits = mapping.mapping("limits")
    let memory = limits?.size("memory", in: 64 << 20...1 << 40)
    let time = limits?.duration("time", in: 1_000...7 * 86_400_000)
    limits?.finish()
    guard let name, let endpoint, let algorithm, let data, let schedule else { return nil }
    var model = ModelConfiguration(
      name: name, algorithm: algorithm, hyperparameters: hyperparameters,
      seed: own.map(UInt64.init) ?? seed, data: data, schedule: schedule)
    model.endpoint = endpoint
    model.gate = gate ?? model.gate
    model.rollout = rollout ?? model.rollout
    model.guards = guards ?? model.guards
    model.memoryLimit = memory ?? model.memoryLimit
    model.timeLimit = time ?? model.timeLimit
    model.place = Place(of: mapping.value("data"))
    check(model, mapping)
    return model
  }

  private func check(_ name: String?, _ key: String, _ mapping: MappingReader) {
    guard let name, !PipelineParser.isName(name) || name.isEmpty else { return }
    reader.report(
      "\(mapping.path(to: key)) '\(name)' has other characters than letters, digits, '-', '_' and "
        + "'.', or none", at: mapping.value(key))
  }

  /// What the trainer would refuse before it reads a row.
  private func check(_ model: ModelConfiguration, _ mapping: MappingReader) {
    let count = model.data.columns.isEmpty ? nil : model.data.columns.count
    do throws(HyperparameterError) {
      try TrainingRequest(
        algorithm: model.algorithm, hyperparameters: model.hyperparameters
      ).check(featureCount: count)
    } catch {
      let node = mapping.value("hyperparameters")
      let known = TrainingRequest.hyperparameterNames(of: model.algorithm)
      reader.report(
        "\(mapping.path): \(error.description)", at: node ?? mapping.node,
        hint: known.contains(error.name)
          ? nil : MappingReader.nearest(error.name, in: known).map { "did you mean \($0)?" })
    }
    if model.algorithm == .randomCutForest, !model.data.columns.isEmpty,
      model.hyperparameters["shingle_size"] ?? "1" != "1"
    {
      reader.report(
        "\(mapping.path): shingle_size makes points of consecutive rows, but those of topics and "
          + "delivered files are trained on in random order", at: mapping.value("hyperparameters"),
        hint: "train with 'cutbank train' on the rows of one series in the order of time")
    }
  }

  private func schedule(_ mapping: MappingReader) -> Schedule? {
    guard let node = mapping.required("schedule"),
      let schedule = reader.mapping(node, path: mapping.path(to: "schedule"))
    else { return nil }
    defer { schedule.finish() }
    let interval = schedule.duration("every", in: 1_000...Self.year)
    let text = schedule.string("cron")
    guard (schedule.value("every") == nil) != (schedule.value("cron") == nil) else {
      reader.report(
        "\(schedule.path) needs one of every and cron", at: node,
        hint: "{every: 1d}, or {cron: \"0 3 * * *\"}")
      return nil
    }
    guard let text else { return interval.map(Schedule.every) }
    guard let expression = CronExpression(text) else {
      reader.report(
        "'\(text)' is no cron expression", at: schedule.value("cron"),
        hint: "five fields in UTC: minute hour day month weekday, for example \"0 3 * * *\"")
      return nil
    }
    guard expression.next(after: 0) != nil else {
      reader.report("'\(text)' never comes", at: schedule.value("cron"))
      return nil
    }
    return .cron(expression)
  }

  // MARK: Data

  private func data(
    _ mapping: MappingReader, _ algorithm: Algorithm?
  ) -> ModelConfiguration.DataSource? {
    guard let node = mapping.required("data"),
      let data = reader.mapping(node, path: mapping.path(to: "data"))
    else { return nil }
    defer { data.finish() }
    let origin = origin(data)
    let window = data.duration("window", in: 1_000...10 * Self.year)
    let columns = data.strings("columns")
    let time = data.string("time")
    let key = data.strings("key")
    let categories = data.strings("categories")
    let dynamicFeatures = data.strings("dynamic_features")
    let minimum = data.integer("minimum_rows", in: 2...1_000_000_000)
    let maximum = data.integer("maximum_rows", in: 2...1_000_000_000)
    guard let origin else { return nil }
    var source = ModelConfiguration.DataSource(origin: origin)
    source.window = window
    source.columns = columns
    source.time = time
    source.key = key
    source.categories = categories
    source.dynamicFeatures = dynamicFeatures
    source.minimumRows = minimum ?? source.minimumRows
    source.maximumRows = max(maximum ?? source.maximumRows, source.minimumRows)
    if case .file = origin {
      if algorithm == .deepAR {
        reader.report(
          "\(data.path(to: "file")): a forecaster is trained on topics and delivered files",
          at: data.value("file"), hint: "cutbank train --algorithm deepar reads files of series")
      }
      for name in ["window", "columns", "time", "key", "categories", "dynamic_features"]
      where data.value(name) != nil {
        reader.report(
          "\(data.path(to: name)) says nothing about a file", at: data.value(name),
          hint: "all columns of a file are features; leave \(name) out")
      }
    } else {
      check(source, algorithm, data)
    }
    return source
  }

  private func check(
    _ source: ModelConfiguration.DataSource, _ algorithm: Algorithm?, _ data: MappingReader
  ) {
    if source.columns.isEmpty {
      reader.report(
        "\(data.path(to: "columns")) is missing or empty", at: data.value("columns") ?? data.node,
        hint: "name the columns that are features, in the order in which ML_PREDICT has them")
    }
    if algorithm == .deepAR, source.columns.count > 1 {
      reader.report(
        "\(data.path(to: "columns")) of a forecaster is the one column that is forecast",
        at: data.value("columns"))
    }
    for name in ["key", "categories", "dynamic_features"] where data.value(name) != nil {
      guard let algorithm, algorithm != .deepAR else { continue }
      reader.report(
        "\(data.path(to: name)) says something about series, and \(algorithm.rawValue) knows none",
        at: data.value(name), hint: "leave \(name) out")
    }
    let named = source.columns + source.categories + source.dynamicFeatures
    if algorithm == .deepAR,
      let twice = named.first(where: { name in named.count { $0 == name } > 1 })
    {
      reader.report("\(data.path): the column '\(twice)' is named twice", at: data.node)
    }
    if source.time == nil, source.window != nil, case .delivered = source.origin {
      reader.report(
        "\(data.path(to: "window")) of delivered files needs time: the column of a row's time",
        at: data.value("window"))
    }
    if source.time == nil, algorithm == .deepAR, case .delivered = source.origin {
      reader.report(
        "\(data.path(to: "time")) is missing: a forecaster needs the column of a row's time",
        at: data.node)
    }
  }

  private func origin(_ data: MappingReader) -> ModelConfiguration.DataSource.Origin? {
    let topic = data.string("topic")
    let delivered = data.string("delivered")
    let file = data.string("file")
    guard ["topic", "delivered", "file"].count(where: { data.value($0) != nil }) == 1 else {
      reader.report(
        "\(data.path) needs exactly one of topic, delivered and file", at: data.node,
        hint: "topic: the stream of an input, delivered: that of an output, or file: a path")
      return nil
    }
    if let file { return .file(file) }
    if let topic {
      check(topic, in: inputs.map(\.stream), "stream of inputs", "topic", data)
      return .topic(stream: topic)
    }
    guard let delivered else { return nil }
    let streams = outputs.filter { output in
      if case .delivery = output.kind { true } else { false }
    }.map(\.stream)
    check(delivered, in: streams, "stream that an output delivers", "delivered", data)
    return .delivered(stream: delivered)
  }

  private func check(
    _ stream: String, in streams: [String], _ what: String, _ key: String, _ data: MappingReader
  ) {
    guard !streams.contains(stream) else { return }
    reader.report(
      "\(data.path(to: key)): '\(stream)' is no \(what)", at: data.value(key),
      hint: MappingReader.nearest(stream, in: streams).map { "did you mean \($0)?" }
        ?? (streams.isEmpty ? nil : "there are \(streams.joined(separator: ", "))"))
  }
}

extension Place {
  /// Where a node begins.
  init(of node: Node?) {
    line = node?.mark?.line ?? 0
    column = node?.mark?.column ?? 0
  }
}
