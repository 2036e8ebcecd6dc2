extension Matcher {
  /// Reads `name="value"`, `name!=value`, `name=~"pattern"` or `name!~pattern`; nil when it is none.
  public init?(parsing text: String) {
    let trimmed = text.drop { $0 == " " }
    let name = trimmed.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
    let rest = trimmed.dropFirst(name.count).drop { $0 == " " }
    let comparisons: [Matcher.Comparison] = [.matches, .notMatches, .notEqual, .equal]
    guard !name.isEmpty, let comparison = comparisons.first(where: { rest.hasPrefix($0.rawValue) })
    else { return nil }
    var value = rest.dropFirst(comparison.rawValue.count).drop { $0 == " " }
    if value.first == "\"" {
      guard value.count >= 2, value.last == "\"" else { return nil }
      value = value.dropFirst().dropLast()
    }
    self.init(String(name), comparison, String(value))
  }
}
