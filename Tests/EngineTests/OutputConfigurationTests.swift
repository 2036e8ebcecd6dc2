import Engine
import Testing

@Suite struct OutputConfigurationTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let output: String
    /// Parts of the only problem; empty when there is none.
    let expect: [String]
    var testDescription: String { output }
  }

  static let cases: [Case] = [
    Case(output: "delivery: {to: file://./o, format: parquet}", expect: []),
    Case(output: "delivery: {to: file://./o, format: parket}", expect: ["did you mean parquet?"]),
    Case(output: "delivery: {to: ftp://h/o}", expect: ["scheme 'ftp' is unknown"]),
    Case(output: "delivery: {to: 'https://h/o', retry: 10m}", expect: []),
    Case(output: "delivery: {to: 'http://h/o'}", expect: ["the endpoint is not encrypted"]),
    Case(output: "delivery: {to: 'https://h/o', format: parquet}", expect: ["records, not files"]),
    Case(
      output: "delivery: {to: 'https://h/o', compression: zstd}", expect: ["knows none and gzip"]),
    Case(output: "delivery: {to: 'https://h/o', retry: 3h}", expect: ["delivery.retry is 3h"]),
    Case(
      output: "delivery: {to: file://./o, prefix: 'x=!{partitionKeyFromQuery:KEY}/'}", expect: []),
    Case(
      output: "delivery: {to: file://./o, prefix: 'x=!{partitionKeyFromQuery:KYE}/'}",
      expect: ["no column 'KYE'", "did you mean KEY?"]),
    Case(
      output: "delivery: {to: file://./o, partition_keys: {k: KEY}}", expect: ["is not used in"]),
    Case(output: "delivery: {to: file://./o, prefix: '!{time:yyyy}/'}", expect: ["character 3"]),
    Case(output: "delivery: {to: file://./o, max_partitions: 9000}", expect: ["1 to 5000"]),
    Case(
      output: "delivery: {to: file://./o, backup: {to: file://./b}}", expect: ["take everything"]),
    Case(
      output: "delivery: {to: file://./o, transform: {url: 'https://h/t'}, backup: {to: file://b}}",
      expect: ["neither absolute nor relative"]),
    Case(output: "delivery: {to: file://./o, format: raw}", expect: ["the only column"]),
    Case(output: "delivery: {to: file://./o, format: csv, id: true}", expect: ["no place for"]),
    Case(output: "webhook: {url: 'https://h/x', format: slack}", expect: []),
    Case(output: "webhook: {url: 'https://h/x', format: slak}", expect: ["did you mean slack?"]),
    Case(output: "webhook: {format: pagerduty, routing_key: r}", expect: []),
    Case(output: "webhook: {format: pagerduty}", expect: ["routing_key is missing"]),
    Case(
      output: "webhook: {url: 'https://h/x', format: template, template: '{\"a\": {{summary}}}'}",
      expect: []),
    Case(
      output: "webhook: {url: 'https://h/x', format: template, template: '{\"a\": '}",
      expect: ["template, character"]),
    Case(output: "webhook: {url: 'https://h/x', entity: KEI}", expect: ["did you mean KEY?"]),
    Case(
      output: "webhook: {url: 'https://h/x', rule: {value: V, above: 3, until: 4}}",
      expect: ["anomalous side"]),
    Case(output: "webhook: {url: 'https://h/x', rule: {value: V}}", expect: ["above or below"]),
    Case(
      output: "webhook: {url: 'https://h/x', rule: {value: KEY, above: 3}}",
      expect: ["not a number"]),
    Case(
      output: "webhook: {url: 'https://h/x', rule: {value: V, above: 3, for: 3 pints}}",
      expect: ["such as 3 points"]),
    Case(
      output: "webhook: {url: 'https://h/x', rule: {min_deviation: 10%}}",
      expect: ["need actual and expected"]),
    Case(
      output: "webhook: {url: 'https://h/x', maintenance: [{from: '25:00', length: 1h}]}",
      expect: ["no time of day"]),
    Case(
      output: "webhook: {url: 'https://h/x', group: {by: [alertname], wiat: 3s}}",
      expect: ["did you mean wait?"]),
    Case(
      output: "webhook: {url: 'https://h/x', headers: {Host: a}}", expect: ["cannot be set"]),
    Case(
      output: "webhook: {url: 'http://localhost:9000/x'}",
      expect: ["localhost is not public", "write allow: [127.0.0.1] in webhook"]),
    Case(output: "webhook: {url: 'http://localhost:9000/x', allow: [127.0.0.0/8]}", expect: []),
    Case(
      output: "webhook: {url: 'https://169.254.169.254/latest'}",
      expect: ["169.254.169.254 is not public"]),
    Case(output: "webhook: {url: 'https://a:b@h/x'}", expect: ["takes no user", "Authorization"]),
    Case(
      output: "webhook: {url: 'https://h/x', labels: {team: a}, group: {by: [tem]}}",
      expect: ["no label 'tem'", "did you mean team?"]),
    Case(output: "delivery: {to: 'https://10.1.2.3/in'}", expect: ["10.1.2.3 is not public"]),
    Case(
      output: "delivery: {to: s3://bucket, s3: {endpoint: 'minio:9000'}}",
      expect: ["s3.endpoint: this is no URL"]),
    Case(
      output: "delivery: {to: s3://bucket, s3: {endpoint: 'http://127.0.0.1:9000'}}",
      expect: ["127.0.0.1 is not public", "in s3"]),
    Case(
      output: "delivery: {to: file://./o, buffer: {size: 200MiB}}",
      expect: ["is 200MiB, outside 1MiB to 128MiB"]),
    Case(output: "kafka: {topic: scored, key: KEY, id: true}", expect: []),
    Case(
      output: "kafka: {topic: scored, key: KEYS}",
      expect: ["the key of O: the stream has no column 'KEYS'", "did you mean KEY?"]),
    Case(output: "kafka: {topic: scored, key: 7.5}", expect: ["no column '7.5'"]),
  ]

  @Test(arguments: cases) func problems(_ test: Case) {
    let text = """
      name: p
      application: |
        CREATE STREAM "O" (KEY VARCHAR(8), V DOUBLE);
        CREATE PUMP "P" AS INSERT INTO "O" SELECT STREAM KEY, V FROM "S";
      inputs:
        - stream: S
          kafka: {topic: t}
          columns: [{name: KEY, type: VARCHAR(8)}, {name: V, type: DOUBLE}]
      outputs:
        - stream: O
          \(test.output)
      """
    var problems: [String] = []
    do {
      let (configuration, _) = try PipelineConfiguration.read(
        file: "p.yaml", text: text, environment: [:], daemon: KafkaSettings(brokers: "b:1"),
        readFile: { $0 })
      _ = try PipelinePlan.make(configuration, dataDirectory: "./data")
    } catch let refused as ConfigurationRefused {
      problems = refused.problems.map(\.description)
    } catch {
      problems = ["unexpected \(error)"]
    }
    #expect(problems.count == (test.expect.isEmpty ? 0 : 1), "\(problems)")
    for part in test.expect {
      #expect(problems.first?.contains(part) == true, "\(problems)")
      #expect(problems.first?.hasPrefix("p.yaml:11:") == true, "\(problems)")
    }
  }
}
