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

/// The content of one gzip member; nil when the bytes are no such thing or hold more than `limit`.
func gzipContent(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
  // RFC 1952: the last four bytes are the length of the content modulo 2^32.
  guard bytes.count >= 18, let decompressor = libdeflate_alloc_decompressor() else { return nil }
  defer { libdeflate_free_decompressor(decompressor) }
  let length = bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
  guard length <= limit else { return nil }
  var isComplete = false
  let content = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
    let result = bytes.withUnsafeBytes { input in
      libdeflate_gzip_decompress(
        decompressor, input.baseAddress, input.count, buffer.baseAddress, length, nil)
    }
    isComplete = result == LIBDEFLATE_SUCCESS
    count = isComplete ? length : 0
  }
  return isComplete ? content : nil
}
