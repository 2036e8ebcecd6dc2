/// Reads hyperparameters from their texts; every error names value and range.
public struct Hyperparameters {
  private let texts: [String: String]

  /// Fails with the first name that `known` does not have.
  public init(_ texts: [String: String], known: [String]) throws(HyperparameterError) {
    for name in texts.keys.sorted() where !known.contains(name) {
      throw HyperparameterError(
        name: name, value: texts[name] ?? "",
        range: "left out; these are known: \(known.joined(separator: ", "))")
    }
    self.texts = texts
  }

  /// Whether a value was given.
  public func has(_ name: String) -> Bool { texts[name] != nil }

  /// The text as given.
  public subscript(_ name: String) -> String? { texts[name] }

  /// An integer; required when it has no default.
  public func integer(
    _ name: String, in range: ClosedRange<Int>, default fallback: Int? = nil
  ) throws(HyperparameterError) -> Int {
    let words =
      range.upperBound == Int.max
      ? "an integer of at least \(range.lowerBound)"
      : "an integer from \(range.lowerBound) to \(range.upperBound)"
    guard let text = texts[name] else {
      if let fallback { return fallback }
      throw HyperparameterError(name: name, value: nil, range: words)
    }
    guard let value = Int(text), range.contains(value) else {
      throw HyperparameterError(name: name, value: text, range: words)
    }
    return value
  }

  /// An integer, or nil for `auto`, which is the default.
  public func integerOrAuto(
    _ name: String, in range: ClosedRange<Int>
  ) throws(HyperparameterError) -> Int? {
    guard let text = texts[name], text != "auto" else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw HyperparameterError(
        name: name, value: text,
        range: "auto or an integer of at least \(range.lowerBound)"
          + (range.upperBound == Int.max ? "" : " and at most \(range.upperBound)"))
    }
    return value
  }

  /// A number; required when it has no default.
  public func number(
    _ name: String, in range: ClosedRange<Double>, default fallback: Double? = nil
  ) throws(HyperparameterError) -> Double {
    let words = "a number from \(range.lowerBound) to \(range.upperBound)"
    guard let text = texts[name] else {
      if let fallback { return fallback }
      throw HyperparameterError(name: name, value: nil, range: words)
    }
    guard let value = Double(text), range.contains(value) else {
      throw HyperparameterError(name: name, value: text, range: words)
    }
    return value
  }

  /// One of some words; the first is the default.
  public func word(_ name: String, of words: [String]) throws(HyperparameterError) -> String {
    guard let text = texts[name] else { return words.first ?? "" }
    guard words.contains(text) else {
      throw HyperparameterError(
        name: name, value: text, range: "one of \(words.joined(separator: ", "))")
    }
    return text
  }

  /// A JSON list of words, such as `["msd","ssd"]`, or words with commas between them.
  public func words(
    _ name: String, of known: [String], default fallback: [String]
  ) throws(HyperparameterError) -> [String] {
    guard let text = texts[name] else { return fallback }
    let words = text.split { "[]\", ".contains($0) }.map(String.init)
    guard !words.isEmpty, words.allSatisfy(known.contains) else {
      throw HyperparameterError(
        name: name, value: text, range: "a list of \(known.joined(separator: ", "))")
    }
    return words
  }
}
