/// What became of one record.
public enum DecodeOutcome: Hashable, Sendable {
  /// So many rows were staged; 0 only when the row path leads to an empty array.
  case rows(Int)
  /// The record is refused as a whole and left nothing behind.
  case rejected(RecordReject)
}

/// Why a record is refused, and where.
public struct RecordReject: Error, Hashable, Sendable {
  /// The stable name of a kind of refusal.
  public enum Code: String, Hashable, Sendable, CaseIterable {
    /// The value has no bytes, or nothing but blanks.
    case recordEmpty = "Record.Empty"
    /// The value has more bytes than the limit.
    case recordTooLarge = "Record.TooLarge"
    /// The record holds more rows than the limit.
    case recordTooManyRows = "Record.TooManyRows"
    /// Some bytes are not UTF-8.
    case recordInvalidUTF8 = "Record.InvalidUTF8"
    /// The text breaks the grammar of RFC 8259.
    case jsonMalformed = "Json.Malformed"
    /// Arrays and objects nest deeper than the limit.
    case jsonDepthExceeded = "Json.DepthExceeded"
    /// The row path leads nowhere.
    case jsonRowMissing = "Json.RowMissing"
    /// What should be a row is not an object.
    case jsonRowNotObject = "Json.RowNotObject"
    /// Quotes are not closed, or text follows a closing quote.
    case csvMalformed = "Csv.Malformed"
    /// The value's kind or form does not fit the column's type.
    case columnTypeMismatch = "Column.TypeMismatch"
    /// The number has digits that the column's type cannot hold.
    case columnInexact = "Column.Inexact"
    /// The number is too big for the column's type.
    case columnOutOfRange = "Column.OutOfRange"
    /// A column that is NOT NULL has no value.
    case columnNull = "Column.Null"
  }

  /// The kind of refusal.
  public let code: Code
  /// The byte of the record where the trouble begins.
  public let position: Int
  /// The name of the column concerned.
  public let column: String?
  /// The same for people: lower case, no full stop.
  public let reason: String
}

extension RecordReject: CustomStringConvertible {
  /// Code, reason, position and column in one line.
  public var description: String {
    "\(code.rawValue): \(reason) at byte \(position)\(column.map { ", column \($0)" } ?? "")"
  }
}

/// A refusal on its way out of the parser: plain numbers, so that raising it allocates nothing.
struct Fault: Error {
  enum Reason {
    case empty, tooLarge, tooManyRows, invalidUTF8
    case unexpectedEnd, expectedValue, expectedKey, expectedColon
    case expectedCommaOrBrace, expectedCommaOrBracket
    case badNumber, controlCharacter, badEscape, loneSurrogate
    case depthExceeded, rowMissing, rowNotObject
    case unterminatedQuote, textAfterQuote
    case wrongKind, notANumber, notADatetime, notBinary
    case inexact, outOfRange, null
  }

  let reason: Reason
  let position: Int
  /// The data column's position in the schema, or -1.
  let column: Int

  init(_ reason: Reason, at position: Int, column: Int = -1) {
    self.reason = reason
    self.position = position
    self.column = column
  }
}

extension Fault.Reason {
  var code: RecordReject.Code {
    switch self {
    case .empty: .recordEmpty
    case .tooLarge: .recordTooLarge
    case .tooManyRows: .recordTooManyRows
    case .invalidUTF8: .recordInvalidUTF8
    case .unexpectedEnd, .expectedValue, .expectedKey, .expectedColon, .expectedCommaOrBrace,
      .expectedCommaOrBracket, .badNumber, .controlCharacter, .badEscape, .loneSurrogate:
      .jsonMalformed
    case .depthExceeded: .jsonDepthExceeded
    case .rowMissing: .jsonRowMissing
    case .rowNotObject: .jsonRowNotObject
    case .unterminatedQuote, .textAfterQuote: .csvMalformed
    case .wrongKind, .notANumber, .notADatetime, .notBinary: .columnTypeMismatch
    case .inexact: .columnInexact
    case .outOfRange: .columnOutOfRange
    case .null: .columnNull
    }
  }

  /// What people read; `type` is the SQL type of the column concerned.
  func text(type: String, byteLimit: Int) -> String {
    switch self {
    case .empty: "the record is empty"
    case .tooLarge: "the record has more than \(byteLimit) bytes"
    case .tooManyRows: "the record holds more than \(RecordFormat.rowLimit) rows"
    case .invalidUTF8: "the bytes are not UTF-8"
    case .unexpectedEnd: "the record ends in the middle of a value"
    case .expectedValue: "expected a JSON value"
    case .expectedKey: "expected a member's name in double quotes"
    case .expectedColon: "expected a colon after the member's name"
    case .expectedCommaOrBrace: "expected a comma or the end of the object"
    case .expectedCommaOrBracket: "expected a comma or the end of the array"
    case .badNumber: "the number breaks the grammar of JSON"
    case .controlCharacter: "a control character in a string must be escaped"
    case .badEscape: "the escape sequence is not one of JSON"
    case .loneSurrogate: "the escape sequence is half of a surrogate pair"
    case .depthExceeded: "arrays and objects nest deeper than \(RecordFormat.depthLimit)"
    case .rowMissing: "the row path leads to no value"
    case .rowNotObject: "a row must be an object"
    case .unterminatedQuote: "the quoted field does not end"
    case .textAfterQuote: "text follows the closing quote of a field"
    case .wrongKind: "a value of this kind cannot become \(type)"
    case .notANumber: "the text is not a number and cannot become \(type)"
    case .notADatetime: "the text is not of the form that \(type) needs"
    case .notBinary: "the text is not of the form X'0A1B' that \(type) needs"
    case .inexact: "the number has digits that \(type) cannot hold"
    case .outOfRange: "the value is out of the range of \(type)"
    case .null: "the column is NOT NULL and has no value"
    }
  }
}
