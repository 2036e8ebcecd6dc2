import Kafka
import Logging
import Testing

let quiet: Logger = {
  var logger = Logger(label: "kafka-tests") { _ in SwiftLogNoOpLogHandler() }
  logger.logLevel = .critical
  return logger
}()

/// How long an awaited event may take on a loaded machine.
let patience = Duration.seconds(30)

/// Runs a blocking test body on a thread of its own, so that tests run in parallel.
func onThread<Result: Sendable>(
  _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    let box = ThreadBody { continuation.resume(with: Swift.Result(catching: body)) }
    box.start()
  }
}

/// A record copied out of a batch.
struct Copied: Equatable, Sendable {
  var offset: Int64
  var timestamp: Int64 = 0
  var key: [UInt8]?
  var value: [UInt8]?
}

extension RecordBatch {
  func copies() -> [Copied] {
    (0..<count).map { index in
      Copied(
        offset: offsets[index], timestamp: timestamps[index],
        key: copyOfKey(at: index), value: copyOfValue(at: index))
    }
  }
}

extension [UInt8] {
  init(_ text: String) {
    self = Array(text.utf8)
  }
}

struct TimedOut: Error, CustomStringConvertible {
  let description: String
}

extension Consumer {
  /// Polls until an event satisfies `body`; other events are dropped, errors too.
  func await<Found>(
    _ what: String, _ body: (ConsumerEvent) -> Found?
  ) throws -> Found {
    let deadline = ContinuousClock.now + patience
    while ContinuousClock.now < deadline {
      if let event = poll(timeout: .milliseconds(100)), let found = body(event) { return found }
    }
    throw TimedOut(description: "no \(what)")
  }

  /// Joins and takes what the group gives, from the beginning.
  func join(_ topics: [String]) throws -> [PartitionQueue] {
    try subscribe(to: topics)
    let partitions = try self.await("assignment") { event -> [TopicPartition]? in
      guard case .assign(let partitions) = event else { return nil }
      return partitions
    }
    return try assign(partitions.map { PartitionStart($0, at: .beginning) })
  }
}

/// Reads until `count` records came, waiting on a wakeup.
func read(_ count: Int, from queues: [PartitionQueue]) throws -> [Copied] {
  let wakeup = Wakeup()
  for queue in queues { queue.attach(wakeup) }
  var batch = RecordBatch(capacity: 512)
  var records: [Copied] = []
  let deadline = ContinuousClock.now + patience
  while records.count < count {
    guard ContinuousClock.now < deadline else {
      throw TimedOut(description: "\(records.count) of \(count) records")
    }
    var isIdle = true
    for queue in queues {
      queue.poll(into: &batch)
      if batch.count > 0 { isIdle = false }
      records += batch.copies()
    }
    if isIdle { wakeup.wait(timeout: .seconds(1)) }
  }
  return records
}

/// Reads until the queue says something that is no record.
func awaitEvent(from queue: PartitionQueue) throws -> QueueEvent {
  let wakeup = Wakeup()
  queue.attach(wakeup)
  var batch = RecordBatch()
  let deadline = ContinuousClock.now + patience
  while ContinuousClock.now < deadline {
    queue.poll(into: &batch)
    if let event = batch.events.first { return event }
    wakeup.wait(timeout: .seconds(1))
  }
  throw TimedOut(description: "no event from \(queue.topicPartition)")
}

extension EmbeddedBroker {
  func consumer(
    group: String? = nil, _ configure: (inout ConsumerConfiguration) -> Void = { _ in }
  ) throws -> Consumer {
    var configuration = ConsumerConfiguration(brokers: bootstrap, group: group)
    // A join of a group that has members takes as long as their session, less a second.
    configuration.properties = ["session.timeout.ms": "4000", "heartbeat.interval.ms": "300"]
    configure(&configuration)
    return try Consumer(configuration, logger: quiet)
  }

  func producer(properties: [String: String] = [:]) throws -> Producer {
    try Producer(
      ProducerConfiguration(brokers: bootstrap, properties: properties), logger: quiet)
  }

  /// Produces texts to one partition.
  func fill(_ topic: String, partition: Int32 = 0, _ values: [String]) throws {
    let producer = try producer()
    let topic = try producer.topic(topic)
    for value in values {
      try producer.produce(
        to: topic, partition: partition, key: nil, value: [UInt8](value), timeout: patience)
    }
    try producer.flush(timeout: patience)
  }
}
