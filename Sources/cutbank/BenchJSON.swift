import ArgumentParser
import CAllocationCounter
import Codecs
import Columns
import Foundation

/// `cutbank bench json`: speed and allocations of the JSON decoder and encoder on one core.
struct BenchJSON: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "json",
    abstract: "Measure JSON decoding into columns and encoding from them.",
    discussion: """
      Flat records of nine members, some 150 bytes each, are decoded in batches of 1,024 rows, texts \
      interned and columns written; then the batches are encoded as JSON lines. Each figure is the best \
      of the rounds, in CPU time of one thread.
      """)

  @Option(help: "How many distinct records are decoded in a round.") var records = 102_400
  @Option(help: "How many rounds are timed.") var rounds = 9
  @Option(help: "Also write the records to this file, one a line, for other programs.")
  var write: String?
  @Flag(help: "Print one line of JSON.") var json = false

  func validate() throws {
    guard records > 0, rounds > 0 else {
      throw ValidationError("--records and --rounds must be positive")
    }
  }

  func run() throws {
    let input = SensorRecords(count: records)
    if let write { try Data(input.bytes).write(to: URL(fileURLWithPath: write)) }
    var figures: [(name: String, value: Double)] = [
      ("records", Double(records)),
      ("bytes_per_record", Double(input.bytes.count - records) / Double(records)),
    ]
    let batches = try measureDecoding(input, into: &figures)
    try measureEncoding(batches.batches, batches.pool, into: &figures)
    guard json else {
      for (name, value) in figures { print("\(name): \(value)") }
      return
    }
    let members = figures.map { "\"\($0.name)\":\($0.value)" }
    print("{\(members.joined(separator: ","))}")
  }

  private struct Decoded: ~Copyable {
    let batches: [Batch]
    let pool: StringPool
  }

  private func measureDecoding(
    _ input: SensorRecords, into figures: inout [(name: String, value: Double)]
  ) throws -> Decoded {
    var decoder = try RecordDecoder(schema: SensorRecords.schema, format: SensorRecords.format)
    var pool = StringPool()
    var batch = Batch(schema: SensorRecords.schema, capacity: Batch.rowLimit)
    var batches: [Batch] = []
    // Two rounds warm up and are not timed; the first keeps the batches, which then share no memory
    // with the one that is used again.
    try decode(input, &decoder, &pool, &batch) { batches.append($0) }
    try decode(input, &decoder, &pool, &batch) { _ in }
    let allocationsBefore = cutbank_allocations()
    var best = Double.infinity
    for _ in 0..<rounds {
      let start = threadSeconds()
      try decode(input, &decoder, &pool, &batch) { _ in }
      best = min(best, threadSeconds() - start)
    }
    let allocations = cutbank_allocations() - allocationsBefore
    figures += [
      ("records_per_second", Double(records) / best),
      ("decode_bytes_per_second", Double(input.bytes.count - records) / best),
      ("allocations_per_record", Double(allocations) / Double(rounds * records)),
    ]
    return Decoded(batches: batches, pool: pool)
  }

  private func decode(
    _ input: SensorRecords, _ decoder: inout RecordDecoder, _ pool: inout StringPool,
    _ batch: inout Batch, _ finish: (Batch) -> Void
  ) throws {
    let bytes = input.bytes.span
    var record = 0
    while record < records {
      let end = min(record + Batch.rowLimit, records)
      batch.removeAll()
      while record < end {
        let outcome = decoder.decode(
          bytes.extracting(input.starts[record]..<input.starts[record + 1] - 1), pool: &pool)
        guard case .rows(1) = outcome else {
          throw ValidationError("record \(record) became \(outcome)")
        }
        batch.rowtimes.append(Int64(record))
        batch.causes.append(Int64(record))
        record += 1
      }
      decoder.moveRows(to: &batch)
      finish(batch)
    }
  }

  private func measureEncoding(
    _ batches: [Batch], _ pool: borrowing StringPool,
    into figures: inout [(name: String, value: Double)]
  ) throws {
    var encoder = JSONLinesEncoder(schema: SensorRecords.schema)
    var output: [UInt8] = []
    var best = Double.infinity
    var bytes = 0
    var allocations: Int64 = 0
    for round in 0...rounds {
      let allocationsBefore = cutbank_allocations()
      let start = threadSeconds()
      bytes = 0
      for batch in batches {
        output.removeAll(keepingCapacity: true)
        encoder.load(batch)
        for row in 0..<batch.count { encoder.append(row: row, pool: pool, to: &output) }
        bytes += output.count
      }
      guard round > 0 else { continue }
      best = min(best, threadSeconds() - start)
      allocations += cutbank_allocations() - allocationsBefore
    }
    figures += [
      ("encode_rows_per_second", Double(records) / best),
      ("encode_bytes_per_second", Double(bytes) / best),
      ("encode_allocations_per_row", Double(allocations) / Double(rounds * records)),
    ]
  }

  private func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

/// Readings of simulated sensors as JSON lines.
struct SensorRecords {
  static let names = [
    "ts", "device", "site", "temperature", "pressure", "vibration", "rpm", "ok", "seq",
  ]
  static let types: [ColumnType] = [
    .bigint, .varchar(32), .varchar(16), .double, .double, .double, .integer, .boolean, .bigint,
  ]
  static let schema = Schema(
    zip(names, types).map { ColumnDefinition(name: $0, type: $1) })
  static let format = RecordFormat.json(
    rowPath: .root, paths: names.map { JSONPath(steps: [.member($0)]) })

  /// The records, a line feed after each.
  private(set) var bytes: [UInt8] = []
  /// Where each record begins, and the end.
  private(set) var starts: [Int] = [0]

  init(count: Int) {
    var state: UInt64 = 1
    func random(_ bound: Int) -> Int {
      // Knuth's MMIX generator: the same records on every machine.
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    func fixed(_ value: Int, _ digits: Int) -> String {
      let text = String(value)
      let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
      return "\(padded.dropLast(digits)).\(padded.suffix(digits))"
    }
    for index in 0..<count {
      let record =
        "{\"ts\":\(1_700_000_000_000 + index * 37),\"device\":\"sensor-\(10_000 + random(997))\","
        + "\"site\":\"plant-\(random(10))\",\"temperature\":\(fixed(200_000 + random(600_000), 4)),"
        + "\"pressure\":\(fixed(900_000 + random(200_000), 4)),"
        + "\"vibration\":\(fixed(random(100_000), 5)),\"rpm\":\(1_000 + random(2_000)),"
        + "\"ok\":\(random(50) > 0),\"seq\":\(100_000 + index)}\n"
      bytes += Array(record.utf8)
      starts.append(bytes.count)
    }
  }
}
