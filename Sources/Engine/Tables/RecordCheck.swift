import Codecs
import Columns

/// A decoder that only finds out whether records are rows.
struct RecordCheck: ~Copyable {
  private var decoder: RecordDecoder
  private var pool = StringPool()

  init(_ decoder: consuming RecordDecoder) { self.decoder = decoder }

  /// Why a record's value has no row; nil when it has.
  mutating func reason(against value: [UInt8]) -> String? {
    guard case .rejected(let reject) = decoder.decode(value.span, pool: &pool) else {
      decoder.discardRows()
      if pool.count > 100_000 { pool = StringPool() }
      return nil
    }
    return TableDecoder.text(of: reject)
  }
}
