internal import Columns

extension ExpressionBinder {
  func jsonValue(_ call: JSONValueSyntax, at offset: Int) throws(SQLError) -> BoundExpression {
    let text = try character(call.text, "the document of JSON_VALUE")
    let path = try character(call.path, "the path of JSON_VALUE")
    if let literal = path.textLiteral, JSONScalarPath(Array(literal.utf8)) == nil {
      throw SQLError(
        "'\(literal)' is no path", at: call.path.offset,
        hint: "$ is the document: '$.member', '$.list[0]', '$[''any name'']'")
    }
    let type = try returning(call.type)
    var arguments = [text, path]
    for value in call.defaults {
      let bound = try bind(value)
      guard let converted = Conversions.implicit(bound, to: type) else {
        throw SQLError(
          "the value of DEFAULT is \(bound.type), JSON_VALUE gives \(type)", at: value.offset,
          hint: "use CAST(… AS \(type)), or RETURNING")
      }
      arguments.append(converted)
    }
    let function = FunctionID.jsonValue(
      onEmpty: call.onEmpty.fallback, onError: call.onError.fallback)
    return make(.call(function, arguments), type, at: offset)
  }

  private func returning(_ syntax: TypeSyntax?) throws(SQLError) -> ColumnType {
    guard let syntax else { return .varchar(Parser.lengthLimit) }
    guard case .column(let type) = syntax.type, !type.isBinary, !type.isPadded else {
      throw SQLError(
        "JSON_VALUE cannot return \(syntax.type)", at: syntax.offset,
        hint: "RETURNING names a number, BOOLEAN, VARCHAR(n), DATE, TIME or TIMESTAMP")
    }
    return type
  }
}

extension JSONValueSyntax.Behavior {
  fileprivate var fallback: FunctionID.JSONFallback {
    switch self {
    case .null: .null
    case .error: .failure
    case .value: .value
    }
  }
}
