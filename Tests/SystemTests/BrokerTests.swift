import Foundation
import RimSupport
import Testing

extension SystemTests {
  @Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: Places.kcat != nil, "kcat is not installed: apt-get install kcat"))
  struct TheBroker {
    /// A broker process on a port of its own.
    static func start(topics: String...) async throws -> (broker: Program, address: String) {
      let arguments = topics.flatMap { ["--topic", $0] }
      let broker = try Program(nil, ["broker", "--port", "0"] + arguments)
      let line = try #require(
        await broker.line(containing: "listening on "), "\(broker.text)")
      return (broker, String(line.split(separator: " ").last ?? ""))
    }

    static func kcat(_ arguments: [String], input: String = "") async throws -> String {
      let path: String = try #require(Places.kcat)
      let kcat = try Program(path, arguments)
      kcat.send(input)
      #expect(await kcat.exitCode() == 0, "\(kcat.text)")
      return kcat.text
    }

    @Test func servesAClientThatIsNotOurs() async throws {
      let (broker, address) = try await Self.start(topics: "numbers:2")
      #expect(await broker.line(containing: "keeps 5 MB per partition") != nil)
      #expect(broker.text.contains("no transactions"))
      _ = try await Self.kcat(["-P", "-b", address, "-t", "numbers"], input: "one\ntwo\nthree\n")
      let read = try await Self.kcat(["-C", "-q", "-e", "-b", address, "-t", "numbers"])
      #expect(read.split(separator: "\n").sorted() == ["one", "three", "two"])
      broker.signal(SIGTERM)
      #expect(await broker.exitCode() == 0)
      #expect(broker.text.contains("broker: stopped"))
    }

    @Test func aPortInUseIsSaid() async throws {
      let (broker, address) = try await Self.start(topics: "a:1")
      let port = String(address.split(separator: ":").last ?? "")
      let second = try Program(nil, ["broker", "--port", port])
      #expect(await second.exitCode() == 1)
      #expect(second.text.contains("port \(port)"), "\(second.text)")
      broker.signal(SIGINT)
      #expect(await broker.exitCode() == 0)
    }

    @Test func kcatProducesToADaemonAndReadsItsTopic() async throws {
      let (broker, address) = try await Self.start(topics: "readings:2", "scores:1")
      let folder = try TemporaryFolder()
      let pipeline = folder.path + "/readings.yaml"
      try Data(Self.pipeline.utf8).write(to: URL(fileURLWithPath: pipeline))
      let daemon = try Program(
        nil, ["run", pipeline, "--brokers", address], folder: folder.path)
      _ = try await Self.kcat(
        ["-P", "-b", address, "-t", "readings"],
        input: "{\"level\": 1.5}\nnot json\n{\"level\": 40}\n{\"level\": 3}\n")
      // -c: ends once two records have come.
      let read = try await Self.kcat(
        ["-C", "-q", "-c", "2", "-o", "beginning", "-b", address, "-t", "scores"])
      #expect(
        read.split(separator: "\n").sorted() == ["{\"level\":1.5}", "{\"level\":3.0}"],
        "\(daemon.text)")
      daemon.signal(SIGTERM)
      #expect(await daemon.exitCode() == 0, "\(daemon.text)")
      broker.signal(SIGTERM)
      #expect(await broker.exitCode() == 0)
    }

    private static let pipeline = """
      name: readings
      guarantee: at_least_once
      application: |
        CREATE OR REPLACE STREAM "LOW" ("level" DOUBLE);
        CREATE OR REPLACE PUMP "LOW_PUMP" AS INSERT INTO "LOW"
        SELECT STREAM "level" FROM "SOURCE_SQL_STREAM_001" WHERE "level" < 10;
      inputs:
        - stream: SOURCE_SQL_STREAM_001
          kafka: {topic: readings, start: trim_horizon}
          format: json
          columns: [{name: level, type: DOUBLE, path: $.level}]
      outputs:
        - stream: LOW
          kafka: {topic: scores}
      """

    @Test func loadFitsAPipeline() async throws {
      let (broker, address) = try await Self.start(topics: "city-taxi:1")
      let load = try Program(
        nil,
        [
          "generate", "load", "--pipeline", "pipelines/city-taxi.yaml", "--brokers", address,
          "--records", "100", "--keys", "3", "--seed", "9",
        ], folder: Places.root)
      #expect(await load.exitCode() == 0, "\(load.text)")
      #expect(load.text.contains("100 of 100 records produced to city-taxi"))
      let read = try await Self.kcat(
        ["-C", "-q", "-e", "-f", "%k %s\n", "-b", address, "-t", "city-taxi"])
      let lines = read.split(separator: "\n")
      #expect(lines.count == 100)
      #expect(
        lines.allSatisfy {
          $0.wholeMatch(
            of: /key-[0-2] \{"timestamp":"\d{4}-\d\d-\d\d [\d:.]+","value":[\d.]+\}/) != nil
        }, "\(lines.first ?? "")")
      broker.signal(SIGTERM)
      #expect(await broker.exitCode() == 0)
    }
  }
}
