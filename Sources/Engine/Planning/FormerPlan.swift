import Foundation

extension PipelinePlan {
  /// Whether a daemon that runs this plan does what it did with `other`.
  public func isUnchanged(from other: PipelinePlan) -> Bool {
    configuration.name == other.configuration.name
      && configuration.sourceText == other.configuration.sourceText
      && configuration.application == other.configuration.application
      && configuration.kafka == other.configuration.kafka
  }

  /// Whether a task of this pipeline reads what a task of the same number of the other one reads.
  public func sharesInputs(as other: PipelinePlan) -> Bool {
    guard inputs.map(\.topic) == other.inputs.map(\.topic) else { return false }
    switch (parallelism, other.parallelism) {
    case (.single, .single), (.partitionParallel, .partitionParallel): return true
    default: return false
    }
  }

  /// Whether rows that wait for outputs of `former` may be delivered by this pipeline.
  public func keepsOutputs(of former: PipelinePlan) -> Bool {
    former.outputs.allSatisfy { keeps($0, of: former) }
  }

  /// Whether rows that wait for an output of `former` may be delivered by this pipeline: there is one of
  /// the same name and kind, perhaps with another destination.
  ///
  /// Where a stream has gained or lost outputs their names have moved, and the destination must be the same.
  func keeps(_ output: OutputPlan, of former: PipelinePlan) -> Bool {
    guard let kept = outputs.first(where: { $0.name == output.name }) else { return false }
    let isAsMany =
      outputs.count { $0.stream == output.stream }
      == former.outputs.count { $0.stream == output.stream }
    switch (kept.kind, output.kind) {
    case (.delivery(let now), .delivery(let before)):
      return isAsMany || now.settings.destination == before.settings.destination
    case (.webhook(let now), .webhook(let before)):
      return isAsMany || now.settings.url == before.settings.url
    case (.kafka(let now), .kafka(let before)):
      return isAsMany || now.settings.topic == before.settings.topic
    default: return false
    }
  }

  /// The pipeline that made a snapshot, as the texts in it describe it.
  ///
  /// - Parameters:
  ///   - snapshot: The snapshot.
  ///   - plan: The pipeline as it is now, whose brokers are the same.
  ///   - dataDirectory: Where its state lives.
  /// - Returns: Its plan.
  /// - Throws: `ConfigurationRefused` when this program, or the environment, does not give that pipeline.
  static func former(
    of snapshot: Snapshot, beside plan: PipelinePlan, dataDirectory: String
  ) throws -> PipelinePlan {
    let (configuration, _) = try PipelineConfiguration.read(
      file: plan.configuration.file, text: snapshot.pipelineText,
      environment: ProcessInfo.processInfo.environment, daemon: plan.configuration.kafka,
      readFile: { _ in snapshot.applicationText })
    return try make(configuration, dataDirectory: dataDirectory).0
  }
}
