import Columns
import Dataflow
import Kafka
import Logging
import Synchronization
import Transport

/// A reference table in a compacted topic: the newest record of each key, in the order of the keys.
///
/// The topic is read from its beginning when the daemon starts; from then on every look takes what has
/// arrived since. A record that is no row leaves the row of its key as it was.
final class TopicTableSource: TableSource {
  private let topic: String
  private let decoder: TableDecoder
  private let threads: BlockingThreads
  private let logger: Logger
  private let makeReader: @Sendable () throws -> any GroupMember
  private let state = Mutex(State())

  private struct State {
    var reading: Reading?
    /// The rows by key, as the topic's bytes.
    var rows: [[UInt8]: [UInt8]] = [:]
    var byteCount = 0
    /// Whether rows have changed since they were last given.
    var hasChanged = true
  }

  /// What is read from, and how far it must be read before the table is whole.
  private struct Reading {
    let reader: any GroupMember
    let queues: [any RecordQueue]
    /// Partitions whose records of the beginning have not all been read, with the end then.
    var unread: [TopicPartition: Int64]
  }

  init(
    _ plan: TablePlan, topic: String, threads: BlockingThreads, logger: Logger,
    makeReader: @escaping @Sendable () throws -> any GroupMember
  ) {
    self.topic = topic
    self.threads = threads
    self.logger = logger
    self.makeReader = makeReader
    decoder = TableDecoder(plan: plan)
  }

  func load() async throws -> TableContent? {
    try await threads.run { try self.open() }
    // The beginning takes as long as it takes; each step leaves the thread to others.
    while try await threads.run({ try self.step() }) { try Task.checkCancellation() }
    return try await threads.run { try self.content() }
  }

  func close() async throws {
    try await threads.run {
      try self.state.withLock { state in
        try state.reading?.reader.close(timeout: .seconds(5))
        state.reading = nil
      }
    }
  }

  // MARK: On a thread

  private func open() throws {
    try state.withLock { state in
      guard state.reading == nil else { return }
      state.rows = [:]
      state.byteCount = 0
      state.hasChanged = true
      let reader = try makeReader()
      guard let count = try reader.partitionCount(of: topic, timeout: .seconds(5)) else {
        try reader.close(timeout: .seconds(5))
        throw TableProblem(place: "topic \(topic)", message: "there is no such topic")
      }
      var unread: [TopicPartition: Int64] = [:]
      var starts: [PartitionStart] = []
      for number in 0..<count {
        let partition = TopicPartition(topic: topic, partition: Int32(number))
        let marks = try reader.watermarks(of: partition, timeout: .seconds(10))
        if marks.low < marks.high { unread[partition] = marks.high }
        starts.append(PartitionStart(partition, at: .offset(marks.low)))
      }
      let queues = try reader.assign(starts)
      state.reading = Reading(reader: reader, queues: queues, unread: unread)
    }
  }

  /// Reads what waits; returns whether the table is not whole yet.
  private func step() throws -> Bool {
    try state.withLock { state in
      guard let reading = state.reading else { return false }
      if case .error(let error)? = reading.reader.poll(timeout: .milliseconds(50)), error.isFatal {
        throw error
      }
      var check = RecordCheck(try decoder.makeDecoder("topic \(topic)"))
      var batch = RecordBatch(capacity: Batch.rowLimit)
      for queue in reading.queues {
        while true {
          batch.reset()
          queue.append(to: &batch)
          for index in 0..<batch.count {
            take(batch, index, queue.topicPartition, &state, &check)
          }
          try take(batch.events, queue.topicPartition, &state)
          if batch.count == 0 { break }
        }
      }
      return state.reading.map { !$0.unread.isEmpty } ?? true
    }
  }

  private func take(
    _ batch: borrowing RecordBatch, _ index: Int, _ partition: TopicPartition,
    _ state: inout State, _ check: inout RecordCheck
  ) {
    let offset = batch.offsets[index]
    defer { passed(offset + 1, partition, &state) }
    let place = "\(partition)@\(offset)"
    guard let key = batch.copyOfKey(at: index) else {
      return logger.warning(
        "table \(decoder.plan.settings.table): the record \(place) has no key and is left out")
    }
    guard let value = batch.copyOfValue(at: index) else {
      if let old = state.rows.removeValue(forKey: key) {
        state.byteCount -= key.count + old.count
        state.hasChanged = true
      }
      return
    }
    if let reason = check.reason(against: value) {
      let table = decoder.plan.settings.table
      return logger.warning(
        "table \(table): the record \(place) is no row, its key keeps what it had: \(reason)")
    }
    if let old = state.rows.updateValue(value, forKey: key) {
      state.byteCount -= key.count + old.count
    }
    state.byteCount += key.count + value.count
    state.hasChanged = true
  }

  private func take(
    _ events: [QueueEvent], _ partition: TopicPartition, _ state: inout State
  ) throws {
    for event in events {
      switch event {
      case .partitionEnd(let offset): passed(offset, partition, &state)
      case .offsetOutOfRange:
        // The topic was made anew: it is read from its beginning.
        let reader = state.reading?.reader
        state.reading = nil
        try reader?.close(timeout: .seconds(5))
        throw TableProblem(
          place: "\(partition)", message: "the topic was made anew and is read from its beginning")
      case .error(let error): throw error
      }
    }
  }

  private func passed(_ offset: Int64, _ partition: TopicPartition, _ state: inout State) {
    guard let end = state.reading?.unread[partition], offset >= end else { return }
    state.reading?.unread[partition] = nil
  }

  private func content() throws -> TableContent? {
    try state.withLock { state in
      guard state.reading != nil, state.hasChanged else { return nil }
      let limit = decoder.plan.settings.byteLimit
      guard state.byteCount <= limit else {
        throw TableProblem(place: "topic \(topic)", message: decoder.tooLarge(state.byteCount))
      }
      let records = state.rows.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        .map { (key: $0.key, value: $0.value) }
      let content = try decoder.decode(records: records, name: "topic \(topic)")
      state.hasChanged = false
      return content
    }
  }
}
