/// Rows of numbers that can be read again and again, a block at a time.
public protocol RowSource: AnyObject {
  /// Values of a row, the label not counted.
  var featureCount: Int { get }
  /// Whether each row has a label.
  var isLabelled: Bool { get }
  /// How many rows there are, when that is known without reading them.
  var rowCount: Int? { get }
  /// Goes back to the first row.
  func rewind() throws(DataError)
  /// Replaces the block by the next rows, `limit` at most; an empty block means the end.
  func read(into block: inout RowBlock, limit: Int) throws(DataError)
}

/// Some rows, one after the other.
public struct RowBlock: Sendable {
  /// `count` × `featureCount` finite values.
  public var values: [Float] = []
  /// `count` labels, or none.
  public var labels: [Float] = []
  /// Rows of the block.
  public var count = 0

  /// An empty block.
  public init() {}

  /// Removes all rows and keeps the memory.
  public mutating func removeAll() {
    values.removeAll(keepingCapacity: true)
    labels.removeAll(keepingCapacity: true)
    count = 0
  }
}

/// Rows that lie in memory.
public final class MemoryRows: RowSource {
  private let values: [Float]
  private let labels: [Float]
  private var position = 0

  public let featureCount: Int
  public var isLabelled: Bool { !labels.isEmpty }
  public var rowCount: Int? { values.count / featureCount }

  /// Rows of `featureCount` values each; labels are optional.
  public init(_ values: [Float], featureCount: Int, labels: [Float] = []) {
    precondition(featureCount > 0 && values.count % featureCount == 0)
    precondition(labels.isEmpty || labels.count == values.count / featureCount)
    self.values = values
    self.labels = labels
    self.featureCount = featureCount
  }

  public func rewind() throws(DataError) { position = 0 }

  public func read(into block: inout RowBlock, limit: Int) throws(DataError) {
    block.removeAll()
    let end = min(values.count / featureCount, position + limit)
    block.values.append(contentsOf: values[(position * featureCount)..<(end * featureCount)])
    if isLabelled { block.labels.append(contentsOf: labels[position..<end]) }
    block.count = end - position
    position = end
  }
}
