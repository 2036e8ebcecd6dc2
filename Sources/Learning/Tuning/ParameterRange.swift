import Columns

/// The values of one hyperparameter among which a tuning chooses.
public struct ParameterRange: Sendable, Equatable {
  /// How the values between two limits are spread.
  public enum Scale: String, Sendable, CaseIterable {
    /// Evenly.
    case linear
    /// Evenly in the logarithm: from 0.001 to 0.1 half of the trials lie below 0.01.
    case logarithmic = "log"
    /// Evenly in the logarithm of the distance to 1, for numbers from 0 to below 1.
    case reverseLogarithmic = "reverse-log"
  }

  /// What may be chosen.
  public enum Values: Sendable, Equatable {
    /// Integers, both limits included.
    case integers(ClosedRange<Int>, Scale)
    /// Numbers, both limits included.
    case numbers(ClosedRange<Double>, Scale)
    /// One of some texts.
    case texts([String])
  }

  /// Values that a list may have.
  static let listLimit = 30

  /// The hyperparameter.
  public let name: String
  /// Its values.
  public let values: Values

  /// How many different values there are; nil when they cannot be counted.
  var count: Int? {
    switch values {
    case .integers(let range, _): range.upperBound - range.lowerBound + 1
    case .numbers: nil
    case .texts(let texts): texts.count
    }
  }

  /// The value of a list or of integers, by its number from 0.
  func text(number: Int) -> String {
    switch values {
    case .integers(let range, _): "\(range.lowerBound + number)"
    case .numbers(let range, _): Self.text(range.lowerBound, in: range)
    case .texts(let texts): texts[number]
    }
  }

  /// The value at a place from 0 to 1.
  func text(at place: Double) -> String {
    switch values {
    case .integers(let range, let scale):
      return "\(Self.integer(at: place, in: range, scale))"
    case .numbers(let range, let scale):
      let value = Self.interpolate(range.lowerBound, range.upperBound, at: place, scale)
      return Self.text(value, in: range)
    case .texts(let texts): return texts[Self.cell(place, of: texts.count)]
    }
  }

  /// Coordinates in which values that behave alike are near: one number from 0 to 1, or one per text.
  func appendCoordinates(at place: Double, to point: inout [Double]) {
    switch values {
    case .integers(let range, let scale):
      let value = Self.integer(at: place, in: range, scale)
      point.append(
        Self.place(
          of: Double(value) + 0.5, Double(range.lowerBound), Double(range.upperBound) + 1, scale))
    case .numbers: point.append(place)
    case .texts(let texts):
      let chosen = Self.cell(place, of: texts.count)
      // Two texts are as far from each other as the ends of a range.
      for index in texts.indices { point.append(index == chosen ? 0.5.squareRoot() : 0) }
    }
  }

  private static func cell(_ place: Double, of count: Int) -> Int {
    max(0, min(count - 1, Int(place * Double(count))))
  }

  private static func integer(at place: Double, in range: ClosedRange<Int>, _ scale: Scale) -> Int {
    let value = interpolate(
      Double(range.lowerBound), Double(range.upperBound) + 1, at: place, scale)
    return max(range.lowerBound, min(range.upperBound, Int(value.rounded(.down))))
  }

  private static func interpolate(
    _ low: Double, _ high: Double, at place: Double, _ scale: Scale
  ) -> Double {
    switch scale {
    case .linear: low + place * (high - low)
    case .logarithmic:
      low * DeterministicMath.exp(place * DeterministicMath.log(high / low))
    case .reverseLogarithmic:
      1 - (1 - low) * DeterministicMath.exp(place * DeterministicMath.log((1 - high) / (1 - low)))
    }
  }

  /// Where a value lies; the inverse of `interpolate`.
  private static func place(of value: Double, _ low: Double, _ high: Double, _ scale: Scale)
    -> Double
  {
    guard high > low else { return 0.5 }
    return switch scale {
    case .linear: (value - low) / (high - low)
    case .logarithmic: DeterministicMath.log(value / low) / DeterministicMath.log(high / low)
    case .reverseLogarithmic:
      DeterministicMath.log((1 - value) / (1 - low)) / DeterministicMath.log((1 - high) / (1 - low))
    }
  }

