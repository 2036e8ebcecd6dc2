import ArgumentParser
import Engine
import Foundation

/// `cutbank bench pipeline`: records per second from topic to topic, beside a bare librdkafka loop.
struct BenchPipeline: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pipeline",
    abstract: "Measure pipelines from Kafka to Kafka, and a loop of librdkafka alone beside them.",
    discussion: """
      Records of 150 bytes of JSON are produced with lz4 to a topic of 12 partitions while the pipeline \
      runs. filter passes nearly all; forests scores 100 keys with 50 trees of 256 and shingles of 8, a \
      task per partition; single does so in one task. The bare loop, in C, consumes and produces the \
      same records unread, with a thread, a consumer and a producer per processor. Then records are sent \
      at 60 % of the pipeline's speed, and the time from a record's timestamp to its row in a reader of \
      the output topic is measured, after three seconds in which all forests are made. With --brokers the \
      latencies are those of exactly once, and a first round is not counted, in which a broker in Java \
      compiles what it runs often. Without --brokers an embedded broker in this process is used, rows are \
      written at least once, and exactly once is not measurable.
      """)

  @Argument(help: "The pipeline: filter, forests or single; all without one.")
  var workload: PipelineWorkload?
  @Option(help: "How many records a round has; a half of it for forests.") var records = 5_000_000
  @Option(help: "How many rounds of each; the median counts.") var rounds = 5
  @Option(help: "For how many seconds a round measures latencies; 0 leaves them out.")
  var seconds = 10
  @Option(help: "A real broker, host:port; topics are made there and deleted.") var brokers: String?
  @Flag(help: "Print one line of JSON per pipeline.") var json = false

  func validate() throws {
    guard records >= 10, rounds > 0, seconds >= 0 else {
      throw ValidationError("--records must be 10 or more, --rounds positive")
    }
  }

  func run() async throws {
    for workload in workload.map({ [$0] }) ?? PipelineWorkload.allCases {
      let count = workload == .filter ? records : records / 2
      var bare: [Double] = []
      var ours: [Double] = []
      var exact: [Double] = []
      if brokers != nil {
        _ = try await round(workload, count, "at_least_once")
        _ = try await round(workload, count, "exactly_once")
      }
      for _ in 0..<rounds {
        if workload == .filter { bare.append(try await bareRound(count)) }
        ours.append(try await round(workload, count, "at_least_once"))
        if brokers != nil { exact.append(try await round(workload, count, "exactly_once")) }
      }
      let speed = Self.median(ours) ?? 0
      var figures = PipelineFigures(workload: workload, records: count)
      figures.recordsPerSecond = speed
      figures.barePerSecond = Self.median(bare)
      figures.exactlyOncePerSecond = Self.median(exact)
      if seconds > 0 {
        figures.latencies = try await latencies(
          workload, rate: 0.6 * (figures.exactlyOncePerSecond ?? speed))
      }
      try Output.write((json ? figures.json : figures.text) + "\n")
    }
  }

  private func bareRound(_ count: Int) async throws -> Double {
    let stage = try PipelineStage(brokers: brokers)
    let speed = try await stage.bareSpeed(count)
    try stage.close()
    return speed
  }

  private func round(
    _ workload: PipelineWorkload, _ count: Int, _ guarantee: String
  ) async throws -> Double {
    let stage = try PipelineStage(brokers: brokers)
    let speed = try await stage.speed(workload, count: count, guarantee: guarantee)
    try stage.close()
    return speed
  }

  private func latencies(
    _ workload: PipelineWorkload, rate: Double
  ) async throws -> (p50: Double, p99: Double)? {
    var medians: [Double] = []
    var tails: [Double] = []
    for _ in 0..<rounds {
      let stage = try PipelineStage(brokers: brokers)
      let found = try await stage.latencies(
        workload, rate: rate, seconds: seconds,
        guarantee: brokers == nil ? "at_least_once" : "exactly_once")
      try stage.close()
      medians.append(found.p50)
      tails.append(found.p99)
    }
    guard let p50 = Self.median(medians), let p99 = Self.median(tails) else { return nil }
    return (p50, p99)
  }

  static func median(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.sorted()[values.count / 2]
  }
}

/// What is measured.
enum PipelineWorkload: String, ExpressibleByArgument, CaseIterable {
  case filter, forests, single

  /// The application and its stream's columns.
  var program: String {
    let columns = #""t" VARCHAR(20), "k" VARCHAR(16), "v" DOUBLE"#
    switch self {
    case .filter:
      // Every column, so that rows are as long as the records of the bare loop.
      return """
        CREATE OR REPLACE STREAM "OUT" (\(columns), "site" VARCHAR(16), "status" VARCHAR(16),
          "note" VARCHAR(64), "n" BIGINT);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          SELECT STREAM "t", "k", "v", "site", "status", "note", "n" FROM "S" WHERE "v" >= 0;
        """
    case .forests, .single:
      return """
        CREATE OR REPLACE STREAM "OUT" (\(columns), "SCORE" DOUBLE);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          SELECT STREAM "t", "k", "v", "SCORE" FROM TABLE(ML_DETECT_ANOMALIES(
            CURSOR(SELECT STREAM "k", "v", "t" FROM "S") PARTITION BY "k",
            number_of_trees => 50, sample_size => 256, shingle_size => 8));
        """
    }
  }
}

/// The results of one pipeline.
struct PipelineFigures {
  let workload: PipelineWorkload
  let records: Int
  var recordsPerSecond = 0.0
  var barePerSecond: Double?
  var exactlyOncePerSecond: Double?
  var latencies: (p50: Double, p99: Double)?

  init(workload: PipelineWorkload, records: Int) {
    self.workload = workload
    self.records = records
  }

  var json: String {
    func number(_ value: Double?) -> String { value.map { "\(Int($0))" } ?? "null" }
    return """
      {"pipeline":"\(workload.rawValue)","records":\(records),\
      "records_per_second":\(number(recordsPerSecond)),\
      "bare_records_per_second":\(number(barePerSecond)),\
      "exactly_once_records_per_second":\(number(exactlyOncePerSecond)),\
      "p50_ms":\(number(latencies?.p50)),"p99_ms":\(number(latencies?.p99))}
      """
  }

  var text: String {
    var text = "\(workload.rawValue): \(Int(recordsPerSecond)) records per second"
    if let bare = barePerSecond {
      let ratio = (recordsPerSecond / bare * 100).rounded() / 100
      text += "; librdkafka alone \(Int(bare)), ratio \(ratio)"
    }
    text += "; exactly once "
    text += exactlyOncePerSecond.map { "\(Int($0))" } ?? "not measurable on the embedded broker"
    if let latencies {
      text += "; at 60 % load p50 \(Int(latencies.p50)) ms, p99 \(Int(latencies.p99)) ms"
    }
    return text
  }
}
