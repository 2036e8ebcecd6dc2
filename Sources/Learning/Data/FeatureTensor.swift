/// The features of a row as SageMaker writes them: all values, or the values at some positions.
struct FeatureTensor {
  /// Positions that a sparse row may have.
  private static let widthLimit = 10_000_000

  var values: [Double] = []
  /// The positions of the values, from 0; empty when all are given.
  var keys: [Double] = []
  /// The lengths whose product is the number of features; needed with keys.
  var shape: [Double] = []

  /// All values, 0 where none is given.
  func dense() throws(DataError) -> [Double] {
    guard !keys.isEmpty || !shape.isEmpty else { return values }
    let width = shape.reduce(1, *)
    guard !shape.isEmpty, shape.allSatisfy({ $0 >= 1 && $0 == $0.rounded() }),
      width <= Double(Self.widthLimit)
    else {
      throw DataError(
        message: "the shape is \(text(shape))",
        hint: "with keys a row needs a shape of 1 to \(Self.widthLimit) features: \"shape\":[2000]")
    }
    if keys.isEmpty, !values.isEmpty {
      guard Double(values.count) == width else {
        throw DataError(
          message: "there are \(values.count) values for the shape \(text(shape))",
          hint: "give all values, or keys that say which are given")
      }
      return values
    }
    guard keys.count == values.count else {
      throw DataError(
        message: "there are \(keys.count) keys and \(values.count) values",
        hint: "each value needs its key")
    }
    var row = [Double](repeating: .nan, count: Int(width))
    for (key, value) in zip(keys, values) {
      guard key >= 0, key < width, key == key.rounded(), row[Int(key)].isNaN else {
        throw DataError(
          message: "the key \(Int(exactly: key).map { "\($0)" } ?? "\(key)") stands twice or is no "
            + "position", hint: "keys are different integers from 0 to \(Int(width) - 1)")
      }
      row[Int(key)] = value
    }
    for index in row.indices where row[index].isNaN { row[index] = 0 }
    return row
  }

  private func text(_ numbers: [Double]) -> String {
    "[\(numbers.map { number in Int(exactly: number).map { "\($0)" } ?? "\(number)" }.joined(separator: ","))]"
  }
}
