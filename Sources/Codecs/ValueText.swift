import Columns

/// How a column's values are written.
struct ValueFormat {
  enum Kind: UInt8 {
    case integer, boolean, decimal, real, double, text, binary, date, time, timestamp
  }

  let kind: Kind
  let scale: Int

  /// The most bytes of a value that is not text or binary.
  static let fixedByteLimit = 48

  init(_ type: ColumnType) {
    var scale = 0
    switch type {
    case .boolean: kind = .boolean
    case .tinyint, .smallint, .integer, .bigint: kind = .integer
    case .decimal(_, let digits): (kind, scale) = (digits == 0 ? .integer : .decimal, digits)
    case .real: kind = .real
    case .double: kind = .double
    case .char, .varchar: kind = .text
    case .binary, .varbinary: kind = .binary
    case .date: kind = .date
    case .time: kind = .time
    case .timestamp: kind = .timestamp
    }
    self.scale = scale
  }
}

extension ByteWriter {
  /// Puts a value whose text needs no quotes; `fixedByteLimit` bytes must be reserved.
  @inline(__always)
  mutating func put(
    plain bits: UInt64, _ format: ValueFormat, _ powers: borrowing PowersOfFive
  ) {
    switch format.kind {
    case .integer: put(signed: Int64(bitPattern: bits))
    case .boolean:
      // "true" and "false" as little-endian words.
      if bits != 0 { put(0x6575_7274, length: 4) } else { put(0x65_736C_6166, length: 5) }
    case .decimal: put(decimal: Int64(bitPattern: bits), scale: format.scale)
    case .double: put(double: Double(bitPattern: bits), powers)
    case .real: put(float: Float(Double(bitPattern: bits)))
    case .date: put(date: CivilTime(milliseconds: Int64(bitPattern: bits) &* 86_400_000))
    case .time: put(time: Int64(bitPattern: bits))
    case .timestamp: put(timestamp: Int64(bitPattern: bits))
    case .text, .binary: preconditionFailure("text and binary values are written by their bytes")
    }
  }

  @inline(__always)
  mutating func put(signed value: Int64) {
    if value < 0 { put(UInt8(ascii: "-")) }
    put(decimal: value.magnitude)
  }

  mutating func put(decimal value: Int64, scale: Int) {
    if value < 0 { put(UInt8(ascii: "-")) }
    let (whole, fraction) = value.magnitude.quotientAndRemainder(dividingBy: powerOfTen(scale))
    put(decimal: whole)
    put(UInt8(ascii: "."))
    put(decimal: fraction, width: scale)
  }

  mutating func put(date civil: CivilTime) {
    if civil.year < 0 { put(UInt8(ascii: "-")) }
    put(decimal: UInt64(civil.year.magnitude), width: 4)
    put(UInt8(ascii: "-"))
    put(decimal: UInt64(civil.month), width: 2)
    put(UInt8(ascii: "-"))
    put(decimal: UInt64(civil.day), width: 2)
  }

  /// Puts milliseconds since midnight as `HH:mm:ss.SSS`.
  mutating func put(time milliseconds: Int64) {
    let rest = UInt64(milliseconds.magnitude)
    put(decimal: rest / 3_600_000, width: 2)
    put(UInt8(ascii: ":"))
    put(decimal: rest / 60_000 % 60, width: 2)
    put(UInt8(ascii: ":"))
    put(decimal: rest / 1_000 % 60, width: 2)
    put(UInt8(ascii: "."))
    put(decimal: rest % 1_000, width: 3)
  }

  /// Puts milliseconds since 1970 as `yyyy-MM-dd HH:mm:ss.SSS`.
  mutating func put(timestamp milliseconds: Int64) {
    let civil = CivilTime(milliseconds: milliseconds)
    put(date: civil)
    put(UInt8(ascii: " "))
    let seconds = (civil.hour * 60 + civil.minute) * 60 + civil.second
    put(time: Int64(seconds * 1_000 + civil.millisecond))
  }

  /// Puts base64 with padding; reserves what it needs.
  ///
  /// Source: RFC 4648, section 4.
  mutating func putBase64(_ bytes: Span<UInt8>) {
    reserve((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
      let left = bytes.count - index
      let group =
        UInt32(bytes[index]) << 16 | UInt32(bytes.byte(at: index + 1)) << 8
        | UInt32(bytes.byte(at: index + 2))
      put(base64Digit(group >> 18))
      put(base64Digit(group >> 12))
      put(left > 1 ? base64Digit(group >> 6) : UInt8(ascii: "="))
      put(left > 2 ? base64Digit(group) : UInt8(ascii: "="))
      index += 3
    }
  }

  private func base64Digit(_ bits: UInt32) -> UInt8 {
    switch UInt8(truncatingIfNeeded: bits & 63) {
    case let digit where digit < 26: UInt8(ascii: "A") + digit
    case let digit where digit < 52: UInt8(ascii: "a") + digit - 26
    case let digit where digit < 62: UInt8(ascii: "0") + digit - 52
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
  }
}
