extension Duration {
  /// Whole milliseconds for librdkafka, rounded up; what does not fit waits as long as it can.
  var milliseconds: Int32 {
    let (seconds, attoseconds) = components
    guard seconds < 2_000_000 else { return Int32.max }
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return Int32(seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
