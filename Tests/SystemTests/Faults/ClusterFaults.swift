import Foundation
import Kafka
import RimSupport
import Testing

extension ClusterFaults {
  /// A pipeline on nodes of its own that writes a topic in transactions, and its load.
  private struct Cluster {
    static let partitions = 4
    let nodes: KafkaNodes
    let stage: Stage

    init(nodes count: Int = 1) async throws {
      nodes = try await KafkaNodes(count: count)
      stage = try Stage(
        realBrokers: nodes.address(.plain), nodes: nodes,
        topics: ["numbers": Self.partitions, "scores": 1])
    }

    /// Starts the daemon on brokers that it finds at an address.
    func daemon(_ brokers: String, _ kafka: String = "") throws -> Program {
      let text = ClusterFaults.realPipeline(
        Faults.scores, stage, input: "key: k", output: "kafka: {topic: scores\(stage.suffix)}",
        extra: "snapshot: {interval: 5s, records: 5000}"
      ).replacing("kafka: {session", with: "kafka: {\(kafka)session")
      let file = try stage.write(text, to: "numbers.yaml")
      return try Program(nil, ["run", file, "--brokers", brokers], folder: stage.path)
    }

    /// Lets a daemon work under load while `disturb` goes on, and compares what comes of it with what
    /// one that is left in peace makes of the same records.
    func expectEqual(_ daemon: Program, while disturb: () async throws -> Void) async throws {
      _ = try #require(await daemon.line(containing: "the group gives [\""))
      let load = Task { [stage] in
        try await stage.load("numbers", partitions: Self.partitions, perSecond: 800)
      }
      try await disturb()
      load.cancel()
      let count = try await load.value * Self.partitions
      let rows = try await ClusterFaults.rows(count, of: stage, daemon)
      await stage.end(daemon)
      let repeated = Dictionary(grouping: rows) { $0 }.filter { $0.value.count > 1 }.keys.sorted()
      #expect(rows.count == count && repeated.isEmpty, "\(repeated.prefix(50))\n\(daemon.text)")
      let isInOrder = Faults.isInOrder(rows)
      #expect(isInOrder)
      let isAsUndisturbed =
        rows.sorted() == (try await ClusterFaults.undisturbed(count, stage)).sorted()
      #expect(isAsUndisturbed)
      try await stage.expectBalance(delivered: .rows(count))
    }
  }

  @Suite(
    "Fault 32: brokers behind TLS and SASL, and credentials that are wrong",
    .timeLimit(.minutes(20)), .enabled(if: Faults.areLong, Faults.tooLong),
    .enabled(if: KafkaNodes.arePossible, KafkaNodes.missing))
  struct Fault32 {
    private static func sasl(
      _ nodes: KafkaNodes, _ mechanism: String = "SCRAM-SHA-512",
      password: String = KafkaNodes.user.password, authority: String? = nil
    ) -> String {
      "security.protocol: SASL_SSL, sasl.mechanisms: \(mechanism), "
        + "sasl.username: \(KafkaNodes.user.name), sasl.password: \(password), "
        + "ssl.ca.location: \(authority ?? nodes.path("ca.pem")), "
    }

    @Test func everyWayInBearsATransactionalPipeline() async throws {
      let cluster = try await Cluster()
      let nodes = cluster.nodes
      let mutual =
        "security.protocol: SSL, ssl.ca.location: \(nodes.path("ca.pem")), "
        + "ssl.certificate.location: \(nodes.path("client.pem")), "
        + "ssl.key.location: \(nodes.path("client.key")), "
      let ways: [(KafkaNodes.Listener, String)] = [
        (.sasl, Self.sasl(nodes, "PLAIN")), (.sasl, Self.sasl(nodes)), (.mutual, mutual),
      ]
      for (round, (listener, settings)) in ways.enumerated() {
        for partition in 0..<Cluster.partitions {
          try cluster.stage.produce(
            (round * 100..<round * 100 + 100).map { Faults.record($0, key: "k\(partition)") },
            to: "numbers", partition: partition)
        }
        let daemon = try cluster.daemon(nodes.address(listener), settings)
        let rows = try await ClusterFaults.rows(400 * (round + 1), of: cluster.stage, daemon)
        await cluster.stage.end(daemon)
        #expect(rows.count == 400 * (round + 1) && Set(rows).count == rows.count)
      }
      let rows = try cluster.stage.records(of: "scores")
      try await cluster.stage.expectBalance(delivered: .rows(rows.count))
      #expect(rows.sorted() == (try await ClusterFaults.undisturbed(1_200, cluster.stage)).sorted())
    }

