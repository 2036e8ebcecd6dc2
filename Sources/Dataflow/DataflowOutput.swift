public import Columns

/// What one or more calls emitted.
public struct DataflowOutput: Sendable {
  /// A watched stream.
  public struct Stream: Sendable {
    /// The stream's name.
    public let name: String
    /// The rows that it emitted, in order.
    public var batch: Batch

    mutating func take(_ rows: inout Batch) {
      if batch.isEmpty {
        swap(&batch, &rows)
      } else {
        batch.append(from: rows, rows: (0..<Int32(rows.count)).map { $0 })
      }
    }
  }

  /// The watched streams in the order of the configuration; without one all streams of the plan in
  /// order, then `error_stream`.
  public internal(set) var streams: [Stream]
  /// What was refused, in the order of cause and pump.
  public internal(set) var errors: [RowError] = []

  /// Forgets the rows and keeps the memory.
  public mutating func removeAll() {
    for index in streams.indices { streams[index].batch.removeAll() }
    errors.removeAll(keepingCapacity: true)
  }
}
