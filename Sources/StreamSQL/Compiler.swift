/// Reads a program, resolves its names and types, and plans its operators.
///
/// - Parameters:
///   - text: The program.
///   - file: The name of its file, for messages.
///   - sources: The streams that the pipeline's inputs feed.
///   - referenceTables: The tables that the pipeline declares.
///   - options: What is accepted.
/// - Returns: The plan, or the errors; warnings in any case.
public func compile(
  _ text: String, file: String, sources: [SourceStream], referenceTables: [ReferenceTable] = [],
  options: CompileOptions = CompileOptions()
) -> CompileResult {
  let source = SourceText(text, file: file)
  var options = options
  if source.asksForExtensions { options.extensions = true }
  let program = Parser.parse(source)
  let binder = ProgramBinder(
    source, options: options, sources: sources, tables: referenceTables,
    brokenStreams: program.brokenStreams)
  for error in program.errors { binder.report(error) }
  let (plan, answers) = binder.bind(program.statements)
  let diagnostics = binder.diagnostics.enumerated().sorted {
    ($0.element.position, $0.offset) < ($1.element.position, $1.offset)
  }.map(\.element)
  let isRefused = diagnostics.contains { $0.severity == .error }
  return CompileResult(
    plan: isRefused ? nil : plan, diagnostics: diagnostics,
    answers: isRefused ? [] : answers.map(\.content))
}

extension SourceText {
  /// Whether the program begins with `-- cutbank: extensions`.
  fileprivate var asksForExtensions: Bool {
    let first = line(at: bytes.firstIndex { $0 > 0x20 } ?? 0)
    guard first.hasPrefix("--") else { return false }
    let words = first.dropFirst(2).split { $0 == " " || $0 == "\t" }
    return words.count >= 2 && words[0] == "cutbank:" && words[1] == "extensions"
  }
}
