/// How the rows of a file are written; the extension tells.
public enum RowFormat: String, Sendable, CaseIterable {
  /// Numbers with commas between them, a row a line; a header line is skipped.
  case csv
  /// `{"features":[…]}` a line, or `{"data":{"features":{"values":[…]}}}`, dense or sparse.
  case jsonLines = "jsonl"
  /// RecordIO with a protobuf record each.
  case recordIO = "pbr"
  /// Raw little-endian single-precision numbers; `n` and `d` stand in the .json beside it.
  case floats = "f32"

  /// The format of a file by its extension.
  public init(path: String) throws(DataError) {
    guard let format = RowFormat(rawValue: String(path.split(separator: ".").last ?? "")) else {
      throw DataError(
        place: path, message: "its extension tells no format",
        hint: "name it .csv, .jsonl, .pbr (recordIO-protobuf) or .f32 with a .json beside it")
    }
    self = format
  }
}

/// The rows of some files, one file after the other, in memory that does not depend on their size.
public final class FileRows: RowSource {
  private let paths: [String]
  private let labelCount: Int
  private let note: (String) -> Void
  private var reader: any RowReading
  private var fileIndex = 0
  private var didNote = false

  public let featureCount: Int
  public var isLabelled: Bool { labelCount == 1 }
  public let rowCount: Int?

  /// Opens the first file and reads its first row.
  ///
  /// - Parameters:
  ///   - paths: The files; they share one set of columns.
  ///   - labelCount: 1 when the first value of a row is its label, else 0.
  ///   - note: Told of a header that is skipped.
  /// - Throws: When a file cannot be opened or its first row not be read.
  public init(
    _ paths: [String], labelCount: Int = 0, note: @escaping (String) -> Void = { _ in }
  ) throws(DataError) {
    guard let first = paths.first else { throw DataError(message: "no data file is named") }
    precondition(labelCount == 0 || labelCount == 1)
    self.paths = paths
    self.labelCount = labelCount
    self.note = note
    reader = try Self.reader(first, labelCount)
    var row: [Float] = []
    guard try reader.next(into: &row) else {
      throw DataError(place: first, message: "it has no rows", hint: "give a file with data")
    }
    featureCount = row.count - labelCount
    let place = reader.place
    // The first row was only measured; reading begins with it.
    reader = try Self.reader(first, labelCount)
    guard featureCount > 0 else {
      throw DataError(
        place: place,
        message: "the row has \(row.count) values, \(labelCount) of them labels",
        hint: "a row needs at least one feature")
    }
    var total: Int? = 0
    for path in paths {
      guard let known = total, let more = try Self.reader(path, labelCount).rowCount else {
        total = nil
        break
      }
      total = known + more
    }
    rowCount = total
  }

  private static func reader(
    _ path: String, _ labelCount: Int
  ) throws(DataError) -> any RowReading {
    switch try RowFormat(path: path) {
    case .csv: return try CSVReader(path)
    case .jsonLines:
      guard labelCount == 0 else {
        throw DataError(
          place: path, message: "JSON lines have no labels",
          hint: "give labelled rows as .csv, .pbr or .f32")
      }
      return try JSONLinesReader(path)
    case .recordIO: return try RecordIOReader(path, labelCount: labelCount)
    case .floats: return try FloatsReader(path)
    }
  }

  public func rewind() throws(DataError) {
    fileIndex = 0
    reader = try Self.reader(paths[0], labelCount)
  }

  public func read(into block: inout RowBlock, limit: Int) throws(DataError) {
    block.removeAll()
    var row: [Float] = []
    while block.count < limit {
      if labelCount == 0, let floats = reader as? FloatsReader, floats.width == featureCount {
        block.count += try floats.rows(limit - block.count, into: &block.values)
        if block.count == limit { return }
      }
      row.removeAll(keepingCapacity: true)
      guard try reader.next(into: &row) else {
        if let header = reader.header, !didNote {
          didNote = true
          note("\(header): the header line is skipped")
        }
        fileIndex += 1
        guard fileIndex < paths.count else {
          fileIndex -= 1
          return
        }
        reader = try Self.reader(paths[fileIndex], labelCount)
        continue
      }
      guard row.count == featureCount + labelCount else {
        throw DataError(
          place: reader.place,
          message:
            "the row has \(row.count) values, the first row has \(featureCount + labelCount)",
          hint: "all rows need the same columns")
      }
      if labelCount == 1 { block.labels.append(row[0]) }
      block.values.append(contentsOf: row[labelCount...])
      block.count += 1
    }
  }
}

