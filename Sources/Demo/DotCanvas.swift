/// A small drawing area for a terminal: Braille dots, 2 × 4 to a character, or one `#` to a character.
struct DotCanvas {
  let columns: Int
  let rows: Int
  let unicode: Bool
  private var dots: [Bool]

  /// Dots in a line.
  var width: Int { unicode ? columns * 2 : columns }
  /// Lines of dots.
  var height: Int { unicode ? rows * 4 : rows }

  init(columns: Int, rows: Int, unicode: Bool) {
    self.columns = columns
    self.rows = rows
    self.unicode = unicode
    dots = Array(repeating: false, count: unicode ? columns * rows * 8 : columns * rows)
  }

  /// Draws the lowest `height` dots of column `x`.
  mutating func fill(x: Int, height filled: Int) {
    for y in 0..<min(filled, height) {
      dots[(height - 1 - y) * width + x] = true
    }
  }

  /// The drawing, a text for each row.
  func lines() -> [String] {
    (0..<rows).map { row in
      var line = ""
      for column in 0..<columns { line.append(character(row: row, column: column)) }
      return line
    }
  }

  private func character(row: Int, column: Int) -> Character {
    guard unicode else { return dots[row * width + column] ? "#" : " " }
    var bits: UInt32 = 0
    for y in 0..<4 {
      for x in 0..<2 where dots[(row * 4 + y) * width + column * 2 + x] {
        bits |= Self.braille[y][x]
      }
    }
    return bits == 0 ? " " : Unicode.Scalar(0x2800 + bits).map(Character.init) ?? " "
  }

  /// The bit of each dot in the block of Braille patterns.
  private static let braille: [[UInt32]] = [
    [0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80],
  ]
}
