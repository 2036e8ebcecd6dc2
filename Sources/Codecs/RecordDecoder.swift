public import Columns

/// Turns records into rows by a schema and a format.
///
/// A task owns one decoder per input. For each record it calls `decode`, which stages the record's rows
/// or refuses the record as a whole; for each batch it calls `moveRows`. What is staged between the two
/// depends on nothing but the records. No call allocates once the scratch memory has grown, except
/// for refusals, for text that the pool has not seen and for numbers of more than 19 digits.
public struct RecordDecoder: ~Copyable {
  /// The schema whose data columns are decoded.
  public let schema: Schema
  /// Records with more bytes are refused.
  public let byteLimit: Int
  /// How many rows wait for `moveRows`.
  public var stagedRowCount: Int { rows.count }

  let dialect: DecodingPlan.Dialect
  let tree: PathTree
  /// One per data column, in the schema's order, for positional formats.
  let sinks: [ColumnSink]
  let powersOfFive = PowersOfFive.shared
  var rows: StagedRows
  /// The row that values are written to.
  var row = 0
  /// The first row of the record at hand.
  var firstRow = 0
  /// Conversions of the record at hand that failed and that no later member of the same name mended.
  var failures: [Failure] = [] {
    didSet { hasFailures = !failures.isEmpty }
  }
  private(set) var hasFailures = false
  var predictions: MemberPredictions
  private var copy = PaddedCopy()
  /// The record at hand in padded memory.
  private(set) var padded: PaddedText
  /// For each open container of a skipped value whether it is an object, a bit each.
  var containers = [UInt64](repeating: 0, count: RecordFormat.depthLimit / 64 + 1)
  /// Scratch for text that is not in the record as such: without escapes, or without doubled quotes.
  var text: [UInt8] = []
  /// Scratch for values that are filled up or decoded further.
  var paddingScratch: [UInt8] = []
  /// The slots that must not be NULL.
  private let notNull: [Int]
  /// The positions of the data columns in the schema, by slot.
  private let dataColumns: [Int]

  struct Failure {
    let row: Int
    /// The column's slot, or -1 when the row as a whole is at fault.
    let slot: Int
    let fault: Fault
  }

  /// Prepares to decode records of `format` into the data columns of `schema`.
  ///
  /// - Throws: `MappingError` when paths and columns do not go together.
  public init(
    schema: Schema, format: RecordFormat, byteLimit: Int = RecordFormat.defaultByteLimit
  ) throws(MappingError) {
    self.init(plan: try DecodingPlan(schema: schema, format: format), byteLimit: byteLimit)
  }

  private init(plan: DecodingPlan, byteLimit: Int) {
    schema = plan.schema
    self.byteLimit = byteLimit
    dialect = plan.dialect
    tree = plan.tree
    sinks = plan.sinks
    dataColumns = plan.dataColumns
    notNull = plan.notNull
    rows = StagedRows(width: plan.sinks.count)
    padded = copy.take(Span())
    predictions = MemberPredictions(objects: plan.tree.objectCount)
  }

  /// Stages the rows of one record, or refuses it.
  ///
  /// - Parameters:
  ///   - record: The record's value; borrowed for the call.
  ///   - pool: The pool of the task, which gains the record's text.
  /// - Returns: How many rows were staged, or why the record is refused.
  /// - Complexity: O(bytes).
  public mutating func decode(_ record: Span<UInt8>, pool: inout StringPool) -> DecodeOutcome {
    firstRow = rows.count
    do throws(Fault) {
      guard record.count <= byteLimit else { throw Fault(.tooLarge, at: byteLimit) }
      switch dialect {
      case .json:
        padded = copy.take(record)
        defer { copy.shrink() }
        try decodeDocuments(record, pool: &pool)
      case .csv(let delimiters): try decodeLines(record, delimiters, pool: &pool)
      }
      if hasFailures { throw firstFailure() }
      for slot in notNull {
        for row in firstRow..<rows.count where rows.isNull(row: row, slot: slot) {
          throw Fault(.null, at: record.count, column: slot)
        }
      }
      return .rows(rows.count - firstRow)
    } catch {
      return .rejected(refuse(error))
    }
  }

  /// Adds the staged rows to the data columns of `batch`, a batch of the same schema, and forgets them.
  ///
  /// The caller adds the rows' times, causes and metadata columns.
  public mutating func moveRows(to batch: inout Batch) {
    for (slot, column) in dataColumns.enumerated() {
      rows.copy(slot: slot, to: &batch.columns[column])
    }
    rows.truncate(to: 0)
  }

  /// Forgets the staged rows.
  public mutating func discardRows() { rows.truncate(to: 0) }

  private func firstFailure() -> Fault {
    failures.reduce(failures[0].fault) { $1.fault.position < $0.position ? $1.fault : $0 }
  }

  private mutating func refuse(_ fault: Fault) -> RecordReject {
    rows.truncate(to: firstRow)
    failures.removeAll(keepingCapacity: true)
    let column = fault.column < 0 ? nil : schema.columns[dataColumns[fault.column]]
    return RecordReject(
      code: fault.reason.code, position: fault.position, column: column?.name,
      reason: fault.reason.text(
        type: column?.type.description ?? "", byteLimit: byteLimit))
  }

  /// Opens a row of NULLs and makes it the one that is written to.
  mutating func openRow(at position: Int) throws(Fault) {
    guard rows.count - firstRow < RecordFormat.rowLimit else {
      throw Fault(.tooManyRows, at: position)
    }
    row = rows.append()
  }

  /// Forgets the rows from `row` on, and what failed in them.
  mutating func truncate(to row: Int) {
    rows.truncate(to: row)
    failures.removeAll { $0.row >= row }
  }
}

/// Schema and format, checked and put in the form that decoding needs.
struct DecodingPlan {
  enum Dialect {
    case json
    case csv(CSVDelimiters)
  }

  let schema: Schema
  let dialect: Dialect
  let tree: PathTree
  let sinks: [ColumnSink]
  let notNull: [Int]
  let dataColumns: [Int]

  init(schema: Schema, format: RecordFormat) throws(MappingError) {
    self.schema = schema
    dataColumns = schema.columns.indices.filter { schema.columns[$0].role == .data }
    let columns = dataColumns.map { schema.columns[$0] }
    sinks = columns.enumerated().map { ColumnSink(type: $1.type, slot: $0) }
    notNull = columns.indices.filter { !columns[$0].isNullable }
    switch format {
    case .json(let rowPath, let paths):
      dialect = .json
      tree = try PathTree(rowPath: rowPath, columns: columns, paths: paths)
    case .csv(let format):
      dialect = .csv(try CSVDelimiters(format))
      tree = try PathTree(rowPath: .root, columns: [], paths: [])
    }
  }
}
