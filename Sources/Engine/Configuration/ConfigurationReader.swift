import Yams

/// Reads one YAML document into typed values and collects every problem on the way.
final class ConfigurationReader {
  let file: String
  let environment: [String: String]
  private(set) var problems: [ConfigurationProblem] = []
  private let lines: [Substring]

  init(file: String, text: String, environment: [String: String]) {
    self.file = file
    self.environment = environment
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// The document's root mapping, or nil after noting what is wrong with it.
  func root(_ text: String) -> MappingReader? {
    do {
      guard let node = try Yams.compose(yaml: text) else {
        report("the file is empty", at: nil, hint: "see the README for a first pipeline")
        return nil
      }
      return mapping(node, path: "")
    } catch let error as YamlError {
      report(yamlError: error)
    } catch {
      report("\(error)", at: nil)
    }
    return nil
  }

  func mapping(_ node: Node, path: String) -> MappingReader? {
    guard case .mapping(let mapping) = node else {
      report("\(path.isEmpty ? "the file" : path) must be a mapping of keys to values", at: node)
      return nil
    }
    return MappingReader(mapping: mapping, node: node, path: path, reader: self)
  }

  func report(
    _ message: String, at node: Node?, hint: String? = nil,
    severity: ConfigurationProblem.Severity = .error
  ) {
    let mark = node?.mark
    report(
      message, line: mark?.line ?? 0, column: mark?.column ?? 0, hint: hint, severity: severity)
  }

  private func report(
    _ message: String, line: Int, column: Int, hint: String?,
    severity: ConfigurationProblem.Severity
  ) {
    var excerpt: String?
    if line > 0, line <= lines.count {
      let indent = String(repeating: " ", count: max(0, column - 1))
      excerpt = "  \(lines[line - 1])\n  \(indent)^"
    }
    problems.append(
      ConfigurationProblem(
        file: file, line: line, column: column, severity: severity, message: message, hint: hint,
        excerpt: excerpt))
  }

  private func report(yamlError: YamlError) {
    switch yamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      report(problem, line: mark.line, column: mark.column, hint: nil, severity: .error)
    case .duplicatedKeysInMapping(let duplicates, let context):
      let names = duplicates.map { "\($0)" }.joined(separator: ", ")
      report(
        "the key \(names) stands twice in one mapping", line: context.mark.line,
        column: context.mark.column, hint: "keep one of them", severity: .error)
    default:
      report("\(yamlError)", at: nil)
    }
  }

  /// `text` with `${NAME}` and `${NAME:-default}` replaced; an unset variable is a problem.
  func expand(_ text: String, at node: Node) -> String {
    guard text.contains("${") else { return text }
    var result = ""
    var rest = Substring(text)
    while let start = rest.range(of: "${") {
      result += rest[..<start.lowerBound]
      rest = rest[start.upperBound...]
      guard let end = rest.firstIndex(of: "}") else {
        report("'${' without '}'", at: node, hint: "write ${NAME} or ${NAME:-default}")
        return text
      }
      result += value(of: String(rest[..<end]), at: node)
      rest = rest[rest.index(after: end)...]
    }
    return result + rest
  }

  private func value(of reference: String, at node: Node) -> String {
    let parts = reference.split(separator: ":-", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    if let value = environment[name], !(value.isEmpty && parts.count > 1) { return value }
    if parts.count > 1 { return String(parts[1]) }
    report(
      "the environment variable \(name) is not set", at: node,
      hint: "set it, or write ${\(name):-default}")
    return ""
  }
}

extension Substring {
  /// Where `text` first occurs.
  fileprivate func range(of text: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      start = index(after: start)
    }
    return nil
  }
}
