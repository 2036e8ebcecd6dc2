import Codecs
import Columns
import Dataflow
public import StreamSQL

/// How a program is run over a finite input.
public struct SQLSessionOptions: Hashable, Sendable {
  /// The most rows of a batch.
  public var batchSize: Int
  /// Whether the whole state is saved and restored into fresh operators at every batch boundary.
  public var savesAndRestores: Bool
  /// Whether the pool of strings is compacted at every batch boundary.
  public var compactsPool: Bool
  /// The task's seed.
  public var seed: UInt64
  /// Whether our extensions of the language are accepted.
  public var extensions: Bool

  /// Creates options.
  public init(
    batchSize: Int = 1_024, savesAndRestores: Bool = false, compactsPool: Bool = false,
    seed: UInt64 = 0, extensions: Bool = false
  ) {
    self.batchSize = batchSize
    self.savesAndRestores = savesAndRestores
    self.compactsPool = compactsPool
    self.seed = seed
    self.extensions = extensions
  }
}

/// A program that was refused.
public struct RefusedProgram: Error, Hashable, Sendable {
  /// All findings, errors among them.
  public let diagnostics: [Diagnostic]
}

/// Runs a program over input lines and writes the emitted rows as JSON lines.
///
/// An input line is a row (`stream`, `rowtime`, columns), a raw record (`stream`, `rowtime`, `raw`) or a
/// rowtime bound (`bound`). An output line has the keys `stream`, `rowtime` and the columns. The end of
/// input is no bound.
public final class SQLSession {
  /// Warnings of the compiler.
  public let diagnostics: [Diagnostic]
  /// What DESCRIBE, EXPLAIN and SHOW in the program answer.
  public let answers: [String]
  private let plan: Plan
  private let options: SQLSessionOptions
  private let sources: [CaseDeclaration.Source]
  private var dataflow: Dataflow
  private var output: DataflowOutput
  private var pool = StringPool()
  private var rowDecoders: [OwnedDecoder]
  private var rawDecoders: [OwnedDecoder?]
  private var encoders: [OutputEncoder]
  private var pending: Batch
  private var pendingSource = 0
  private var cause: Int64 = 0
  /// What was emitted and not yet taken.
  private var text: [UInt8] = []
  private var remarks: [String] = []
  private var unknownColumns: Set<String> = []

  /// Compiles a program.
  ///
  /// - Throws: `RefusedProgram`, or `CaseError` when the declaration does not fit.
  public init(
    program: String, file: String, declaration: CaseDeclaration, options: SQLSessionOptions
  ) throws {
    let result = compile(
      program, file: file, sources: declaration.sourceStreams,
      referenceTables: declaration.referenceTables,
      options: CompileOptions(extensions: options.extensions))
    guard let plan = result.plan else { throw RefusedProgram(diagnostics: result.diagnostics) }
    diagnostics = result.diagnostics
    answers = result.answers
    self.plan = plan
    self.options = options
    sources = declaration.sources
    dataflow = try Self.makeDataflow(plan, options)
    output = dataflow.makeOutput()
    rowDecoders = []
    rawDecoders = []
    for source in declaration.sources {
      let schema = Self.rowSchema(source)
      let paths = schema.columns.map { JSONPath(steps: [.member($0.name)]) }
      rowDecoders.append(try Self.decoder(schema, .json(rowPath: .root, paths: paths), source))
      rawDecoders.append(
        try source.format.map { try Self.decoder(Schema(source.columns), $0, source) })
    }
    encoders = output.streams.map { OutputEncoder(name: $0.name, schema: $0.batch.schema) }
    pending = Batch(schema: Schema(sources[0].columns + CaseDeclaration.metadata))
    try loadTables(declaration)
  }

  private static func decoder(
    _ schema: Schema, _ format: RecordFormat, _ source: CaseDeclaration.Source
  ) throws -> OwnedDecoder {
    do {
      return OwnedDecoder(try RecordDecoder(schema: schema, format: format))
    } catch {
      throw CaseError("source \(source.name): \(error)")
    }
  }

  private static func makeDataflow(_ plan: Plan, _ options: SQLSessionOptions) throws -> Dataflow {
    try Dataflow(plan: plan, configuration: DataflowConfiguration(seed: options.seed))
  }

  /// The columns of a source's rows as plain data, metadata included.
  private static func rowSchema(_ source: CaseDeclaration.Source) -> Schema {
    Schema(
      (source.columns + CaseDeclaration.metadata).map {
        ColumnDefinition(name: $0.name, type: $0.type, isNullable: $0.isNullable)
      })
  }

