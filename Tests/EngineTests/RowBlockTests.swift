import Engine
import Testing
import Transport

@Suite struct RowBlockTests {
  /// Rows with and without keys, in any order, against arrays of them.
  @Test(arguments: 1...20 as ClosedRange<UInt64>) func rowsKeepTheirKeys(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    func text() -> [UInt8] {
      (0..<Int.random(in: 0...4, using: &generator)).map { _ in
        UInt8.random(in: 97...122, using: &generator)
      }
    }
    var block = RowBlock()
    var keys: [[UInt8]?] = []
    var rows: [[UInt8]] = []
    for _ in 0..<50 {
      let (key, row) = (text(), text())
      var expected: [UInt8]?
      // None given, one that is NULL, or one; in the first blocks no row has any.
      switch seed < 4 ? 0 : Int.random(in: 0..<3, using: &generator) {
      case 0: break
      case 1: block.appendKey { _ in false }
      default:
        expected = key
        block.appendKey {
          $0 += key
          return true
        }
      }
      block.append { $0 += row + (key.isEmpty ? [] : [UInt8(ascii: "\n")]) }
      keys.append(expected)
      rows.append(row)
    }
    #expect(block.keys == keys)
    #expect(block.rows == rows)
    #expect(block.count == 50)
  }
}
