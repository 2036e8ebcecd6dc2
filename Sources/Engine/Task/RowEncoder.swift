import Codecs
import Columns
import Delivery

/// Writes the rows of one output in its format.
///
/// `load` a batch, then `append` any of its rows.
final class RowEncoder {
  private let encoding: DeliverySettings.Encoding
  private let endsLines: Bool
  private let parquet: ParquetFormat
  private var json: JSONLinesEncoder
  private var csv: CSVEncoder

  init(_ output: OutputPlan) {
    json = JSONLinesEncoder(schema: output.schema)
    csv = CSVEncoder(schema: output.schema, rowDelimiter: "\n")
    guard case .delivery(let delivery) = output.kind else {
      encoding = .jsonLines
      endsLines = true
      parquet = ParquetFormat(schema: output.schema)
      return
    }
    encoding = delivery.settings.encoding
    endsLines = delivery.settings.endsLines
    parquet = delivery.parquet ?? ParquetFormat(schema: output.schema)
  }

  func load(_ batch: borrowing Batch) {
    switch encoding {
    case .jsonLines: json.load(batch)
    case .csv: csv.load(batch)
    case .raw, .parquet: break
    }
  }

  /// Appends the record of one row of the batch that was loaded; only JSON has a place for an id.
  func append(
    _ batch: borrowing Batch, row: Int, id: String?, pool: borrowing StringPool,
    to bytes: inout [UInt8]
  ) {
    switch encoding {
    case .parquet: return parquet.append(batch, row: row, pool: pool, to: &bytes)
    case .raw:
      if !batch.columns[0].nulls[row] {
        bytes += pool.bytes[pool.range(of: batch.columns[0].texts[row])]
      }
      if endsLines { bytes.append(UInt8(ascii: "\n")) }
      return
    case .csv: csv.append(row: row, pool: pool, to: &bytes)
    case .jsonLines:
      if var id {
        id.withUTF8 { text in json.append(row: row, id: text.span, pool: pool, to: &bytes) }
      } else {
        json.append(row: row, pool: pool, to: &bytes)
      }
    }
    if !endsLines { bytes.removeLast() }
  }
}