/// Reads the rows of one file.
protocol RowReading: AnyObject {
  /// `file:line` or `file: record n` of the row that `next` gave last.
  var place: String { get }
  /// The place of a header that was skipped.
  var header: String? { get }
  var rowCount: Int? { get }
  /// Appends the values of the next row; false at the end.
  func next(into row: inout [Float]) throws(DataError) -> Bool
}

extension RowReading {
  var header: String? { nil }
  var rowCount: Int? { nil }

  func usable(_ value: Double, column: Int) throws(DataError) -> Float {
    guard value.magnitude <= 1e18 else {
      throw DataError(
        place: place, message: "value \(column) is \(value)",
        hint: "finite values up to ±1e18 can be learned from")
    }
    return Float(value)
  }
}

/// Comma-separated numbers.
final class CSVReader: RowReading {
  private let file: FileBytes
  private var line = 0
  private(set) var header: String?

  init(_ path: String) throws(DataError) { file = try FileBytes(path) }

  var place: String { "\(file.path):\(line)" }

  func next(into row: inout [Float]) throws(DataError) -> Bool {
    while let bytes = try file.line() {
      line += 1
      if bytes.allSatisfy({ $0 == 32 || $0 == 9 }) { continue }
      if line == 1, isHeader(bytes) {
        header = place
        continue
      }
      var cursor = TextCursor(bytes)
      repeat {
        guard let value = cursor.number() else {
          throw DataError(
            place: place, message: "column \(row.count + 1) is not a number: \(cursor.excerpt)",
            hint: "all values must be numbers; remove or fill missing ones")
        }
        row.append(try usable(value, column: row.count + 1))
      } while cursor.take(44)
      cursor.skipBlanks()
      guard cursor.isAtEnd else {
        throw DataError(
          place: place,
          message: "a comma is expected behind column \(row.count), not \(cursor.excerpt)")
      }
      return true
    }
    return false
  }

  /// A first line in which some field has letters and none is a number.
  private func isHeader(_ bytes: [UInt8]) -> Bool {
    let fields = bytes.split(separator: 44, omittingEmptySubsequences: false)
    return fields.allSatisfy { Double(String(decoding: $0, as: UTF8.self)) == nil }
      && fields.contains { $0.contains { $0 | 32 >= 97 && $0 | 32 <= 122 } }
  }
}

/// Raw numbers with their shape in a file beside.
final class FloatsReader: RowReading {
  private let file: FileBytes
  private let count: Int
  let width: Int
  private var row = 0
  // The size in bytes does not overflow.
  private static let rowLimit = 1 << 40
  private static let widthLimit = 1 << 20

  init(_ path: String) throws(DataError) {
    file = try FileBytes(path)
    let beside = path.dropLast(3) + "json"
    let text = try FileBytes(String(beside)).bytes(1 << 16)
    guard let count = Self.integer("n", in: text), let width = Self.integer("d", in: text),
      (0...Self.rowLimit).contains(count), (1...Self.widthLimit).contains(width)
    else {
      throw DataError(
        place: String(beside), message: "it does not say n and d, or they cannot be right",
        hint: "write {\"n\":1000,\"d\":16}: rows and values of a row")
    }
    self.count = count
    self.width = width
    if let size = file.size, size != 4 * count * width {
      throw DataError(
        place: path,
        message: "it has \(size) bytes, n = \(count) and d = \(width) need "
          + "\(4 * count * width)", hint: "correct \(beside)")
    }
  }

  var place: String { "\(file.path): row \(row)" }
  var rowCount: Int? { count }

  func next(into row: inout [Float]) throws(DataError) -> Bool { try rows(1, into: &row) == 1 }

  /// Appends up to `limit` rows; returns how many.
  func rows(_ limit: Int, into values: inout [Float]) throws(DataError) -> Int {
    let read = try file.floats(limit * width, into: &values)
    guard read % (4 * width) == 0 else {
      throw DataError(place: place, message: "the file ends in the middle of a row")
    }
    row += read / (4 * width)
    return read / (4 * width)
  }

  /// The value of a member of a flat object.
  private static func integer(_ name: String, in bytes: [UInt8]) -> Int? {
    let text = String(decoding: bytes, as: UTF8.self)
    for member in text.split(whereSeparator: { "{},\n".contains($0) }) {
      let parts = member.split(separator: ":")
      guard parts.count == 2, parts[0].filter({ !" \"".contains($0) }) == name else { continue }
      return Int(parts[1].filter { $0 != " " && $0 != "\r" })
    }
    return nil
  }
}
