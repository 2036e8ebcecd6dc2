import Yams

/// A function of CloudFormation, in its short form (`!Sub …`) or its long one (`{"Fn::Sub": …}`).
struct Intrinsic {
  private let name: String
  private let argument: Node

  /// Nil for a node that is no function.
  init?(_ node: Node) {
    let tag = node.tag.description
    if tag.hasPrefix("!"), !tag.hasPrefix("!!"), tag.count > 1 {
      self.name = String(tag.dropFirst())
      self.argument = node
      return
    }
    guard case .mapping(let mapping) = node, mapping.count == 1, let only = mapping.first,
      let key = only.key.scalar?.string, key == "Ref" || key.hasPrefix("Fn::")
    else { return nil }
    self.name = key == "Ref" ? key : String(key.dropFirst(4))
    self.argument = only.value
  }

  /// The literal text with the references in it.
  var parts: [Element.Part] {
    switch name {
    case "Ref": return [.reference(argument.scalar?.string ?? "Ref")]
    case "GetAtt":
      let path = argument.scalar?.string ?? strings.joined(separator: ".")
      return [.reference(path)]
    case "Sub": return substituted
    case "Join":
      guard case .sequence(let sequence) = argument, sequence.count == 2,
        let separator = sequence[0].scalar?.string, case .sequence(let items) = sequence[1]
      else { return [.reference("Fn::Join")] }
      var joined: [Element.Part] = []
      for (index, item) in items.enumerated() {
        if index > 0, !separator.isEmpty { joined.append(.literal(separator)) }
        joined += Self.parts(of: item)
      }
      return joined
    default: return [.reference(([name] + strings).joined(separator: " "))]
    }
  }

  private static func parts(of node: Node) -> [Element.Part] {
    Intrinsic(node)?.parts ?? [.literal(node.scalar?.string ?? "")]
  }

  private var strings: [String] {
    switch argument {
    case .scalar(let scalar): [scalar.string]
    case .sequence(let sequence): sequence.compactMap(\.scalar?.string)
    case .mapping, .alias: []
    }
  }

  private var substituted: [Element.Part] {
    var template = argument.scalar?.string
    var values: [(name: String, parts: [Element.Part])] = []
    if case .sequence(let sequence) = argument {
      template = sequence.first?.scalar?.string
      if sequence.count > 1, case .mapping(let mapping) = sequence[1] {
        values = mapping.map { ($0.key.scalar?.string ?? "", Self.parts(of: $0.value)) }
      }
    }
    guard let template else { return [.reference("Fn::Sub")] }
    return Template.parts(of: template).flatMap { part -> [Element.Part] in
      guard case .reference(let name) = part else { return [part] }
      if name.hasPrefix("!") { return [.literal("${" + name.dropFirst() + "}")] }
      return values.first { $0.name == name }?.parts ?? [part]
    }
  }
}

/// Text with `${…}` in it.
enum Template {
  /// The literal pieces and the references between them.
  static func parts(of text: String) -> [Element.Part] {
    var parts: [Element.Part] = []
    var literal = ""
    var rest = Substring(text)
    while let character = rest.first {
      if rest.hasPrefix("$${") {
        literal += "${"
        rest = rest.dropFirst(3)
        continue
      }
      guard rest.hasPrefix("${"), let end = end(of: rest) else {
        literal.append(character)
        rest = rest.dropFirst()
        continue
      }
      if !literal.isEmpty { parts.append(.literal(literal)) }
      literal = ""
      let name = rest[rest.index(rest.startIndex, offsetBy: 2)..<end]
      parts.append(.reference(trimmed(name)))
      rest = rest[rest.index(after: end)...]
    }
    if !literal.isEmpty || parts.isEmpty { parts.append(.literal(literal)) }
    return parts
  }

  /// Where the brace stands that closes the reference at the start.
  private static func end(of text: Substring) -> String.Index? {
    var depth = 0
    for index in text.indices {
      if text[index] == "{" { depth += 1 }
      guard text[index] == "}" else { continue }
      depth -= 1
      if depth == 0 { return index }
    }
    return nil
  }

  static func trimmed(_ text: some StringProtocol) -> String {
    let rest = text.drop { $0.isWhitespace }
    let end = rest.lastIndex { !$0.isWhitespace }
    return end.map { String(rest[...$0]) } ?? ""
  }
}
