/// A path of member names and array indexes to one value of a JSON document: `$.a.b[0]['a name']`.
package struct JSONScalarPath: Hashable, Sendable {
  /// One step down from a value.
  package enum Step: Hashable, Sendable {
    /// The member with this name, in UTF-8.
    case member([UInt8])
    /// The element at this place, from 0.
    case element(Int)
  }

  /// The steps from the document down.
  package let steps: [Step]

  /// Reads a path, with or without `lax` before it; nil when the text is none.
  package init?(_ text: [UInt8]) {
    var rest = text[...]
    while rest.first == 32 { rest.removeFirst() }
    if rest.starts(with: "lax ".utf8) {
      rest.removeFirst(4)
      while rest.first == 32 { rest.removeFirst() }
    }
    guard rest.popFirst() == UInt8(ascii: "$") else { return nil }
    var steps: [Step] = []
    while !rest.isEmpty {
      guard let step = Self.step(&rest) else { return nil }
      steps.append(step)
    }
    self.steps = steps
  }

  private static func step(_ rest: inout ArraySlice<UInt8>) -> Step? {
    let sign = rest.removeFirst()
    if sign == UInt8(ascii: ".") {
      if rest.first == UInt8(ascii: "\"") { return quoted(&rest).map(Step.member) }
      let name = rest.prefix { $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "[") }
      rest.removeFirst(name.count)
      return name.isEmpty ? nil : .member(Array(name))
    }
    guard sign == UInt8(ascii: "[") else { return nil }
    let step: Step?
    if rest.first == UInt8(ascii: "'") || rest.first == UInt8(ascii: "\"") {
      step = quoted(&rest).map(Step.member)
    } else {
      let digits = rest.prefix { $0 != UInt8(ascii: "]") }
      rest.removeFirst(digits.count)
      let number = Int(String(decoding: digits, as: UTF8.self))
      step = number.flatMap { $0 >= 0 ? Step.element($0) : nil }
    }
    return rest.popFirst() == UInt8(ascii: "]") ? step : nil
  }

  private static func quoted(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
    let quote = rest.removeFirst()
    guard let end = rest.firstIndex(of: quote) else { return nil }
    defer { rest = rest[(end + 1)...] }
    return Array(rest[..<end])
  }
}
