/// Reads the part of Terraform's language that resources are written in.
///
/// That is attributes, blocks, strings with templates, heredocs, numbers, lists and objects. Any other
/// expression is a reference.
struct HCLParser {
  let file: String
  private let characters: [Character]
  private var index = 0
  private var line = 1
  private var column = 1
  private var depth = 0

  /// The most blocks, lists and objects within each other.
  private static let deepest = 100

  init(file: String, text: String) {
    self.file = file
    // A line end of Windows is one Character of its own.
    characters = text.map { $0 == "\r\n" ? "\n" : $0 }
  }

  /// The members of the whole file.
  mutating func parse() throws(ImportProblem) -> Element {
    let start = position
    let members = try body(isNested: false, opened: start)
    return Element(position: start, kind: .table(members))
  }

  private var position: Position { Position(line: line, column: column) }
  private var next: Character? { index < characters.count ? characters[index] : nil }

  private func follows(_ text: String) -> Bool {
    let wanted = Array(text)
    return index + wanted.count <= characters.count
      && characters[index..<(index + wanted.count)].elementsEqual(wanted)
  }

  @discardableResult private mutating func take() -> Character? {
    guard let character = next else { return nil }
    index += 1
    if character == "\n" {
      line += 1
      column = 1
    } else {
      column += 1
    }
    return character
  }

  private func problem(
    _ message: String, at place: Position? = nil, hint: String? = nil
  ) -> ImportProblem {
    ImportProblem(file: file, at: place ?? position, message, hint: hint)
  }

  /// Passes blanks and comments, and line ends where they mean nothing.
  private mutating func skip(lineEnds: Bool) throws(ImportProblem) {
    while let character = next {
      if character == "#" || follows("//") {
        while let character = next, character != "\n" { take() }
      } else if follows("/*") {
        let start = position
        while !follows("*/") {
          guard take() != nil else { throw problem("the comment has no end", at: start) }
        }
        take()
        take()
      } else if character.isWhitespace, lineEnds || character != "\n" {
        take()
      } else {
        return
      }
    }
  }

  private mutating func body(
    isNested: Bool, opened: Position
  ) throws(ImportProblem) -> [Element.Member] {
    try descend()
    defer { depth -= 1 }
    var members: [Element.Member] = []
    while true {
      try skip(lineEnds: true)
      guard let character = next else {
        if isNested { throw problem("the block has no end", at: opened, hint: "'}' is missing") }
        return members
      }
      if character == "}" {
        guard isNested else { throw problem("'}' closes no block") }
        take()
        return members
      }
      members.append(try member())
    }
  }

  /// An attribute or a block; a block's labels are tables around it.
  private mutating func member() throws(ImportProblem) -> Element.Member {
    let start = position
    let name = try self.name()
    try skip(lineEnds: false)
    if next == "=" {
      take()
      return Element.Member(name: name, value: try expression())
    }
    var labels: [String] = []
    while let character = next, character != "{" {
      guard character != "\n" else { break }
      labels.append(try self.name())
      try skip(lineEnds: false)
    }
    guard next == "{" else {
      throw problem(
        "'=' or '{' must follow '\(name)'", hint: "name = value, or a block: name { … }")
    }
    let opened = position
    take()
    var value = Element(
      position: start, kind: .table(try body(isNested: true, opened: opened)))
    for label in labels.reversed() {
      value = Element(
        position: start, kind: .table([Element.Member(name: label, value: value)]))
    }
    return Element.Member(name: name, value: value)
  }

  /// A word or a quoted name.
  private mutating func name() throws(ImportProblem) -> String {
    if next == "\"" {
      return try quoted().map { part in
        switch part {
        case .literal(let text): text
        case .reference(let text), .file(let text): "${\(text)}"
        }
      }.joined()
    }
    var name = ""
    while let character = next, character.isLetter || character.isNumber || "_-".contains(character)
    {
      name.append(character)
      take()
    }
    guard !name.isEmpty else {
      throw problem(
        "a name must stand here, not '\(next.map(String.init) ?? "")'",
        hint: "this is read as a Terraform file")
    }
    return name
  }

  private mutating func descend() throws(ImportProblem) {
    depth += 1
    guard depth <= Self.deepest else {
      throw problem("blocks and values are nested deeper than \(Self.deepest) levels")
    }
  }

  private mutating func expression() throws(ImportProblem) -> Element {
    try descend()
    defer { depth -= 1 }
    try skip(lineEnds: false)
    let before = (index, line, column)
    let start = position
    if let kind = try primary() {
      try skip(lineEnds: false)
      if next.map({ "\n,]}".contains($0) }) ?? true {
        return Element(position: start, kind: kind)
      }
    }
    (index, line, column) = before
    return Element(position: start, kind: .text([try rawExpression(start)]))
  }

  private mutating func primary() throws(ImportProblem) -> Element.Kind? {
    switch next {
    case "\"": .text(try quoted())
    case "<" where follows("<<"): .text(try heredoc())
    case "[": .list(try list())
    case "{": .table(try object())
    default: nil
    }
  }

