import CDeflate

/// libdeflate's level whose ratio on JSON lines is no worse than that of zlib's level 3.
private let level: Int32 = 3

/// One gzip member that holds `bytes`.
func gzipMember(_ bytes: [UInt8]) throws(DeliveryError) -> [UInt8] {
  guard let compressor = libdeflate_alloc_compressor(level) else {
    throw DeliveryError(
      code: "Compression.OutOfMemory", message: "there is no memory for a compressor",
      hint: "make buffer.size smaller", remedy: .retry)
  }
  defer { libdeflate_free_compressor(compressor) }
  // The bound always holds the result, so libdeflate cannot report that it did not fit.
  let bound = libdeflate_gzip_compress_bound(compressor, bytes.count)
  return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
    count = bytes.withUnsafeBytes { input in
      libdeflate_gzip_compress(
        compressor, input.baseAddress, input.count, buffer.baseAddress, buffer.count)
    }
  }
}
