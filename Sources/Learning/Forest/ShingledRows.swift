/// Windows of consecutive rows of another source, the oldest row first; the label is the newest row's.
final class ShingledRows: RowSource {
  private let source: any RowSource
  private let size: Int
  private var original = RowBlock()
  private var window: [Float] = []

  init(_ source: any RowSource, _ size: Int) {
    self.source = source
    self.size = size
  }

  var featureCount: Int { source.featureCount * size }
  var isLabelled: Bool { source.isLabelled }
  var rowCount: Int? { source.rowCount.map { max(0, $0 - size + 1) } }

  func rewind() throws(DataError) {
    try source.rewind()
    window = []
  }

  func read(into block: inout RowBlock, limit: Int) throws(DataError) {
    block.removeAll()
    let width = source.featureCount
    while block.count < limit {
      try source.read(into: &original, limit: limit - block.count)
      guard original.count > 0 else { return }
      for row in 0..<original.count {
        if window.count == featureCount { window.removeFirst(width) }
        window.append(contentsOf: original.values[(row * width)..<((row + 1) * width)])
        guard window.count == featureCount else { continue }
        block.values.append(contentsOf: window)
        if isLabelled { block.labels.append(original.labels[row]) }
        block.count += 1
      }
    }
  }
}
