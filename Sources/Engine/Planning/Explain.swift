import Columns
import Delivery
import StreamSQL

extension PipelinePlan {
  /// One line: inputs, outputs, parallelism.
  public var summary: String {
    let topics = inputs.map(\.topic).joined(separator: ", ")
    let streams = outputs.dropLast().map { "\($0.stream) to \($0.kind.place)" }
    return "reads \(topics) as group \(configuration.group); "
      + "\(streams.joined(separator: "; ")); \(parallelism.text)"
  }

  /// Streams, operators, outputs, parallelism and why, as text.
  public func explain() -> String {
    var text = "pipeline \(configuration.name)\n"
    text += "  group        \(configuration.group)\n"
    text += "  guarantee    \(configuration.guarantee.rawValue)\n"
    text += "inputs\n"
    for (input, declared) in zip(inputs, configuration.inputs) {
      text += "  \(declared.stream) from topic \(input.topic), starting at \(input.start)\n"
      for column in input.schema.columns {
        let role = column.role == .metadata ? "  (from the record)" : ""
        text += "    \(column.name) \(column.type)\(role)\n"
      }
      if let eventTime = declared.eventTime {
        text +=
          "    ROWTIME is \(eventTime.column), up to \(Double(eventTime.lateness) / 1_000) s late; "
        text += "later rows go to \(eventTime.lateStream ?? "the dead letters")\n"
      }
    }
    if !tables.isEmpty { text += "reference tables\n" }
    for table in tables {
      let settings = table.settings
      text += "  \(settings.table) from \(settings.sourceName), "
      text += "looked at every \(Double(settings.refresh) / 1_000) s\n"
      for column in table.schema.columns { text += "    \(column.name) \(column.type)\n" }
    }
    text += application.explain(parallelism: parallelism.text)
    text += "outputs\n"
    for output in outputs {
      let stream = output.stream.isEmpty ? output.name : output.stream
      text += "  \(stream) to \(output.kind.place)\n"
    }
    if !models.isEmpty { text += "models\n" }
    for model in models { text += model.explanation }
    return text
  }
}

extension PipelinePlan.Parallelism {
  /// The choice and its reason.
  var text: String {
    switch self {
    case .single(let reason): "one task: \(reason)"
    case .partitionParallel(let reason): "one task per partition: \(reason)"
    }
  }
}

extension OutputPlan.Kind {
  /// Where rows go, in words; secrets do not show.
  var place: String {
    switch self {
    case .delivery(let delivery):
      "\(delivery.settings.destination) as \(delivery.settings.encoding.rawValue), "
        + "compression \(delivery.compression.rawValue)"
    case .webhook(let webhook):
      "a webhook (\(webhook.settings.format.name))"
        + (webhook.settings.rule == nil ? "" : " by episodes")
    case .kafka(let plan):
      "topic \(plan.settings.topic)" + (plan.settings.key.map { ", key \($0)" } ?? "")
    }
  }
}
