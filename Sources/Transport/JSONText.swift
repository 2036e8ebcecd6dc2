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
  public mutating func value(_ number: some BinaryInteger) {
    separate()
    bytes.append(contentsOf: String(number).utf8)
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
  public mutating func member(_ name: String, _ number: some BinaryInteger) {
    self.name(name)
    value(number)
  }

  /// Writes a member with a moment in milliseconds since 1970 as RFC 3339 text in UTC.
  public mutating func member(_ name: String, time milliseconds: Int64) {
    self.name(name)
    value(Self.rfc3339(milliseconds))
  }

  /// A moment in milliseconds since 1970 as RFC 3339 text in UTC, the fraction without zeros at
  /// its end as Go prints it.
  public static func rfc3339(_ milliseconds: Int64) -> String {
    let time = CivilTime(milliseconds: milliseconds)
    var text: [UInt8] = []
    time.appendDate(to: &text)
    text.append(UInt8(ascii: "T"))
    time.appendTime(to: &text, fraction: time.millisecond != 0)
    while time.millisecond != 0, text.last == UInt8(ascii: "0") { text.removeLast() }
    text.append(UInt8(ascii: "Z"))
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    Self.appendEscaped(text, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Appends `text` escaped for the inside of a JSON string.
  public static func appendEscaped(_ text: String, to bytes: inout [UInt8]) {
    let needsEscape = text.utf8.contains { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }
    guard needsEscape else { return bytes.append(contentsOf: text.utf8) }
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
}
