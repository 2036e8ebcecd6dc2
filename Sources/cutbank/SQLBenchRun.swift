import Codecs
import Columns
import Dataflow
import Engine
import Foundation
import StreamSQL

/// One application from a file to a file.
final class SQLBenchRun {
  private static let schema = Schema([
    ColumnDefinition(name: "id", type: .bigint),
    ColumnDefinition(name: "key", type: .varchar(16)),
    ColumnDefinition(name: "value", type: .double),
    ColumnDefinition(name: "x", type: .double),
    ColumnDefinition(name: "y", type: .double),
    ColumnDefinition(name: "site", type: .varchar(16)),
  ])

  private static let table = ReferenceTable(
    name: "PLACES",
    schema: Schema([
      ColumnDefinition(name: "key", type: .varchar(16)),
      ColumnDefinition(name: "place", type: .varchar(16)),
    ]))

  private let dataflow: Dataflow
  private let file: FileHandle
  private var pool = StringPool()
  /// What puts rows in order; nil where they are.
  private var sorter: EventTimeSorter?

  init(_ application: BenchSQL.Application, keys: Int, output path: String) throws {
    let result = compile(
      application.program, file: "bench.sql",
      sources: [SourceStream(name: "SOURCE_SQL_STREAM_001", schema: Self.schema)],
      referenceTables: application == .table ? [Self.table] : [])
    guard let plan = result.plan else {
      throw Failure(message: result.diagnostics.map(\.description).joined(separator: "\n"))
    }
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let file = FileHandle(forWritingAtPath: path)
    else {
      throw Failure(message: "\(path) cannot be written")
    }
    self.file = file
    dataflow = try Dataflow(
      plan: plan, configuration: DataflowConfiguration(watched: ["OUT_STREAM"]))
    if application == .table { try loadTable(keys) }
    if application == .eventTime {
      sorter = EventTimeSorter(
        schemas: [Self.schema], lateness: Self.lateness, rowLimit: Batch.rowLimit * 1_024)
    }
  }

  private func loadTable(_ keys: Int) throws {
    var rows = Batch(schema: Self.table.schema)
    for key in 0..<keys {
      rows.columns[0].append(pool.intern("sensor-\(100_000 + key)"))
      rows.columns[1].append(pool.intern("place-\(key % 50)"))
      rows.rowtimes.append(0)
      rows.causes.append(0)
    }
    try dataflow.setTable("PLACES", rows: rows, pool: &pool)
  }

  private static let firstTime: Int64 = 1_700_000_000_000
  private static let lateness: Int64 = 1_000

  /// Gives the rows of a batch their times: each later than the one before, or late by less than the
  /// bound and then put in order.
  private func stamp(_ batch: inout Batch, count: Int, cause: inout Int64) {
    guard sorter != nil else {
      for _ in 0..<count {
        cause += 1
        batch.causes.append(cause)
        batch.rowtimes.append(Self.firstTime + cause)
      }
      return
    }
    var sorted = Batch(schema: Self.schema, capacity: Batch.rowLimit)
    for row in 0..<count {
      cause += 1
      let time = Self.firstTime + cause - cause * 7_919 % Self.lateness
      let origin = EventTimeSorter.Origin(partition: 0, offset: cause, index: row, batch: cause)
      sorter?.insert(batch, row: row, time: time, input: 0, origin: origin)
      sorter?.advance()
      while sorter?.next != nil {
        sorter?.moveNext(to: &sorted)
        sorted.causes.append(cause)
      }
    }
    batch = sorted
  }

  func process(_ input: URL) throws {
    let paths = Self.schema.columns.map { JSONPath(steps: [.member($0.name)]) }
    var decoder = try RecordDecoder(
      schema: Self.schema, format: .json(rowPath: .root, paths: paths))
    var output = dataflow.makeOutput()
    var encoder = JSONLinesEncoder(schema: output.streams[0].batch.schema)
    var batch = Batch(schema: Self.schema, capacity: Batch.rowLimit)
    var text: [UInt8] = []
    var cause: Int64 = 0
    let bytes = try Data(contentsOf: input, options: .mappedIfSafe)
    let lines = bytes.span
    var start = 0
    while start < lines.count {
      var end = start
      while end < lines.count, lines[end] != 10 { end += 1 }
      let outcome = decoder.decode(lines.extracting(start..<end), pool: &pool)
      if case .rejected(let reject) = outcome { throw Failure(message: "\(reject)") }
      start = end + 1
      guard decoder.stagedRowCount == Batch.rowLimit || start >= lines.count else { continue }
      let count = decoder.stagedRowCount
      batch.removeAll()
      decoder.moveRows(to: &batch)
      stamp(&batch, count: count, cause: &cause)
      dataflow.process(&batch, source: 0, pool: &pool, output: &output)
      encoder.load(output.streams[0].batch)
      text.removeAll(keepingCapacity: true)
      for row in 0..<output.streams[0].batch.count {
        encoder.append(row: row, pool: pool, to: &text)
      }
      try file.write(contentsOf: text)
      output.removeAll()
      if pool.bytes.count > 1 << 26 {
        var old = StringPool()
        swap(&pool, &old)
        var remap = StringRemapper(from: old)
        dataflow.remapStrings(&remap)
        sorter?.remapStrings(&remap)
        pool = remap.finish()
      }
    }
  }
}
