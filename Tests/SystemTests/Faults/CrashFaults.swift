import Foundation
import RimSupport
import Testing

extension Faults {
  @Suite("Fault 31: a record that kills the process", .timeLimit(.minutes(10)))
  struct Fault31 {
    /// Of the record that kills, the program makes more text than the process may have memory.
    @Test(.enabled(if: Faults.areLong, Faults.tooLong)) func isPassedOverAndTheRestGoesOn()
      async throws
    {
      let stage = try Stage(topics: ["numbers": 1])
      let long = String(repeating: "x", count: 60_000)
      let program = """
        CREATE OR REPLACE STREAM "OUT" ("n" BIGINT);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT" SELECT STREAM "n" FROM "NUMBERS"
          WHERE CHAR_LENGTH('\(long)' || CAST("n" AS VARCHAR(10))) > 0;
        """
      let text = Faults.pipeline(program, input: "row_path: '$.rows[0:]'")
      let file = try stage.write(text, to: "numbers.yaml")
      func records(_ numbers: Range<Int>) -> [String] {
        numbers.map { "{\"rows\":[{\"n\":\($0)}]}" }
      }
      try stage.produce(records(0..<50), to: "numbers")
      let rows = (0..<60_000).map { "{\"n\":\(1_000_000 + $0)}" }.joined(separator: ",")
      try stage.produce(["{\"rows\":[\(rows)]}"], to: "numbers")
      try stage.produce(records(50..<100), to: "numbers")
      var crashes = 0
      var daemon = try self.daemon(stage, file)
      while await !daemon.outlives(within: .seconds(90), { isThrough(stage) }) {
        try #require(!daemon.isRunning && crashes < 7, "\(crashes): \(daemon.text)")
        crashes += 1
        daemon = try self.daemon(stage, file)
      }
      await stage.end(daemon)
      // One without a trace, one in a batch, two at the record; the first may come twice.
      #expect((3...6).contains(crashes), "\(crashes)")
      #expect(daemon.text.contains("numbers[0] offset 50; the record is passed over"))
      #expect(stage.rows() == (0..<100).map { "{\"n\":\($0)}" })
      let letters = stage.rows("data/numbers/dead-letters")
      #expect(letters.count == 1 && letters[0].contains("Record.ProcessCrashed"))
      #expect(letters[0].contains("\"offset\":50"))
      let balance = try await stage.expectBalance()
      #expect(balance.polled == 101 && balance.deadLettered == 1)
      #expect(!stage.files.contains { $0.hasSuffix("/attempts") })
    }

    private func daemon(_ stage: Stage, _ file: String) throws -> Program {
      try stage.daemon(file, through: ["/usr/bin/prlimit", "--data=536870912", "--core=0"])
    }

    private func isThrough(_ stage: Stage) -> Bool { stage.rows().count >= 100 }
  }
}
