internal import Columns

/// Binds the statements of a program one after the other.
final class ProgramBinder {
  let source: SourceText
  let options: CompileOptions
  let sources: [SourceStream]
  private(set) var diagnostics: [Diagnostic] = []
  private(set) var streams: [PlanStream] = []
  private(set) var tables: [PlanTable] = []
  /// The functions in the order of their definition.
  var functions: [FunctionDefinition] = []
  private var brokenStreams: Set<String>
  private var pumps: [(syntax: CreatePump, isStarted: Bool, offset: Int)] = []
  private var answers: [Answer] = []

  init(
    _ source: SourceText, options: CompileOptions, sources: [SourceStream],
    tables: [ReferenceTable], brokenStreams: Set<String>
  ) {
    self.source = source
    self.options = options
    self.sources = sources
    self.brokenStreams = brokenStreams
    streams = sources.enumerated().map { index, stream in
      PlanStream(
        name: stream.name, schema: stream.schema, origin: .source(index),
        key: stream.key.flatMap { stream.schema.index(of: $0) })
    }
    self.tables = tables.map { PlanTable(name: $0.name, schema: $0.schema) }
  }

  // MARK: Findings

  func report(_ error: SQLError) {
    guard error != .reported else { return }
    add(source.diagnostic(error, .error))
  }

  func warn(_ error: SQLError) { add(source.diagnostic(error, .warning)) }

  /// The most findings that are told of one program.
  static let diagnosticLimit = 200

  /// The same finding at the same place is told once: an expression may be bound twice.
  private func add(_ diagnostic: Diagnostic) {
    guard diagnostics.count < Self.diagnosticLimit || diagnostic.severity == .error,
      diagnostics.count < 2 * Self.diagnosticLimit, !diagnostics.contains(diagnostic)
    else { return }
    diagnostics.append(diagnostic)
  }

  /// Runs `body` and reports its error; nil if there was one.
  func collecting<Result>(_ body: () throws(SQLError) -> Result) -> Result? {
    do throws(SQLError) {
      return try body()
    } catch {
      report(error)
      return nil
    }
  }

  // MARK: Statements

  func bind(_ statements: [Statement]) -> (plan: Plan, answers: [Answer]) {
    // Names first: a pump may read a stream that is created behind it.
    for statement in statements {
      _ = collecting { () throws(SQLError) in try declare(statement) }
    }
    for name in functions.map(\.syntax.name) {
      _ = collecting { () throws(SQLError) in try function(name) }
    }
    var bound: [Pump] = []
    for (syntax, isStarted, offset) in pumps {
      let pump = collecting { () throws(SQLError) in
        try QueryBinder(self).pump(syntax, isStarted: isStarted, at: offset)
      }
      if let pump { bound.append(pump) }
    }
    warnAboutUnfedStreams(bound)
    let ordered = collecting { () throws(SQLError) in try inOrder(bound) } ?? bound
    let plan = Plan(streams: streams, pumps: ordered, tables: tables)
    return (plan, answers.map { $0.completed(with: plan, functions: functionSignatures) })
  }

  var functionNames: [String] { functions.map(\.syntax.name.text) }

  private var functionSignatures: [String] { functions.compactMap { $0.bound?.signature } }

  private func declare(_ statement: Statement) throws(SQLError) {
    switch statement.form {
    case .createStream(let stream): try declare(stream)
    case .createPump(let pump):
      if let index = pumps.firstIndex(where: { $0.syntax.name.text == pump.name.text }) {
        guard pump.replaces else { throw duplicate("pump", pump.name) }
        pumps.remove(at: index)
      }
      pumps.append((pump, pump.isStarted, statement.offset))
    case .createFunction(let function): try declare(function)
    case .alterPump(let name, let start):
      let index = try pumpIndex(name)
      pumps[index].isStarted = start
    case .dropPump(let name, let ifExists):
      if ifExists, !pumps.contains(where: { $0.syntax.name.text == name.text }) { return }
      pumps.remove(at: try pumpIndex(name))
    case .dropStream(let name, let ifExists): try dropStream(name, ifExists: ifExists)
    case .dropFunction(let name, let ifExists):
      guard ifExists || functionNames.contains(name.text) else {
        throw SQLError("there is no function \(name.quoted)", at: name.offset)
      }
      functions.removeAll { $0.syntax.name.text == name.text }
    case .describe(let name): answers.append(.description(of: try stream(name).stream))
    case .explain(let name):
      if let name { _ = try pumpIndex(name) }
      answers.append(.explanation(of: name?.text))
    case .show(let subject): answers.append(.list(subject))
    }
  }

  private func duplicate(_ what: String, _ name: Name) -> SQLError {
    SQLError(
      "there is already a \(what) \(name.quoted)", at: name.offset,
      hint: "CREATE OR REPLACE \(what.uppercased()) replaces it")
  }

