import Delivery
import Testing

@Suite struct CompressionTests {
  @Test(arguments: Compression.allCases, [0, 1, 100, 100_000]) func whatWasCompressedComesBack(
    compression: Compression, count: Int
  ) throws {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 / 7) }
    let packed = try compression.compress(bytes)
    #expect(compression.decompress(packed, limit: count) == bytes)
    if count > 0 { #expect(compression.decompress(packed, limit: count - 1) == nil) }
  }

  @Test func damagedGzipIsRefused() throws {
    var packed = try Compression.gzip.compress(Array("a row\n".utf8))
    packed[packed.count / 2] ^= 0x40
    #expect(Compression.gzip.decompress(packed, limit: 1_000) == nil)
    #expect(Compression.gzip.decompress([], limit: 1_000) == nil)
    #expect(Compression.gzip.decompress(Array(repeating: 0, count: 40), limit: 1_000) == nil)
  }
}
