import Demo
import Foundation
import RimSupport
import Testing

/// The built program from outside, one test after the other, since each starts processes of its own.
@Suite(.serialized) struct SystemTests {
  @Suite(.timeLimit(.minutes(2))) struct Commands {
    private func run(_ arguments: String...) async throws -> (code: Int32, text: String) {
      let program = try Program(nil, arguments, folder: Places.root)
      return (await program.exitCode(), program.text)
    }

    @Test func versionAndHelp() async throws {
      let version = try await run("version")
      #expect(version.code == 0 && version.text.hasPrefix("cutbank "))
      let help = try await run("help")
      #expect(help.code == 0)
      for command in ["run", "demo", "validate", "explain", "broker", "generate", "bench"] {
        #expect(help.text.contains("  \(command) "), "\(command)")
      }
    }

    @Test(arguments: [["--unknown"], ["generate", "city-taxi", "--seed", "x"], ["nonsense"]])
    func wrongUsageExitsWith64(arguments: [String]) async throws {
      let program = try Program(nil, arguments)
      #expect(await program.exitCode() == 64, "\(program.text)")
    }

    @Test func theSimulatedSeriesIsAlwaysTheSame() async throws {
      let csv = try await run("generate", "city-taxi", "--seed", "5")
      #expect(csv.code == 0)
      #expect(try Ride.parse(csv: csv.text) == CityTaxi.rides(seed: 5))
    }

    @Test func aReaderThatGoesAwayEndsTheCommand() async throws {
      let program = try Program(
        "/bin/sh", ["-c", "'\(Program.cutbank)' generate city-taxi | head -n 1"])
      #expect(await program.exitCode() == 0)
      #expect(program.text == "timestamp,value")
    }

    @Test(arguments: ["city-taxi", "console-template"]) func theShippedPipelinesAreValid(
      name: String
    ) async throws {
      let valid = try await run("validate", "pipelines/\(name).yaml")
      #expect(valid.code == 0, "\(valid.text)")
      let plan = try await run("explain", "pipelines/\(name).yaml")
      #expect(plan.code == 0, "\(plan.text)")
      #expect(plan.text.contains("RANDOM_CUT_FOREST"), "\(plan.text)")
    }

    @Test func everyErrorOfAPipelineIsPrintedWithItsPlace() async throws {
      let folder = try TemporaryFolder()
      let file = folder.path + "/bad.yaml"
      try Data(Self.badPipeline.utf8).write(to: URL(fileURLWithPath: file))
      let refused = try await run("validate", file)
      #expect(refused.code == 78)
      for place in [":6:12:", ":6:13:", ":8:25:"] {
        #expect(refused.text.contains("bad.yaml\(place)"), "\(place) in \(refused.text)")
      }
      #expect(refused.text.contains("hint: "))
    }

    private static let badPipeline = """
      name: bad
      application: |
        CREATE OR REPLACE STREAM "A" (x DOUBLE;
      inputs:
        - stream: SOURCE_SQL_STREAM_001
          kafka: {topc: t}
          columns:
            - {name: x, type: DUBLE}
      outputs:
        - stream: A
          delivery: {to: file://./out}
      """

    @Test func aMissingFileIsConfiguration() async throws {
      let refused = try await run("run", "no-such.yaml", "--brokers", "127.0.0.1:1")
      #expect(refused.code == 78)
      #expect(refused.text.contains("no-such.yaml"))
    }
  }
}