  private func declare(_ syntax: CreateStream) throws(SQLError) {
    let name = syntax.name
    if name.text.uppercased() == ErrorStream.name.uppercased() {
      throw SQLError(
        "the error stream cannot be created", at: name.offset,
        hint: "rows arrive there by themselves; choose another name")
    }
    var columns: [ColumnDefinition] = []
    for column in syntax.columns {
      if columns.contains(where: { $0.name == column.name.text }) {
        report(
          SQLError("column \(column.name.quoted) is declared twice", at: column.name.offset))
        continue
      }
      if column.name.text == "ROWTIME" {
        report(
          SQLError(
            "ROWTIME is a column of every stream", at: column.name.offset,
            hint: "leave it out, or give the column another name"))
        continue
      }
      guard let type = column.type.type.columnType else { continue }
      columns.append(
        ColumnDefinition(name: column.name.text, type: type, isNullable: column.isNullable))
    }
    let stream = PlanStream(name: name.text, schema: Schema(columns), origin: .pumps)
    guard let index = streams.firstIndex(where: { $0.name == name.text }) else {
      streams.append(stream)
      return
    }
    if case .source = streams[index].origin {
      throw SQLError(
        "\(name.quoted) is a source stream", at: name.offset,
        hint: "it is declared in the pipeline's inputs; choose another name")
    }
    guard syntax.replaces else { throw duplicate("stream", name) }
    streams[index] = stream
  }

  private func dropStream(_ name: Name, ifExists: Bool) throws(SQLError) {
    guard let index = streams.firstIndex(where: { $0.name == name.text }) else {
      if ifExists { return }
      throw SQLError("there is no stream \(name.quoted)", at: name.offset)
    }
    if case .source = streams[index].origin {
      throw SQLError("\(name.quoted) is a source stream", at: name.offset)
    }
    streams.remove(at: index)
  }

  private func pumpIndex(_ name: Name) throws(SQLError) -> Int {
    if let index = pumps.firstIndex(where: { $0.syntax.name.text == name.text }) { return index }
    throw SQLError(
      "there is no pump \(name.quoted)", at: name.offset,
      hint: Spelling.hint(name, among: pumps.map(\.syntax.name.text)))
  }

  private func declare(_ syntax: CreateFunction) throws(SQLError) {
    let definition = FunctionDefinition(syntax: syntax)
    guard let index = functions.firstIndex(where: { $0.syntax.name.text == syntax.name.text })
    else {
      functions.append(definition)
      return
    }
    guard syntax.replaces else { throw duplicate("function", syntax.name) }
    functions[index] = definition
  }

  // MARK: Names

  /// The stream of this name.
  func stream(_ name: Name) throws(SQLError) -> (index: Int, stream: PlanStream) {
    if let index = streams.firstIndex(where: { $0.name == name.text }) {
      return (index, streams[index])
    }
    if brokenStreams.contains(name.text) { throw .reported }
    if name.text.uppercased() == ErrorStream.name.uppercased() {
      throw SQLError(
        "the error stream cannot be read or written by a program", at: name.offset,
        hint: "send it to an output of the pipeline")
    }
    throw SQLError(
      "there is no stream \(name.quoted)", at: name.offset,
      hint: Spelling.hint(name, among: streams.map(\.name) + tables.map(\.name))
        ?? "the streams are \(streams.map(\.name).joined(separator: ", "))")
  }

  /// The reference table of this name, or nil.
  func table(_ name: Name) -> Int? { tables.firstIndex { $0.name == name.text } }

  /// Adds the table of a VALUES list.
  func add(_ table: PlanTable) -> Int {
    tables.append(table)
    return tables.count - 1
  }

  // MARK: Topology

  private func warnAboutUnfedStreams(_ pumps: [Pump]) {
    guard !diagnostics.contains(where: { $0.severity == .error }) else { return }
    for pump in pumps {
      for stream in pump.root.scannedStreams
      where streams[stream].origin == .pumps && !pumps.contains(where: { $0.target == stream }) {
        diagnostics.append(
          Diagnostic(
            severity: .warning,
            message: "pump \"\(pump.name)\" reads \"\(streams[stream].name)\", which no pump feeds",
            hint: nil, file: source.file, position: pump.position,
            sourceLine: source.line(number: pump.position.line)))
      }
    }
  }

  /// Writers of a stream before its readers, otherwise as written.
  private func inOrder(_ pumps: [Pump]) throws(SQLError) -> [Pump] {
    var rest = pumps
    var ordered: [Pump] = []
    while !rest.isEmpty {
      let pending = rest.map(\.target)
      guard
        let next = rest.firstIndex(where: { pump in
          !pump.root.scannedStreams.contains { pending.contains($0) }
        })
      else {
        let names = rest.map { "\"\($0.name)\"" }.joined(separator: ", ")
        throw SQLError(
          "pumps feed each other in a circle: \(names)", at: source.offset(of: rest[0].position),
          hint: "a row would come around again and again; break the circle with another stream")
      }
      ordered.append(rest.remove(at: next))
    }
    return ordered
  }
}

extension SQLError {
  /// Stands for an error that was reported already.
  static let reported = SQLError("", at: -1)
}

extension PlanNode {
  /// The streams that the operators read, with repetitions.
  var scannedStreams: [Int] {
    if case .scan(let stream) = operation { return [stream] }
    return inputs.flatMap(\.scannedStreams)
  }

  /// The operators whose rows it reads.
  public var inputs: [PlanNode] {
    switch operation {
    case .scan: []
    case .filter(let input, _), .project(let input, _, _), .parseRecord(let input, _, _),
      .aggregate(let input, _, _, _), .slidingWindows(let input, _, _),
      .distinct(let input, _, _, _), .orderBy(let input, _, _), .referenceJoin(let input, _),
      .tableFunction(let input, _, _):
      [input]
    case .unionAll(let inputs): inputs
    case .join(let join): [join.left, join.right]
    }
  }
}
