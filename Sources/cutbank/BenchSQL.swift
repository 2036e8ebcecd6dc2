import ArgumentParser
import Foundation

/// `cutbank bench sql`: rows per second of SQL applications on one core, JSON file to JSON file.
struct BenchSQL: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sql",
    abstract: "Measure SQL applications: JSON lines from a file, JSON lines to a file.",
    discussion: """
      Records of some 150 bytes, a millisecond apart, are read, decoded, run through an application and \
      encoded. table looks up each key in a reference table of all keys; event-time is the filter over rows \
      that come up to a second late and are put in order. Each figure is the best of the rounds, in CPU \
      time of one thread.
      """)

  enum Application: String, ExpressibleByArgument, CaseIterable {
    case filter, tumbling, sliding, hotspots, table
    case eventTime = "event-time"
  }

  @Argument(
    help:
      "The application: filter, tumbling, sliding, hotspots, table or event-time; all without one.")
  var application: Application?
  @Option(help: "How many records a round has.") var records = 1_000_000
  @Option(help: "How many rounds are timed.") var rounds = 3
  @Option(help: "How many different keys there are.") var keys = 1_000
  @Flag(help: "Print one line of JSON per application.") var json = false
  @Option(help: "Write the records to this file and measure nothing.") var write: String?
  @Option(help: "Peers' figures: lines of JSON with application, peer, rows_per_second.")
  var peers: String?

  func validate() throws {
    guard records > 0, rounds > 0, keys > 0 else {
      throw ValidationError("--records, --rounds and --keys must be positive")
    }
  }

  private struct Peer: Decodable {
    let application: String
    let peer: String
    let rowsPerSecond: Double
  }

  func run() throws {
    if let write {
      try makeInput(records).write(to: URL(fileURLWithPath: write))
      return
    }
    let peers = try readPeers()
    for application in application.map({ [$0] }) ?? Application.allCases {
      let count = application == .hotspots ? max(1, records / 20) : records
      let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("cutbank-bench-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let input = folder.appendingPathComponent("input.jsonl")
      try makeInput(count).write(to: input)
      var best = 0.0
      for _ in 0..<rounds {
        let run = try SQLBenchRun(application, keys: keys, output: folder.path + "/output.jsonl")
        let start = Self.threadSeconds()
        try run.process(input)
        best = max(best, Double(count) / (Self.threadSeconds() - start))
      }
      try show(application, count, best, peers.first { $0.application == application.rawValue })
    }
  }

  private func readPeers() throws -> [Peer] {
    guard let peers else { return [] }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try Data(contentsOf: URL(fileURLWithPath: peers)).split(separator: 10).map {
      try decoder.decode(Peer.self, from: $0)
    }
  }

  private func show(
    _ application: Application, _ count: Int, _ rate: Double, _ peer: Peer?
  ) throws {
    if json {
      let name = peer.map { "\"\($0.peer)\"" } ?? "null"
      let theirs = peer.map { "\(Int($0.rowsPerSecond))" } ?? "null"
      try Output.write(
        "{\"application\":\"\(application.rawValue)\",\"records\":\(count),"
          + "\"rows_per_second\":\(Int(rate)),\"peer\":\(name),"
          + "\"peer_rows_per_second\":\(theirs)}\n")
      return
    }
    var line = "\(application.rawValue): \(Int(rate)) rows per second"
    if let peer {
      line += ", \(peer.peer) \(Int(peer.rowsPerSecond)): \(Int(rate / peer.rowsPerSecond)) times"
    }
    try Output.write(line + "\n")
  }

  private static func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private func makeInput(_ count: Int) -> Data {
    var data = Data()
    data.reserveCapacity(count * 160)
    var state: UInt64 = 1
    func random(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % limit
    }
    for row in 0..<count {
      let hot = random(4) == 0
      let x = hot ? 3_000 + random(400) : random(10_000)
      let y = hot ? 7_000 + random(400) : random(10_000)
      data.append(
        contentsOf: """
          {"id":\(row),"key":"sensor-\(100_000 + random(keys))","value":\(random(100_000)).\(random(10)),\
          "x":\(x / 1_000).\(1_000 + x % 1_000),"y":\(y / 1_000).\(1_000 + y % 1_000),\
          "site":"site-\(random(20))","status":"running","note":"nothing to report here"}\n
          """.utf8)
    }
    return data
  }
}

extension BenchSQL.Application {
  /// The application's text.
  var program: String {
    let create = "CREATE OR REPLACE STREAM OUT_STREAM "
    let pump = "CREATE OR REPLACE PUMP P AS INSERT INTO OUT_STREAM SELECT STREAM "
    switch self {
    case .filter, .eventTime:
      return create
        + """
        ("id" BIGINT, "key" VARCHAR(16), "celsius" DOUBLE, "site" VARCHAR(16));
        \(pump) "id", "key", ("value" - 32) * 5 / 9, "site" FROM SOURCE_SQL_STREAM_001
        WHERE "value" > 20000;
        """
    case .tumbling:
      return create
        + """
        ("key" VARCHAR(16), "n" BIGINT, "mean" DOUBLE);
        \(pump) "key", COUNT(*), AVG("value") FROM SOURCE_SQL_STREAM_001
        GROUP BY "key", STEP(SOURCE_SQL_STREAM_001.ROWTIME BY INTERVAL '10' SECOND);
        """
    case .sliding:
      return create
        + """
        ("key" VARCHAR(16), "value" DOUBLE, "mean" DOUBLE);
        \(pump) "key", "value", AVG("value") OVER W FROM SOURCE_SQL_STREAM_001
        WINDOW W AS (PARTITION BY "key" RANGE INTERVAL '1' MINUTE PRECEDING);
        """
    case .table:
      return create
        + """
        ("id" BIGINT, "key" VARCHAR(16), "value" DOUBLE, "place" VARCHAR(16));
        \(pump) s."id", s."key", s."value", t."place" FROM SOURCE_SQL_STREAM_001 AS s
        JOIN PLACES AS t ON s."key" = t."key";
        """
    case .hotspots:
      return create
        + """
        ("x" DOUBLE, "y" DOUBLE, HOTSPOTS_RESULT VARCHAR(10000));
        \(pump) "x", "y", HOTSPOTS_RESULT FROM TABLE(HOTSPOTS(CURSOR(
          SELECT STREAM "x", "y" FROM SOURCE_SQL_STREAM_001), 1000, 0.2, 17));
        """
    }
  }
}
