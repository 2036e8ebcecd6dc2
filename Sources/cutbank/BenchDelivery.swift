import Alerting
import ArgumentParser
import Delivery
import Foundation
import Transport

/// `cutbank bench delivery`: speed of delivery to files and of the outbox.
struct BenchDelivery: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delivery",
    abstract: "Measure delivery of JSON lines to files, and alerts into the outbox.",
    discussion: """
      Objects of 5 MiB of JSON lines are stored under a folder, each synced to the disk, with one \
      thread, plain and as gzip; then alerts enter a new outbox, their bodies rendered, one synced \
      transaction for every 1,000. Figures are by wall clock.
      """)

  @Option(help: "A folder on the disk to be measured; what is written there is removed.")
  var folder = "."
  @Option(help: "How many objects of 5 MiB.") var objects = 100
  @Option(help: "How many alerts.") var alerts = 100_000
  @Flag(help: "Print one line of JSON.") var json = false

  func validate() throws {
    guard objects > 0, alerts > 0 else {
      throw ValidationError("--objects and --alerts must be positive")
    }
  }

  func run() async throws {
    let root = "\(folder)/cutbank-bench-\(ProcessInfo.processInfo.processIdentifier)"
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    let content = SensorRecords(count: 36_000).bytes
    let gzip = try await store(content, .gzip, at: "\(root)/gzip")
    let figures: [(name: String, value: Double)] = [
      ("megabytes_per_second", try await store(content, .none, at: "\(root)/plain")),
      ("gzip_megabytes_per_second", gzip),
      (
        "gzip_ratio",
        Double(content.count) / Double(try Compression.gzip.compress(content).count)
      ),
      ("alerts_per_second", try append(at: "\(root)/outbox.sqlite")),
    ]
    guard json else {
      for (name, value) in figures { print("\(name): \(value)") }
      return
    }
    let members = figures.map { "\"\($0.name)\":\($0.value)" }
    print("{\(members.joined(separator: ","))}")
  }

  /// Megabytes before compression per second.
  private func store(
    _ content: [UInt8], _ compression: Compression, at path: String
  ) async throws -> Double {
    let threads = BlockingThreads(count: 1)
    let destination = try await DirectoryDestination(
      path: path, owner: "bench", compression: compression, threads: threads)
    let clock = ContinuousClock()
    let start = clock.now
    for number in 0..<objects {
      let identity = ObjectIdentity(
        pipeline: "bench", life: "bench", task: 0, output: "bench", firstRow: Int64(number),
        lastRow: Int64(number))
      let object = ClosedObject(
        identity: identity, name: "\(number / 10)/\(number)", bytes: content,
        recordCount: 36_000, oldestRowTime: 0)
      _ = try await destination.put(object)
    }
    let seconds = Self.seconds(clock.now - start)
    try await threads.stop()
    try FileManager.default.removeItem(atPath: path)
    return Double(objects * content.count) / 1e6 / seconds
  }

  private func append(at path: String) throws -> Double {
    guard let url = WebURL("https://alerts.example.com/hook") else {
      preconditionFailure("a constant URL is well formed")
    }
    let outbox = try Outbox(path: path)
    let receiver = Receiver(name: "bench/ALERTS", url: url)
    let batches = (0..<(alerts / 1_000)).map { batch in
      (0..<1_000).map { Self.alert(number: batch * 1_000 + $0) }
    }
    let clock = ContinuousClock()
    let start = clock.now
    for (commit, batch) in batches.enumerated() {
      try outbox.append(batch, to: receiver, pipeline: "bench", task: 0, commit: Int64(commit))
    }
    return Double(batches.count * 1_000) / Self.seconds(clock.now - start)
  }

  private static func alert(number: Int) -> Alert {
    Alert(
      id: "life/ALERTS/topic-0-\(number)-0", pipeline: "bench", rule: "ALERTS",
      labels: [
        Alert.Label("entity", "pump-\(number % 5_000)"), Alert.Label("severity", "warning"),
      ],
      annotations: [Alert.Label("summary", "pump-\(number % 5_000) is anomalous, score 3.5")],
      fields: [Alert.Field("score", .number(3.5)), Alert.Field("value", .number(17))],
      startsAt: 1_700_000_000_000 + Int64(number))
  }

  private static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }
}
