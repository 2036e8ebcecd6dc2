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
        time = try timeColumn(call, name, value)
      } else {
        options.append(try detectorOption(name, value))
      }
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

  /// The TIMESTAMP that `time => 'column'` names; nil for ROWTIME.
  func timeColumn(
    _ call: TableCall, _ name: Name, _ value: BoundExpression
  ) throws(SQLError) -> Int? {
    guard let text = value.textLiteral else {
      throw SQLError("time => names a column in quotes", at: name.offset)
    }
    if text.uppercased() == "ROWTIME", !call.columns.contains(where: { $0.name == text }) {
      return nil
    }
    let column = try call.column(named: text, at: name.offset)
    guard column.type == .timestamp else {
      throw SQLError("time => names a TIMESTAMP, not \(column.type)", at: name.offset)
    }
    return column.index
  }

  private func detectorOption(
    _ name: Name, _ value: BoundExpression
  ) throws(SQLError) -> DetectAnomaliesParameters.Option {
    let ranges = DetectAnomaliesParameters.ranges
    guard let (_, range) = ranges.first(where: { $0.name.uppercased() == name.text.uppercased() })
    else {
      let names = ranges.map(\.name) + ["time"]
      throw SQLError(
        "ML_DETECT_ANOMALIES has no option \(name.text.lowercased())", at: name.offset,
        hint: Spelling.hint(
          Name(text: name.text.lowercased(), isQuoted: false, offset: name.offset), among: names)
          ?? "the options are \(names.joined(separator: ", "))")
    }
    guard value.type.columnType?.isNumeric == true,
      case .literal(.double(let number)) = Conversions.converted(value, to: .double).kind,
      range.contains(number)
    else {
      throw SQLError(
        "\(name.text.lowercased()) is a number from \(Int(range.lowerBound)) to "
          + "\(Int(range.upperBound))",
        at: name.offset)
    }
    return DetectAnomaliesParameters.Option(name: name.text.lowercased(), value: number)
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