  private mutating func list() throws(ImportProblem) -> [Element] {
    let opened = position
    take()
    var elements: [Element] = []
    while true {
      try skip(lineEnds: true)
      guard let character = next else { throw problem("the list has no end", at: opened) }
      if character == "]" || character == "," {
        take()
        if character == "]" { return elements }
        continue
      }
      elements.append(try expression())
    }
  }

  private mutating func object() throws(ImportProblem) -> [Element.Member] {
    let opened = position
    take()
    var members: [Element.Member] = []
    while true {
      try skip(lineEnds: true)
      guard let character = next else { throw problem("the object has no end", at: opened) }
      if character == "}" || character == "," {
        take()
        if character == "}" { return members }
        continue
      }
      let name = try self.name()
      try skip(lineEnds: false)
      guard next == "=" || next == ":" else { throw problem("'=' must follow '\(name)'") }
      take()
      members.append(Element.Member(name: name, value: try expression()))
    }
  }

  private mutating func quoted() throws(ImportProblem) -> [Element.Part] {
    let start = position
    take()
    var raw = ""
    var braces = 0
    while true {
      guard let character = next, braces > 0 || character != "\n" else {
        throw problem("the text has no end", at: start, hint: "'\"' is missing")
      }
      take()
      if character == "\"", braces == 0 { return Self.unescaped(Template.parts(of: raw)) }
      raw.append(character)
      if character == "\\", braces == 0, let escaped = take() { raw.append(escaped) }
      if character == "{", braces > 0 || raw.hasSuffix("${") && !raw.hasSuffix("$${") {
        braces += 1
      }
      if character == "}", braces > 0 { braces -= 1 }
    }
  }

  private static func unescaped(_ parts: [Element.Part]) -> [Element.Part] {
    parts.map { part in
      guard case .literal(let text) = part else { return part }
      var result = ""
      var rest = Substring(text)
      while let character = rest.popFirst() {
        guard character == "\\", let escaped = rest.popFirst() else {
          result.append(character)
          continue
        }
        switch escaped {
        case "n": result.append("\n")
        case "t": result.append("\t")
        case "r": result.append("\r")
        case "u", "U":
          let digits = rest.prefix(escaped == "u" ? 4 : 8)
          guard let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) else {
            result.append(escaped)
            continue
          }
          result.append(Character(scalar))
          rest = rest.dropFirst(digits.count)
        default: result.append(escaped)
        }
      }
      return .literal(result)
    }
  }

  private mutating func heredoc() throws(ImportProblem) -> [Element.Part] {
    let start = position
    take()
    take()
    let isIndented = next == "-"
    if isIndented { take() }
    let marker = try name()
    try skip(lineEnds: false)
    guard take() == "\n" else { throw problem("a line end must follow <<\(marker)") }
    var lines: [String] = []
    while next != nil {
      var text = ""
      while let character = next, character != "\n" {
        text.append(character)
        take()
      }
      // The line end after the marker also ends the attribute: it stays.
      if Template.trimmed(text) == marker { return Self.template(lines, isIndented: isIndented) }
      take()
      lines.append(text)
    }
    throw problem("the text <<\(marker) has no end", at: start, hint: "a line '\(marker)' ends it")
  }

  private static func template(_ lines: [String], isIndented: Bool) -> [Element.Part] {
    var indent = 0
    if isIndented {
      let full = lines.filter { !Template.trimmed($0).isEmpty }
      indent = full.map { $0.prefix { $0 == " " || $0 == "\t" }.count }.min() ?? 0
    }
    let text = lines.map { String($0.dropFirst(min(indent, $0.count))) + "\n" }.joined()
    return Template.parts(of: text)
  }

  /// An expression that is not computed here, up to the end of its line.
  private mutating func rawExpression(_ start: Position) throws(ImportProblem) -> Element.Part {
    var text = ""
    var brackets = 0
    while let character = next {
      if brackets == 0, "\n,]}#".contains(character) || follows("//") { break }
      if character == "\"" {
        let before = index
        _ = try quoted()
        text += String(characters[before..<index])
        continue
      }
      if "([{".contains(character) { brackets += 1 }
      if ")]}".contains(character) { brackets -= 1 }
      text.append(character)
      take()
    }
    let trimmed = Template.trimmed(text)
    guard !trimmed.isEmpty else { throw problem("a value is missing", at: start) }
    if trimmed == "true" || trimmed == "false" || Double(trimmed) != nil {
      return .literal(trimmed)
    }
    if trimmed.hasPrefix("file(\""), trimmed.hasSuffix("\")") {
      let path = trimmed.dropFirst(6).dropLast(2)
      let relative = "${path.module}/"
      return .file(String(path.hasPrefix(relative) ? path.dropFirst(relative.count) : path))
    }
    return .reference(trimmed)
  }
}
