import Columns

extension ColumnType {
  /// Reads a type as SQL writes it, such as `VARCHAR(20)` or `decimal(10, 2)`.
  init?(sql text: String) {
    let upper = text.uppercased()
    let head = upper.prefix { $0 != "(" }
    let name = head.split(separator: " ").joined(separator: " ")
    var arguments: [Int] = []
    if head.count < upper.count {
      guard upper.last == ")" else { return nil }
      for part in upper.dropFirst(head.count + 1).dropLast().split(separator: ",") {
        guard let number = Int(part.filter { $0 != " " }), number >= 0 else { return nil }
        arguments.append(number)
      }
    }
    guard let type = Self.named(name, arguments) else { return nil }
    self = type
  }

  private static func named(_ name: String, _ arguments: [Int]) -> ColumnType? {
    switch (name, arguments.count) {
    case ("BOOLEAN", 0): .boolean
    case ("TINYINT", 0): .tinyint
    case ("SMALLINT", 0): .smallint
    case ("INTEGER", 0), ("INT", 0): .integer
    case ("BIGINT", 0): .bigint
    case ("REAL", 0): .real
    case ("DOUBLE", 0), ("DOUBLE PRECISION", 0), ("FLOAT", 0): .double
    case ("DATE", 0): .date
    case ("TIME", 0): .time
    case ("TIMESTAMP", 0): .timestamp
    case ("DECIMAL", _), ("DEC", _), ("NUMERIC", _): decimal(arguments)
    case ("CHAR", 0...1), ("CHARACTER", 0...1): length(arguments, 1).map(ColumnType.char)
    case ("VARCHAR", 1), ("CHARACTER VARYING", 1), ("CHAR VARYING", 1):
      length(arguments, 1).map(ColumnType.varchar)
    case ("BINARY", 0...1): length(arguments, 1).map(ColumnType.binary)
    case ("VARBINARY", 1), ("BINARY VARYING", 1): length(arguments, 1).map(ColumnType.varbinary)
    default: nil
    }
  }

  private static func decimal(_ arguments: [Int]) -> ColumnType? {
    let precision = arguments.first ?? 18
    let scale = arguments.count > 1 ? arguments[1] : 0
    guard arguments.count <= 2, (1...18).contains(precision), scale <= precision else { return nil }
    return .decimal(precision: precision, scale: scale)
  }

  private static func length(_ arguments: [Int], _ standard: Int) -> Int? {
    let length = arguments.first ?? standard
    return (1...65_535).contains(length) ? length : nil
  }
}
