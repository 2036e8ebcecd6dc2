extension SectionWriter {
  /// Writes the little-endian bytes of numbers, one after the other.
  ///
  /// The buffer is the array's own and lives as long as the call; every processor that the package
  /// is built for keeps its numbers in this order.
  mutating func append<Word: BitwiseCopyable>(words: [Word]) {
    precondition(Int16(1).littleEndian == 1, "numbers are stored as little-endian")
    words.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  /// Writes the low `width` bytes of a word, 1 to 8, the least first.
  public mutating func write(word: UInt64, width: Int) {
    precondition((1...8).contains(width), "a word has eight bytes")
    withUnsafeBytes(of: word.littleEndian) {
      bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[..<width]))
    }
  }
}
