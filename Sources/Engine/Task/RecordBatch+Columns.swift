import Kafka

extension RecordBatch {
  func offset(at index: Int) -> Int64 { offsets[index] }

  func timestamp(at index: Int) -> Int64 { timestamps[index] }

  /// The length of the run of records from `start` on, at most `limit`, that come before one with
  /// the timestamp `bound`, or with it if they win ties; the first counts in any case.
  func run(from start: Int, before bound: Int64, winsTies: Bool, limit: Int) -> Int {
    let times = timestamps
    let end = min(count, start + limit)
    var next = start + 1
    while next < end, times[next] < bound || (winsTies && times[next] == bound) { next += 1 }
    return min(next, end) - start
  }
}
