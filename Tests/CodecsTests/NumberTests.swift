import Codecs
import Columns
import Testing

/// Numbers to text and back, against the standard library's own conversions.
@Suite struct NumberTests {
  /// Columns for both widths of floating-point numbers.
  private static func harness() throws -> Harness {
    try Harness.json([("D", .double, "$.d"), ("R", .real, "$.d")])
  }

  /// Decodes each text and gives the stored values, nil where it was refused.
  private static func decode(_ texts: [String], _ type: ColumnType) throws -> [Double?] {
    var harness = try Harness.json([("C", type, "$.c")])
    let outcomes = texts.map { harness.decode("{\"c\":\($0)}") == .rows(1) }
    let count = harness.decoder.stagedRowCount
    harness.decoder.moveRows(to: &harness.batch)
    precondition(harness.batch.columns[0].doubles.count == count)
    var row = 0
    return outcomes.map { isStored in
      guard isStored else { return nil }
      defer { row += 1 }
      return harness.batch.columns[0].doubles[row]
    }
  }

  private static func check(_ texts: [String], _ note: String) throws {
    for (text, value) in zip(texts, try decode(texts, .double)) {
      let expected = Double(text).flatMap { $0.isFinite ? $0 : nil }
      #expect(value?.bitPattern == expected?.bitPattern, "\(note): \(text) became \(value as Any)")
    }
    for (text, value) in zip(texts, try decode(texts, .real)) {
      let expected = Float(text).flatMap { $0.isFinite ? Double($0) : nil }
      #expect(value?.bitPattern == expected?.bitPattern, "\(note): \(text) became \(value as Any)")
    }
  }

  @Test(arguments: 0..<4) func readsTheNearest(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var texts: [String] = []
    for _ in 0..<40_000 {
      let double = Double(bitPattern: random.next())
      if double.isFinite { texts.append("\(double)") }
      let float = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
      if float.isFinite { texts.append("\(float)") }
      let digits = String((0...random.below(30)).map { _ in Character("\(random.below(10))") })
      let whole = digits.drop { $0 == "0" }
      texts.append("\(whole.isEmpty ? "0" : whole)e\(random.below(700) - 360)")
      texts.append("0.\(digits)")
      texts.append("-\(1 + random.below(9)).\(digits)E+\(random.below(40))")
    }
    try Self.check(texts, "seed \(seed)")
  }

  /// Half ways between two neighbours, exactly and a little beside.
  @Test func readsHalfWays() throws {
    try Self.check(
      [
        "9007199254740993", "9007199254740993.0000000000000000000000001",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "1.00000000000000033306690738754696212708950042724609375",
        "2.2250738585072011e-308", "2.2250738585072014e-308", "2.47032822920623272e-324",
        "2.4703282292062327208e-324", "2.4703282292062328e-324", "1.7976931348623157e308",
        "1.7976931348623158e308", "1.7976931348623159e308", "1e23", "8.5e22", "4.35", "0.1e-5",
        "9.5367431640625e-7", "1.00000017881393432617187499", "1.000000178813934326171875",
        "1.00000017881393432617187501", "1.17549435e-38", "7.0064923216240853546186479164495e-46",
        "7.0064923216240853546186479164496e-46", "3.4028235677973366e38", "3.4028235677973365e38",
        "16777217", "16777217.0000000001", "0." + String(repeating: "0", count: 400) + "1e400",
        "1" + String(repeating: "0", count: 400) + "e-400",
        "123456789012345678" + String(repeating: "9", count: 800) + "e-800", "0e999999999999999999",
        "0.000e-999999999999999999",
      ], "half way")
  }

  /// What the encoder writes is what the standard library prints, digit for digit.
  @Test(arguments: 0..<4) func writesTheShortest(_ seed: UInt64) throws {
    var random = SplitMix64(seed: 100 + seed)
    var harness = try Self.harness()
    var expected: [String] = []
    func add(_ double: Double, _ float: Float) {
      guard double.isFinite, float.isFinite else { return }
      harness.batch.columns[0].append(double)
      harness.batch.columns[1].append(Double(float))
      harness.batch.rowtimes.append(0)
      harness.batch.causes.append(0)
      expected.append("{\"D\":\(double),\"R\":\(float)}\n")
    }
    for value in [0, -0.0, 1, 1e15, 1e16, 9_007_199_254_740_992, 0.0001, 0.00001, 999_999] {
      add(value, Float(value))
    }
    for _ in 0..<30_000 {
      let bits = random.next()
      add(Double(bitPattern: bits), Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
      let digits = Double(random.below(1 << (1 + random.below(52))))
      let power = [1.0, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e9, 1e12][random.below(10)]
      add(digits / power, Float(digits / power))
      add(-digits, -Float(digits))
      let edge = 1e15 / power
      add(edge.nextDown, Float(edge).nextDown)
      add((digits / power).nextUp, Float(digits / power).nextUp)
    }
    var bytes: [UInt8] = []
    harness.encoder.load(harness.batch)
    for row in 0..<harness.batch.count {
      harness.encoder.append(row: row, pool: harness.pool, to: &bytes)
      let line = String(decoding: bytes, as: UTF8.self)
      #expect(line == expected[row], "seed \(seed)")
      bytes.removeAll(keepingCapacity: true)
    }
  }
}
