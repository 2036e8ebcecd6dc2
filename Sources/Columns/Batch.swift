/// Rows of one stream in columns: the unit of work.
///
/// Meaning is per row and never depends on where a batch is cut. Strings are ids in the pool of the
/// task that owns the batch.
public struct Batch: Sendable {
  /// The most rows a batch has when the task keeps up with its input.
  public static let rowLimit = 1_024
  /// The most rows a batch has when the task lags.
  public static let laggingRowLimit = 8_192

  /// The columns' names and types.
  public let schema: Schema
  /// ROWTIME of each row, milliseconds since 1970 UTC; never decreases within a stream.
  public var rowtimes: [Int64]
  /// The row number, in the task's input, of the record that caused each row; never decreases.
  ///
  /// A row that a tick caused has the number of the last record before the tick.
  public var causes: [Int64]
  /// One column per definition of `schema`.
  public var columns: [Column]

  /// Creates an empty batch.
  public init(schema: Schema, capacity: Int = 0) {
    self.schema = schema
    rowtimes = []
    causes = []
    rowtimes.reserveCapacity(capacity)
    causes.reserveCapacity(capacity)
    columns = schema.columns.map { Column(type: $0.type, capacity: capacity) }
  }

  /// How many rows there are.
  public var count: Int { rowtimes.count }

  /// Whether there is no row.
  public var isEmpty: Bool { rowtimes.isEmpty }

  /// Forgets the rows and keeps the memory.
  public mutating func removeAll() {
    rowtimes.removeAll(keepingCapacity: true)
    causes.removeAll(keepingCapacity: true)
    for index in columns.indices { columns[index].removeAll() }
  }

  /// Adds the row at `row` of `other`, whose columns have the same storage.
  public mutating func append(from other: borrowing Batch, row: Int) {
    rowtimes.append(other.rowtimes[row])
    causes.append(other.causes[row])
    for index in columns.indices { columns[index].append(from: other.columns[index], row: row) }
  }

  /// Adds the rows at `rows` of `other`, whose columns have the same storage.
  public mutating func append(from other: borrowing Batch, rows: [Int32]) {
    for row in rows {
      rowtimes.append(other.rowtimes[Int(row)])
      causes.append(other.causes[Int(row)])
    }
    for index in columns.indices { columns[index].append(from: other.columns[index], rows: rows) }
  }

  /// Whether every column has as many values as there are rows; for tests and assertions.
  public var isConsistent: Bool {
    causes.count == count && columns.count == schema.columns.count
      && columns.allSatisfy { column in
        guard column.nulls.count == count else { return false }
        switch column.type.storage {
        case .integer: return column.integers.count == count
        case .floating: return column.doubles.count == count
        case .text: return column.texts.count == count
        }
      }
  }
}
