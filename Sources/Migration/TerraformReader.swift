/// Reads a Terraform file with its applications.
struct TerraformReader {
  let file: String

  private static let types = [
    "aws_kinesis_analytics_application", "aws_kinesisanalyticsv2_application",
  ]

  /// The applications of a text.
  func read(_ text: String) throws(ImportProblem) -> SourceDocument {
    var parser = HCLParser(file: file, text: text)
    let root = try parser.parse()
    let blocks = root.members.filter { $0.name == "resource" }.flatMap { $0.value.members }
    let applications = blocks.filter { Self.types.contains($0.name) }.flatMap { block in
      block.value.members.map {
        SourceDocument.Application(fallbackName: $0.name, settings: $0.value)
      }
    }
    guard !applications.isEmpty else {
      throw ImportProblem(
        file: file, "no resource of the file is a Kinesis Data Analytics application",
        hint: "its type is \(Self.types.joined(separator: " or "))")
    }
    return SourceDocument(applications: applications) { Self.meaning(of: $0, in: root, depth: 0) }
  }

  /// What `var.x`, `local.x` and `type.label.attribute` stand for in the file.
  private static func meaning(
    of reference: String, in root: Element, depth: Int
  ) -> SourceDocument.Meaning {
    var path = reference.split(separator: ".").map(String.init)
    guard depth < 8, path.count > 1, path.allSatisfy(isWord) else { return .unknown }
    switch path[0] {
    case "var":
      let variable = find("variable", path[1], in: root)
      return resolved(variable?["default"], in: root, depth: depth)
    case "local":
      let values = root.members.filter { $0.name == "locals" }.flatMap { $0.value.members }
      return resolved(values.first { $0.name == path[1] }?.value, in: root, depth: depth)
    case "data": path.removeFirst()
    default: break
    }
    guard path.count == 3, ["arn", "id", "name", "bucket"].contains(path[2]) else {
      return .unknown
    }
    for kind in ["resource", "data"] {
      for block in root.members where block.name == kind {
        let types = block.value.members.filter { $0.name == path[0] }
        let found = types.flatMap { $0.value.members }.first { $0.name == path[1] }
        guard let name = found?.value["name", "bucket", "functionname"] else { continue }
        if case .known(let text) = resolved(name, in: root, depth: depth) { return .known(text) }
      }
    }
    return .assumed(path[1])
  }

  private static func isWord(_ text: String) -> Bool {
    text.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
  }

  private static func find(_ kind: String, _ label: String, in root: Element) -> Element? {
    for block in root.members where block.name == kind {
      if let found = block.value.members.first(where: { $0.name == label }) { return found.value }
    }
    return nil
  }

  private static func resolved(
    _ element: Element?, in root: Element, depth: Int
  ) -> SourceDocument.Meaning {
    guard case .text(let parts)? = element?.kind else { return .unknown }
    var text = ""
    for part in parts {
      switch part {
      case .literal(let piece): text += piece
      case .file: return .unknown
      case .reference(let reference):
        guard case .known(let piece) = meaning(of: reference, in: root, depth: depth + 1) else {
          return .unknown
        }
        text += piece
      }
    }
    return .known(text)
  }
}
