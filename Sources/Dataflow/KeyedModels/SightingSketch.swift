import Columns

/// Counts roughly, in fixed room, how often keys were seen lately: a key that came once costs nothing.
///
/// A count is never too small and seldom too large. All counts are halved once in a while, so that keys
/// which stay away are forgotten.
///
/// - Source: Cormode, Muthukrishnan, "An improved data stream summary: the count-min sketch", 2005, with
///   the conservative update of Estan and Varghese, 2002, and the ageing of Einziger et al., "TinyLFU",
///   2017.
package struct SightingSketch {
  private static let rows = 4

  private let threshold: UInt8
  private let width: Int
  private var counts: [UInt8]
  /// Sightings since the counts were last halved.
  private var sightings: Int64 = 0

  /// Creates a sketch without sightings.
  ///
  /// - Parameters:
  ///   - threshold: Sightings that a key needs, 1 to 100.
  ///   - keys: How many keys are to be told apart.
  package init(threshold: Int, keys: Int) {
    self.threshold = UInt8(clamping: threshold)
    var width = 1 << 12
    while width < 1 << 20, width < 16 * keys { width *= 2 }
    self.width = width
    counts = [UInt8](repeating: 0, count: threshold > 1 ? Self.rows * width : 0)
  }

  /// Counts a sighting of the key with this hash; returns whether it was seen often enough.
  package mutating func admits(_ hash: UInt64) -> Bool {
    guard threshold > 1 else { return true }
    var places = SIMD4<Int>(repeating: 0)
    var least = UInt8.max
    let step = hash >> 32 | 1
    for row in 0..<Self.rows {
      let column = Int((hash &+ UInt64(row) &* step) & UInt64(width - 1))
      places[row] = row * width + column
      least = min(least, counts[places[row]])
    }
    if least + 1 >= threshold { return true }
    for row in 0..<Self.rows where counts[places[row]] == least { counts[places[row]] = least + 1 }
    sightings += 1
    if sightings >= Int64(width / 2) { age() }
    return false
  }

  private mutating func age() {
    sightings = 0
    for place in counts.indices { counts[place] /= 2 }
  }

  func save(into writer: inout SectionWriter) {
    writer.write(sightings)
    writer.write(counts)
  }

  /// Takes over saved counts; those of a sketch of another size are forgotten.
  mutating func restore(from reader: inout SectionReader) throws(StateError) {
    let seen: Int64 = try reader.integer()
    let saved = try reader.byteArray()
    guard saved.count == counts.count, threshold > 1 else { return }
    sightings = seen
    counts = saved.map { min($0, threshold - 1) }
  }
}
