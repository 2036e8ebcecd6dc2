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

  /// Brokers of the user's, for what the embedded broker does not know.
  static let realBrokers = ProcessInfo.processInfo.environment["CUTBANK_TEST_BROKERS"]

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
      # The embedded broker waits for a killed member until its session ends.
      kafka: {session.timeout.ms: 3000, heartbeat.interval.ms: 300}
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

/// What the tasks of a pipeline have counted when they were stopped.
struct Balance {
  var polled = 0
  var decoded = 0
  var deadLettered = 0
  var skipped = 0
  var lost = 0
  /// Rows per output, the dead letters last.
  var outputs: [Int] = []

  /// Adds what `cutbank state inspect` prints of a snapshot.
  fileprivate mutating func add(_ lines: [String]) {
    var rows: [Int] = []
    for line in lines {
      let numbers = line.matches(of: /\d+/).compactMap { Int($0.output) }
      if line.contains(" polled = "), numbers.count == 4 {
        polled += numbers[0]
        decoded += numbers[1]
        deadLettered += numbers[2]
        skipped += numbers[3]
      } else if line.contains(" lost before "), let count = numbers.first {
        lost += count
      } else if let found = line.firstMatch(of: /: (\d+) rows =/), let count = Int(found.1) {
        rows.append(count)
      }
    }
    outputs = outputs.isEmpty ? rows : zip(outputs, rows).map { $0 + $1 }
  }
}

extension Stage {
  /// Checks that nothing is unaccounted for in the last snapshots of a pipeline that has ended well.
  ///
  /// - Returns: The sums over all tasks.
  @discardableResult
  func expectBalance(of pipeline: String = "numbers", delivered below: String? = "out") async throws
    -> Balance
  {
    var sum = Balance()
    let state = path + "/data/" + pipeline
    let tasks = try FileManager.default.contentsOfDirectory(atPath: state)
      .filter { $0.hasPrefix("task-") }.sorted()
    for task in tasks {
      let found = try await command("state", "inspect", "\(state)/\(task)")
      let lines = found.text.split(separator: "\n").map(String.init)
      let snapshots = lines.indices.filter { lines[$0].hasPrefix("snapshot-") }
      let newest = snapshots.max { Self.number(lines[$0]) < Self.number(lines[$1]) }
      let begin = try #require(newest, "\(found.text)") + 1
      let end = snapshots.first { $0 >= begin } ?? lines.count
      let told = Array(lines[begin..<end])
      #expect(told.contains { $0.contains(" polled = ") }, "\(task): \(found.text)")
      #expect(!told.contains { $0.contains("UNEVEN") }, "\(task): \(found.text)")
      sum.add(told)
    }
    if let below {
      let delivered = rows(below).count
      #expect(sum.outputs.first == delivered, "\(sum) and \(delivered) rows were delivered")
    }
    let letters = rows("data/\(pipeline)/dead-letters").count
    #expect(sum.outputs.last == letters, "\(sum) and there are \(letters) dead letters")
    return sum
  }

  private static func number(_ line: String) -> Int {
    line.firstMatch(of: /\d+/).flatMap { Int($0.output) } ?? -1
  }
}
