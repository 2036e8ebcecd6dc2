import Columns
import StreamSQL

/// Adds the columns of a record that a log parsing function cuts out of a text.
final class ParseRecordOperator: Operator {
  private let text: Kernel
  private let parser: RecordParser
  private let firstColumn: Int

  init(
    input: Operator, function: RecordFunction, arguments: [BoundExpression], schema: Schema,
    section: String
  ) throws {
    text = ExpressionCompiler.compile(arguments[0])
    firstColumn = input.schema.columns.count
    var literals: [[UInt8]] = []
    for argument in arguments.dropFirst() {
      switch argument.kind {
      case .literal(.bytes(let bytes)): literals.append(bytes)
      case .literal(.integer(let number)): literals.append(Array(String(number).utf8))
      default: throw DataflowError("the parameters of a log parsing function are literals")
      }
    }
    guard
      let parser = RecordParser(function, literals)
    else { throw DataflowError("the pattern of a log parsing function is malformed") }
    self.parser = parser
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    let input = inputs[0].output
    guard !input.isEmpty else { return }
    counters.rowsIn += Int64(input.count)
    var evaluation = Evaluation(count: input.count, context)
    let texts = text.evaluate(input, Rows(count: input.count), &evaluation, &pool)
    for index in input.columns.indices {
      output.columns[index] = Column(type: schema.columns[index].type, values: input.columns[index])
    }
    output.rowtimes = input.rowtimes
    output.causes = input.causes
    for index in firstColumn..<schema.columns.count {
      output.columns[index] = Column(type: schema.columns[index].type, capacity: input.count)
    }
    for row in 0..<input.count {
      var fields: [[UInt8]?] = []
      if !texts.isNull(row) {
        fields = parser.parse(
          Array(pool.bytes[pool.range(of: texts.texts[row])]), rowtime: input.rowtimes[row])
      }
      for index in firstColumn..<schema.columns.count {
        let place = index - firstColumn
        append(place < fields.count ? fields[place] : nil, index, row, &evaluation, &pool)
      }
    }
    if evaluation.hasFailures {
      report(evaluation, input, context, pool)
      output.keep(Rows(count: input.count).filter { !evaluation.failed[$0] })
    }
    counters.passed += Int64(output.count)
  }

  private func append(
    _ field: [UInt8]?, _ index: Int, _ row: Int, _ evaluation: inout Evaluation,
    _ pool: inout StringPool
  ) {
    guard let field else {
      output.columns[index].appendNull()
      return
    }
    let definition = schema.columns[index]
    if definition.type.storage == .text {
      var limit = field.count
      if case .varchar(let length) = definition.type { limit = length }
      if case .char(let length) = definition.type { limit = length }
      let cut = Array(field[..<byteOffset(of: limit, in: field[...])])
      output.columns[index].append(pool.intern(cut.span))
      return
    }
    switch TextParser.parse(field[...], as: definition.type) {
    case .integer(let value): output.columns[index].append(value)
    case .floating(let value): output.columns[index].append(value)
    case .invalid:
      output.columns[index].appendNull()
      evaluation.fail(
        row, .castFailed,
        "'\(String(decoding: field.prefix(100), as: UTF8.self))' is not \(definition.type.article)"
      )
    }
  }
}
