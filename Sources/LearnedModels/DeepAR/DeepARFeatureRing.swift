/// The dynamic features of a series' last values, as many for each value as the model has.
struct DeepARFeatureRing: Hashable, Sendable {
  /// How many features a value has; 0 for models without.
  let width: Int
  /// Of how many values they are kept.
  let capacity: Int
  /// Those of position p at (p modulo the capacity) × width.
  private var values: [Float]
  /// The first and the last position that are known, while `first` is not above `last`.
  private var first = 0
  private var last = -1

  init(width: Int, capacity: Int) {
    self.width = width
    self.capacity = capacity
    values = Array(repeating: 0, count: width * capacity)
  }

  /// Sets the features of a position, the one after the last or that one again.
  mutating func set(_ features: [Float], at position: Int) {
    guard width > 0 else { return }
    if position > last + 1 || first > last { first = position }
    last = position
    first = max(first, position - capacity + 1)
    let place = position % capacity * width
    for index in 0..<width { values[place + index] = features[index] }
  }

  /// Sets the features of the positions before one, those of one value after the other.
  mutating func set(last features: [Float], before position: Int) {
    guard width > 0 else { return }
    let count = min(features.count / width, position)
    for index in 0..<count {
      let start = features.count - (count - index) * width
      set(Array(features[start..<start + width]), at: position - count + index)
    }
  }

  /// The features of a position, or those nearest to it; zeros while none are known.
  func row(at position: Int) -> [Float] {
    var row = [Float](repeating: 0, count: width)
    if width > 0 { write(&row, at: 0, position: max(0, position)) }
    return row
  }

  /// Those of the positions before one, of at most so many.
  func newest(before position: Int, atMost count: Int) -> [Float] {
    guard width > 0, first <= last else { return [] }
    let start = max(first, position - count)
    return (start..<max(start, min(position, last + 1))).flatMap { row(at: $0) }
  }

  /// Writes a row; zeros before the series begins and while nothing is known.
  func write(_ input: inout [Float], at place: Int, position: Int) {
    guard position >= 0, first <= last else {
      for index in 0..<width { input[place + index] = 0 }
      return
    }
    let row = min(max(position, first), last) % capacity * width
    for index in 0..<width { input[place + index] = values[row + index] }
  }
}
