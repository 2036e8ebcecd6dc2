import Foundation
import Kafka
import RimSupport
import Synchronization
import Testing

/// Nodes of Apache Kafka that belong to one test, each with a listener for every way to reach it.
final class KafkaNodes: Sendable {
  /// How clients come in.
  enum Listener: Int, CaseIterable {
    case plain, controller, sasl, mutual, proxied
  }

  /// The user that the brokers know.
  static let user = (name: "cutbank", password: "right-7f3a")

  /// The jars of an unpacked Apache Kafka, 3.5 or newer.
  static let jars = ProcessInfo.processInfo.environment["CUTBANK_TEST_KAFKA"].map { $0 + "/libs/*" }

  /// Whether nodes can be started: their certificates are made by openssl.
  static let arePossible = jars != nil && Places.openssl != nil

  /// Why the suites that need it did not run.
  static let missing: Comment =
    "set CUTBANK_TEST_KAFKA to the folder of an Apache Kafka (3.5 or newer; java and openssl on the path)"

  private let folder: TemporaryFolder
  private let count: Int
  /// Six for each node: its listeners, and where the proxy in front of the last one listens.
  private let firstPort: Int
  private let running = Mutex<[Int: Program]>([:])

  /// Starts nodes and waits until they answer.
  init(count: Int) async throws {
    folder = try TemporaryFolder()
    self.count = count
    firstPort = freePorts(6 * count)
    let authority = try await Authority(folder: folder.path)
    for name in ["broker", "client"] { try await authority.sign(name) }
    // The key and what vouches for it in one file.
    try write(try text("broker.key") + text("broker.pem"), to: "broker-all.pem")
    for number in 1...count {
      try write(properties(of: number), to: "node-\(number).properties")
      let format = try java([
        "kafka.tools.StorageTool", "format", "-t", "pknXW-PQSZyD-_Mnzf0vfQ", "-c",
        "node-\(number).properties", "--add-scram",
        "SCRAM-SHA-512=[name=\(Self.user.name),password=\(Self.user.password)]",
      ])
      try #require(await format.exitCode() == 0, "\(format.text)")
    }
    for number in 1...count { try start(number) }
    try await waitForAll()
  }

  /// The path of one of the files `ca.pem`, `client.pem` and `client.key`.
  func path(_ name: String) -> String { folder.path + "/" + name }

  /// The port of a listener of a node.
  func port(_ listener: Listener, of number: Int = 1) -> Int {
    firstPort + 6 * (number - 1) + listener.rawValue
  }

  /// Where a node says that its proxied listener is.
  func proxyPort(of number: Int = 1) -> Int { port(.proxied, of: number) + 1 }

  /// Where clients find a listener of all nodes.
  func address(_ listener: Listener) -> String {
    (1...count).map { "127.0.0.1:\(port(listener, of: $0))" }.joined(separator: ",")
  }

  /// Where clients find the proxies.
  var proxiedAddress: String {
    (1...count).map { "127.0.0.1:\(proxyPort(of: $0))" }.joined(separator: ",")
  }

  /// Starts a node that is not running.
  func start(_ number: Int) throws {
    let node = try java(["kafka.Kafka", "node-\(number).properties"])
    running.withLock { $0[number] = node }
  }

  /// Ends a node at once, as a machine that fails does.
  func kill(_ number: Int) async {
    guard let node = running.withLock({ $0.removeValue(forKey: number) }) else { return }
    node.signal(SIGKILL)
    #expect(await node.exitCode() == -1)
  }

  /// Waits until every node answers, and each knows of all.
  func waitForAll() async throws {
    let client = try Producer(
      ProducerConfiguration(brokers: address(.plain)), logger: Stage.logger
    ).client
    let end = ContinuousClock.now + .seconds(120)
    while (try? client.metadata(timeout: .seconds(2)).brokers.count) ?? 0 < count {
      let texts = running.withLock { $0.values.map(\.text) }
      try #require(ContinuousClock.now < end, "\(texts)")
      // Nothing tells of a node that is there; it is asked.
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  private func java(_ arguments: [String]) throws -> Program {
    let jars = try #require(Self.jars)
    return try Program(
      "java",
      ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", jars] + arguments,
      folder: folder.path)
  }

  private func text(_ name: String) throws -> String {
    String(decoding: try folder.contents(name), as: UTF8.self)
  }

  private func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
  }

  private func properties(of number: Int) -> String {
    func place(_ listener: Listener) -> String { "127.0.0.1:\(port(listener, of: number))" }
    let voters = (1...count).map { "\($0)@127.0.0.1:\(port(.controller, of: $0))" }
    let modules = "org.apache.kafka.common.security"
    return """
      process.roles=broker,controller
      node.id=\(number)
      controller.quorum.voters=\(voters.joined(separator: ","))
      listeners=PLAIN://\(place(.plain)),CONTROLLER://\(place(.controller)),SASL://\(place(.sasl)),\
      MUTUAL://\(place(.mutual)),PROXIED://\(place(.proxied))
      advertised.listeners=PLAIN://\(place(.plain)),SASL://\(place(.sasl)),\
      MUTUAL://\(place(.mutual)),PROXIED://127.0.0.1:\(proxyPort(of: number))
      listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL,\
      PROXIED:PLAINTEXT
      controller.listener.names=CONTROLLER
      inter.broker.listener.name=PLAIN
      ssl.keystore.type=PEM
      ssl.keystore.location=broker-all.pem
      ssl.truststore.type=PEM
      ssl.truststore.location=ca.pem
      listener.name.mutual.ssl.client.auth=required
      sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
      listener.name.sasl.plain.sasl.jaas.config=\(modules).plain.PlainLoginModule required \
      user_\(Self.user.name)="\(Self.user.password)";
      listener.name.sasl.scram-sha-512.sasl.jaas.config=\(modules).scram.ScramLoginModule required;
      log.dirs=log-\(number)
      default.replication.factor=\(count)
      min.insync.replicas=\(count / 2 + 1)
      offsets.topic.replication.factor=\(count)
      offsets.topic.num.partitions=4
      transaction.state.log.replication.factor=\(count)
      transaction.state.log.min.isr=\(count / 2 + 1)
      transaction.state.log.num.partitions=4
      group.initial.rebalance.delay.ms=0
      auto.create.topics.enable=false
      """
  }
}
