import Columns
public import LearnedModels

/// The time series of some files of JSON lines, one object a line:
/// `{"start":"2026-01-31 00:00:00","target":[4,null,"NaN"],"cat":[0,1],"dynamic_feat":[[…]]}`.
///
/// The formats are those of SageMaker's DeepAR; blank lines are skipped.
public final class SeriesReader {
  private let paths: [String]
  private var fileIndex = 0
  private var file: FileBytes
  private var line = 0

  /// Opens the first file.
  ///
  /// - Throws: When it cannot be opened, or a name has another extension than .jsonl or .json.
  public init(_ paths: [String]) throws(DataError) {
    guard let first = paths.first else {
      throw DataError(message: "no file of series is named")
    }
    for path in paths where !path.hasSuffix(".jsonl") && !path.hasSuffix(".json") {
      throw DataError(
        place: path, message: "its extension tells no format of series",
        hint: "name it .jsonl; a line is \(Self.example)")
    }
    self.paths = paths
    file = try FileBytes(first)
  }

  static let example = "{\"start\":\"2026-01-31 00:00:00\",\"target\":[4,null,5.5]}"

  /// All series that are left.
  ///
  /// - Throws: What is wrong with the first bad line, with file and line.
  public func all() throws(DataError) -> [TimeSeries] {
    var found: [TimeSeries] = []
    while let series = try next() { found.append(series) }
    guard !found.isEmpty else {
      throw DataError(
        place: paths.joined(separator: ", "), message: "there are no series",
        hint: "a line is \(Self.example)")
    }
    return found
  }

  /// The series of the next line; nil at the end of the last file.
  ///
  /// - Throws: What is wrong with the line, with file, line and column.
  public func next() throws(DataError) -> TimeSeries? {
    while true {
      guard let bytes = try file.line() else {
        guard fileIndex + 1 < paths.count else { return nil }
        fileIndex += 1
        file = try FileBytes(paths[fileIndex])
        line = 0
        continue
      }
      line += 1
      if bytes.allSatisfy({ $0 == 32 || $0 == 9 }) { continue }
      var parser = SeriesParser(bytes, place: "\(paths[fileIndex]):\(line)")
      return try parser.series()
    }
  }
}

/// Reads one line.
private struct SeriesParser {
  private var cursor: TextCursor
  private let place: String

  init(_ bytes: [UInt8], place: String) {
    cursor = TextCursor(bytes)
    self.place = place
  }

  mutating func series() throws(DataError) -> TimeSeries {
    var start: Int64?
    var target: [Float]?
    var series = TimeSeries(start: 0, target: [], place: place)
    try expect(123, "{")
    if !cursor.take(125) {
      repeat {
        guard let name = cursor.string() else { throw failure("the name of a member") }
        try expect(58, ":")
        switch name {
        case "start": start = try moment()
        case "target": target = try numbers("target", mayMiss: true)
        case "cat": series.categories = try categories()
        case "dynamic_feat":
          series.dynamicFeatures = try list { parser throws(DataError) in
            try parser.numbers("dynamic_feat", mayMiss: false)
          }
        case "item_id": try skipLabel()
        default:
          throw DataError(
            place: place, message: "the member \"\(name)\" is not known",
            hint: "there are start, target, cat, dynamic_feat and item_id")
        }
      } while cursor.take(44)
      try expect(125, "',' or '}'")
    }
    cursor.skipBlanks()
    guard cursor.isAtEnd else { throw failure("the end of the line") }
    guard let start, let target else {
      throw DataError(
        place: place, message: "the member \"\(start == nil ? "start" : "target")\" is missing",
        hint: "a line is \(SeriesReader.example)")
    }
    series.start = start
    series.target = target
    return series
  }

  /// A list of what `element` reads.
  private mutating func list<Element>(
    _ element: (inout SeriesParser) throws(DataError) -> Element
  ) throws(DataError) -> [Element] {
    try expect(91, "'['")
    var elements: [Element] = []
    if cursor.take(93) { return elements }
    repeat { elements.append(try element(&self)) } while cursor.take(44)
    try expect(93, "',' or ']'")
    return elements
  }

