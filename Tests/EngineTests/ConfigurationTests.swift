import Engine
import Testing

@Suite struct ConfigurationTests {
  static let valid = """
    name: city-taxi
    application: city-taxi.sql
    inputs:
      - stream: SOURCE_SQL_STREAM_001
        kafka: {topic: city-taxi, start: trim_horizon}
        format: json
        columns:
          - {name: pickup_time, type: TIMESTAMP, path: $.timestamp}
          - {name: passengers, type: DOUBLE, path: $.value}
    outputs:
      - stream: DESTINATION_SQL_STREAM
        delivery: {to: file://./out, compression: gzip, buffer: {size: 5MiB, interval: 60s}}
      - stream: ALERTS
        webhook: {url: "${ALERT_URL}", secret: "${SECRET:-}"}
    models: []
    """

  static func read(
    _ text: String, environment: [String: String] = ["ALERT_URL": "https://alerts.example.com/x"]
  ) throws -> PipelineConfiguration {
    try PipelineConfiguration.read(
      file: "pipelines/p.yaml", text: text, environment: environment,
      daemon: KafkaSettings(brokers: "b:9092"), readFile: { "-- \($0)" }
    ).0
  }

  static func problems(
    _ text: String, environment: [String: String] = ["ALERT_URL": "https://alerts.example.com/x"]
  ) -> [String] {
    do {
      _ = try read(text, environment: environment)
      return []
    } catch let refused as ConfigurationRefused {
      return refused.problems.map { "\($0.line):\($0.column) \($0.message) | \($0.hint ?? "")" }
    } catch {
      return ["unexpected \(error)"]
    }
  }

  @Test func aValidFileGetsItsDefaults() throws {
    let configuration = try Self.read(Self.valid)
    #expect(configuration.name == "city-taxi")
    #expect(configuration.application == "-- pipelines/city-taxi.sql")
    #expect(configuration.group == "cutbank.city-taxi")
    #expect(configuration.inputs[0].start == .earliest)
    #expect(configuration.inputs[0].columns.map(\.path) == ["$.timestamp", "$.value"])
    #expect(configuration.timing.maxFuture == 3_600_000)
    #expect(configuration.guarantee == .exactlyOnce)
    guard case .delivery(let delivery) = configuration.outputs[0].kind,
      case .webhook(let webhook) = configuration.outputs[1].kind
    else {
      Issue.record("outputs are of the wrong kind")
      return
    }
    #expect(delivery.bufferBytes == 5 * 1_048_576 && delivery.bufferMilliseconds == 60_000)
    #expect(webhook.url == "https://alerts.example.com/x" && webhook.secrets.isEmpty)
  }

  static let refusals: [(change: (String, String), expected: String)] = [
    (("group_id", "x"), ""),
    (
      ("name: city-taxi", "name: city-taxi\ngruop: x"),
      "2:1 unknown key gruop | did you mean group?"
    ),
    (
      ("compression: gzip", "compresion: gzip"),
      "unknown key outputs[0].delivery.compresion | did you mean compression?"
    ),
    (("size: 5MiB", "size: 5TiB"), "outputs[0].delivery.buffer.size must be a size such as"),
    (("interval: 60s", "interval: 1h"), "outside 0s to 900s"),
    (("type: DOUBLE", "type: DUBLE"), "'DUBLE' is not a column type"),
    (("name: passengers", "name: pickup_time"), "the column 'pickup_time' is declared twice"),
    (("start: trim_horizon", "start: yesterday"), "none of latest, earliest, trim_horizon"),
    (("${ALERT_URL}", "${NO_SUCH}"), "the environment variable NO_SUCH is not set"),
    (("name: city-taxi", "name: 'city taxi'"), "has other characters than"),
    (("delivery: {to: file://./out,", "delivery: {"), "outputs[0].delivery.to is missing"),
    (("to: file://./out", "to: ''"), "outputs[0].delivery.to is empty"),
    (("name: city-taxi", "name: \"\""), "1:7 name is empty"),
    (("name: city-taxi", "name: city-taxi\ngroup: ''"), "2:8 group is empty"),
    (("topic: city-taxi", "topic: ''"), "inputs[0].kafka.topic is empty"),
    (("topic: city-taxi", "topic: 'city taxi'"), "topic 'city taxi' is not a topic name"),
    (("topic: city-taxi", "topic: .."), "inputs[0].kafka.topic '..' is not a topic name"),
    (
      ("webhook: {url: \"${ALERT_URL}\", secret: \"${SECRET:-}\"}", "kafka: {topic: a/b}"),
      "outputs[1].kafka.topic 'a/b' is not a topic name"
    ),
    (("webhook: {url", "kafka: {topic: t}\n    webhook: {url"), "needs exactly one of"),
  ]

