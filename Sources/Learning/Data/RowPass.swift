/// One reading of all rows, checked, counted and cancellable.
struct RowPass {
  private let source: any RowSource
  private let progress: TrainingProgress
  private let name: String
  private let total: Int?
  private(set) var rowsRead = 0
  /// The rows that `next` read.
  private(set) var block = RowBlock()

  init(
    _ source: any RowSource, _ name: String, progress: TrainingProgress, total: Int? = nil
  ) throws(TrainingError) {
    self.source = source
    self.progress = progress
    self.name = name
    self.total = total ?? source.rowCount
    do {
      try source.rewind()
    } catch {
      throw .data(error)
    }
  }

  /// Reads the next rows, as many as `limit` unless the end comes first; false at the end.
  mutating func next(limit: Int) throws(TrainingError) -> Bool {
    try progress.check()
    do {
      try source.read(into: &block, limit: limit)
    } catch {
      throw .data(error)
    }
    if let index = RowKernels.firstUnusable(block.values) {
      let width = max(1, source.featureCount)
      throw .data(
        DataError(
          place: "row \(rowsRead + index / width + 1)",
          message: "feature \(index % width) is \(block.values[index])",
          hint: "remove or fill such values; finite ones up to ±1e18 can be learned from"))
    }
    rowsRead += block.count
    progress.report(
      TrainingStage(
        name, fraction: total.map { $0 > 0 ? min(1, Double(rowsRead) / Double($0)) : 1 }))
    return block.count > 0
  }
}
