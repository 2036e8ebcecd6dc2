import Codecs
import Columns

/// Writes the rows of one output in its format.
///
/// `load` a batch, then `append` any of its rows.
final class RowEncoder {
  private var json: JSONLinesEncoder
  private var csv: CSVEncoder?

  init(_ output: OutputPlan) {
    json = JSONLinesEncoder(schema: output.schema)
    if case .delivery(let delivery) = output.kind, delivery.settings.encoding == .csv {
      csv = CSVEncoder(schema: output.schema, rowDelimiter: "\n")
    }
  }

  func load(_ batch: borrowing Batch) {
    if csv != nil { csv?.load(batch) } else { json.load(batch) }
  }

  /// Appends the line of one row, its line feed included; CSV has no place for an id.
  func append(row: Int, id: String?, pool: borrowing StringPool, to bytes: inout [UInt8]) {
    if csv != nil {
      csv?.append(row: row, pool: pool, to: &bytes)
    } else if var id {
      id.withUTF8 { text in json.append(row: row, id: text.span, pool: pool, to: &bytes) }
    } else {
      json.append(row: row, pool: pool, to: &bytes)
    }
  }
}
