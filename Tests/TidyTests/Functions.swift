/// A function, initializer or subscript with a body.
struct FunctionBody {
  let name: String
  /// Counted from 1.
  let firstLine: Int
  let lineCount: Int
}

extension SourceFile {
  /// The functions of the file, found by matching braces in the blanked text.
  var functions: [FunctionBody] {
    let tokens = Token.split(code)
    return tokens.indices.compactMap { index in
      guard Token.declarations.contains(tokens[index].text),
        index == 0 || tokens[index - 1].text != ".",
        let open = bodyStart(after: index, in: tokens), let close = bodyEnd(open, in: tokens)
      else { return nil }
      let keyword = tokens[index]
      let name = keyword.text == "func" ? tokens[index + 1].text : keyword.text
      return FunctionBody(
        name: name, firstLine: keyword.line, lineCount: tokens[close].line - keyword.line + 1)
    }
  }

  /// The index of the `{` that opens the body, or nil for a requirement or a call.
  private func bodyStart(after keyword: Int, in tokens: [Token]) -> Int? {
    var depth = 0
    for index in tokens.indices.dropFirst(keyword + 1) {
      switch tokens[index].text {
      case "(", "[": depth += 1
      case ")", "]": depth -= 1
      case "{" where depth == 0: return index
      case "}" where depth == 0: return nil
      case let text where depth == 0 && Token.starters.contains(text): return nil
      default: break
      }
      if depth < 0 { return nil }
    }
    return nil
  }

  private func bodyEnd(_ open: Int, in tokens: [Token]) -> Int? {
    var depth = 0
    for index in tokens.indices.dropFirst(open) {
      if tokens[index].text == "{" { depth += 1 }
      if tokens[index].text == "}" { depth -= 1 }
      if depth == 0 { return index }
    }
    return nil
  }
}

/// A word or one sign of the code.
private struct Token {
  let text: String
  let line: Int

  static let declarations: Set = ["func", "init", "deinit", "subscript"]
  static let starters: Set = [
    "func", "init", "deinit", "subscript", "var", "let", "struct", "class", "enum", "protocol",
    "extension", "case", "return", "if", "guard", "for", "while",
  ]

  static func split(_ code: [String]) -> [Token] {
    var tokens: [Token] = []
    for (index, line) in code.enumerated() {
      var word = ""
      for character in line + " " {
        if character.isLetter || character.isNumber || character == "_" {
          word.append(character)
          continue
        }
        if !word.isEmpty { tokens.append(Token(text: word, line: index + 1)) }
        word = ""
        if !character.isWhitespace {
          tokens.append(Token(text: String(character), line: index + 1))
        }
      }
    }
    return tokens
  }
}
