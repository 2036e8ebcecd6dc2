import Kafka

extension RecordBatch {
  func offset(at index: Int) -> Int64 { offsets[index] }

  func timestamp(at index: Int) -> Int64 { timestamps[index] }

  func copyOfValue(at index: Int) -> [UInt8] { Self.copy(value(at: index)) }

  func copyOfKey(at index: Int) -> [UInt8] { Self.copy(key(at: index)) }

  private static func copy(_ span: Span<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(span.count)
    for index in span.indices { bytes.append(span[index]) }
    return bytes
  }
}
