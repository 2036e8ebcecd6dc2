/// Why a forest refused what it was given.
///
/// Nothing changes when one is thrown.
public enum ForestError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A parameter lies outside its range.
  case outOfRange(parameter: String, value: Double, range: ClosedRange<Double>)
  /// A parameter contradicts another.
  case inconsistent(parameter: String, value: Double, hint: String)
  /// An array has the wrong number of elements.
  case wrongLength(parameter: String, count: Int, expected: Int)
  /// A coordinate is NaN, infinite, or too large to compute with.
  case unusableValue(index: Int, value: Double)
  /// The bytes are not a snapshot that this version can restore.
  case badSnapshot(reason: String)

  /// The largest magnitude of a coordinate: sums of ranges over all dimensions stay finite.
  public static let largestMagnitude: Float = 1e30

  public var description: String {
    switch self {
    case .outOfRange(let parameter, let value, let range):
      "\(parameter) is \(value); it must lie in \(range.lowerBound)...\(range.upperBound)"
    case .inconsistent(let parameter, let value, let hint):
      "\(parameter) is \(value); \(hint)"
    case .wrongLength(let parameter, let count, let expected):
      "\(parameter) has \(count) elements; expected \(expected)"
    case .unusableValue(let index, let value):
      "coordinate \(index) is \(value); it must be finite and within ±\(Self.largestMagnitude)"
    case .badSnapshot(let reason):
      "not a usable snapshot: \(reason)"
    }
  }

  /// Throws unless `value` lies in `range`; NaN lies in no range.
  static func check(
    _ parameter: String, _ value: Double, in range: ClosedRange<Double>
  ) throws(ForestError) {
    guard range.contains(value) else {
      throw .outOfRange(parameter: parameter, value: value, range: range)
    }
  }

  static func check(_ parameter: String, count: Int, is expected: Int) throws(ForestError) {
    guard count == expected else {
      throw .wrongLength(parameter: parameter, count: count, expected: expected)
    }
  }

  /// Throws at the first coordinate that is NaN, infinite or too large.
  static func check(_ point: Span<Float>) throws(ForestError) {
    for index in point.indices where !(point[index].magnitude <= largestMagnitude) {
      throw .unusableValue(index: index, value: Double(point[index]))
    }
  }
}
