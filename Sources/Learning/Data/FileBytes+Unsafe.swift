import Glibc

/// The bytes of a file, read in order through a buffer of fixed size.
final class FileBytes {
  static let capacity = 1 << 18

  let path: String
  /// The file's size, nil when it is not a regular file.
  let size: Int?
  private let descriptor: Int32
  private var buffer = [UInt8](repeating: 0, count: FileBytes.capacity)
  private var start = 0
  private var end = 0
  private var isAtEnd = false
  /// Whether a line was read.
  private var hasBegun = false
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  init(_ path: String) throws(DataError) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw DataError(
        place: path, message: "it cannot be opened: \(String(cString: strerror(errno)))")
    }
    var facts = stat()
    let isFile = fstat(descriptor, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG
    size = isFile ? Int(facts.st_size) : nil
  }

  deinit { close(descriptor) }

  func rewind() throws(DataError) {
    guard lseek(descriptor, 0, SEEK_SET) == 0 else {
      throw DataError(
        place: path, message: "it cannot be read a second time",
        hint: "training needs a file, not a pipe")
    }
    start = 0
    end = 0
    isAtEnd = false
    hasBegun = false
  }

  /// The next line without its end and without a byte order mark; nil at the end of the file.
  func line() throws(DataError) -> [UInt8]? {
    var line: [UInt8] = []
    if !hasBegun {
      hasBegun = true
      if try fill(), buffer[start..<end].starts(with: Self.byteOrderMark) {
        start += Self.byteOrderMark.count
      }
    }
    while true {
      if start == end, try !fill() { return line.isEmpty ? nil : trimmed(line) }
      let rest = buffer[start..<end]
      if let stop = rest.firstIndex(of: 10) {
        line.append(contentsOf: buffer[start..<stop])
        start = stop + 1
        return trimmed(line)
      }
      line.append(contentsOf: rest)
      start = end
    }
  }

  private func trimmed(_ line: [UInt8]) -> [UInt8] {
    line.last == 13 ? Array(line.dropLast()) : line
  }

  /// The next `count` bytes, fewer at the end of the file.
  func bytes(_ count: Int) throws(DataError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(count, Self.capacity))
    while bytes.count < count {
      if start == end, try !fill() { break }
      let some = min(end - start, count - bytes.count)
      bytes.append(contentsOf: buffer[start..<(start + some)])
      start += some
    }
    return bytes
  }

  /// Appends little-endian single-precision numbers, `count` of them unless the file ends.
  func floats(_ count: Int, into values: inout [Float]) throws(DataError) -> Int {
    let raw = try bytes(4 * count)
    let whole = raw.count / 4
    raw.withUnsafeBytes { raw in
      for index in 0..<whole {
        values.append(
          Float(
            bitPattern: UInt32(
              littleEndian: raw.loadUnaligned(
                fromByteOffset: 4 * index, as: UInt32.self))))
      }
    }
    return raw.count
  }

  private func fill() throws(DataError) -> Bool {
    guard !isAtEnd else { return false }
    while true {
      let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw DataError(
          place: path, message: "it cannot be read: \(String(cString: strerror(errno)))")
      }
      start = 0
      end = count
      isAtEnd = count == 0
      return count > 0
    }
  }
}
