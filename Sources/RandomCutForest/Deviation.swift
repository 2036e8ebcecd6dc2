/// Mean and standard deviation of a series in which old values lose weight.
public struct Deviation: Equatable, Sendable {
  /// The fraction of its weight that a value loses at every later one.
  public let discount: Double
  /// Values so far.
  public package(set) var count = 0
  package var sum = 0.0
  package var squares = 0.0
  package var weight = 0.0

  /// An empty series; `discount` lies in 0..<1.
  public init(discount: Double) { self.discount = discount }

  /// Takes in the next value.
  public mutating func update(_ value: Double) {
    let keep = 1 - discount
    sum = sum * keep + value
    squares = squares * keep + value * value
    weight = weight * keep + 1
    count += 1
  }

  /// The discounted mean; 0 when empty.
  public var mean: Double { weight > 0 ? sum / weight : 0 }

  /// The discounted standard deviation; 0 when empty.
  public var deviation: Double {
    guard weight > 0 else { return 0 }
    let mean = mean
    return max(0, squares / weight - mean * mean).squareRoot()
  }
}
