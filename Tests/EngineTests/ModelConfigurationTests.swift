import Engine
import Foundation
import LearnedModels
import Testing

/// `models:` in a pipeline file.
@Suite struct ModelConfigurationTests {
  static func text(_ models: String) -> String {
    """
    name: hosts
    application: |
      CREATE OR REPLACE STREAM "OUT" ("host" VARCHAR(16), "cpu" DOUBLE, "d" DOUBLE);
      CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
        SELECT STREAM "host", "cpu", DISTANCE_TO_CLUSTER FROM TABLE(ML_PREDICT(
          CURSOR(SELECT STREAM "host", "cpu", "memory" FROM "LOAD") PARTITION BY "host", 'load'));
    inputs:
      - stream: LOAD
        kafka: {topic: load}
        format: json
        columns:
          - {name: host, type: VARCHAR(16)}
          - {name: cpu, type: DOUBLE}
          - {name: memory, type: INTEGER}
          - {name: at, type: TIMESTAMP}
          - {name: cost, type: "DECIMAL(8, 2)"}
    outputs:
      - stream: OUT
        delivery: {to: file://./out, compression: gzip}
      - stream: OUT
        kafka: {topic: scored}
    models:
    \(models.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))
    """
  }

  static let whole = """
    - name: load
      algorithm: kmeans
      hyperparameters: {k: 8, init_method: kmeans++}
      seed: 5
      data: {topic: LOAD, window: 7d, columns: [cpu, memory], minimum_rows: 500, maximum_rows: 20000}
      schedule: {cron: "30 3 * * 1-5"}
      gate: {holdout: 10%, tolerance: 0.05, limit: 40}
      rollout:
        shadow: {for: 10m, records: 1000}
        canary: {weight: 20%, for: 1h}
        watch: {for: 1d}
      guards: {error_rate: 2%, alert_rate: 0.1, alert_above: 3, latency: 250us, minimum_records: 50}
      limits: {memory: 512MiB, time: 10m}
    """

  static func read(_ models: String) throws -> [ModelConfiguration] {
    try PipelineConfiguration.read(
      file: "hosts.yaml", text: text(models), environment: [:],
      daemon: KafkaSettings(brokers: "b:9092"), readFile: { _ in "" }
    ).0.models
  }

  /// All problems, of parsing or else of planning.
  static func problems(_ models: String) -> [String] {
    do {
      let (configuration, _) = try PipelineConfiguration.read(
        file: "hosts.yaml", text: text(models), environment: [:],
        daemon: KafkaSettings(brokers: "b:9092"), readFile: { _ in "" })
      return try PipelinePlan.make(configuration, dataDirectory: "data").1.map(\.description)
    } catch let refused as ConfigurationRefused {
      return refused.problems.map(\.description)
    } catch {
      return ["unexpected \(error)"]
    }
  }

  @Test func aWholeEntry() throws {
    let model = try #require(try Self.read(Self.whole).first)
    #expect(model.name == "load" && model.endpoint == "load" && model.algorithm == .kMeans)
    #expect(model.hyperparameters == ["k": "8", "init_method": "kmeans++"] && model.seed == 5)
    #expect(model.data.origin == .topic(stream: "LOAD") && model.data.window == 7 * 86_400_000)
    #expect(model.data.minimumRows == 500 && model.data.maximumRows == 20_000)
    #expect(model.schedule.description == "at 30 3 * * 1-5 UTC")
    #expect(model.gate.holdout == 0.1 && model.gate.tolerance == 0.05 && model.gate.limit == 40)
    #expect(model.rollout.shadow?.time == 600_000 && model.rollout.shadow?.records == 1_000)
    #expect(model.rollout.canaryWeight == 0.2 && model.rollout.canary?.time == 3_600_000)
    #expect(model.rollout.watch?.time == 86_400_000 && model.rollout.isAutomatic)
    #expect(model.guards.errorRate == 0.02 && model.guards.latency == 250_000)
    #expect(model.memoryLimit == 512 << 20 && model.timeLimit == 600_000)
    #expect(Self.problems(Self.whole).isEmpty, "\(Self.problems(Self.whole))")
  }

