import LearnedModels

/// Rows of another source, projected.
final class ProjectedRows: RowSource {
  private let source: any RowSource
  private let projection: PCAModel
  private var original = RowBlock()

  init(_ source: any RowSource, _ projection: PCAModel) {
    self.source = source
    self.projection = projection
  }

  var featureCount: Int { projection.componentCount }
  var isLabelled: Bool { source.isLabelled }
  var rowCount: Int? { source.rowCount }

  func rewind() throws(DataError) { try source.rewind() }

  func read(into block: inout RowBlock, limit: Int) throws(DataError) {
    try source.read(into: &original, limit: limit)
    block.removeAll()
    block.count = original.count
    block.labels.append(contentsOf: original.labels)
    let size = projection.featureCount
    var centred = [Double](repeating: 0, count: original.values.count)
    for index in centred.indices {
      centred[index] = Double(original.values[index]) - projection.mean[index % size]
    }
    let projected = LinearAlgebra.product(
      centred, projection.components, rows: original.count, inner: size, columns: featureCount,
      transposingSecond: true)
    block.values.append(contentsOf: projected.lazy.map { Float($0) })
  }
}