  private mutating func numbers(
    _ name: String, mayMiss: Bool
  ) throws(DataError) -> [Float] {
    var index = 0
    return try list { parser throws(DataError) in
      defer { index += 1 }
      if let value = parser.cursor.number() {
        guard value.magnitude <= 1e18 else {
          throw DataError(
            place: parser.place, message: "value \(index + 1) of \"\(name)\" is \(value)",
            hint: "finite values up to ±1e18 can be learned from")
        }
        return Float(value)
      }
      guard parser.isMissing() else {
        throw parser.failure(mayMiss ? "a number, null or \"NaN\"" : "a number")
      }
      guard mayMiss else {
        throw DataError(
          place: parser.place, message: "value \(index + 1) of \"\(name)\" is missing",
          hint: "only \"target\" may have gaps; fill this one")
      }
      return .nan
    }
  }

  private mutating func isMissing() -> Bool {
    cursor.take("null") || cursor.take("\"NaN\"") || cursor.take("NaN")
  }

  private mutating func categories() throws(DataError) -> [Int] {
    try list { parser throws(DataError) in
      guard let value = parser.cursor.number() else { throw parser.failure("a category") }
      guard let category = Int(exactly: value), (0..<1_000_000).contains(category) else {
        throw DataError(
          place: parser.place, message: "\"cat\" has a category of \(value)",
          hint: "number the categories of each field from 0; 999999 is the greatest")
      }
      return category
    }
  }

  /// A text or number that names the series and that nothing needs.
  private mutating func skipLabel() throws(DataError) {
    guard cursor.string() != nil || cursor.number() != nil || cursor.take("null") else {
      throw failure("a text or a number")
    }
  }

  /// `yyyy-MM-dd`, with `HH:mm` and `:ss` if wanted, without a time zone.
  private mutating func moment() throws(DataError) -> Int64 {
    guard let text = cursor.string() else { throw failure("\"yyyy-MM-dd HH:mm:ss\"") }
    let parts = text.utf8.split(omittingEmptySubsequences: false) { !(48...57).contains($0) }
    let numbers = parts.map { Int(String(decoding: $0, as: UTF8.self)) ?? -1 }
    let separators = text.utf8.filter { !(48...57).contains($0) }
    let pattern = Array("-- ::.".utf8).prefix(separators.count)
    let matches = zip(separators, pattern).allSatisfy { $0 == $1 || ($0 == 84 && $1 == 32) }
    let widths = zip(parts, [4, 2, 2, 2, 2, 2, 9]).allSatisfy { part, width in
      width == 9 ? (1...9).contains(part.count) : part.count == width
    }
    guard matches, widths, separators.count <= 6, [3, 5, 6, 7].contains(parts.count) else {
      throw badStart(text)
    }
    let fields = numbers + [0, 0, 0]
    let time = CivilTime(
      year: fields[0], month: fields[1], day: fields[2], hour: numbers.count > 3 ? fields[3] : 0,
      minute: numbers.count > 3 ? fields[4] : 0, second: numbers.count > 5 ? fields[5] : 0)
    guard time.isValid else { throw badStart(text) }
    return time.milliseconds
  }

  private func badStart(_ text: String) -> DataError {
    DataError(
      place: place, message: "\"start\" is \"\(text)\"",
      hint: "write yyyy-MM-dd HH:mm:ss or yyyy-MM-dd, without a time zone")
  }

  private mutating func expect(_ byte: UInt8, _ what: String) throws(DataError) {
    guard cursor.take(byte) else { throw failure(what) }
  }

  private func failure(_ expected: String) -> DataError {
    DataError(
      place: "\(place):\(cursor.column)",
      message: "\(expected) is expected, not \(cursor.excerpt)",
      hint: "a line is \(SeriesReader.example)")
  }
}
