internal import Columns

extension TableCall {
  func requireCount(_ count: Int, _ usage: String?) throws(SQLError) {
    guard literals.count == count else {
      throw SQLError(
        "\(name.rawValue) has a cursor and \(count) parameters, not \(literals.count)",
        at: syntax.name.offset, hint: usage)
    }
  }

  /// The integer at a place; nil if there are fewer parameters.
  func integer(
    _ place: Int, _ what: String, _ range: ClosedRange<Int>
  ) throws(SQLError) -> Int? {
    guard place < literals.count else { return nil }
    let (value, offset) = literals[place]
    guard value.type.columnType?.isInteger == true, let integer = value.integerLiteral,
      let result = Int(exactly: integer), range.contains(result)
    else {
      throw SQLError(
        "\(what) is an integer from \(range.lowerBound) to \(range.upperBound)", at: offset)
    }
    return result
  }

  /// The positive number at a place.
  func number(_ place: Int, _ what: String) throws(SQLError) -> Double {
    let (value, offset) = literals[place]
    if value.type.columnType?.isNumeric == true,
      case .literal(.double(let number)) = Conversions.converted(value, to: .double).kind,
      number > 0, number.isFinite
    {
      return number
    }
    throw SQLError("\(what) is a positive number", at: offset)
  }

  /// The truth value at a place; nil if there are fewer parameters.
  func boolean(_ place: Int, _ what: String) throws(SQLError) -> Bool? {
    guard place < literals.count else { return nil }
    guard literals[place].value.type == .column(.boolean),
      let value = literals[place].value.integerLiteral
    else { throw SQLError("\(what) is true or false", at: literals[place].offset) }
    return value != 0
  }

  /// The column named by the text at a place.
  func column(_ place: Int) throws(SQLError) -> ScopeColumn {
    let (value, offset) = literals[place]
    guard let text = value.textLiteral else {
      throw SQLError(
        "expected the name of a column in quotes", at: offset, hint: "for example 'TICKER'")
    }
    return try column(named: text, at: offset)
  }

  /// The cursor's column of this name, in any case if none has this one.
  func column(named text: String, at offset: Int) throws(SQLError) -> ScopeColumn {
    let found =
      columns.first { $0.name == text }
      ?? columns.first { $0.name.uppercased() == text.uppercased() }
    guard let found, found.fields == nil else {
      throw SQLError(
        "the cursor has no column '\(text)'", at: offset,
        hint: "its columns are \(columns.map(\.name).joined(separator: ", "))")
    }
    return found
  }

  /// Whether the text at a place is `desc` and not `asc`, the default.
  func isDescending(_ place: Int) throws(SQLError) -> Bool {
    guard place < literals.count else { return false }
    switch literals[place].value.textLiteral?.lowercased() {
    case "asc": return false
    case "desc": return true
    default: throw SQLError("an order is 'asc' or 'desc'", at: literals[place].offset)
    }
  }
}
