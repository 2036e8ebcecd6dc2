internal import Columns

/// A function of the program; its body refers to parameters as columns.
struct UserFunction {
  let parameters: [(name: String, type: ColumnType)]
  let body: BoundExpression
  let returnsNullOnNull: Bool
  let signature: String
}

/// A function as it was written, and bound when it is first called.
struct FunctionDefinition {
  enum Progress {
    case untouched
    case binding
    case failed
  }

  let syntax: CreateFunction
  var bound: UserFunction?
  var progress = Progress.untouched
}

extension ProgramBinder {
  /// The program's function of this name, wherever it is defined; nil if there is none.
  func function(_ name: Name) throws(SQLError) -> UserFunction? {
    guard let index = functions.firstIndex(where: { $0.syntax.name.text == name.text }) else {
      return nil
    }
    if let bound = functions[index].bound { return bound }
    switch functions[index].progress {
    case .failed: throw .reported
    case .binding:
      throw SQLError(
        "function \(name.quoted) calls itself", at: name.offset,
        hint: "a function's body is put in the place of the call, so it cannot be recursive")
    case .untouched: break
    }
    guard functions.count(where: { $0.progress == .binding && $0.bound == nil }) < 64 else {
      throw SQLError(
        "more than 64 functions call one another", at: name.offset,
        hint: "define a function before those that call it")
    }
    functions[index].progress = .binding
    do throws(SQLError) {
      let bound = try bind(functions[index].syntax)
      functions[index].bound = bound
      return bound
    } catch {
      functions[index].progress = .failed
      throw error
    }
  }

  private func bind(_ syntax: CreateFunction) throws(SQLError) -> UserFunction {
    var columns: [ScopeColumn] = []
    for (name, type) in syntax.parameters {
      guard let column = type.type.columnType else {
        throw SQLError("a parameter cannot be an interval", at: type.offset)
      }
      if columns.contains(where: { $0.name == name.text }) {
        throw SQLError("parameter \(name.quoted) is declared twice", at: name.offset)
      }
      columns.append(ScopeColumn(name: name.text, index: columns.count, type: column))
    }
    guard let result = syntax.result.type.columnType else {
      throw SQLError("a function cannot return an interval", at: syntax.result.offset)
    }
    let binder = ExpressionBinder(
      self, relations: [Relation(name: nil, columns: columns, hasRowtime: false)])
    binder.clause = .functionBody
    let body = try binder.bind(syntax.body)
    guard let converted = Conversions.implicit(body, to: result) else {
      throw SQLError(
        "the function returns \(result), its body is \(body.type)", at: syntax.body.offset,
        hint: "use CAST(… AS \(result))")
    }
    let parameters = columns.map { (name: $0.name, type: $0.type) }
    return UserFunction(
      parameters: parameters, body: converted, returnsNullOnNull: syntax.returnsNullOnNull,
      signature: "\(syntax.name.text)("
        + parameters.map { "\($0.name) \($0.type)" }.joined(separator: ", ")
        + ") RETURNS \(result)")
  }
}
