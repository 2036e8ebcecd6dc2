public import Kafka
public import Logging

/// Compares what a pipeline's topics keep with what a replay needs, for `cutbank validate`.
public struct RetentionCheck {
  private let reading: GroupReading
  private let dataDirectory: String
  private let logger: Logger

  /// Connects to the pipeline's brokers; its group is not joined, and nothing is changed.
  ///
  /// - Throws: `KafkaError` when they do not answer.
  public init(_ plan: PipelinePlan, dataDirectory: String, logger: Logger) throws(KafkaError) {
    reading = try GroupReading(plan, broker: KafkaBroker(), logger: logger)
    self.dataDirectory = dataDirectory
    self.logger = logger
  }

  /// What is missing, or may be missing after an outage, as warnings.
  ///
  /// - Throws: `KafkaError` when the brokers stop answering, `DiskError` when state cannot be read.
  public func warnings() throws -> [ConfigurationProblem] {
    var found: [ConfigurationProblem] = []
    for (input, count) in zip(reading.plan.inputs, reading.counts) {
      if count == nil {
        found.append(
          warning(
            "topic '\(input.topic)' does not exist on \(reading.plan.configuration.kafka.brokers)",
            hint: "the daemon waits for it"))
      } else if let short = try shortRetention(of: input.topic) {
        found.append(short)
      }
    }
    for task in reading.tasks { found += try margins(of: task.number, task.partitions) }
    try reading.close()
    return found
  }

  private func warning(_ message: String, hint: String) -> ConfigurationProblem {
    ConfigurationProblem(
      file: reading.plan.configuration.file, severity: .warning, message: message, hint: hint)
  }

  /// Whether a topic keeps records for two snapshots and an hour of outage.
  private func shortRetention(of topic: String) throws(KafkaError) -> ConfigurationProblem? {
    let needed = 2 * reading.plan.configuration.timing.snapshotInterval + 3_600_000
    guard let settings = try reading.member.settings(of: topic, timeout: GroupReading.timeout),
      settings["cleanup.policy"]?.contains("delete") ?? true,
      let kept = settings["retention.ms"].flatMap({ Int64($0) }), kept >= 0, kept < needed
    else { return nil }
    return warning(
      "topic '\(topic)' keeps records for \(kept) ms: after a crash those since the last snapshot are read "
        + "again, however long the daemon was down",
      hint:
        "set retention.ms of the topic to \(needed) (two snapshots and an hour of outage) or more")
  }

  /// Compares the log starts of a task's partitions with the offsets of its snapshot.
  private func margins(
    of task: Int, _ partitions: [TopicPartition]
  ) throws -> [ConfigurationProblem] {
    guard let record = try reading.record(ofLead: partitions[0]) else { return [] }
    let name = "task \(reading.plan.configuration.name)/\(task)"
    guard let offsets = try offsets(of: record.snapshot, task) else {
      return [
        warning(
          "\(name): snapshot \(record.snapshot), which the group's commit names, is not here, so that the log "
            + "start was not compared with it",
          hint: "run validate where the state is: with the data_directory of the daemon")
      ]
    }
    var found: [ConfigurationProblem] = []
    for (partition, needed) in zip(partitions, offsets) {
      let marks = try reading.member.watermarks(of: partition, timeout: GroupReading.timeout)
      let margin = ReplayMargin(partition: partition, needed: needed, marks: marks)
      if let problem = margin.problem {
        found.append(warning("\(name): \(problem)", hint: margin.hint))
      }
    }
    return found
  }

  /// The offsets that a snapshot was taken at; nil when it is not there.
  private func offsets(of snapshot: Int64, _ task: Int) throws -> [Int64]? {
    let name = reading.plan.configuration.name
    let found: Snapshot?
    // The rest of it can be large.
    let isEnough = { (snapshot: Snapshot) in TaskCore.hasHeader(snapshot.slices) }
    switch reading.plan.configuration.stateStore {
    case .directory:
      found = try LocalSnapshotStore.peek(
        snapshot, in: "\(dataDirectory)/\(name)/task-\(task)", disk: LocalDisk(), until: isEnough)
    case .topics:
      found = try TopicSnapshotStore(
        pipeline: name, task: task,
        topics: try KafkaBroker().makeStateTopics(reading.plan, logger: logger)
      ).peek(snapshot, until: isEnough)
    }
    return try found.map { try TaskCore.header(of: $0.slices).offsets }
  }
}
