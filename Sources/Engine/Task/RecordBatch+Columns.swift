import Kafka

extension RecordBatch {
  func offset(at index: Int) -> Int64 { offsets[index] }

  func timestamp(at index: Int) -> Int64 { timestamps[index] }
}
