import Columns
import StreamSQL

/// The source stream of the tests.
let testSource = SourceStream(
  name: "S",
  schema: Schema(
    [
      ColumnDefinition(name: "K", type: .varchar(8)),
      ColumnDefinition(name: "V", type: .integer),
      ColumnDefinition(name: "X", type: .double),
      ColumnDefinition(name: "D", type: .decimal(precision: 10, scale: 2)),
      ColumnDefinition(name: "ET", type: .timestamp),
      ColumnDefinition(name: "B", type: .boolean),
      ColumnDefinition(name: "DT", type: .date),
      ColumnDefinition(name: "TM", type: .time),
      ColumnDefinition(name: "lower", type: .bigint),
    ] + metadataColumns), key: "K")

/// A second source of the tests.
let otherSource = SourceStream(
  name: "T",
  schema: Schema([
    ColumnDefinition(name: "K", type: .varchar(8)), ColumnDefinition(name: "W", type: .integer),
  ]), key: "K")

let testTable = ReferenceTable(
  name: "REFS",
  schema: Schema([
    ColumnDefinition(name: "K", type: .varchar(8)), ColumnDefinition(name: "N", type: .integer),
  ]))

func compiled(_ program: String, _ options: CompileOptions = CompileOptions()) -> CompileResult {
  compile(
    program, file: "app.sql", sources: [testSource, otherSource], referenceTables: [testTable],
    options: options)
}

/// The result of a query whose columns have these types.
func compiled(
  query: String, _ types: String, _ options: CompileOptions = CompileOptions()
) -> CompileResult {
  let columns = types.split(separator: ";").enumerated().map { "c\($0.offset) \($0.element)" }
  return compiled(
    "CREATE STREAM \"OUT\" (\(columns.joined(separator: ", ")));\n"
      + "CREATE PUMP P AS INSERT INTO \"OUT\"\n\(query);", options)
}

/// All findings as a user sees them.
func rendered(_ result: CompileResult) -> String {
  result.diagnostics.map(\.description).joined(separator: "\n")
}

/// A generator whose sequence depends on its seed only (SplitMix64).
struct TestGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
