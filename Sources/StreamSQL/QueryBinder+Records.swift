internal import Columns

/// Calls of log-parsing functions in one select list.
struct RecordParses {
  struct Parse {
    let function: RecordFunction
    let arguments: [BoundExpression]
    let fields: [RecordField]
  }

  var parses: [Parse] = []
}

/// A field of a record.
struct RecordField: Hashable {
  let name: String
  let type: ColumnType
}

extension QueryBinder {
  /// An item that is a record; its columns are appended to the input by `parsed`.
  func record(
    _ function: RecordFunction, _ call: CallSyntax, name: String, _ binder: ExpressionBinder,
    _ from: FromClause, _ records: inout RecordParses, at offset: Int
  ) throws(SQLError) -> BoundItem {
    guard !call.arguments.isEmpty, !call.isStar, !call.isDistinct, call.over == nil else {
      throw SQLError(
        "\(call.name.text) needs arguments", at: offset,
        hint: FunctionCatalog.usage(call.name.text))
    }
    var arguments = [try binder.character(call.arguments[0], "the text to parse")]
    for syntax in call.arguments.dropFirst() {
      let bound = try binder.bind(syntax)
      guard case .literal = bound.kind else {
        throw SQLError(
          "the arguments of \(call.name.text) behind the text are constants", at: syntax.offset,
          hint: FunctionCatalog.usage(call.name.text))
      }
      arguments.append(bound)
    }
    let fields = try program.recordFields(
      function, arguments, call, at: offset)
    let parse = RecordParses.Parse(function: function, arguments: arguments, fields: fields)
    var index = from.node.output.columns.count
    for other in records.parses { index += other.fields.count }
    records.parses.append(parse)
    let expressions = fields.enumerated().map { number, field in
      (
        name: field.name,
        expression: binder.make(.column(index + number), field.type, at: offset)
      )
    }
    guard let first = expressions.first else {
      throw SQLError(
        "the pattern has no group, so the record has no field", at: offset,
        hint: "put parentheses around what is wanted: '([0-9]+) (.*)'")
    }
    return BoundItem(
      name: name, expression: first.expression, offset: offset, fields: expressions)
  }

  /// The operators that append the records' columns.
  func parsed(
    _ records: RecordParses, over input: PlanNode, _ monotonic: inout [MonotonicKey?],
    at offset: Int
  ) -> PlanNode {
    var top = input
    for (number, parse) in records.parses.enumerated() {
      let added = parse.fields.map { field in
        ColumnDefinition(name: "RECORD$\(number).\(field.name)", type: field.type)
      }
      monotonic += Array(repeating: nil, count: added.count)
      top = node(
        .parseRecord(top, parse.function, parse.arguments),
        Schema(top.output.columns + added), at: offset)
    }
    return top
  }
}
