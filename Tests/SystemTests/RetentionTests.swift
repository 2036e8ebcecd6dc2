import Foundation
import Testing

extension SystemTests {
  /// Topics that do not keep what a replay needs; the embedded broker keeps 5 MB of a partition.
  @Suite(.timeLimit(.minutes(3))) struct Retention {
    private static func padded(_ numbers: Range<Int>) -> [String] {
      let padding = String(repeating: "x", count: 100_000)
      return numbers.map { "{\"n\":\($0),\"k\":\"k\",\"padding\":\"\(padding)\"}" }
    }

    @Test func theLogStartIsComparedWithTheSnapshot() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      func validate(_ file: String, _ arguments: String...) async throws -> String {
        let program = try Program(
          nil, ["validate", file, "--brokers", stage.address] + arguments, folder: stage.path)
        #expect(await program.exitCode() == 0, "\(program.text)")
        #expect(program.text.contains("is valid"), "\(program.text)")
        return program.text
      }
      #expect(try await !validate(file).contains("warning"))
      let daemon = try stage.daemon(file)
      try stage.produce((0..<10).map { Faults.record($0) }, to: "numbers")
      try await stage.expectRows(10, of: daemon)
      await stage.end(daemon)
      #expect(try await !validate(file).contains("warning"))

      try stage.produce(Self.padded(10..<110), to: "numbers")
      let passed = try await validate(file)
      #expect(
        passed.contains(
          /warning: task numbers\/0: the log start \d+ of numbers\[0\] has passed offset 10,/),
        "\(passed)")
      #expect(
        passed.contains("records are missing") && passed.contains("retention.ms"), "\(passed)")
      let elsewhere = try await validate(file, "--data-directory", "other")
      #expect(elsewhere.contains("run validate where the state is"), "\(elsewhere)")

      // One that begins at the log start has nothing before it.
      let late = try stage.write(
        Faults.pipeline(Faults.counts, name: "late", to: "file://./late"), to: "late.yaml")
      let second = try stage.daemon(late, through: ["/usr/bin/env", "CUTBANK_LOG__STATUS=200ms"])
      _ = try #require(await second.line(containing: "of numbers[0] comes near offset"))
      _ = try #require(await second.line(containing: "replay_margin=0"))
      let near = try await validate(late)
      #expect(near.contains("comes near offset") && near.contains("task late/0"), "\(near)")
      await stage.end(second)
    }

    @Test func brokersThatAreAwayMakeNothingInvalid() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      let away = try await stage.command("validate", file, "--brokers", "127.0.0.1:9")
      #expect(away.code == 0, "\(away.text)")
      #expect(away.text.contains("topics and state were not compared"), "\(away.text)")
      #expect(away.text.contains("is valid"), "\(away.text)")
      let none = try await stage.command("validate", file)
      #expect(none.code == 0 && !none.text.contains("warning"), "\(none.text)")
    }
  }
}
