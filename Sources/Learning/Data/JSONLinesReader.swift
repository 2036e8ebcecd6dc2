/// A JSON object a line.
final class JSONLinesReader: RowReading {
  private let file: FileBytes
  private var line = 0

  init(_ path: String) throws(DataError) { file = try FileBytes(path) }

  var place: String { "\(file.path):\(line)" }

  func next(into row: inout [Float]) throws(DataError) -> Bool {
    while let bytes = try file.line() {
      line += 1
      if bytes.allSatisfy({ $0 == 32 || $0 == 9 }) { continue }
      var cursor = TextCursor(bytes)
      try features(&cursor, into: &row)
      cursor.skipBlanks()
      guard cursor.isAtEnd else { throw failure(cursor, "the end of the line") }
      return true
    }
    return false
  }

  /// `{"features":[…]}` or `{"data":{"features":{…}}}`.
  private func features(_ cursor: inout TextCursor, into row: inout [Float]) throws(DataError) {
    try expect(123, "'{'", &cursor)
    let start = cursor
    switch cursor.string() {
    case "features":
      try expect(58, "':'", &cursor)
      for value in try list(&cursor, "feature") {
        row.append(try usable(value, column: row.count + 1))
      }
    case "data":
      try expect(58, "':'", &cursor)
      try expect(123, "'{'", &cursor)
      guard cursor.string() == "features", cursor.take(58) else {
        throw failure(cursor, "the member \"features\"")
      }
      let tensor = try tensor(&cursor)
      try expect(125, "'}'", &cursor)
      for value in try dense(tensor) { row.append(try usable(value, column: row.count + 1)) }
    default: throw failure(start, "the member \"features\"")
    }
    try expect(125, "'}'", &cursor)
  }

  /// The members `values`, `keys` and `shape` in any order.
  private func tensor(_ cursor: inout TextCursor) throws(DataError) -> FeatureTensor {
    var tensor = FeatureTensor()
    var found: [String] = []
    try expect(123, "'{'", &cursor)
    repeat {
      let start = cursor
      guard let name = cursor.string(), ["values", "keys", "shape"].contains(name),
        !found.contains(name)
      else { throw failure(start, "the member \"values\", \"keys\" or \"shape\"") }
      try expect(58, "':'", &cursor)
      found.append(name)
      let numbers = try list(&cursor, name == "values" ? "feature" : name)
      switch name {
      case "values": tensor.values = numbers
      case "keys": tensor.keys = numbers
      default: tensor.shape = numbers
      }
    } while cursor.take(44)
    try expect(125, "'}'", &cursor)
    return tensor
  }

  private func dense(_ tensor: FeatureTensor) throws(DataError) -> [Double] {
    do {
      return try tensor.dense()
    } catch {
      throw DataError(place: place, message: error.message, hint: error.hint)
    }
  }

  private func list(_ cursor: inout TextCursor, _ name: String) throws(DataError) -> [Double] {
    try expect(91, "'['", &cursor)
    var numbers: [Double] = []
    if cursor.take(93) { return numbers }
    repeat {
      guard let value = cursor.number() else {
        throw failure(cursor, "a number as \(name) \(numbers.count + 1)")
      }
      numbers.append(value)
    } while cursor.take(44)
    try expect(93, "',' or ']'", &cursor)
    return numbers
  }

  private func expect(_ byte: UInt8, _ name: String, _ cursor: inout TextCursor) throws(DataError) {
    guard cursor.take(byte) else { throw failure(cursor, name) }
  }

  private func failure(_ cursor: TextCursor, _ expected: String) -> DataError {
    DataError(
      place: "\(place):\(cursor.column)", message: "\(expected) is expected, not \(cursor.excerpt)",
      hint: "a line is {\"features\":[1.5,2]}")
  }
}
