import Codecs
import Columns
import Delivery

/// Takes rows of training data, one after the other.
protocol TrainingSink {
  /// Takes a row.
  ///
  /// - Parameters:
  ///   - time: Milliseconds since 1970, or any number that rises with time.
  ///   - key: Tells series apart.
  ///   - values: The features, of a series its value and the dynamic features; finite.
  ///   - categories: The categories of the series, from 0.
  /// - Throws: When it takes no more.
  mutating func add(time: Int64, key: String, values: [Float], categories: [Int]) throws
}

/// Turns records into training rows, by the decoder that the stream has.
///
/// A record that cannot be decoded and a row with a missing or unusable value are left out, as they
/// are when they are scored.
struct TrainingRowDecoder: ~Copyable {
  private var decoder: RecordDecoder
  private var batch: Batch
  private var pool = StringPool()
  private let columns: TrainingColumns
  /// The rows before this time are left out, milliseconds since 1970.
  private let from: Int64
  private var values: [Float]
  private var categories: [Int]
  /// The places of the values.
  private let places: [Int]
  /// Files that were read: rows without a time have the order of their files.
  private var files: Int64 = 0
  /// Rows that were left out because of a value.
  private(set) var unusable: Int64 = 0

  /// The greatest magnitude that can be learned from.
  private static let largest: Float = 1e18
  private static let poolLimit = 1 << 16

  init(_ columns: TrainingColumns, from: Int64) throws {
    self.columns = columns
    self.from = from
    decoder = try RecordDecoder(schema: columns.schema, format: columns.format)
    batch = Batch(schema: columns.schema)
    places = columns.features + columns.dynamicFeatures
    values = [Float](repeating: 0, count: places.count)
    categories = [Int](repeating: 0, count: columns.categories.count)
  }

  /// Hands the rows of a record to the sink.
  mutating func add(
    _ record: Span<UInt8>, timestamp: Int64, to sink: inout some TrainingSink
  ) throws {
    guard case .rows(let count) = decoder.decode(record, pool: &pool) else { return }
    decoder.moveRows(to: &batch)
    try take(count, timestamp, to: &sink)
  }

  /// Hands the rows of a file to the sink.
  mutating func add(
    file: [UInt8], _ format: ParquetFormat, to sink: inout some TrainingSink
  ) throws {
    let wanted = places + columns.key + columns.categories + (columns.time.map { [$0] } ?? [])
    batch = try format.rows(of: file, columns: Set(wanted), into: &pool)
    try take(batch.count, files, to: &sink)
    files += 1
  }

  /// Hands the rows of the batch to the sink and empties it.
  private mutating func take(
    _ count: Int, _ timestamp: Int64, to sink: inout some TrainingSink
  ) throws {
    defer {
      batch.removeAll()
      if pool.count > Self.poolLimit { pool = StringPool() }
    }
    for row in 0..<count {
      guard let time = time(row, timestamp), time >= from, gather(row) else {
        unusable += 1
        continue
      }
      try sink.add(time: time, key: key(row), values: values, categories: categories)
    }
  }

  private func time(_ row: Int, _ timestamp: Int64) -> Int64? {
    guard let column = columns.time else { return timestamp }
    return batch.columns[column].nulls[row] ? nil : batch.columns[column].integers[row]
  }

  /// Puts a row into `values` and `categories`; false when one is unusable.
  private mutating func gather(_ row: Int) -> Bool {
    for (place, index) in columns.categories.enumerated() {
      guard !batch.columns[index].nulls[row], batch.columns[index].integers[row] >= 0 else {
        return false
      }
      categories[place] = Int(batch.columns[index].integers[row])
    }
    for (place, index) in places.enumerated() {
      guard !batch.columns[index].nulls[row] else { return false }
      values[place] =
        batch.columns[index].type.storage == .floating
        ? Float(batch.columns[index].doubles[row]) : Float(batch.columns[index].integers[row])
      guard values[place].magnitude <= Self.largest else { return false }
    }
    return true
  }

  private func key(_ row: Int) -> String {
    guard !columns.key.isEmpty else { return "" }
    return columns.key.map { index in
      let column = batch.columns[index]
      if column.nulls[row] { return "" }
      switch column.type.storage {
      case .integer: return "\(column.integers[row])"
      case .floating: return "\(column.doubles[row])"
      case .text: return pool.string(column.texts[row])
      }
    }.joined(separator: "\u{1F}")
  }
}
