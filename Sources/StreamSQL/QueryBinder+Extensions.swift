internal import Columns

extension QueryBinder {
  /// `ML_DETECT_ANOMALIES(CURSOR(…) [PARTITION BY …], name => value, …)`.
  func detectAnomalies(_ call: TableCall, _ keys: [Int]) throws(SQLError) -> BoundRelation {
    if let literal = call.literals.first {
      throw SQLError(
        "ML_DETECT_ANOMALIES has named parameters", at: literal.offset,
        hint: "ML_DETECT_ANOMALIES(CURSOR(…), name => value)")
    }
    var time: Int?
    var options: [DetectAnomaliesParameters.Option] = []
    for (name, value) in call.named {
      if name.text == "TIME" {
        guard let text = value.textLiteral else {
          throw SQLError("time => names a column in quotes", at: name.offset)
        }
        if text.uppercased() == "ROWTIME", !call.columns.contains(where: { $0.name == text }) {
          continue
        }
        let column = try call.column(named: text, at: name.offset)
        guard column.type == .timestamp else {
          throw SQLError("time => names a TIMESTAMP, not \(column.type)", at: name.offset)
        }
        time = column.index
        continue
      }
      guard case .literal(let literal) = value.kind, let type = value.type.columnType else {
        throw SQLError("\(name.text) needs a number, a text or a truth value", at: name.offset)
      }
      options.append(
        DetectAnomaliesParameters.Option(
          name: name.text.lowercased(), value: literal, type: type,
          position: program.source.position(of: name.offset)))
    }
    let features = try features(call, keys, except: time)
    let parameters = DetectAnomaliesParameters(
      features: features, timeColumn: time, options: options)
    // One feature has plain numbers, several have a JSON object by column.
    let values: ColumnType = features.count == 1 ? .double : .varchar(Parser.lengthLimit)
    let added: [(name: String, type: ColumnType)] = [
      ("SCORE", .double), ("GRADE", .double), ("CONFIDENCE", .double), ("THRESHOLD", .double),
      ("EXPECTED", values), ("LOWER", values), ("UPPER", values),
      ("ATTRIBUTION", .varchar(Parser.lengthLimit)), ("STATUS", .varchar(16)),
    ]
    return appending(added, .detectAnomalies(parameters), call, keys)
  }

  /// `TUMBLE(TABLE s, DESCRIPTOR(ROWTIME), INTERVAL …)`, HOP and SESSION as other systems spell them.
  func windowFunction(
    _ name: TableFunctionName, _ syntax: TableCallSyntax
  ) throws(SQLError) -> BoundRelation {
    let usage = self.usage(syntax)
    guard let first = syntax.arguments.first, syntax.arguments.count == (name == .hop ? 4 : 3)
    else {
      throw SQLError(
        "\(name.rawValue) has \(name == .hop ? 4 : 3) arguments", at: syntax.name.offset,
        hint: usage)
    }
    var relation: BoundRelation
    switch first {
    case .cursor(let query, _): relation = try self.query(query)
    case .table(let stream): relation = try scan(stream)
    default:
      throw SQLError(
        "the first argument of \(name.rawValue) is a stream", at: syntax.name.offset, hint: usage)
    }
    guard case .descriptor(let time) = syntax.arguments[1] else {
      throw SQLError(
        "the second argument of \(name.rawValue) is DESCRIPTOR(ROWTIME)", at: syntax.name.offset,
        hint: usage)
    }
    guard time.text.uppercased() == "ROWTIME" else {
      throw SQLError(
        "\(name.rawValue) works on ROWTIME, not on \(time.quoted)", at: time.offset,
        hint: "for event time declare rowtime: \(time.text) in the pipeline's input")
    }
    let binder = ExpressionBinder(program, relations: [])
    binder.clause = .values
    var lengths: [Int64] = []
    for argument in syntax.arguments.dropFirst(2) {
      switch argument {
      case .expression(let length), .named(_, let length):
        lengths.append(try windowLength(length, binder))
      default:
        throw SQLError(
          "the length of \(name.rawValue) is an interval", at: syntax.name.offset, hint: usage)
      }
    }
    relation.groupWindow = try GroupWindowFunction.make(name, lengths, at: syntax.name.offset)
    return relation
  }
}
