/// An error while reading a program, before its place is known as line and column.
struct SQLError: Error, Hashable {
  /// What is wrong, in lower case without a full stop.
  let message: String
  /// How to write it.
  let hint: String?
  /// The byte of the program at which it stands.
  let offset: Int

  init(_ message: String, at offset: Int, hint: String? = nil) {
    self.message = message
    self.hint = hint
    self.offset = offset
  }
}

/// A program's text and where its lines begin.
struct SourceText {
  /// UTF-8.
  let bytes: [UInt8]
  /// The name of its file.
  let file: String
  private let lineStarts: [Int]
  /// Whether bytes are characters, so that columns need no counting.
  private let isASCII: Bool

  init(_ text: String, file: String) {
    bytes = Array(text.utf8)
    self.file = file
    var starts = [0]
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
      starts.append(index + 1)
    }
    lineStarts = starts
    isASCII = bytes.allSatisfy { $0 < 0x80 }
  }

  /// Line and column of a byte.
  func position(of offset: Int) -> SourcePosition {
    let line = lineIndex(of: offset)
    if isASCII { return SourcePosition(line: line + 1, column: offset - lineStarts[line] + 1) }
    let before = String(decoding: bytes[lineStarts[line]..<min(offset, bytes.count)], as: UTF8.self)
    return SourcePosition(line: line + 1, column: before.count + 1)
  }

  /// The line that holds a byte, without its end.
  func line(at offset: Int) -> String {
    let index = lineIndex(of: offset)
    var end = index + 1 < lineStarts.count ? lineStarts[index + 1] - 1 : bytes.count
    if end > lineStarts[index], bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    return String(decoding: bytes[lineStarts[index]..<end], as: UTF8.self)
  }

  /// The line with this number, from 1.
  func line(number: Int) -> String { line(at: lineStarts[number - 1]) }

  /// The byte at which a position lies.
  func offset(of position: SourcePosition) -> Int {
    let start = lineStarts[position.line - 1]
    if isASCII { return start + position.column - 1 }
    return start + line(at: start).prefix(position.column - 1).utf8.count
  }

  /// The text between two bytes.
  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  /// A diagnostic with the place of `error`.
  func diagnostic(_ error: SQLError, _ severity: Diagnostic.Severity) -> Diagnostic {
    Diagnostic(
      severity: severity, message: error.message, hint: error.hint, file: file,
      position: position(of: error.offset), sourceLine: line(at: error.offset))
  }

  private func lineIndex(of offset: Int) -> Int {
    var low = 0
    var high = lineStarts.count - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
