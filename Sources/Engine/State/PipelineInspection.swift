public import Logging

/// The states of a pipeline's tasks, wherever it keeps them.
public enum PipelineInspection {
  /// The state of one task.
  public struct Task {
    /// Where it lies: a folder, or partitions of topics.
    public let place: String
    /// What is there.
    public let inspection: StateInspection

    /// Names the place of an inspection.
    public init(place: String, inspection: StateInspection) {
      self.place = place
      self.inspection = inspection
    }
  }

  /// Reads the states of all tasks, or of one; changes nothing and joins no group.
  ///
  /// - Parameters:
  ///   - plan: The pipeline.
  ///   - task: The number of the only task to look at.
  ///   - dataDirectory: Where folders of state lie.
  ///   - logger: Told what the brokers say.
  /// - Returns: The tasks that have state, by their numbers.
  /// - Throws: `DiskError` when a folder cannot be read, `KafkaError` when brokers do not answer.
  public static func tasks(
    of plan: PipelinePlan, only task: Int?, dataDirectory: String, logger: Logger
  ) throws -> [Task] {
    switch plan.configuration.stateStore {
    case .directory: try inFolders(plan, task, dataDirectory)
    case .topics: try inTopics(plan, task, logger)
    }
  }

  private static func inFolders(
    _ plan: PipelinePlan, _ task: Int?, _ dataDirectory: String
  ) throws -> [Task] {
    let folder = "\(dataDirectory)/\(plan.configuration.name)"
    let numbers = try LocalDisk().list(folder).compactMap { name in
      name.hasPrefix("task-") ? Int(name.dropFirst(5)) : nil
    }
    return try numbers.sorted().filter { task == nil || $0 == task }.map { number in
      let place = "\(folder)/task-\(number)"
      return Task(place: place, inspection: try StateInspection(folder: place))
    }
  }

  private static func inTopics(
    _ plan: PipelinePlan, _ task: Int?, _ logger: Logger
  ) throws -> [Task] {
    let reading = try GroupReading(plan, broker: KafkaBroker(), logger: logger)
    let topics = try KafkaBroker().makeStateTopics(plan, logger: logger)
    var found: [Task] = []
    for (number, partitions) in reading.tasks where task == nil || number == task {
      guard let record = try reading.record(ofLead: partitions[0]) else { continue }
      let names = TopicSnapshotStore.names(of: plan.configuration.name)
      found.append(
        Task(
          place: names.map { "\($0)[\(number)]" }.joined(separator: " and "),
          inspection: try StateInspection(
            pipeline: plan.configuration.name, task: number, topics: topics, record: record)))
    }
    try reading.close()
    return found
  }
}
