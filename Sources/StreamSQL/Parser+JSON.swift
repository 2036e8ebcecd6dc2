extension Parser {
  /// `text, path [RETURNING type] [NULL|ERROR|DEFAULT x ON EMPTY] [NULL|ERROR|DEFAULT x ON ERROR]`.
  mutating func jsonValue(at place: Int) throws(SQLError) -> ExpressionSyntax {
    let text = try expression()
    try expect(",", hint: FunctionCatalog.usage("JSON_VALUE"))
    let path = try expression()
    let type = accept(words: "RETURNING") ? try typeName() : nil
    var onEmpty: JSONValueSyntax.Behavior?
    var onError: JSONValueSyntax.Behavior?
    while let behavior = try jsonBehavior() {
      let start = offset
      if accept(words: "ON", "EMPTY"), onEmpty == nil, onError == nil {
        onEmpty = behavior
      } else if accept(words: "ON", "ERROR"), onError == nil {
        onError = behavior
      } else {
        throw SQLError(
          "expected ON EMPTY, then ON ERROR, each at most once", at: start,
          hint: FunctionCatalog.usage("JSON_VALUE"))
      }
    }
    let call = JSONValueSyntax(
      text: text, path: path, type: type, onEmpty: onEmpty ?? .null, onError: onError ?? .null)
    return try node(.jsonValue(call), at: place, [text, path] + call.defaults)
  }

  private mutating func jsonBehavior() throws(SQLError) -> JSONValueSyntax.Behavior? {
    if accept(words: "NULL") { return .null }
    if accept(words: "ERROR") { return .error }
    // What binds less tightly would take ON for its own.
    return accept(words: "DEFAULT") ? .value(try expression(above: .additive)) : nil
  }
}

extension JSONValueSyntax {
  /// The values of DEFAULT in their order.
  var defaults: [ExpressionSyntax] {
    [onEmpty, onError].compactMap { if case .value(let value) = $0 { value } else { nil } }
  }
}
