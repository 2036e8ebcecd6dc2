import Foundation
import Kafka
import Logging
import RimSupport
import Testing

/// An embedded broker in this process, a folder, and daemons that work on them.
final class Stage: Sendable {
  let broker: EmbeddedBroker
  let folder: TemporaryFolder
  private let producer: Producer

  static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// Makes a broker with these topics, and their partition counts.
  init(topics: [String: Int], brokers: Int = 1, compression: String = "none") throws {
    broker = try EmbeddedBroker(brokers: brokers, topics: topics, logger: Self.logger)
    folder = try TemporaryFolder()
    var configuration = ProducerConfiguration(brokers: broker.bootstrap)
    configuration.properties = [
      "compression.type": compression, "message.max.bytes": "100000000",
    ]
    producer = try Producer(configuration, logger: Self.logger)
  }

  /// Where clients find the broker.
  var address: String { broker.bootstrap }

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
      through + [Program.cutbank, "run", file, "--brokers", broker.bootstrap] + arguments
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
    let opened = try producer.topic(topic)
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

  /// The rows of all objects below a folder, object by object in the order of their names.
  func rows(_ below: String = "out") -> [String] {
    objects(below).flatMap(\.rows)
  }

  /// The objects below a folder in the order of their names.
  func objects(_ below: String = "out") -> [(name: String, rows: [String])] {
    let names = folder.files().filter { $0.hasPrefix(below + "/") && !$0.contains("/.") }
    return names.compactMap { name in
      // One that is being moved to its name is seen the next time.
      guard let bytes = try? folder.contents(name) else { return nil }
      let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
      return (name, lines)
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
