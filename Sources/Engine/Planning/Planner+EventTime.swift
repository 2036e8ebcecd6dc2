import Columns
import StreamSQL

/// Columns that give ROWTIME, and the streams of rows that come too late for it.
extension Planner {
  /// The columns of a stream of late rows: those of the input, and the watermark that they missed.
  static func lateSchema(_ schema: Schema) -> Schema {
    Schema(schema.columns + [ColumnDefinition(name: "WATERMARK", type: .timestamp)])
  }

  /// The place of the column; nil after noting what is wrong with it.
  mutating func eventTimeColumn(
    _ eventTime: PipelineConfiguration.EventTime, _ input: PipelineConfiguration.Input,
    _ schema: Schema
  ) -> Int? {
    let what = "input \(input.stream): event_time"
    guard let column = input.columns.firstIndex(where: { $0.definition.name == eventTime.column })
    else {
      let names = input.columns.map(\.definition.name)
      problem(
        "\(what): there is no column '\(eventTime.column)'",
        hint: MappingReader.nearest(eventTime.column, in: names).map { "did you mean \($0)?" }
          ?? "columns: \(names.joined(separator: ", "))")
      return nil
    }
    guard [.timestamp, .bigint].contains(schema.columns[column].type) else {
      problem(
        "\(what): '\(eventTime.column)' is \(schema.columns[column].type)",
        hint: "it must be TIMESTAMP, or BIGINT for milliseconds since 1970")
      return nil
    }
    if eventTime.lateStream != nil, schema.index(of: "WATERMARK") != nil {
      problem(
        "\(what): late rows get a column WATERMARK, and the input has one",
        hint: "give that column another name")
      return nil
    }
    return column
  }

  /// The streams of late rows, each known to its input, and what event time does not go with.
  mutating func lateSources(_ inputs: inout [InputPlan]) -> [SourceStream] {
    let declared = configuration.inputs.compactMap(\.eventTime)
    guard !declared.isEmpty else { return [] }
    if declared.count < inputs.count {
      problem(
        "some inputs have event_time and others have not",
        hint: "rows of several inputs are merged by time: declare it for all of them or for none")
    }
    if configuration.history != nil {
      problem("history and event_time do not go together", hint: "leave one of them out")
    }
    var sources: [SourceStream] = []
    for index in inputs.indices {
      guard let name = configuration.inputs[index].eventTime?.lateStream else { continue }
      let taken = configuration.inputs.map(\.stream) + sources.map(\.name)
      if taken.contains(name) {
        problem("the stream '\(name)' of late rows has the name of another stream")
      }
      let place = inputs.count + sources.count
      inputs[index].eventTime?.lateSource = place
      sources.append(
        SourceStream(
          name: name, schema: Self.lateSchema(inputs[index].schema),
          key: configuration.inputs[index].key))
    }
    return sources
  }
}
