import CZstd

/// zstd's own default.
private let level: Int32 = 3

/// One zstd frame that holds `bytes`.
func zstdFrame(_ bytes: [UInt8]) throws(DeliveryError) -> [UInt8] {
  var error: Int?
  // ZSTD_compress reports failure in its result, a size; it writes within the capacity given.
  let frame = [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) {
    buffer, count in
    let result = bytes.withUnsafeBytes { input in
      ZSTD_compress(buffer.baseAddress, buffer.count, input.baseAddress, input.count, level)
    }
    if ZSTD_isError(result) != 0 { error = result }
    count = error == nil ? result : 0
  }
  guard let error else { return frame }
  throw DeliveryError(
    code: "Compression.Zstd", message: String(cString: ZSTD_getErrorName(error)).lowercased(),
    hint: "make buffer.size smaller", remedy: .retry)
}

/// The content of one zstd frame; nil when the bytes are no such thing or hold more than `limit`.
func zstdContent(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
  let length = bytes.withUnsafeBytes { ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
  // Sizes that are unknown or in error are above any limit.
  guard length <= UInt64(limit) else { return nil }
  var isComplete = false
  let content = [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
    let result = bytes.withUnsafeBytes { input in
      ZSTD_decompress(buffer.baseAddress, Int(length), input.baseAddress, input.count)
    }
    isComplete = ZSTD_isError(result) == 0 && result == Int(length)
    count = isComplete ? result : 0
  }
  return isComplete ? content : nil
}
