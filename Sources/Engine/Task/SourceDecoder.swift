import Codecs
import Columns
import Kafka

/// Decodes the records of one input into a batch with row times, causes and metadata columns.
final class SourceDecoder {
  var batch: Batch
  private var decoder: RecordDecoder
  private let metadata: [(column: Int, kind: MetadataColumn)]

  init(_ input: InputPlan) throws {
    decoder = try RecordDecoder(schema: input.schema, format: input.format)
    batch = Batch(schema: input.schema, capacity: Batch.rowLimit)
    metadata = input.schema.columns.enumerated().compactMap { index, definition in
      guard definition.role == .metadata else { return nil }
      return MetadataColumn(rawValue: definition.name).map { (index, $0) }
    }
  }

  /// Stages the rows of one record, or says why it has none.
  func decode(
    _ records: borrowing RecordBatch, index: Int, partition: Int32, rowtime: Int64, cause: Int64,
    pool: inout StringPool
  ) -> DecodeOutcome {
    let outcome = decoder.decode(records.value(at: index), pool: &pool)
    guard case .rows(let count) = outcome else { return outcome }
    for _ in 0..<count {
      batch.rowtimes.append(rowtime)
      batch.causes.append(cause)
      for (column, kind) in metadata {
        switch kind {
        case .arrivalTime:
          batch.columns[column].append(records.timestamps[index])
        case .key:
          if records.hasKey(at: index) {
            batch.columns[column].append(pool.intern(records.key(at: index)))
          } else {
            batch.columns[column].appendNull()
          }
        case .sequenceNumber:
          batch.columns[column].append(pool.intern(String(records.offsets[index])))
        case .shard:
          batch.columns[column].append(pool.intern(String(partition)))
        }
      }
    }
    return outcome
  }

  /// Moves the staged values into the batch's columns.
  func finish() { decoder.moveRows(to: &batch) }

  /// Forgets the batch's rows.
  func reset() { batch.removeAll() }
}

/// The columns that every source stream has besides the declared ones.
///
/// Source: Kinesis Data Analytics SQL reference, "Reserved words and keywords"; Kafka's terms in
/// their place.
enum MetadataColumn: String, CaseIterable {
  case arrivalTime = "APPROXIMATE_ARRIVAL_TIME"
  case key = "PARTITION_KEY"
  case sequenceNumber = "SEQUENCE_NUMBER"
  case shard = "SHARD_ID"

  /// The column.
  var definition: ColumnDefinition {
    let type: ColumnType =
      switch self {
      case .arrivalTime: .timestamp
      case .key: .varchar(256)
      case .sequenceNumber: .varchar(128)
      case .shard: .varchar(64)
      }
    return ColumnDefinition(name: rawValue, type: type, role: .metadata)
  }
}
