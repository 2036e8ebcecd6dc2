import Columns
import StreamSQL

/// How values of a type are written as text: `CAST(… AS VARCHAR)` and readable error rows.
enum TextFormat {
  case integer
  case decimal(scale: Int)
  case double
  case real
  case boolean
  case date
  case time
  case timestamp
  case interval(IntervalQualifier)

  /// The format of a column's values; text has none.
  init?(_ type: ColumnType) {
    switch type {
    case .boolean: self = .boolean
    case .tinyint, .smallint, .integer, .bigint: self = .integer
    case .decimal(_, let scale): self = scale == 0 ? .integer : .decimal(scale: scale)
    case .real: self = .real
    case .double: self = .double
    case .date: self = .date
    case .time: self = .time
    case .timestamp: self = .timestamp
    case .char, .varchar, .binary, .varbinary: return nil
    }
  }

  /// Appends a floating-point number in its shortest exact form.
  func append(_ value: Double, to bytes: inout [UInt8]) {
    if case .real = self {
      bytes.append(contentsOf: Float(value).description.utf8)
    } else {
      bytes.append(contentsOf: value.description.utf8)
    }
  }

  /// Appends a value that is stored as an integer.
  func append(_ value: Int64, to bytes: inout [UInt8]) {
    switch self {
    case .integer, .double, .real: bytes.append(contentsOf: value.description.utf8)
    case .decimal(let scale): Self.appendDecimal(value, scale: scale, to: &bytes)
    case .boolean: bytes.append(contentsOf: (value != 0 ? "TRUE" : "FALSE").utf8)
    case .date:
      CivilTime(milliseconds: Self.milliseconds(ofDay: value)).appendDate(to: &bytes)
    case .time:
      CivilTime(milliseconds: value).appendTime(to: &bytes, fraction: value % 1_000 != 0)
    case .timestamp:
      let time = CivilTime(milliseconds: value)
      time.appendDate(to: &bytes)
      bytes.append(UInt8(ascii: " "))
      time.appendTime(to: &bytes, fraction: time.millisecond != 0)
    case .interval(let qualifier): Self.appendInterval(value, qualifier, to: &bytes)
    }
  }

  /// Midnight of a day counted from 1970-01-01, saturating.
  static func milliseconds(ofDay day: Int64) -> Int64 {
    let (value, overflow) = day.multipliedReportingOverflow(by: CivilTime.millisecondsPerDay)
    return overflow ? (day < 0 ? Int64.min : Int64.max) : value
  }

  static func appendDecimal(_ value: Int64, scale: Int, to bytes: inout [UInt8]) {
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    let digits = Array(value.magnitude.description.utf8)
    let missing = max(0, scale + 1 - digits.count)
    let padded = [UInt8](repeating: 48, count: missing) + digits
    bytes.append(contentsOf: padded.dropLast(scale))
    if scale > 0 {
      bytes.append(UInt8(ascii: "."))
      bytes.append(contentsOf: padded.suffix(scale))
    }
  }

  private static func appendInterval(
    _ value: Int64, _ qualifier: IntervalQualifier, to bytes: inout [UInt8]
  ) {
    bytes.append(UInt8(ascii: value < 0 ? "-" : "+"))
    var rest = value.magnitude
    if qualifier.isYearMonth {
      if qualifier.first == .year {
        bytes.append(contentsOf: (rest / 12).description.utf8)
        if qualifier.last == .month {
          bytes.append(UInt8(ascii: "-"))
          CivilTime.append(Int(rest % 12), digits: 2, to: &bytes)
        }
      } else {
        bytes.append(contentsOf: rest.description.utf8)
      }
      return
    }
    for unit in DatetimeUnit.allCases where unit >= qualifier.first && unit <= qualifier.last {
      guard let length = unit.milliseconds.map(UInt64.init) else { continue }
      if unit == qualifier.first {
        bytes.append(contentsOf: (rest / length).description.utf8)
      } else {
        bytes.append(UInt8(ascii: unit == .hour ? " " : ":"))
        CivilTime.append(Int(rest / length), digits: 2, to: &bytes)
      }
      rest %= length
    }
    if qualifier.last == .second, rest > 0 {
      bytes.append(UInt8(ascii: "."))
      CivilTime.append(Int(rest), digits: 3, to: &bytes)
    }
  }
}

extension ColumnType {
  /// The type with its article, for messages.
  var article: String {
    let name = description
    return "AEIO".contains(name.prefix(1)) ? "an \(name)" : "a \(name)"
  }
}

/// How many characters (Unicode scalars) UTF-8 text has.
func characterCount(_ text: ArraySlice<UInt8>) -> Int {
  var count = 0
  for byte in text where byte & 0xC0 != 0x80 { count += 1 }
  return count
}

/// The index at which character number `character`, from 0, begins; the end if there are fewer.
func byteOffset(of character: Int, in text: ArraySlice<UInt8>) -> Int {
  var seen = 0
  for index in text.indices where text[index] & 0xC0 != 0x80 {
    if seen == character { return index }
    seen += 1
  }
  return text.endIndex
}
