/// The standard alphabet of RFC 4648 with padding.
public enum Base64 {
  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// Appends the Base64 form of `raw`.
  public static func append(_ raw: some Collection<UInt8>, to bytes: inout [UInt8]) {
    bytes.reserveCapacity(bytes.count + (raw.count + 2) / 3 * 4)
    var group: UInt32 = 0
    var pending = 0
    for byte in raw {
      group = group << 8 | UInt32(byte)
      pending += 1
      guard pending == 3 else { continue }
      append(group, characters: 4, to: &bytes)
      group = 0
      pending = 0
    }
    guard pending > 0 else { return }
    append(group << UInt32(8 * (3 - pending)), characters: pending + 1, to: &bytes)
    for _ in pending..<3 { bytes.append(UInt8(ascii: "=")) }
  }

  private static func append(_ group: UInt32, characters: Int, to bytes: inout [UInt8]) {
    for index in 0..<characters {
      bytes.append(alphabet[Int(group >> UInt32(18 - 6 * index)) & 63])
    }
  }

  /// The Base64 form of `raw`.
  public static func encode(_ raw: some Collection<UInt8>) -> String {
    var bytes: [UInt8] = []
    append(raw, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The bytes that `text` stands for, or nil when it is not Base64; padding may be left out.
  public static func decode(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var group: UInt32 = 0
    var bits = 0
    var padding = 0
    for character in text.utf8 {
      if character == UInt8(ascii: "=") {
        padding += 1
        continue
      }
      guard padding == 0, let value = value(of: character) else { return nil }
      group = group << 6 | value
      bits += 6
      guard bits >= 8 else { continue }
      bits -= 8
      bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
    }
    guard bits < 6, padding <= 2, group & (1 << UInt32(bits) - 1) == 0 else { return nil }
    return bytes
  }

  private static func value(of character: UInt8) -> UInt32? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character) - 65
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character) - 71
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character) + 4
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}

/// Lower-case hexadecimal text.
public enum Hexadecimal {
  private static let digits = Array("0123456789abcdef".utf8)

  /// Appends two digits per byte.
  public static func append(_ raw: some Sequence<UInt8>, to bytes: inout [UInt8]) {
    for byte in raw {
      bytes.append(digits[Int(byte >> 4)])
      bytes.append(digits[Int(byte & 15)])
    }
  }

  /// Two digits per byte.
  public static func encode(_ raw: some Sequence<UInt8>) -> String {
    var bytes: [UInt8] = []
    append(raw, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
