import Columns
import StreamSQL

/// What a program can read: a stream with a column of every kind, and a reference table.
private let sources = [
  SourceStream(
    name: "S",
    schema: Schema([
      ColumnDefinition(name: "ID", type: .integer), ColumnDefinition(name: "K", type: .varchar(8)),
      ColumnDefinition(name: "V", type: .double), ColumnDefinition(name: "T", type: .timestamp),
      ColumnDefinition(name: "D", type: .decimal(precision: 10, scale: 2)),
      ColumnDefinition(name: "B", type: .boolean), ColumnDefinition(name: "L", type: .varchar(400)),
    ]))
]
private let tables = [
  ReferenceTable(
    name: "REF",
    schema: Schema([
      ColumnDefinition(name: "K", type: .varchar(8)), ColumnDefinition(name: "N", type: .integer),
    ]))
]

/// Compiles one input of libFuzzer.
///
/// The compiler must answer, with a plan or with an error that has a place in the text; a trap ends
/// the run.
@_cdecl("LLVMFuzzerTestOneInput")
public func compileOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: start, count: count)
  let text = String(decoding: bytes, as: UTF8.self)
  let result = compile(
    text, file: "fuzz.sql", sources: sources, referenceTables: tables,
    options: CompileOptions(extensions: count % 2 == 0))
  for finding in result.diagnostics {
    precondition(finding.position.line >= 1 && finding.position.column >= 1, "\(finding)")
    precondition(!finding.message.isEmpty, "a finding without words")
    _ = finding.description
  }
  if let plan = result.plan {
    _ = plan.explain()
  } else {
    precondition(!result.diagnostics.isEmpty, "refused without a word")
  }
  return 0
}
