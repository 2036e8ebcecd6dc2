import Foundation
import RimSupport
import Testing

/// The faults that a pipeline must withstand, one suite each, against the built daemon.
///
/// `make test` runs them short, `make faults` as long as they are meant and prints a table by the
/// numbers in the suites' names. The suites stand in files of their own, by what goes wrong.
@Suite(.serialized) struct Faults {
  /// Whether faults last as long as they are meant.
  static let areLong = ProcessInfo.processInfo.environment["CUTBANK_FAULTS"] != nil

  /// Why a test runs in `make faults` only.
  static let tooLong: Comment = "long: make faults"

  /// The file of a pipeline with SQL over the stream `NUMBERS` (n, k), which writes `OUT`; the other
  /// parameters are settings of the parts that they name.
  static func pipeline(
    _ application: String = numbers, name: String = "numbers", topic: String = "numbers",
    to place: String = "file://./out",
    delivery: String = "buffer: {size: 1MiB, interval: 1s}", input: String = "",
    output: String? = nil, kafka: String = "start: trim_horizon", extra: String = ""
  ) -> String {
    let indented = application.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    return """
      name: \(name)
      application: |
      \(indented)
      inputs:
        - stream: NUMBERS
          kafka: {topic: \(topic), \(kafka)}
          format: json
          \(input)
          columns: [{name: n, type: BIGINT, path: $.n}, {name: k, type: VARCHAR(16), path: $.k}]
      outputs:
        - stream: OUT
          \(output ?? "delivery: {to: \"\(place)\", \(delivery)}")
      # The embedded broker waits for a killed member until its session ends; it forgets a member whose
      # session is no longer than the 3 s that a new group takes, and never answers it.
      kafka: {session.timeout.ms: 4000, heartbeat.interval.ms: 300}
      commit_interval: 100ms
      \(extra)
      """
  }

  /// Every number as it is.
  static let numbers = """
    CREATE OR REPLACE STREAM "OUT" ("n" BIGINT);
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT" SELECT STREAM "n" FROM "NUMBERS";
    """

  /// How many were seen, so that anything lost or repeated shows in every later row.
  static let counts = """
    CREATE OR REPLACE STREAM "OUT" ("n" BIGINT, "seen" BIGINT);
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
      SELECT STREAM "n", COUNT(*) OVER (ROWS UNBOUNDED PRECEDING) FROM "NUMBERS";
    """

  /// A forest for each key: a score depends on all that its key has brought before.
  static let scores = """
    CREATE OR REPLACE STREAM "OUT" ("k" VARCHAR(16), "n" BIGINT, "score" DOUBLE);
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
      SELECT STREAM "k", "n", ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(
        CURSOR(SELECT STREAM "k", "n" FROM "NUMBERS") PARTITION BY "k", 10, 64, 1000, 1));
    """

  /// Whether the numbers of each key rise.
  static func isInOrder(_ rows: [String]) -> Bool {
    var last: [Substring: Int] = [:]
    for row in rows {
      guard let found = row.firstMatch(of: /"k":"(\w+)","n":(\d+)/),
        let number = Int(found.output.2), number > last[found.output.1] ?? -1
      else { return false }
      last[found.output.1] = number
    }
    return true
  }

  /// A record.
  static func record(_ number: Int, key: String = "k") -> String {
    "{\"n\":\(number),\"k\":\"\(key)\"}"
  }
}

extension Faults {
  /// What the table of `make faults` shows of the fault that is under way.
  static func tell(_ text: String) { report("saw: \(text)") }

  /// Says in the table why a fault leaves no balance to look at.
  static func tellNoBalance(_ reason: String) { report("balance: none, \(reason)") }

  fileprivate static func report(_ text: String) {
    FaultTable.tell(text, test: Test.current.map { "\($0.id)" })
  }
}

/// What an output must have delivered.
enum Delivered {
  /// As many rows as lie below a folder.
  case below(String)
  /// So many rows.
  case rows(Int)
  /// What the balances say: their destination tells nothing, or they are still in flight.
  case asCounted
}

extension Stage {
  /// Checks the balances of a pipeline whose daemon has ended: nothing came from nowhere, nothing is
  /// unaccounted for, and what was delivered is there.
  ///
  /// They are those of the newest snapshots, as `cutbank state inspect` prints them.
  ///
  /// - Parameters:
  ///   - pipeline: The pipeline's name without the suffix of the stage.
  ///   - delivered: What its first output has delivered.
  ///   - data: The data directory; without it, that of the stage's folder.
  /// - Returns: The sums over all tasks.
  /// - Throws: when there is no state, or none of an output.
  @discardableResult
  func expectBalance(
    of pipeline: String = "numbers", delivered: Delivered = .below("out"), data: String? = nil
  ) async throws -> Balance {
    let name = pipeline + suffix
    let state = (data ?? path + "/data") + "/" + name
    let tasks = try FileManager.default.contentsOfDirectory(atPath: state)
      .filter { $0.hasPrefix("task-") }.sorted()
    var sum = Balance()
    for task in tasks {
      let found = try await command("state", "inspect", "\(state)/\(task)")
      let lines = found.text.split(separator: "\n").map(String.init)
      let balance = Balance(inspection: lines)
      #expect(balance.problems.isEmpty, "\(task): \(balance.problems)\n\(found.text)")
      sum.add(balance)
    }
    let first = try #require(sum.outputs.first, "\(name) has no state")
    let arrived: Int? =
      switch delivered {
      case .below(let folder): rows(folder).count
      case .rows(let count): count
      case .asCounted: nil
      }
    if let arrived {
      #expect(first.rows == arrived, "\(sum) and \(arrived) rows have arrived")
      #expect(first.inFlight == 0, "\(sum)")
      let letters = deadLetters(below: "\(state)/dead-letters")
      #expect(sum.outputs.last?.rows == letters, "\(sum) and \(letters) dead letters")
    }
    Faults.report("balance: \(pipeline): \(sum)")
    return sum
  }

  /// Checks the balances of a daemon that runs and has processed so many records, each of which is a row
  /// of its first output, by what its log says every second (`log: {status: 1s}`).
  func expectBalance(of daemon: Program, records count: Int) async throws {
    let rows = "rows_OUT=\(count) = \(count) delivered + 0 refused + 0 in flight"
    let line = try #require(await daemon.line(containing: rows))
    #expect(line.contains("records=\(count) "), "\(line)")
    #expect(!daemon.text.contains("unaccounted="), "\(line)")
    Faults.report("balance: records=\(count) \(rows)")
  }

  /// How many dead letters lie in a folder.
  private func deadLetters(below folder: String) -> Int {
    let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return names.filter { !$0.contains("/.") && !$0.hasPrefix(".") }.reduce(0) { sum, name in
      let bytes = FileManager.default.contents(atPath: folder + "/" + name) ?? Data()
      return sum + bytes.count { $0 == UInt8(ascii: "\n") }
    }
  }
}
