import Engine

/// A pipeline that passes numbers on from a topic, for tests that need a plan and no brokers.
enum PassingPipeline {
  /// Makes its plan.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - output: Where the rows go, a member of the output.
  ///   - extra: Further settings of the pipeline.
  ///   - data: The data directory.
  /// - Returns: The plan.
  /// - Throws: `ConfigurationRefused` when the engine does not take it.
  static func plan(
    _ name: String = "numbers",
    to output: String = "delivery: {to: \"file:///srv/out\", buffer: {interval: 60s}}",
    extra: String = "", data: String = "data"
  ) throws -> PipelinePlan {
    let text = """
      name: \(name)
      application: |
        CREATE OR REPLACE STREAM "OUT" ("n" BIGINT);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT" SELECT STREAM "n" FROM "NUMBERS";
      inputs:
        - stream: NUMBERS
          kafka: {topic: numbers, start: earliest}
          format: json
          columns: [{name: n, type: BIGINT, path: $.n}]
      outputs:
        - stream: OUT
          \(output)
      \(extra)
      """
    let (configuration, _) = try PipelineConfiguration.read(
      file: name + ".yaml", text: text, environment: [:],
      daemon: KafkaSettings(brokers: "localhost:9"), readFile: { _ in "" })
    return try PipelinePlan.make(configuration, dataDirectory: data).0
  }
}