  private func loadTables(_ declaration: CaseDeclaration) throws {
    for table in declaration.tables {
      let paths = table.schema.columns.map { JSONPath(steps: [.member($0.name)]) }
      var decoder = try RecordDecoder(
        schema: table.schema, format: .json(rowPath: .root, paths: paths))
      var rows = Batch(schema: table.schema)
      for values in table.rows {
        let members = zip(table.schema.columns, values).map {
          JSONDocument.Member(name: $0.name, value: $1)
        }
        let line = Array(JSONDocument.object(members).description.utf8)
        if case .rejected(let reject) = decoder.decode(line.span, pool: &pool) {
          throw CaseError("table \(table.name): \(reject)")
        }
      }
      let count = decoder.stagedRowCount
      decoder.moveRows(to: &rows)
      rows.rowtimes = [Int64](repeating: 0, count: count)
      rows.causes = rows.rowtimes
      try dataflow.setTable(table.name, rows: rows, pool: &pool)
    }
  }

  // MARK: Input

  /// Takes one input line.
  ///
  /// - Throws: `CaseError` when the line cannot be understood.
  public func feed(_ line: [UInt8]) throws {
    let document: JSONDocument
    do { document = try JSONDocument(line) } catch { throw CaseError("not JSON: \(error)") }
    if let bound = document["bound"] {
      let time = try Self.time(bound, "bound")
      try processPending()
      dataflow.advance(to: time, pool: &pool, output: &output)
      try endBatch()
      return
    }
    guard let name = document["stream"]?.text else { throw CaseError("no 'stream' and no 'bound'") }
    guard let source = sources.firstIndex(where: { $0.name == name }) else {
      throw CaseError("there is no source stream '\(name)'")
    }
    let rowtime = try Self.time(document["rowtime"] ?? .null, "rowtime")
    let raw = try rawRecord(document, source)
    if raw == nil { noteUnknownColumns(document, source) }
    if pending.count >= options.batchSize || (!pending.isEmpty && source != pendingSource) {
      try processPending()
    }
    if pending.isEmpty, source != pendingSource {
      pendingSource = source
      pending = Batch(schema: Schema(sources[source].columns + CaseDeclaration.metadata))
    }
    cause += 1
    try decode(
      raw ?? sources[source].rowText(document, line), source, rowtime, isRaw: raw != nil)
  }

  /// The bytes of a raw record; nil for a row, whose source may have a column of this name.
  private func rawRecord(_ document: JSONDocument, _ source: Int) throws -> [UInt8]? {
    guard let raw = document["raw"], !sources[source].columns.contains(where: { $0.name == "raw" })
    else { return nil }
    guard let text = raw.text else { throw CaseError("'raw' is no text") }
    guard rawDecoders[source] != nil else {
      throw CaseError("source '\(sources[source].name)' declares no format for raw records")
    }
    return Array(text.utf8)
  }

  /// A column that a source does not have is most often a slip of the pen: it is said once.
  private func noteUnknownColumns(_ document: JSONDocument, _ source: Int) {
    for member in document.members ?? [] where member.name != "stream" && member.name != "rowtime" {
      let owner = sources[source]
      let isKnown = (owner.columns + CaseDeclaration.metadata).contains { $0.name == member.name }
      if isKnown || !unknownColumns.insert("\(source) \(member.name)").inserted { continue }
      remarks.append("source '\(owner.name)' has no column '\(member.name)'; it is ignored")
    }
  }

  /// What was noticed about the input since the last call.
  public func takeRemarks() -> [String] {
    defer { remarks = [] }
    return remarks
  }

  private static func time(_ value: JSONDocument, _ key: String) throws -> Int64 {
    guard let text = value.text, let time = SQLTime.milliseconds(text) else {
      throw CaseError("'\(key)' is not a time of the form yyyy-MM-dd HH:mm:ss.SSS")
    }
    return time
  }

  private func decode(
    _ record: [UInt8], _ source: Int, _ rowtime: Int64, isRaw: Bool
  ) throws {
    guard let owned = isRaw ? rawDecoders[source] : rowDecoders[source] else { return }
    switch owned.decoder.decode(record.span, pool: &pool) {
    case .rejected(let reject):
      try processPending()
      dataflow.refuse(
        RowError(
          undecodable: cause, rowtime: rowtime, message: "\(reject)", record: record))
      dataflow.flushRefusals(pool: &pool, output: &output)
      try endBatch()
    case .rows(let count):
      if isRaw {
        owned.decoder.moveRows(to: &pending)
        for index in sources[source].columns.count..<pending.columns.count {
          for _ in 0..<count { pending.columns[index].appendNull() }
        }
      } else {
        var decoded = Batch(schema: Self.rowSchema(sources[source]))
        owned.decoder.moveRows(to: &decoded)
        for index in pending.columns.indices {
          for row in 0..<count {
            pending.columns[index].append(from: decoded.columns[index], row: row)
          }
        }
      }
      for _ in 0..<count {
        pending.rowtimes.append(rowtime)
        pending.causes.append(cause)
      }
    }
  }

