import Foundation

/// A file that grows by numbers, little-endian, written in blocks.
final class SpoolFile {
  let path: String
  private let file: FileHandle
  private var buffer: [UInt8] = []
  private static let blockSize = 1 << 16

  /// Makes the file; one of this name is replaced.
  init(path: String) throws {
    self.path = path
    try Data().write(to: URL(fileURLWithPath: path))
    file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
  }

  func append(_ number: Int64) throws {
    for shift in stride(from: 0, to: 64, by: 8) {
      buffer.append(UInt8(truncatingIfNeeded: number >> Int64(shift)))
    }
    try flushIfFull()
  }

  func append(_ number: Float) throws {
    let bits = number.bitPattern
    for shift in stride(from: 0, to: 32, by: 8) {
      buffer.append(UInt8(truncatingIfNeeded: bits >> UInt32(shift)))
    }
    try flushIfFull()
  }

  func append(_ bytes: ArraySlice<UInt8>) throws {
    buffer.append(contentsOf: bytes)
    try flushIfFull()
  }

  private func flushIfFull() throws {
    if buffer.count >= Self.blockSize { try flush() }
  }

  private func flush() throws {
    try file.write(contentsOf: buffer)
    buffer.removeAll(keepingCapacity: true)
  }

  func close() throws {
    try flush()
    try file.close()
  }

  /// Hands out the records of a file, each of `size` bytes, in order.
  static func forEach(
    _ path: String, size: Int, _ body: (ArraySlice<UInt8>) throws -> Void
  ) throws {
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    let length = max(1, blockSize / size) * size
    while let block = try file.read(upToCount: length).map(Array.init), !block.isEmpty {
      for start in stride(from: 0, to: block.count - size + 1, by: size) {
        try body(block[start..<start + size])
      }
    }
    try file.close()
  }

  /// The first eight bytes of a record as a number.
  static func integer(_ record: ArraySlice<UInt8>) -> Int64 {
    record.prefix(8).reversed().reduce(0) { $0 << 8 | Int64($1) }
  }
}

/// Rows of numbers as the trainer reads them: `NAME.f32`, and its shape in `NAME.json`.
final class FloatsFile {
  private(set) var count = 0
  private let name: String
  private let width: Int
  private let file: SpoolFile

  init(_ name: String, width: Int) throws {
    self.name = name
    self.width = width
    file = try SpoolFile(path: name + ".f32")
  }

  var path: String { file.path }

  func append(_ row: ArraySlice<UInt8>) throws {
    try file.append(row)
    count += 1
  }

  func close() throws {
    try file.close()
    try Data("{\"n\":\(count),\"d\":\(width)}\n".utf8).write(
      to: URL(fileURLWithPath: name + ".json"))
  }
}
