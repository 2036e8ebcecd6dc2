import Foundation

/// A Swift file and what the compiler sees of it: the text without comments and string literals.
struct SourceFile {
  /// Path from the root of the repository.
  let path: String
  let lines: [String]
  /// `lines` with every character of a comment or a string literal replaced by a blank.
  let code: [String]

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    code = CodeText.blanked(text).split(separator: "\n", omittingEmptySubsequences: false)
      .map(String.init)
  }

  /// The folder below `Sources` or `Tests`, that is the name of the target.
  var target: String {
    let parts = path.split(separator: "/")
    return parts.count > 2 ? String(parts[1]) : ""
  }

  var name: String { String(path.split(separator: "/").last ?? "") }
  var isProduct: Bool { path.hasPrefix("Sources/") }

  /// The modules that the file imports, with their lines counted from 1.
  var imports: [(line: Int, module: String)] {
    code.enumerated().compactMap { index, line in
      let words = line.split(separator: " ").map(String.init)
      guard let at = words.firstIndex(of: "import"), at + 1 < words.count, at <= 2 else {
        return nil
      }
      let kinds: Set = ["struct", "class", "enum", "func", "protocol", "typealias", "var", "let"]
      let path =
        kinds.contains(words[at + 1]) && at + 2 < words.count ? words[at + 2] : words[at + 1]
      return (index + 1, String(path.split(separator: ".").first ?? ""))
    }
  }
}

/// Blanks comments and string literals, so that words and braces in them do not count.
enum CodeText {
  static func blanked(_ text: String) -> String {
    var scanner = Scanner(bytes: Array(text.utf8))
    scanner.run()
    return String(decoding: scanner.output, as: UTF8.self)
  }

  private struct Scanner {
    let bytes: [UInt8]
    var output: [UInt8] = []
    var at = 0

    init(bytes: [UInt8]) {
      self.bytes = bytes
    }

    mutating func run() {
      while at < bytes.count { step() }
    }

    private func starts(_ text: String) -> Bool {
      bytes[at...].starts(with: text.utf8)
    }

    private mutating func blank(_ count: Int = 1) {
      for _ in 0..<count where at < bytes.count {
        output.append(bytes[at] == UInt8(ascii: "\n") ? bytes[at] : UInt8(ascii: " "))
        at += 1
      }
    }

    private mutating func step() {
      if starts("//") {
        while at < bytes.count, bytes[at] != UInt8(ascii: "\n") { blank() }
      } else if starts("/*") {
        blockComment()
      } else if let hashes = stringStart() {
        stringLiteral(hashes: hashes)
      } else {
        output.append(bytes[at])
        at += 1
      }
    }

    private mutating func blockComment() {
      var depth = 0
      repeat {
        if starts("/*") {
          depth += 1
          blank(2)
        } else if starts("*/") {
          depth -= 1
          blank(2)
        } else {
          blank()
        }
      } while depth > 0 && at < bytes.count
    }

    /// How many `#` stand before a quotation mark here, or nil if no string starts.
    private func stringStart() -> Int? {
      var end = at
      while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
      return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - at : nil
    }

    private mutating func stringLiteral(hashes: Int) {
      let marks = String(repeating: "#", count: hashes)
      blank(hashes)
      let quote = starts("\"\"\"") ? "\"\"\"" : "\""
      blank(quote.utf8.count)
      while at < bytes.count {
        if starts(quote + marks) {
          blank(quote.utf8.count + hashes)
          return
        } else if starts("\\" + marks + "(") {
          blank(1 + hashes)
          interpolation()
        } else if starts("\\" + marks) {
          blank(2 + hashes)
        } else {
          blank()
        }
      }
    }

    /// An interpolation is code: words in it count, its brackets are balanced.
    private mutating func interpolation() {
      var depth = 0
      repeat {
        if bytes[at] == UInt8(ascii: "(") { depth += 1 }
        if bytes[at] == UInt8(ascii: ")") { depth -= 1 }
        step()
      } while depth > 0 && at < bytes.count
    }
  }
}
