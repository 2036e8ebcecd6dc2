/// Turns the settings of one application into a pipeline and notes what is lost.
struct ApplicationReader {
  let file: String
  let meaning: (String) -> SourceDocument.Meaning
  let readFile: (String) throws -> String
  var remarks: [ImportRemark] = []

  init(
    file: String, meaning: @escaping (String) -> SourceDocument.Meaning,
    readFile: @escaping (String) throws -> String
  ) {
    self.file = file
    self.meaning = meaning
    self.readFile = readFile
  }

  mutating func remark(_ element: Element, _ message: String) {
    let remark = ImportRemark(position: element.position, message: message)
    if !remarks.contains(remark) { remarks.append(remark) }
  }

  func problem(_ element: Element, _ message: String, hint: String? = nil) -> ImportProblem {
    ImportProblem(file: file, at: element.position, message, hint: hint)
  }

  /// Reads an application.
  mutating func read(
    _ application: SourceDocument.Application
  ) throws(ImportProblem) -> ImportedApplication {
    let settings = application.settings
    guard case .table = settings.kind else {
      throw problem(settings, "the application must be an object")
    }
    try checkRuntime(settings)
    let configuration = settings["applicationconfiguration"]
    let sql = configuration?["sqlapplicationconfiguration"] ?? settings
    var pipeline = PipelineText(name: name(settings, application.fallbackName))
    let program = try self.program(settings, configuration)
    let inputs = sql.all("inputs", "input")
    guard !inputs.isEmpty else {
      throw problem(
        sql, "the application has no input",
        hint: "a pipeline needs one: add it to the application, or write the pipeline by hand")
    }
    for input in inputs { pipeline.inputs.append(try self.input(input)) }
    for output in sql.all("outputs", "output") + application.outputs {
      pipeline.outputs.append(try self.output(output, pipeline.name))
    }
    if pipeline.outputs.isEmpty {
      pipeline.outputs.append(standardOutput(sql, pipeline.name, program: program))
    }
    for table in sql.all("referencedatasources", "referencedatasource") + application.references {
      pipeline.tables.append(try referenceTable(table))
    }
    noteTheRest(settings)
    remarks.sort {
      ($0.position.line, $0.position.column) < ($1.position.line, $1.position.column)
    }
    return ImportedApplication(
      name: pipeline.name, pipeline: pipeline.text, program: program, remarks: remarks)
  }

  private func checkRuntime(_ settings: Element) throws(ImportProblem) {
    guard let runtime = settings["runtimeenvironment"], let text = runtime.literal,
      !text.hasPrefix("SQL")
    else { return }
    throw problem(
      runtime, "the application runs \(text), not SQL",
      hint: "only applications with RuntimeEnvironment SQL-1_0 can be imported")
  }

  private mutating func name(_ settings: Element, _ fallback: String) -> String {
    let element = settings["applicationname", "name"]
    let written = element.map { text($0, "the application's name") } ?? fallback
    let name = Self.plainName(written)
    if name != written {
      remark(element ?? settings, "the name '\(written)' became '\(name)'")
    }
    return name
  }

  /// A name with the characters that topics, pipelines and files may have.
  static func plainName(_ text: String) -> String {
    let parts = Template.parts(of: text).map { part -> String in
      switch part {
      case .literal(let text), .file(let text): text
      case .reference(let text): text.split { ".:".contains($0) }.last.map(String.init) ?? text
      }
    }
    let kept = parts.joined().map { character -> Character in
      character.isASCII && (character.isLetter || character.isNumber || "-_.".contains(character))
        ? character : "-"
    }
    let name = String(String(kept).drop { $0 == "." || $0 == "-" }.prefix(128))
    return name.isEmpty ? "application" : name
  }

  private mutating func program(
    _ settings: Element, _ configuration: Element?
  ) throws(ImportProblem) -> String {
    let content = configuration?["applicationcodeconfiguration"]?["codecontent"]
    let lone = configuration?["applicationcodeconfiguration"] ?? settings
    if let code = settings["applicationcode", "code"] ?? content?["textcontent"] {
      let text = try self.program(code)
      guard text.contains(where: { !$0.isWhitespace }) else {
        throw problem(code, "the application's SQL is empty")
      }
      return text.hasSuffix("\n") ? text : text + "\n"
    }
    let place = content ?? lone
    let isElsewhere = content.map { !$0.members.isEmpty } ?? false
    throw problem(
      place,
      isElsewhere ? "the application's SQL is not in this file" : "the application has no SQL",
      hint:
        "put the program into the file as \(configuration == nil ? "ApplicationCode" : "TextContent")"
    )
  }

  private mutating func program(_ code: Element) throws(ImportProblem) -> String {
    guard case .text(let parts) = code.kind else {
      throw problem(code, "the application's SQL must be a text")
    }
    var text = ""
    for part in parts {
      guard case .file(let path) = part else {
        text += self.text(part, of: code, "the SQL")
        continue
      }
      do {
        text += try readFile(path)
      } catch {
        throw problem(
          code, "the application's SQL \(path) cannot be read: \(error)",
          hint: "the path is relative to \(file)")
      }
    }
    return text
  }

  /// A text with its references resolved; one that cannot be stays as `${…}` and is noted.
  mutating func text(_ element: Element, _ what: String) -> String {
    guard case .text(let parts) = element.kind else { return "" }
    var result = ""
    for part in parts { result += text(part, of: element, what) }
    return result
  }

  private mutating func text(
    _ part: Element.Part, of element: Element, _ what: String
  ) -> String {
    switch part {
    case .literal(let text): return text
    case .file(let path):
      remark(element, "\(what) is in the file \(path): write it in place of '\(path)'")
      return path
    case .reference(let reference):
      switch meaning(reference) {
      case .known(let text): return text
      case .assumed(let name):
        remark(
          element, "\(what) comes from \(reference), which has no name here: '\(name)' was taken")
        return name
      case .unknown:
        remark(
          element,
          "\(what) holds \(reference), which is not in this file: write its value in place of '${\(reference)}'"
        )
        return "${\(reference)}"
      }
    }
  }

  /// The name of a resource: what stands behind the last `/` or `:` of its ARN.
  mutating func resourceName(_ element: Element, _ what: String) -> String {
    guard case .text(let parts) = element.kind else { return "" }
    // Only what stands in the name matters: region and account may be unknown.
    var start = 0
    for (index, part) in parts.enumerated() {
      guard case .literal(let text) = part, text.contains("/") || text.hasSuffix(":") else {
        continue
      }
      start = index
    }
    var name = ""
    for (index, part) in parts.enumerated() where index >= start {
      guard case .literal(let text) = part, index == start else {
        name += self.text(part, of: element, what)
        continue
      }
      name += Self.lastName(text)
    }
    return Self.lastName(name)
  }

  /// What stands behind the last `/` or `:`; a function's version is no part of its name.
  private static func lastName(_ text: String) -> String {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    if let index = parts.firstIndex(of: "function"), index + 1 < parts.count {
      return String(parts[index + 1])
    }
    if text.contains("${") { return text }
    let separator = text.lastIndex(of: "/") ?? text.lastIndex(of: ":")
    return separator.map { String(text[text.index(after: $0)...]) } ?? text
  }
}