  /// Takes the rows that wait for a batch to fill; call it when the input ends.
  public func finish() throws { try processPending() }

  private func processPending() throws {
    guard !pending.isEmpty else { return }
    dataflow.process(&pending, source: pendingSource, pool: &pool, output: &output)
    pending = Batch(schema: Schema(sources[pendingSource].columns + CaseDeclaration.metadata))
    try endBatch()
  }

  private func endBatch() throws {
    write()
    output.removeAll()
    if options.compactsPool {
      var old = StringPool()
      swap(&pool, &old)
      var remap = StringRemapper(from: old)
      dataflow.remapStrings(&remap)
      pool = remap.finish()
    }
    guard options.savesAndRestores else { return }
    var writer = StateWriter()
    dataflow.save(into: &writer, pool: pool)
    pool = StringPool()
    dataflow = try Self.makeDataflow(plan, options)
    try dataflow.restore(from: StateReader(writer.slices), pool: &pool)
    output = dataflow.makeOutput()
  }

  // MARK: Output

  /// What was emitted since the last call: JSON lines in the order of emission.
  public func takeOutput() -> [UInt8] {
    defer { text = [] }
    return text
  }

  /// How many bytes wait to be taken.
  public var outputCount: Int { text.count }

  /// Rows in the order of the records that caused them, then of the streams.
  private func write() {
    var order: [(cause: Int64, stream: Int, row: Int)] = []
    for (index, stream) in output.streams.enumerated() where !stream.batch.isEmpty {
      encoders[index].load(stream.batch)
      for row in 0..<stream.batch.count {
        order.append((stream.batch.causes[row], index, row))
      }
    }
    order.sort { ($0.cause, $0.stream, $0.row) < ($1.cause, $1.stream, $1.row) }
    for (_, stream, row) in order {
      encoders[stream].append(
        row: row, rowtime: output.streams[stream].batch.rowtimes[row], pool: pool, to: &text)
    }
  }
}

/// A decoder in a place where it can be one of several.
private final class OwnedDecoder {
  var decoder: RecordDecoder

  init(_ decoder: consuming RecordDecoder) { self.decoder = decoder }
}

/// Writes the rows of one stream.
private final class OutputEncoder {
  private var encoder: JSONLinesEncoder
  private let prefix: [UInt8]
  private let hasColumns: Bool
  private var line: [UInt8] = []

  init(name: String, schema: Schema) {
    encoder = JSONLinesEncoder(schema: schema)
    hasColumns = schema.columns.contains { $0.role == .data }
    prefix = Array("{\"stream\":\(JSONDocument.quoted(name)),\"rowtime\":\"".utf8)
  }

  func load(_ batch: Batch) { encoder.load(batch) }

  func append(row: Int, rowtime: Int64, pool: borrowing StringPool, to text: inout [UInt8]) {
    line.removeAll(keepingCapacity: true)
    encoder.append(row: row, pool: pool, to: &line)
    text.append(contentsOf: prefix)
    CivilTime(milliseconds: rowtime).appendTimestamp(to: &text)
    text.append(UInt8(ascii: "\""))
    if hasColumns { text.append(UInt8(ascii: ",")) }
    text.append(contentsOf: line.dropFirst())
  }
}

/// Times as cases write them.
enum SQLTime {
  /// Milliseconds since 1970 UTC of `yyyy-MM-dd[ HH:mm:ss[.f]]`; nil when the text is no such time.
  static func milliseconds(_ text: String) -> Int64? {
    let halves = text.split(separator: " ", maxSplits: 1)
    let date = halves.first?.split(separator: "-").compactMap { Int($0) } ?? []
    guard date.count == 3 else { return nil }
    var time = CivilTime(year: date[0], month: date[1], day: date[2])
    if halves.count == 2 {
      let clock = halves[1].split(separator: ":")
      guard clock.count == 3, let hour = Int(clock[0]), let minute = Int(clock[1]) else {
        return nil
      }
      let seconds = clock[2].split(separator: ".")
      guard let second = seconds.first.flatMap({ Int($0) }), seconds.count <= 2 else { return nil }
      time.hour = hour
      time.minute = minute
      time.second = second
      if seconds.count == 2 {
        let padded = (String(seconds[1]) + "000").prefix(3)
        guard let millisecond = Int(padded) else { return nil }
        time.millisecond = millisecond
      }
    }
    return time.isValid ? time.milliseconds : nil
  }
}
