/// Records of MXNet's RecordIO, each a protobuf `Record` whose feature `values` is a tensor, dense or
/// sparse.
final class RecordIOReader: RowReading {
  private static let magic: UInt32 = 0xCED7_230A

  private let file: FileBytes
  private let labelCount: Int
  private var record = 0

  /// Opens a file; labels are left out unless `labelCount` is 1.
  init(_ path: String, labelCount: Int) throws(DataError) {
    file = try FileBytes(path)
    self.labelCount = labelCount
  }

  var place: String { "\(file.path): record \(record)" }

  func next(into row: inout [Float]) throws(DataError) -> Bool {
    let head = try file.bytes(8)
    if head.isEmpty { return false }
    record += 1
    guard head.count == 8, Self.word(head, 0) == Self.magic else {
      throw failure("a record does not begin with 0xced7230a")
    }
    let word = Self.word(head, 4)
    guard word >> 29 == 0 else { throw failure("records in several parts are not read") }
    let length = Int(word & 0x1FFF_FFFF)
    let payload = try file.bytes(length)
    let padding = (4 - length % 4) % 4
    guard payload.count == length, try file.bytes(padding).count == padding else {
      throw failure("the file ends in the middle of a record")
    }
    let values = try features(payload[...])
    for value in values { row.append(try usable(value, column: row.count + 1)) }
    return true
  }

  private func failure(_ message: String) -> DataError {
    DataError(
      place: place, message: message,
      hint: "a .pbr file holds recordIO frames of protobuf records with the feature 'values'")
  }

  private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
  }

  /// The values of a record, its label first.
  ///
  /// Field 1 holds features and field 2 labels: map entries of key (1) and value (2), whose tensor is
  /// field 2, 3 or 7.
  private func features(_ record: ArraySlice<UInt8>) throws(DataError) -> [Double] {
    var labels: [Double] = []
    var values: [Double]?
    for field in try fields(record) where field.number == 1 || field.number == 2 {
      let entry = try fields(field.bytes)
      let key = entry.first { $0.number == 1 }.map { String(decoding: $0.bytes, as: UTF8.self) }
      guard key == "values", let value = entry.first(where: { $0.number == 2 }) else { continue }
      let numbers = try tensor(value.bytes)
      if field.number == 1 { values = numbers } else { labels = numbers }
    }
    guard let values else { throw failure("it has no feature named 'values'") }
    guard labelCount == 1 else { return values }
    guard labels.count == 1 else { throw failure("it has \(labels.count) labels, not one") }
    return labels + values
  }

  private func tensor(_ value: ArraySlice<UInt8>) throws(DataError) -> [Double] {
    guard let tensor = try fields(value).first else { throw failure("a value has no tensor") }
    var found = FeatureTensor()
    for field in try fields(tensor.bytes) {
      switch (field.number, tensor.number) {
      case (1, 2):
        found.values += try words(field.bytes, 4).map { Double(Float(bitPattern: UInt32($0))) }
      case (1, 3): found.values += try words(field.bytes, 8).map { Double(bitPattern: $0) }
      case (1, 7):
        found.values += try integers(field.bytes).map { Double(Int32(truncatingIfNeeded: $0)) }
      case (1, _): throw failure("a tensor of type \(tensor.number) is not read")
      case (2, _): found.keys += try integers(field.bytes).map { Double($0) }
      case (3, _): found.shape += try integers(field.bytes).map { Double($0) }
      default: continue
      }
    }
    do {
      return try found.dense()
    } catch {
      throw DataError(place: place, message: error.message, hint: error.hint)
    }
  }

  /// Packed integers, or one.
  private func integers(_ bytes: ArraySlice<UInt8>) throws(DataError) -> [UInt64] {
    var cursor = bytes
    var numbers: [UInt64] = []
    while !cursor.isEmpty { numbers.append(try varint(&cursor)) }
    return numbers
  }

  private func words(_ bytes: ArraySlice<UInt8>, _ width: Int) throws(DataError) -> [UInt64] {
    guard bytes.count % width == 0 else { throw failure("a tensor ends in the middle of a number") }
    return stride(from: bytes.startIndex, to: bytes.endIndex, by: width).map { start in
      (0..<width).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
    }
  }

  private struct Field {
    let number: Int
    let bytes: ArraySlice<UInt8>
  }

  /// The fields of a message; numbers stand as their bytes.
  private func fields(_ message: ArraySlice<UInt8>) throws(DataError) -> [Field] {
    var rest = message
    var fields: [Field] = []
    while !rest.isEmpty {
      let tag = try varint(&rest)
      var length: UInt64
      switch tag & 7 {
      case 0:
        let before = rest
        _ = try varint(&rest)
        fields.append(
          Field(number: Int(tag >> 3), bytes: before[before.startIndex..<rest.startIndex]))
        continue
      case 1: length = 8
      case 2: length = try varint(&rest)
      case 5: length = 4
      default: throw failure("a field has the unknown wire type \(tag & 7)")
      }
      guard length <= rest.count else { throw failure("a field is longer than its message") }
      fields.append(Field(number: Int(tag >> 3), bytes: rest.prefix(Int(length))))
      rest = rest.dropFirst(Int(length))
    }
    return fields
  }

  private func varint(_ bytes: inout ArraySlice<UInt8>) throws(DataError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard let byte = bytes.popFirst() else { throw failure("a number is cut short") }
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    throw failure("a number is longer than 64 bits")
  }
}