  @Test(arguments: refusals.dropFirst()) func refuses(
    _ test: (change: (String, String), expected: String)
  ) {
    let text = Self.valid.replacing(test.change.0, with: test.change.1)
    #expect(text != Self.valid, "the change must apply")
    let found = Self.problems(text)
    #expect(found.contains { $0.contains(test.expected) }, "\(found)")
  }

  @Test func everyProblemHasItsPlace() {
    let text = Self.valid.replacing("type: DOUBLE", with: "type: DUBLE")
    #expect(
      Self.problems(text) == [
        "9:34 'DUBLE' is not a column type | types are BOOLEAN, TINYINT, SMALLINT, INTEGER, BIGINT, "
          + "DECIMAL(p,s), REAL, DOUBLE, CHAR(n), VARCHAR(n), BINARY(n), VARBINARY(n), DATE, TIME, "
          + "TIMESTAMP"
      ])
  }

  @Test func anErrorOfAnInlineProgramHasItsPlaceInTheFile() throws {
    let text = Self.valid.replacing(
      "application: city-taxi.sql",
      with: "application: |\n  -- first line\n  CREATE STREAM \"A\" (x DOUBLE;")
    let configuration = try Self.read(text)
    do {
      _ = try PipelinePlan.make(configuration, dataDirectory: "./data")
      Issue.record("a broken program was accepted")
    } catch let refused as ConfigurationRefused {
      let first = try #require(refused.problems.first { $0.line > 0 })
      #expect((first.line, first.column) == (4, 30), "\(first)")
    }
  }

  @Test func severalProblemsAreReportedTogether() {
    let text = Self.valid.replacing("type: DOUBLE", with: "type: DUBLE")
      .replacing("compression: gzip", with: "compression: lzma")
    let found = Self.problems(text)
    #expect(found.count == 2, "\(found)")
  }

  @Test func aBrokenYAMLHasItsPlace() {
    let found = Self.problems("name: x\n  bad: [1, 2\n")
    #expect(found.count == 1 && !found[0].hasPrefix("0:0"), "\(found)")
  }

  @Test func aKafkaOutputMayPromiseEither() {
    let text = Self.valid.replacing(
      "webhook: {url: \"${ALERT_URL}\", secret: \"${SECRET:-}\"}", with: "kafka: {topic: t}")
    #expect(Self.problems(text).isEmpty)
    #expect(Self.problems("guarantee: at_least_once\n" + text).isEmpty)
  }

  /// Only in transactions do rows wait for their commit.
  @Test func commitsAreFrequentWhereRowsWaitForThem() throws {
    let text = Self.valid.replacing(
      "webhook: {url: \"${ALERT_URL}\", secret: \"${SECRET:-}\"}", with: "kafka: {topic: t}")
    let cases: [(head: String, interval: Int64, adapts: Bool)] = [
      ("", 25, true), ("guarantee: at_least_once\n", 1_000, false),
      ("commit_interval: 2s\n", 2_000, false),
    ]
    for (head, interval, adapts) in cases {
      let timing = try Self.read(head + text).timing
      #expect(timing.commitInterval == interval && timing.adaptsCommitInterval == adapts, "\(head)")
    }
    #expect(try Self.read(Self.valid).timing.commitInterval == 1_000)
  }
}

@Suite struct DaemonConfigurationTests {
  @Test func flagsFileAndEnvironmentHaveTheirOrder() throws {
    let settings = try DaemonConfiguration(
      file: "cutbank.yaml",
      text: "kafka: {brokers: a:1, security.protocol: ssl}\ndata_directory: /var/lib/cutbank\n",
      environment: ["CUTBANK_KAFKA__BROKERS": "b:2", "CUTBANK_KAFKA__SASL_USERNAME": "u"])
    #expect(settings.kafka.brokers == "b:2")
    #expect(
      settings.kafka.properties == ["security.protocol": "ssl", "sasl.username": "u"])
    #expect(settings.dataDirectory == "/var/lib/cutbank")
  }

  @Test func anUnknownVariableIsRefused() {
    #expect(throws: ConfigurationRefused.self) {
      try DaemonConfiguration(file: nil, text: nil, environment: ["CUTBANK_LOGG__LEVEL": "x"])
    }
  }
}
