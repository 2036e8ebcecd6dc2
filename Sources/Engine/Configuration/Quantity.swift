/// Reads durations and sizes as they are written in configuration files.
enum Quantity {
  /// Milliseconds of `90s`, `1m`, `250ms`, `2h`, `1d`, or a bare number of seconds.
  static func milliseconds(_ text: String) -> Int64? {
    scaled(
      text, units: ["": 1_000, "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000])
  }

  /// Bytes of `5MiB`, `64KiB`, `1GiB`, `10MB`, `512B`, or a bare number of bytes.
  static func bytes(_ text: String) -> Int64? {
    scaled(
      text,
      units: [
        "": 1, "B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "KiB": 1_024,
        "MiB": 1_048_576, "GiB": 1_073_741_824,
      ])
  }

  /// Milliseconds as they are written: in the largest unit that has no fraction.
  static func duration(_ milliseconds: Int64) -> String {
    text(milliseconds, [("h", 3_600_000), ("s", 1_000), ("ms", 1)], zero: "0s")
  }

  /// Bytes as they are written: in the largest unit that has no fraction.
  static func size(_ bytes: Int64) -> String {
    text(bytes, [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)], zero: "0B")
  }

  private static func text(
    _ value: Int64, _ units: [(name: String, size: Int64)], zero: String
  ) -> String {
    guard value != 0, let unit = units.first(where: { value % $0.size == 0 }) else { return zero }
    return "\(value / unit.size)\(unit.name)"
  }

  private static func scaled(_ text: String, units: [String: Int64]) -> Int64? {
    let trimmed = text.filter { $0 != " " }
    let digits = trimmed.prefix { $0.isNumber || $0 == "." }
    guard let number = Double(digits), number.isFinite,
      let unit = units[String(trimmed.dropFirst(digits.count))]
    else { return nil }
    let value = (number * Double(unit)).rounded()
    guard value >= 0, value < 9e15 else { return nil }
    return Int64(value)
  }
}
