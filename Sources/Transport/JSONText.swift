import Columns

/// Builds JSON text, member by member, without white space.
public struct JSONText: Sendable {
  /// The text so far.
  public private(set) var bytes: [UInt8]
  private var needsComma = false

  /// Creates an empty text.
  public init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// Writes an object whose members `body` writes.
  public mutating func object(_ body: (inout JSONText) -> Void) {
    enclosed(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
  }

  /// Writes an array whose elements `body` writes.
  public mutating func array(_ body: (inout JSONText) -> Void) {
    enclosed(UInt8(ascii: "["), UInt8(ascii: "]"), body)
  }

  private mutating func enclosed(
    _ opening: UInt8, _ closing: UInt8, _ body: (inout JSONText) -> Void
  ) {
    separate()
    bytes.append(opening)
    needsComma = false
    body(&self)
    bytes.append(closing)
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  /// Writes the name of the member whose value comes next.
  public mutating func name(_ name: String) {
    separate()
    quote(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes a text value.
  public mutating func value(_ text: String) {
    separate()
    quote(text)
  }

  /// Writes an integer value.
  public mutating func value(_ number: Int) {
    separate()
    bytes.append(contentsOf: String(number).utf8)
  }

  /// Writes an integer value.
  public mutating func value(_ number: Int64) { value(Int(number)) }

  /// Writes a moment in milliseconds since 1970 as RFC 3339 text in UTC.
  public mutating func value(time milliseconds: Int64) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    Self.appendRFC3339(milliseconds, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Writes a number, or null when it is not finite.
  public mutating func value(_ number: Double) {
    separate()
    bytes.append(contentsOf: (number.isFinite ? number.description : "null").utf8)
  }

  /// Writes a truth value.
  public mutating func value(_ truth: Bool) {
    separate()
    bytes.append(contentsOf: (truth ? "true" : "false").utf8)
  }

  /// Writes null.
  public mutating func null() {
    separate()
    bytes.append(contentsOf: "null".utf8)
  }

  /// Writes a text value that is the Base64 form of `raw`.
  public mutating func base64(_ raw: some Collection<UInt8>) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    Base64.append(raw, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Writes a value that is JSON already.
  public mutating func fragment(_ json: some Collection<UInt8>) {
    separate()
    bytes.append(contentsOf: json)
  }

  /// Writes a member with a text value.
  public mutating func member(_ name: String, _ text: String) {
    self.name(name)
    value(text)
  }

  /// Writes a member with an integer value.
  public mutating func member(_ name: String, _ number: Int) {
    self.name(name)
    value(number)
  }

  /// Writes a member with an integer value.
  public mutating func member(_ name: String, _ number: Int64) { member(name, Int(number)) }

  /// Writes a member with a moment in milliseconds since 1970 as RFC 3339 text in UTC.
  public mutating func member(_ name: String, time milliseconds: Int64) {
    self.name(name)
    value(time: milliseconds)
  }

  /// A moment in milliseconds since 1970 as RFC 3339 text in UTC, the fraction without zeros at
  /// its end as Go prints it.
  public static func rfc3339(_ milliseconds: Int64) -> String {
    var text: [UInt8] = []
    appendRFC3339(milliseconds, to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  private static func appendRFC3339(_ milliseconds: Int64, to text: inout [UInt8]) {
    let time = CivilTime(milliseconds: milliseconds)
    time.appendDate(to: &text)
    text.append(UInt8(ascii: "T"))
    time.appendTime(to: &text, fraction: time.millisecond != 0)
    while time.millisecond != 0, text.last == UInt8(ascii: "0") { text.removeLast() }
    text.append(UInt8(ascii: "Z"))
  }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    Self.appendEscaped(text, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Appends `text` escaped for the inside of a JSON string.
  public static func appendEscaped(_ text: String, to bytes: inout [UInt8]) {
    guard needsEscape(text.utf8Span.span) else { return bytes.append(contentsOf: text.utf8) }
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0x20...: bytes.append(byte)
      case 0x0A: bytes.append(contentsOf: [0x5C, UInt8(ascii: "n")])
      case 0x0D: bytes.append(contentsOf: [0x5C, UInt8(ascii: "r")])
      case 0x09: bytes.append(contentsOf: [0x5C, UInt8(ascii: "t")])
      default:
        bytes.append(contentsOf: "\\u00".utf8)
        Hexadecimal.append([byte], to: &bytes)
      }
    }
  }
  /// Looks at every byte, which is quicker than to stop at the first for texts as short as these.
  private static func needsEscape(_ bytes: Span<UInt8>) -> Bool {
    var found = false
    for index in bytes.indices {
      let byte = bytes[index]
      found = found || byte < 0x20 || byte == 0x22 || byte == 0x5C
    }
    return found
  }
}