  /// A number in few digits, never outside its limits.
  private static func text(_ value: Double, in range: ClosedRange<Double>) -> String {
    let short = Double("\(Float(value))") ?? value
    return "\(max(range.lowerBound, min(range.upperBound, short)))"
  }
}

// MARK: - Reading

extension ParameterRange {
  /// What kind of values a hyperparameter has.
  package enum Kind: Sendable { case integer, number, text }

  /// Reads `k=2:50`, `learning_rate=1e-4:1e-1:log` or `init_method=random|kmeans++`.
  ///
  /// Without a scale a range is logarithmic when it starts above 0 and spans a factor of 100.
  ///
  /// - Parameters:
  ///   - text: The range.
  ///   - tunable: The hyperparameters that the algorithm can be tuned by.
  /// - Throws: What is wrong with it, with the text and what it may be.
  package init(
    _ text: String, tunable: [(name: String, kind: Kind)]
  ) throws(HyperparameterError) {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    let names = tunable.map(\.name).joined(separator: ", ")
    guard parts.count == 2 else {
      throw HyperparameterError(
        name: text, value: nil,
        range: "a range is written name=min:max, name=min:max:log or name=a|b")
    }
    guard let kind = tunable.first(where: { $0.name == parts[0] })?.kind else {
      throw HyperparameterError(
        name: parts[0], value: parts[1],
        range: "left out of the ranges; these can be tuned: \(names)")
    }
    name = parts[0]
    if kind == .text || parts[1].contains("|") || !parts[1].contains(":") {
      values = try Self.list(parts[1], name)
    } else {
      values = try Self.span(parts[1], name, kind)
    }
  }

  private static func list(_ text: String, _ name: String) throws(HyperparameterError) -> Values {
    let texts = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    guard texts.count >= 2, texts.count <= listLimit, !texts.contains(""),
      texts.indices.allSatisfy({ !texts[..<$0].contains(texts[$0]) })
    else {
      throw HyperparameterError(
        name: name, value: text, range: "from 2 to \(listLimit) different values: a|b|c")
    }
    return .texts(texts)
  }

  private static func span(
    _ text: String, _ name: String, _ kind: Kind
  ) throws(HyperparameterError) -> Values {
    func wrong(_ range: String) -> HyperparameterError {
      HyperparameterError(name: name, value: text, range: range)
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 || parts.count == 3 else {
      throw wrong("written min:max or min:max:log")
    }
    guard let low = Double(parts[0]), let high = Double(parts[1]), low.isFinite, high.isFinite
    else { throw wrong("two numbers with a colon between them, min:max") }
    guard low < high else { throw wrong("a minimum below its maximum") }
    var scale = low > 0 && high / low >= 100 ? Scale.logarithmic : .linear
    if parts.count == 3 {
      guard let given = Scale(rawValue: parts[2]) else {
        throw wrong(
          "spread \(Scale.allCases.map(\.rawValue).joined(separator: ", ")), not '\(parts[2])'")
      }
      scale = given
    }
    if scale == .logarithmic, low <= 0 { throw wrong("above 0 to be spread by the logarithm") }
    if scale == .reverseLogarithmic, kind == .integer || low < 0 || high >= 1 {
      throw wrong("numbers from 0 to below 1 to be spread by reverse-log")
    }
    guard kind == .integer else { return .numbers(low...high, scale) }
    guard let first = Int(parts[0]), let last = Int(parts[1]) else {
      throw wrong("two integers with a colon between them, min:max")
    }
    guard last < 1 << 53 else { throw wrong("integers below 2^53") }
    return .integers(first...last, scale)
  }

  /// The two ends, or all values of a list: if these are valid, so is what lies between.
  var extremes: [String] {
    switch values {
    case .integers(let range, _): ["\(range.lowerBound)", "\(range.upperBound)"]
    case .numbers(let range, _): ["\(range.lowerBound)", "\(range.upperBound)"]
    case .texts(let texts): texts
    }
  }

  /// As it is written: `2:50`, `1e-4:1e-1:log`, `random|kmeans++`.
  public var text: String {
    switch values {
    case .integers(let range, let scale):
      "\(range.lowerBound):\(range.upperBound):\(scale.rawValue)"
    case .numbers(let range, let scale):
      "\(range.lowerBound):\(range.upperBound):\(scale.rawValue)"
    case .texts(let texts): texts.joined(separator: "|")
    }
  }
}
