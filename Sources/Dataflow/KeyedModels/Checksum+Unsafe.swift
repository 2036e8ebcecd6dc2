extension [UInt8] {
  /// A number that is another one, but for one case in 2^64, when the bytes were changed by accident.
  ///
  /// It is good for one run of one program: the words are read in the order of this machine.
  var checksum: UInt64 {
    withUnsafeBytes { bytes in
      var sum = UInt64(bytes.count) &* 0x9E37_79B9_7F4A_7C15
      var offset = 0
      while offset < bytes.count {
        var word: UInt64 = 0
        if offset + 8 <= bytes.count {
          word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        } else {
          for byte in bytes[offset...] { word = word << 8 | UInt64(byte) }
        }
        sum = (sum ^ word) &* 0xBF58_476D_1CE4_E5B9
        sum ^= sum >> 29
        offset += 8
      }
      return sum
    }
  }
}
