/// A place in a file; lines and columns count from 1.
public struct Position: Hashable, Sendable {
  /// The line.
  public let line: Int
  /// The column.
  public let column: Int
}

/// A value of a JSON, YAML or Terraform file with its place.
struct Element: Hashable, Sendable {
  let position: Position
  let kind: Kind

  enum Kind: Hashable, Sendable {
    case null
    /// A scalar; references stand between the literal parts.
    case text([Part])
    case list([Element])
    case table([Member])
  }

  /// A piece of a text.
  enum Part: Hashable, Sendable {
    case literal(String)
    /// What another part of the template or the deployment decides, as it is written.
    case reference(String)
    /// The text of another file.
    case file(String)
  }

  struct Member: Hashable, Sendable {
    let name: String
    let value: Element
  }

  var members: [Member] {
    if case .table(let members) = kind { members } else { [] }
  }

  /// The text when nothing in it is a reference.
  var literal: String? {
    guard case .text(let parts) = kind else { return nil }
    var text = ""
    for part in parts {
      guard case .literal(let piece) = part else { return nil }
      text += piece
    }
    return text
  }

  /// All values under any of the names, lists taken apart.
  ///
  /// The names are compared as `Element.key` writes them, so that one name finds the spelling of both
  /// command-line tools, of CloudFormation and of Terraform.
  func all(_ names: String...) -> [Element] {
    members.filter { names.contains(Self.key($0.name)) }.flatMap { member -> [Element] in
      switch member.value.kind {
      case .null: []
      case .list(let elements): elements
      case .text, .table: [member.value]
      }
    }
  }

  /// The first value under any of the names.
  subscript(names: String...) -> Element? {
    for member in members where names.contains(Self.key(member.name)) {
      switch member.value.kind {
      case .null: continue
      case .list(let elements): return elements.first
      case .text, .table: return member.value
      }
    }
    return nil
  }

  /// A name in lower case without underscores and without the ending that `describe-application`
  /// gives its answers: `InputDescriptions` and `input` are the same.
  static func key(_ name: String) -> String {
    let plain = name.lowercased().filter { $0 != "_" }
    for ending in ["descriptions", "description"] where plain.hasSuffix(ending) {
      let rest = plain.dropLast(ending.count)
      if !rest.isEmpty { return String(rest) }
    }
    return plain
  }
}

/// A file read, with the applications in it.
struct SourceDocument {
  /// An application's settings.
  struct Application {
    /// The name when the settings have none, for example the logical id.
    let fallbackName: String
    let settings: Element
    /// Outputs and reference tables that stand in resources of their own.
    var outputs: [Element] = []
    var references: [Element] = []
  }

  /// What a reference stands for.
  enum Meaning {
    case known(String)
    /// Not in this file; the name that it has within the file.
    case assumed(String)
    case unknown
  }

  var applications: [Application]
  let meaning: (String) -> Meaning
}
