/// The generator of Steele, Lea and Flood: the same sequence for a seed on every machine.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

/// Records to start from, and what to do to them.
enum Mutations {
  static let records: [[UInt8]] = [
    #"{"d":48.5902,"i":1405,"s":"sensor-10005","b":true,"o":{"n":0.02642},"x":[1,{"y":null}]}"#,
    #"{"i":9223372036854775807,"d":-1.7976931348623157e308,"s":"","b":false}"#,
    #"{ "s" : "a\"b\\c\/d\b\f\n\r\té\u00e9\uD83D\uDE00😀" , "d" : 1e22 , "i" : -0 }"#,
    #"{"o":{"n":1,"m":{"n":2}},"o":{"n":3},"s":"first","s":"last","d":0.1}"#,
    #"{"d":0.30000000000000004,"i":-9223372036854775808,"b":1,"o":{"n":5e-324}}"#,
    #"{"d":9007199254740993,"i":1e3,"b":"TRUE","s":12.50,"o":[]}"#,
    #"{"d":"2.5","i":"7","s":true,"b":0.0,"o":null,"":{"":[[],[[]]]}}"#,
    #"{"d":null,"i":null,"s":null,"b":null,"o":{"n":null},"u":"\u0000\u001f€"}"#,
    #"{"s":"日本語テキスト","d":123456789012345678901234567890,"i":12345678901234567890}"#,
    #"{"d":2.2250738585072011e-308,"o":{"n":8.41e-45},"i":100000000000000000000e-20}"#,
    #"{"x":[{"y":1,"s":"a"},{"y":{"z":2},"d":3},{"d":"\n"}],"d":"x","o":{"m":{"n":1}}}"#,
    "{}", "{\"s\":[1,2,{\"a\":\"b\"}],\"b\":[],\"d\":1}", "[{\"d\":1}]", "{\"d\":1}{\"d\":2}\n",
  ].map { Array($0.utf8) }

  static let pieces: [[UInt8]] =
    [
      "\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\n", "\t", "0", "1", "9", "-", "+", ".", "e",
      "E", "true", "false", "null", "NaN", "\\u", "\\uD83D", "\\uDE00", "\\u0041", "é", "😀", "/",
      "1e400", "1e-400", "0.1", "01", "\"d\":", "\"o\":{\"n\":", "[[[[", "]]]]",
      "123456789012345678",
      "17976931348623158", "5e-324", "\u{FEFF}", "4503599627370497.5", "e308",
    ].map { Array($0.utf8) } + [
      [0], [0x1F], [0x7F], [0x80], [0xBF], [0xC0, 0x80], [0xC3], [0xED, 0xA0, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xFF], [0xE2, 0x82], [0xF0, 0x9F],
    ]

  /// A record with one to three changes; one in sixteen is left as it is.
  static func record(_ random: inout SplitMix64) -> [UInt8] {
    var record = records[random.below(records.count)]
    if random.below(16) == 0 { return record }
    for _ in 0...random.below(3) { mutate(&record, &random) }
    return record
  }

  private static func mutate(_ record: inout [UInt8], _ random: inout SplitMix64) {
    let place = random.below(record.count + 1)
    switch random.below(12) {
    case 0 where place < record.count: record[place] ^= 1 << UInt8(random.below(8))
    case 1 where place < record.count: record[place] = UInt8(truncatingIfNeeded: random.next())
    case 2, 3: record.insert(contentsOf: pieces[random.below(pieces.count)], at: place)
    case 4:
      let piece = pieces[random.below(pieces.count)]
      let end = min(record.count, place + random.below(4))
      record.replaceSubrange(place..<end, with: piece)
    case 5: record.removeSubrange(place..<min(record.count, place + 1 + random.below(6)))
    case 6:
      let end = min(record.count, place + random.below(24))
      record.insert(contentsOf: record[place..<end], at: random.below(record.count + 1))
    case 7 where random.below(4) == 0: record.removeSubrange(place...)
    case 8, 9, 10:
      let digits = record.indices.filter { (48...57).contains(record[$0]) }
      guard !digits.isEmpty else { return }
      let digit = digits[random.below(digits.count)]
      record[digit] = UInt8(48 + random.below(10))
      if random.below(4) == 0 { record.insert(record[digit], at: digit) }
    default:
      let other = records[random.below(records.count)]
      let start = random.below(other.count + 1)
      record.replaceSubrange(
        place..<min(record.count, place + 4), with: other[start..<min(other.count, start + 12)])
    }
  }
}
