import Dataflow

/// Where the rows of a reference table come from.
protocol TableSource: Sendable {
  /// All rows, when they are others than the last call gave; nil when nothing has changed.
  ///
  /// - Throws: `TableProblem`, or the error of a store, when there are no rows to be had; the next call
  ///   tries again.
  func load() async throws -> TableContent?
  /// Ends reading.
  func close() async throws
}

extension TableSource {
  func close() async throws {}
}
