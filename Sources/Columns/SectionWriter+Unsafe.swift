extension SectionWriter {
  /// Writes the little-endian bytes of numbers, one after the other.
  ///
  /// The buffer is the array's own and lives as long as the call; every processor that the package
  /// is built for keeps its numbers in this order.
  mutating func append<Word: BitwiseCopyable>(words: [Word]) {
    precondition(Int16(1).littleEndian == 1, "numbers are stored as little-endian")
    words.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }
}