  @Test func whatIsLeftOutHasADefault() throws {
    let model = try #require(
      try Self.read(
        """
        - name: a
          endpoint: load
          algorithm: randomcutforest
          data: {delivered: OUT, columns: [cpu, d]}
          schedule: {every: 1d}
        """
      ).first)
    #expect(model.endpoint == "load" && model.data.origin == .delivered(stream: "OUT"))
    #expect(model.schedule == .every(86_400_000) && model.seed == 0)
    #expect(model.rollout == .init() && model.gate == .init() && model.guards == .init())
    #expect(model.memoryLimit == 1 << 30 && model.timeLimit == 3_600_000)
  }

  @Test func explainShowsIt() throws {
    let (configuration, _) = try PipelineConfiguration.read(
      file: "hosts.yaml", text: Self.text(Self.whole), environment: [:],
      daemon: KafkaSettings(brokers: "b:9092"), readFile: { _ in "" })
    let text = try PipelinePlan.make(configuration, dataDirectory: "data").0.explain()
    for part in [
      "load for endpoint load", "kmeans seed=5 init_method=kmeans++ k=8",
      "topic load, columns cpu, memory, the last 604800 s, 500 to 20000 rows",
      "at 30 3 * * 1-5 UTC, at most 600 s and 512 MiB", "10.0 % of the newest rows held out",
      "shadow for 600 s and 1000 records, then canary with 20.0 % for 3600 s, then promoted",
      "results above 3.0 up to 10.0 %", "up to 250.0 us a row",
    ] {
      #expect(text.contains(part), "\(part) in\n\(text)")
    }
  }

  /// Lines that take the place of one of `whole`, and what is said about them.
  @Test(arguments: [
    ("name: load", "name: a/b", "23:11: error: models[0].name 'a/b' has other characters"),
    ("algorithm: kmeans", "algorithm: kmean", "did you mean kmeans?"),
    ("algorithm: kmeans", "algoritm: kmeans", "did you mean algorithm?"),
    ("{k: 8, init_method: kmeans++}", "{k: 0}", "hyperparameter k is '0', it must be an integer"),
    ("{k: 8, init_method: kmeans++}", "{init_method: random}", "hyperparameter k is required"),
    ("{k: 8, init_method: kmeans++}", "{k: 8, epoch: 2}", "did you mean epochs?"),
    ("topic: LOAD", "topic: LOUD", "'LOUD' is no stream of inputs"),
    ("topic: LOAD", "topic: LOUD", "did you mean LOAD?"),
    ("topic: LOAD", "topic: LOAD, file: a.csv", "exactly one of topic, delivered and file"),
    ("topic: LOAD, ", "", "exactly one of topic, delivered and file"),
    ("topic: LOAD", "delivered: SCORED", "'SCORED' is no stream that an output delivers"),
    ("topic: LOAD", "file: a.csv", "window says nothing about a file"),
    ("algorithm: kmeans", "algorithm: deepar", "of a forecaster is the one column"),
    ("window: 7d", "window: soon", "a duration such as"),
    ("columns: [cpu, memory], ", "", "columns is missing or empty"),
    ("columns: [cpu, memory]", "columns: [cpu, memori]", "did you mean memory?"),
    ("columns: [cpu, memory]", "columns: [cpu, at]", "'at' of LOAD is TIMESTAMP"),
    ("columns: [cpu, memory]", "columns: [cpu, cost]", "'cost' of LOAD is DECIMAL(8, 2)"),
    ("columns: [cpu, memory]", "columns: [cpu]", "gives 'load' 2 (cpu, memory)"),
    ("columns: [cpu, memory]", "columns: [cpu, memory], key: [host]", "kmeans knows none"),
    ("columns: [cpu, memory]", "columns: [cpu, memory], time: cpu", "is DOUBLE and no TIMESTAMP"),
    ("{cron: \"30 3 * * 1-5\"}", "{cron: \"30 25 * * *\"}", "is no cron expression"),
    ("{cron: \"30 3 * * 1-5\"}", "{cron: \"0 0 31 2 *\"}", "never comes"),
    ("{cron: \"30 3 * * 1-5\"}", "{every: 1d, cron: \"0 3 * * *\"}", "one of every and cron"),
    ("{cron: \"30 3 * * 1-5\"}", "{every: 10ms}", "outside 1s"),
    ("{cron: \"30 3 * * 1-5\"}", "{evry: 1d}", "did you mean every?"),
    (
      "algorithm: kmeans\n  hyperparameters: {k: 8, init_method: kmeans++}",
      "algorithm: randomcutforest\n  hyperparameters: {shingle_size: 8}", "in random order"
    ),
    ("holdout: 10%", "holdout: 95%", "from 0.01 to 0.9"),
    ("limit: 40", "limit: many", "must be a number"),
    ("weight: 20%", "weight: 60%", "from 0.001 to 0.5"),
    ("for: 10m, records", "for: 10m, recods", "did you mean records?"),
    ("alert_above: 3, ", "", "alert_rate needs alert_above"),
    ("latency: 250us", "latency: quick", "such as 250us or 2ms"),
    ("memory: 512MiB", "memory: 1MiB", "outside 64MiB"),
    ("name: load", "name: lod", "no statement of the application asks the endpoint 'lod'"),
    ("name: load", "name: lod", "it asks 'load'"),
  ])
  func whatIsWrongIsSaid(old: String, new: String, message: String) throws {
    #expect(Self.whole.contains(old))
    let problems = Self.problems(Self.whole.replacingOccurrences(of: old, with: new))
    #expect(problems.contains { $0.contains(message) }, "\(problems)")
    #expect(problems.allSatisfy { $0.contains("hosts.yaml:") }, "\(problems)")
  }

  @Test func allProblemsAreReportedAtOnce() {
    let problems = Self.problems(
      """
      - name: load
        algorithm: kmean
        data: {topic: LOUD, columns: []}
        schedule: {cron: x}
        gate: {holdout: 2}
        guards: {error_rate: lots}
        extra: 1
      """)
    #expect(problems.count == 7, "\(problems)")
  }

  @Test func namesAndEndpointsDiffer() {
    let again = Self.whole + "\n" + Self.whole
    #expect(Self.problems(again).contains { $0.contains("another model 'load'") })
    let other = again.replacingOccurrences(
      of: "- name: load\n", with: "- name: b\n  endpoint: load\n",
      range: again.range(of: "- name: load\n", options: .backwards))
    #expect(Self.problems(other).contains { $0.contains("serves the endpoint 'load' already") })
  }
}
