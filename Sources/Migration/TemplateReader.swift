import Yams

/// Reads JSON and YAML: answers of `describe-application` and CloudFormation templates.
struct TemplateReader {
  let file: String

  /// The applications of a text.
  func read(_ text: String) throws(ImportProblem) -> SourceDocument {
    let root = element(try compose(Self.withoutSurrogates(text)))
    guard case .table = root.kind else {
      throw ImportProblem(
        file: file, at: root.position, "the file holds no object", hint: Self.expected)
    }
    if let detail = root["applicationdetail"] {
      return SourceDocument(
        applications: [.init(fallbackName: "application", settings: detail)],
        meaning: { _ in .unknown })
    }
    if let resources = root["resources"] {
      return try template(root, resources: resources)
    }
    if root["applicationname"] != nil {
      return SourceDocument(
        applications: [.init(fallbackName: "application", settings: root)],
        meaning: { _ in .unknown })
    }
    throw ImportProblem(
      file: file, at: root.position,
      "neither 'ApplicationDetail' nor 'Resources' is in the file", hint: Self.expected)
  }

  /// Whether a text is SQL alone: its first word, behind comments, is CREATE.
  static func isProgram(_ text: String) -> Bool {
    var rest = Substring(text)
    while true {
      rest = rest.drop { $0.isWhitespace || $0 == "\u{FEFF}" }
      if rest.hasPrefix("--") {
        rest = rest.drop { !$0.isNewline }
      } else if rest.hasPrefix("/*"), let end = rest.firstRange(of: "*/") {
        rest = rest[end.upperBound...]
      } else {
        return rest.prefix { !$0.isWhitespace }.uppercased() == "CREATE"
      }
    }
  }

  static let expected =
    "write it with 'aws kinesisanalyticsv2 describe-application', or give a CloudFormation template "
    + "or a Terraform file"

  private func compose(_ text: String) throws(ImportProblem) -> Node {
    do {
      guard let node = try Yams.compose(yaml: text) else {
        throw ImportProblem(file: file, "the file is empty", hint: Self.expected)
      }
      return node
    } catch let problem as ImportProblem {
      throw problem
    } catch let error as YamlError {
      throw problem(error)
    } catch {
      throw ImportProblem(file: file, "\(error)")
    }
  }

  private func problem(_ error: YamlError) -> ImportProblem {
    switch error {
    case .scanner(_, let message, let mark, _), .parser(_, let message, let mark, _),
      .composer(_, let message, let mark, _):
      ImportProblem(
        file: file, at: Position(line: mark.line, column: mark.column),
        "this is neither JSON nor YAML: \(message)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      ImportProblem(
        file: file, at: Position(line: context.mark.line, column: context.mark.column),
        "the key \(duplicates.map { "\($0)" }.joined(separator: ", ")) stands twice")
    default: ImportProblem(file: file, "this is neither JSON nor YAML: \(error)")
    }
  }

  /// JSON writes characters beyond U+FFFF as two escapes, which YAML does not know.
  static func withoutSurrogates(_ text: String) -> String {
    guard text.contains("\\ud") || text.contains("\\uD") else { return text }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      guard bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count else {
        result.append(bytes[index])
        index += 1
        continue
      }
      if let high = unit(bytes, index), (0xD800..<0xDC00).contains(high),
        let low = unit(bytes, index + 6), (0xDC00..<0xE000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
      {
        result += Array(String(Character(scalar)).utf8)
        index += 12
      } else {
        result += bytes[index...(index + 1)]
        index += 2
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func unit(_ bytes: [UInt8], _ start: Int) -> UInt32? {
    guard start + 6 <= bytes.count, bytes[start] == UInt8(ascii: "\\"),
      bytes[start + 1] == UInt8(ascii: "u")
    else { return nil }
    return UInt32(String(decoding: bytes[(start + 2)..<(start + 6)], as: UTF8.self), radix: 16)
  }

  private func element(_ node: Node) -> Element {
    let position = Position(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    if let parts = Intrinsic(node)?.parts { return Element(position: position, kind: .text(parts)) }
    switch node {
    case .scalar(let scalar):
      let isNull = scalar.style == .plain && ["", "~", "null"].contains(scalar.string)
      return Element(position: position, kind: isNull ? .null : .text([.literal(scalar.string)]))
    case .sequence(let sequence):
      return Element(position: position, kind: .list(sequence.map(element)))
    case .mapping(let mapping):
      let members = mapping.map {
        Element.Member(name: $0.key.scalar?.string ?? "", value: element($0.value))
      }
      return Element(position: position, kind: .table(members))
    case .alias:
      return Element(position: position, kind: .null)
    }
  }

  private func template(
    _ root: Element, resources: Element
  ) throws(ImportProblem) -> SourceDocument {
    let kinds = ["AWS::KinesisAnalytics::Application", "AWS::KinesisAnalyticsV2::Application"]
    var applications: [SourceDocument.Application] = []
    for resource in resources.members {
      guard let type = resource.value["type"]?.literal, kinds.contains(type) else { continue }
      guard let properties = resource.value["properties"] else {
        throw ImportProblem(
          file: file, at: resource.value.position, "\(resource.name) has no Properties")
      }
      var application = SourceDocument.Application(
        fallbackName: resource.name, settings: properties)
      for other in resources.members {
        guard let otherType = other.value["type"]?.literal, otherType.hasPrefix(type),
          let settings = other.value["properties"],
          Self.isName(settings["applicationname"], of: application, in: resources)
        else { continue }
        application.outputs += otherType == type + "Output" ? settings.all("output") : []
        application.references +=
          otherType == type + "ReferenceDataSource" ? settings.all("referencedatasource") : []
      }
      applications.append(application)
    }
    guard !applications.isEmpty else {
      throw ImportProblem(
        file: file, at: resources.position,
        "no resource of the template is a Kinesis Data Analytics application",
        hint: "its Type is \(kinds.joined(separator: " or "))")
    }
    return SourceDocument(
      applications: applications, meaning: Self.meaning(root: root, resources: resources))
  }

  /// Whether an output or reference table names this application.
  private static func isName(
    _ name: Element?, of application: SourceDocument.Application, in resources: Element
  ) -> Bool {
    guard let name else { return false }
    if name.kind == application.settings["applicationname"]?.kind { return true }
    guard case .text(let parts) = name.kind, parts.count == 1 else { return false }
    return parts[0] == .reference(application.fallbackName)
  }

  private static func meaning(
    root: Element, resources: Element
  ) -> (String) -> SourceDocument.Meaning {
    let parameters = root["parameters"]
    func parameter(_ id: String) -> Element? {
      parameters?.members.first { $0.name == id }?.value
    }
    return { reference in
      let id = String(reference.prefix { $0 != "." })
      if let parameter = parameter(id) {
        return parameter["default"]?.literal.map { .known($0) } ?? .unknown
      }
      guard let resource = resources.members.first(where: { $0.name == id }) else {
        return .unknown
      }
      let properties = resource.value["properties"]
      let name = properties?[
        "name", "applicationname", "deliverystreamname", "functionname", "bucketname"]
      guard case .text(let parts)? = name?.kind else { return .assumed(id) }
      var text = ""
      for part in parts {
        switch part {
        case .literal(let piece): text += piece
        case .file: return .assumed(id)
        case .reference(let reference):
          guard let piece = parameter(reference)?["default"]?.literal else { return .assumed(id) }
          text += piece
        }
      }
      return .known(text)
    }
  }
}
