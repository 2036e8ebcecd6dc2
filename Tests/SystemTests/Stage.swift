import Foundation
import Kafka
import Logging
import RimSupport
import Testing

/// A broker, a folder, and daemons that work on them.
final class Stage: Sendable {
  private let embedded: EmbeddedBroker?
  /// Nodes that are there for this stage only.
  private let nodes: KafkaNodes?
  let folder: TemporaryFolder
  /// Where clients find the broker.
  let address: String
  /// What makes names of topics, groups and pipelines this stage's own on a broker that stays.
  let suffix: String
  private let producer: Producer

  static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// Makes an embedded broker in this process with these topics, and their partition counts.
  init(topics: [String: Int], brokers: Int = 1, compression: String = "none") throws {
    let broker = try EmbeddedBroker(brokers: brokers, topics: topics, logger: Self.logger)
    embedded = broker
    nodes = nil
    address = broker.bootstrap
    suffix = ""
    folder = try TemporaryFolder()
    var configuration = ProducerConfiguration(brokers: broker.bootstrap)
    configuration.properties = [
      "compression.type": compression, "message.max.bytes": "100000000",
    ]
    producer = try Producer(configuration, logger: Self.logger)
  }

  /// Works on a broker that has its topics already.
  init(address: String) throws {
    embedded = nil
    nodes = nil
    self.address = address
    suffix = ""
    folder = try TemporaryFolder()
    producer = try Producer(ProducerConfiguration(brokers: address), logger: Self.logger)
  }

  /// Makes topics of its own on the user's brokers, or on nodes that go with the stage.
  init(realBrokers: String, nodes: KafkaNodes? = nil, topics: [String: Int]) throws {
    embedded = nil
    self.nodes = nodes
    address = realBrokers
    suffix = "-" + UUID().uuidString.prefix(8)
    folder = try TemporaryFolder()
    producer = try Producer(ProducerConfiguration(brokers: address), logger: Self.logger)
    for (topic, partitions) in topics {
      // Records that are stamped long ago would go with the broker's next look at what is too old.
      try producer.client.createTopic(
        topic + suffix, partitions: partitions, configuration: ["retention.ms": "-1"],
        timeout: .seconds(20))
    }
  }

  /// Gives a topic of the user's broker more partitions.
  func addPartitions(to topic: String, upTo count: Int) throws {
    try producer.client.addPartitions(to: topic + suffix, upTo: count, timeout: .seconds(20))
  }

  /// The broker in this process.
  var broker: EmbeddedBroker { get throws { try #require(embedded) } }

  /// The folder's path.
  var path: String { folder.path }

  /// The paths of all files below the folder.
  var files: [String] { folder.files() }

  /// Writes a file and returns its path.
  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    let path = folder.path + "/" + name
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// Starts a daemon on a pipeline file of the folder, through another program if one is named.
  func daemon(
    _ file: String, arguments: [String] = [], through: [String] = []
  ) throws -> Program {
    let command =
      through + [Program.cutbank, "run", file, "--brokers", address] + arguments
    return try Program(command[0], Array(command.dropFirst()), folder: folder.path)
  }

  /// Runs another command of the program in the folder to its end.
  func command(_ arguments: String...) async throws -> (code: Int32, text: String) {
    let program = try Program(nil, arguments, folder: folder.path)
    return (await program.exitCode(), program.text)
  }

  /// Appends records to a partition, stamped a second apart from `start` on if that is given.
  func produce(
    _ values: [String?], to topic: String, partition: Int = 0, key: String? = "k",
    start: Int64? = nil
  ) throws {
    try produce(
      bytes: values.map { $0.map { Array($0.utf8) } }, to: topic, partition: partition, key: key,
      start: start)
  }

  /// Appends records to a partition.
  func produce(
    bytes values: [[UInt8]?], to topic: String, partition: Int = 0, key: String? = "k",
    start: Int64? = nil
  ) throws {
    let opened = try producer.topic(topic + suffix)
    for (index, value) in values.enumerated() {
      try producer.produce(
        to: opened, partition: Int32(partition), key: key.map { Array($0.utf8) }, value: value,
        timestamp: start.map { $0 + Int64(index) * 1_000 }, timeout: .seconds(30))
    }
    try producer.flush(timeout: .seconds(60))
    guard producer.failed == 0 else {
      throw KafkaError(.fail, "\(producer.failed) records", operation: "produce")
    }
  }

  /// Appends numbered records to every partition until the surrounding task is cancelled, each
  /// partition with keys of its own.
  ///
  /// - Returns: How many numbers each partition got.
  func load(_ topic: String, partitions: Int, perSecond: Int) async throws -> Int {
    let batch = max(1, perSecond / partitions / 20)
    var next = 0
    while !Task.isCancelled {
      for partition in 0..<partitions {
        try produce(
          (next..<next + batch).map { Faults.record($0, key: "k\(partition)\($0 % 3)") },
          to: topic, partition: partition)
      }
      next += batch
      // The pace of the load; its end is no failure.
      do { try await Task.sleep(for: .milliseconds(50)) } catch { break }
    }
    return next
  }

  /// The rows of all objects below a folder, object by object in the order of ``objects(_:)``.
  func rows(_ below: String = "out") -> [String] {
    objects(below).flatMap(\.rows)
  }

  /// The objects below a folder in the order of the times in their names.
  ///
  /// Names do not tell the order within a second: there it is the last number of the first rows.
  func objects(_ below: String = "out") -> [(name: String, rows: [String])] {
    let names = folder.files().filter { $0.hasPrefix(below + "/") && !$0.contains("/.") }
    let objects = names.compactMap { name -> (name: String, rows: [String])? in
      // One that is being moved to its name is seen the next time.
      guard let bytes = try? folder.contents(name) else { return nil }
      let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
      return (name, lines)
    }
    return objects.map { (Self.place(of: $0), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
  }

  private static func place(of object: (name: String, rows: [String])) -> (String, Int, String) {
    let time = object.name.replacing(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, with: "")
    let number = object.rows.first?.matches(of: /\d+/).last.flatMap { Int($0.output) }
    return (time, number ?? 0, object.name)
  }

  /// The committed rows of a topic, partition by partition.
  func records(of topic: String) throws -> [String] {
    try CommittedRecords(brokers: address, logger: Self.logger).read(topic + suffix).flatMap {
      $0.map(\.value)
    }
  }

  /// Waits until a daemon has delivered so many rows.
  func expectRows(
    _ count: Int, below: String = "out", of daemon: Program,
    within patience: Duration = .seconds(120)
  ) async throws {
    let isThere = await daemon.waits(within: patience) {
      self.rows(below).count >= count
    }
    try #require(isThere, "\(rows(below).count) of \(count) rows")
  }

  /// Ends a daemon with SIGTERM and checks that it ends well.
  func end(_ daemon: Program) async {
    daemon.signal(SIGTERM)
    let code = await daemon.exitCode()
    #expect(code == 0, "\(daemon.text)")
  }

  /// Kills a daemon and waits for its end.
  func kill(_ daemon: Program) async {
    daemon.signal(SIGKILL)
    #expect(await daemon.exitCode() == -1)
  }
}
