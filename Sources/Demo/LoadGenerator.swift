public import Columns
import RandomCutForest

/// What one column of a generated record looks like.
public struct LoadColumn: Sendable {
  /// The names of the objects around the value and its own, outermost first; CSV ignores them.
  let path: [String]
  let type: ColumnType

  /// A column of an input, at a path such as `$.a.b` in a JSON record, or at `$.name` without one.
  ///
  /// - Throws: `LoadError` for a path into an array.
  public init(name: String, path: String?, type: ColumnType) throws(LoadError) {
    let text = path ?? "$." + name
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count > 1, parts[0] == "$",
      !parts.dropFirst().contains(where: { $0.isEmpty || $0.contains("[") })
    else { throw LoadError(column: name, path: text) }
    self.path = Array(parts.dropFirst())
    self.type = type
  }
}

/// A column whose values cannot be generated.
public struct LoadError: Error, Equatable, CustomStringConvertible {
  let column: String
  let path: String

  public var description: String {
    "column '\(column)': no record can be made for the path '\(path)'\n"
      + "  hint: load is generated for paths of object members only, such as $.a.b"
  }
}

/// Makes records that fit an input: the same seed gives the same records.
///
/// Numbers wander around a level of their own per key with a spike in every thousand records, so
/// that detectors find something; text takes few values, so that it can be grouped by.
public struct LoadGenerator: Sendable {
  /// How a record is written.
  public enum Format: Sendable {
    case json
    case csv(delimiter: String)
  }

  private let columns: [LoadColumn]
  private let keyColumn: Int?
  private let keys: Int
  private let format: Format
  private let layout: Member
  private var generator: SplitMix64

  /// A generator for the columns of an input, in its order.
  ///
  /// `keyColumn` repeats the record key; with 0 `keys` the records have none.
  public init(
    columns: [LoadColumn], keyColumn: Int? = nil, keys: Int = 0, format: Format, seed: UInt64
  ) {
    precondition(keys >= 0 && (keyColumn ?? 0) < columns.count, "a column of the input")
    self.columns = columns
    self.keyColumn = keyColumn
    self.keys = keys
    self.format = format
    layout = Member.tree(of: columns)
    generator = SplitMix64(seed: seed)
  }

  /// The next record; `timestamp`, milliseconds since 1970, is the value of every column of a time.
  public mutating func next(timestamp: Int64) -> (key: String?, value: String) {
    let number = keys > 0 ? Int(generator.next() % UInt64(keys)) : 0
    let key = keys > 0 ? "key-\(number)" : nil
    let spike = generator.next().isMultiple(of: 1_000) ? 10.0 : 1
    var values: [Value] = []
    for (index, column) in columns.enumerated() {
      if index == keyColumn, let key {
        values.append(Value(text: key, isQuoted: column.type.storage == .text))
      } else {
        values.append(
          value(of: column.type, level: number * 7 + index, spike: spike, timestamp: timestamp))
      }
    }
    switch format {
    case .json: return (key, layout.json(values))
    case .csv(let delimiter): return (key, values.map(\.text).joined(separator: delimiter))
    }
  }

  fileprivate struct Value {
    let text: String
    let isQuoted: Bool
  }

  private mutating func value(
    of type: ColumnType, level: Int, spike: Double, timestamp: Int64
  ) -> Value {
    let base = Double(50 + level % 50)
    let wandering = base + 10 * (generator.uniform() - generator.uniform())
    switch type {
    case .boolean:
      return Value(text: generator.next() & 1 == 0 ? "false" : "true", isQuoted: false)
    case .tinyint:
      return Value(text: "\(Int(wandering))", isQuoted: false)
    case .smallint, .integer, .bigint:
      return Value(text: "\(Int(wandering * spike))", isQuoted: false)
    case .decimal(let precision, let scale):
      return Value(text: decimal(precision: precision, scale: scale), isQuoted: false)
    case .real, .double:
      return Value(text: "\((wandering * spike * 1_000).rounded() / 1_000)", isQuoted: false)
    case .char(let length), .varchar(let length):
      let text = "value-\(generator.next() % 10)"
      return Value(text: String(text.suffix(length)), isQuoted: true)
    case .binary(let length), .varbinary(let length):
      let byte = String(generator.next() % 256, radix: 16)
      let hex = byte.count < 2 ? "0" + byte : byte
      return Value(text: length > 0 ? "X'\(hex)'" : "X''", isQuoted: true)
    case .date, .time, .timestamp:
      return Value(text: datetime(type, at: timestamp), isQuoted: true)
    }
  }

  private mutating func decimal(precision: Int, scale: Int) -> String {
    let whole = precision > scale ? generator.next() % (precision - scale > 1 ? 90 : 9) : 0
    guard scale > 0 else { return "\(whole)" }
    return "\(whole).\(generator.next() % 10)"
  }

  private func datetime(_ type: ColumnType, at timestamp: Int64) -> String {
    let time = CivilTime(milliseconds: timestamp)
    var bytes: [UInt8] = []
    switch type {
    case .date: time.appendDate(to: &bytes)
    case .time: time.appendTime(to: &bytes)
    default: time.appendTimestamp(to: &bytes)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A member of the JSON object: a value by its column, or an object of members.
private indirect enum Member: Sendable {
  case value(Int)
  case object([(name: String, member: Member)])

  static func tree(of columns: [LoadColumn]) -> Member {
    tree(columns.enumerated().map { ($0.offset, $0.element.path[...]) })
  }

  /// Of two columns at one path the later one is written.
  private static func tree(_ paths: [(column: Int, path: ArraySlice<String>)]) -> Member {
    var names: [String] = []
    for entry in paths {
      guard let name = entry.path.first else { return .value(entry.column) }
      if !names.contains(name) { names.append(name) }
    }
    return .object(
      names.map { name in
        let below = paths.filter { $0.path.first == name }
        return (name, tree(below.map { ($0.column, $0.path.dropFirst()) }))
      })
  }

  func json(_ values: [LoadGenerator.Value]) -> String {
    switch self {
    case .value(let index):
      values[index].isQuoted ? "\"\(values[index].text)\"" : values[index].text
    case .object(let members):
      "{"
        + members.map { "\"\(escaped($0.name))\":\($0.member.json(values))" }
        .joined(separator: ",") + "}"
    }
  }

  private func escaped(_ name: String) -> String {
    name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
  }
}
