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
      transaction for every 1,000. Figures are by wall clock; those per CPU second leave out what the \
      process waited for.
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
    let plain = try await store(content, .none, at: "\(root)/plain")
    let gzip = try await store(content, .gzip, at: "\(root)/gzip")
    let outbox = try append(at: "\(root)/outbox.sqlite")
    let figures: [(name: String, value: Double)] = [
      ("megabytes_per_second", plain.wall), ("megabytes_per_cpu_second", plain.cpu),
      ("gzip_megabytes_per_second", gzip.wall), ("gzip_megabytes_per_cpu_second", gzip.cpu),
      (
        "gzip_ratio",
        Double(content.count) / Double(try Compression.gzip.compress(content).count)
      ),
      ("alerts_per_second", outbox.wall), ("alerts_per_cpu_second", outbox.cpu),
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
  ) async throws -> (wall: Double, cpu: Double) {
    let threads = BlockingThreads(count: 1)
    let destination = try await DirectoryDestination(
      path: path, owner: "bench", compression: compression, threads: threads)
    let watch = Watch()
    for number in 0..<objects {
      let identity = ObjectIdentity(
        pipeline: "bench", life: "bench", task: 0, output: "bench", firstRow: Int64(number),
        lastRow: Int64(number))
      let object = ClosedObject(
        identity: identity, name: "\(number / 10)/\(number)", bytes: content,
        recordCount: 36_000, oldestRowTime: 0)
      _ = try await destination.put(object)
    }
    let rates = watch.rates(of: Double(objects * content.count) / 1e6)
    try await threads.stop()
    try FileManager.default.removeItem(atPath: path)
    return rates
  }

  private func append(at path: String) throws -> (wall: Double, cpu: Double) {
    guard let url = WebURL("https://alerts.example.com/hook") else {
      preconditionFailure("a constant URL is well formed")
    }
    let outbox = try Outbox(path: path)
    let receiver = Receiver(name: "bench/ALERTS", url: url)
    let batches = (0..<(alerts / 1_000)).map { batch in
      (0..<1_000).map { Self.alert(number: batch * 1_000 + $0) }
    }
    let watch = Watch()
    for (commit, batch) in batches.enumerated() {
      try outbox.append(batch, to: receiver, pipeline: "bench", task: 0, commit: Int64(commit))
    }
    return watch.rates(of: Double(batches.count * 1_000))
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

  /// Wall clock and processor time since it was made.
  private struct Watch {
    private let start = ContinuousClock.now
    private let cpu = Self.processSeconds()

    func rates(of amount: Double) -> (wall: Double, cpu: Double) {
      let passed = (ContinuousClock.now - start).components
      let wall = Double(passed.seconds) + Double(passed.attoseconds) / 1e18
      return (amount / wall, amount / (Self.processSeconds() - cpu))
    }

    private static func processSeconds() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
  }
}
