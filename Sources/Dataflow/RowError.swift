import Columns
import StreamSQL

/// A row or a record that was refused; it becomes a row of `error_stream`.
public struct RowError: Hashable, Sendable {
  /// The row number of the record that caused it.
  public let cause: Int64
  /// When it was refused: the rowtime bound then.
  public let time: Int64
  /// What is wrong.
  public let error: RuntimeError
  /// The ROWTIME of the row.
  public let rowtime: Int64
  /// The bytes that DATA_ROW shows in hexadecimal: the row as JSON, or the record as it came.
  public let data: [UInt8]
  /// The pump that refused it; nil when the record could not be decoded.
  public let pump: String?
  /// The index of the pump; -1 for records.
  let order: Int

  /// Creates the error of a record that could not be decoded.
  ///
  /// - Parameters:
  ///   - cause: The row number of the record.
  ///   - rowtime: Its ROWTIME, milliseconds since 1970 UTC.
  ///   - message: Why it could not be decoded, with the place.
  ///   - record: Its bytes as they came.
  public init(undecodable cause: Int64, rowtime: Int64, message: String, record: [UInt8]) {
    self.init(
      cause: cause, time: rowtime, error: RuntimeError(code: .undecodable, message: message),
      rowtime: rowtime, data: record, pump: nil, order: -1)
  }

  init(
    cause: Int64, time: Int64, error: RuntimeError, rowtime: Int64, data: [UInt8],
    pump: String?, order: Int
  ) {
    self.cause = cause
    self.time = time
    self.error = error
    self.rowtime = rowtime
    self.data = data
    self.pump = pump
    self.order = order
  }

  private static let dataLimit = 49_152

  /// Adds the error as a row of `ErrorStream.schema`.
  func append(to batch: inout Batch, pool: inout StringPool) {
    var hex: [UInt8] = []
    RowText.appendHexadecimal(data.prefix(Self.dataLimit / 2), to: &hex)
    let text = String(decoding: data, as: UTF8.self)
    batch.rowtimes.append(time)
    batch.causes.append(cause)
    batch.columns[0].append(time)
    batch.columns[1].append(pool.intern("ERROR"))
    batch.columns[2].append(pool.intern(error.code.rawValue))
    batch.columns[3].append(pool.intern(String(error.message.prefix(4_096))))
    batch.columns[4].append(rowtime)
    batch.columns[5].append(pool.intern(hex.span))
    if let pump {
      batch.columns[6].append(pool.intern(pump))
    } else {
      batch.columns[6].appendNull()
    }
    batch.columns[7].append(pool.intern(String(text.prefix(Self.dataLimit))))
  }
}

/// A row in readable form.
enum RowText {
  /// The row as a JSON object, columns in order.
  static func json(_ batch: Batch, row: Int, pool: borrowing StringPool) -> [UInt8] {
    var text: [UInt8] = [UInt8(ascii: "{")]
    for (index, column) in batch.columns.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      appendString(Array(batch.schema.columns[index].name.utf8), to: &text)
      text.append(UInt8(ascii: ":"))
      if column.nulls[row] {
        text.append(contentsOf: "null".utf8)
        continue
      }
      let type = batch.schema.columns[index].type
      switch type.storage {
      case .text where type.isBinary:
        text.append(contentsOf: "\"X'".utf8)
        appendHexadecimal(pool.bytes[pool.range(of: column.texts[row])], to: &text)
        text.append(contentsOf: "'\"".utf8)
      case .text: appendString(Array(pool.bytes[pool.range(of: column.texts[row])]), to: &text)
      case .floating: TextFormat(type)?.append(column.doubles[row], to: &text)
      case .integer:
        if type == .boolean {
          text.append(contentsOf: (column.integers[row] != 0 ? "true" : "false").utf8)
        } else if type.isDatetime {
          text.append(UInt8(ascii: "\""))
          TextFormat(type)?.append(column.integers[row], to: &text)
          text.append(UInt8(ascii: "\""))
        } else {
          TextFormat(type)?.append(column.integers[row], to: &text)
        }
      }
    }
    text.append(UInt8(ascii: "}"))
    return text
  }

  /// Appends two digits for each byte.
  static func appendHexadecimal(_ bytes: some Sequence<UInt8>, to text: inout [UInt8]) {
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
  }

  /// Appends a JSON string.
  static func appendString(_ bytes: [UInt8], to text: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    text.append(34)
    for byte in bytes {
      switch byte {
      case 34, 92:
        text.append(92)
        text.append(byte)
      case 10: text.append(contentsOf: [92, 110])
      case 13: text.append(contentsOf: [92, 114])
      case 9: text.append(contentsOf: [92, 116])
      case 0..<32:
        text.append(contentsOf: [92, 117, 48, 48, digits[Int(byte >> 4)], digits[Int(byte & 15)]])
      default: text.append(byte)
      }
    }
    text.append(34)
  }
}