    /// Says what to look at and goes on trying: whoever mends the brokers needs no restart.
    @Test func whatIsWrongIsSaid() async throws {
      let cluster = try await Cluster()
      let nodes = cluster.nodes
      let folder = try TemporaryFolder()
      _ = try await Authority(folder: folder.path)
      let wrong: [(KafkaNodes.Listener, String, hint: String)] = [
        (.sasl, Self.sasl(nodes, password: "wrong"), "sasl."),
        (.sasl, Self.sasl(nodes, "PLAIN", password: "wrong"), "sasl."),
        (.sasl, Self.sasl(nodes, authority: folder.path + "/ca.pem"), "security"),
        (.mutual, "security.protocol: SSL, ssl.ca.location: \(nodes.path("ca.pem")), ", "security"),
      ]
      for (listener, settings, hint) in wrong {
        let daemon = try cluster.daemon(nodes.address(listener), settings)
        try #require(
          await daemon.waits {
            daemon.text.split(separator: "\n").contains {
              $0.contains("still trying") && $0.contains("hint: check " + hint)
            }
          }, "\(daemon.text)")
        #expect(!daemon.text.contains(KafkaNodes.user.password) && daemon.isRunning)
        await cluster.stage.end(daemon)
      }
      Faults.tellNoBalance("who is not let in reads nothing")
    }
  }

  @Suite(
    "Fault 33: a network in front of the broker that delays and cuts", .timeLimit(.minutes(20)),
    .enabled(if: Faults.areLong, Faults.tooLong),
    .enabled(if: KafkaNodes.arePossible, KafkaNodes.missing))
  struct Fault33 {
    @Test func everyRowIsThereOnce() async throws {
      let cluster = try await Cluster()
      let nodes = cluster.nodes
      let proxy = try await DisturbedProxy(
        port: nodes.proxyPort(), target: nodes.port(.proxied), seed: 33)
      let daemon = try cluster.daemon(nodes.proxiedAddress)
      try await cluster.expectEqual(daemon) {
        // How long each lasts is part of the fault.
        for (cutRate, delay) in [(0.0, 200), (0.02, 0), (0.01, 50), (0.1, 20)] {
          proxy.disturb(cutRate: cutRate, delay: delay)
          try await Task.sleep(for: .seconds(30))
        }
        proxy.set(isDown: true)
        try await Task.sleep(for: .seconds(10))
        proxy.disturb(cutRate: 0, delay: 0)
        proxy.set(isDown: false)
      }
      #expect(proxy.cuts > 20, "\(proxy.cuts)")
      try await proxy.stop()
    }
  }

  @Suite(
    "Fault 34: one of three brokers is killed and comes back", .timeLimit(.minutes(30)),
    .enabled(if: Faults.areLong, Faults.tooLong),
    .enabled(if: KafkaNodes.arePossible, KafkaNodes.missing))
  struct Fault34 {
    @Test func everyRowIsThereOnce() async throws {
      let cluster = try await Cluster(nodes: 3)
      let nodes = cluster.nodes
      let daemon = try cluster.daemon(nodes.address(.plain))
      try await cluster.expectEqual(daemon) {
        for number in 1...3 {
          // How long it has been well, and is away, is part of the fault.
          try await Task.sleep(for: .seconds(10))
          await nodes.kill(number)
          try await Task.sleep(for: .seconds(20))
          try nodes.start(number)
          try await nodes.waitForAll()
        }
      }
    }
  }
}
