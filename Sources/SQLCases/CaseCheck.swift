/// Compares what an engine emitted with what a case expects.
struct CaseCheck {
  /// How a case compares: the keys of `case.json`.
  struct Mode {
    let check: [String]
    let order: String
    let comparesRowtime: Bool
    let isExact: Bool
    let tolerance: Double
    let properties: [JSONDocument]

    /// Reads how a case compares.
    ///
    /// - Throws: `CaseError` for a word that means nothing.
    init(_ document: JSONDocument) throws(CaseError) {
      check = document["check"]?.elements?.compactMap(\.text) ?? []
      order = document["order"]?.text ?? "rowtime"
      guard ["rowtime", "strict", "any"].contains(order) else {
        throw CaseError("case.json: 'order' is rowtime, strict or any, not '\(order)'")
      }
      guard ["exact", "subset"].contains(document["columns"]?.text ?? "exact") else {
        throw CaseError("case.json: 'columns' is exact or subset")
      }
      comparesRowtime = document["compareRowtime"]?.boolean ?? true
      isExact = document["columns"]?.text != "subset"
      tolerance = document["tolerance"]?.double ?? 1e-9
      properties = document["properties"]?.elements ?? []
    }
  }

  let mode: Mode

  /// What differs; nothing when the rows match.
  func differences(expected: [JSONDocument], actual: [JSONDocument]) -> [String] {
    var messages: [String] = []
    for stream in mode.check {
      let wanted = expected.filter { $0["stream"]?.text == stream }
      let found = actual.filter { $0["stream"]?.text == stream }
      guard wanted.count == found.count else {
        messages.append(
          "\(stream): \(wanted.count) rows expected, \(found.count) produced"
            + Self.listing(found, "produced"))
        continue
      }
      if stream == "error_stream" || mode.order != "strict" {
        messages += unordered(stream, wanted, found)
      } else {
        messages += ordered(stream, wanted, found)
      }
    }
    return messages
  }

  private static func listing(_ rows: [JSONDocument], _ word: String) -> String {
    rows.prefix(8).map { "\n    \(word): \($0)" }.joined()
  }

  private func unordered(
    _ stream: String, _ wanted: [JSONDocument], _ found: [JSONDocument]
  ) -> [String] {
    var messages: [String] = []
    var left = found
    for row in wanted {
      guard let match = left.firstIndex(where: { matches(row, $0) }) else {
        messages.append("\(stream): missing \(row)" + Self.listing(left, "left"))
        break
      }
      left.remove(at: match)
    }
    if mode.order == "rowtime", stream != "error_stream" {
      let times = found.map { $0["rowtime"]?.text ?? "" }
      if times != times.sorted() { messages.append("\(stream): rows are not in ROWTIME order") }
    }
    return messages
  }

  private func ordered(
    _ stream: String, _ wanted: [JSONDocument], _ found: [JSONDocument]
  ) -> [String] {
    for (index, (row, other)) in zip(wanted, found).enumerated() where !matches(row, other) {
      return ["\(stream) row \(index):\n    expected: \(row)\n    produced: \(other)"]
    }
    return []
  }

  private func matches(_ expected: JSONDocument, _ actual: JSONDocument) -> Bool {
    let members = (expected.members ?? []).filter { $0.name != "rowtime" }
    if mode.isExact {
      let wanted = Set(members.map(\.name)).union(["rowtime"])
      let found = Set((actual.members ?? []).map(\.name)).union(["rowtime"])
      if wanted != found { return false }
    }
    if mode.comparesRowtime, let rowtime = expected["rowtime"], rowtime != actual["rowtime"] {
      return false
    }
    return members.allSatisfy { member in
      guard let value = actual[member.name] else { return false }
      return Self.equal(member.value, value, tolerance: mode.tolerance)
    }
  }

  /// Whether two values are equal, numbers within a relative tolerance.
  static func equal(_ left: JSONDocument, _ right: JSONDocument, tolerance: Double) -> Bool {
    if let first = left.double, let second = right.double {
      return abs(first - second) <= tolerance * max(1, abs(first), abs(second))
    }
    return left == right
  }
}
