/// The smallest part of a program.
struct Token: Hashable {
  enum Kind: Hashable {
    /// An unquoted name or keyword, in upper case.
    case word(String)
    /// A quoted name, `""` undone.
    case quoted(String)
    /// A string, `''` undone.
    case string(String)
    /// The inside of `U&'…'`, escapes not undone.
    case unicodeString(String)
    /// `X'…'`.
    case binary([UInt8])
    /// Digits.
    case integer(String)
    /// Digits with a point.
    case decimal(String)
    /// A number with an exponent.
    case approximate(String)
    /// An operator or a separator.
    case symbol(String)
    /// Behind the last token.
    case end
  }

  let kind: Kind
  /// The bytes of the program.
  let range: Range<Int>
}

/// Cuts a program into tokens.
struct Lexer {
  /// The most bytes of UTF-8 of a program: the original's limit is 100 KB.
  static let programLimit = 1_000_000
  /// The most characters of a name.
  static let nameLimit = 128

  private let source: SourceText
  private let bytes: [UInt8]
  private var index = 0
  private var tokens: [Token] = []
  private var errors: [SQLError] = []

  private init(_ source: SourceText) {
    self.source = source
    bytes = source.bytes
  }

  /// The tokens of `source`, the last is `end`, and what could not be read.
  static func tokens(of source: SourceText) -> ([Token], [SQLError]) {
    var lexer = Lexer(source)
    if source.bytes.count > programLimit {
      let error = SQLError("a program has at most \(programLimit) bytes", at: 0)
      return ([Token(kind: .end, range: 0..<0)], [error])
    }
    lexer.run()
    return (lexer.tokens, lexer.errors)
  }

  private mutating func run() {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    while true {
      skipBlanksAndComments()
      guard index < bytes.count else { break }
      let start = index
      if let kind = next() { tokens.append(Token(kind: kind, range: start..<index)) }
      assert(index > start, "every token has a length")
    }
    tokens.append(Token(kind: .end, range: bytes.count..<bytes.count))
  }

  private func byte(_ ahead: Int = 0) -> UInt8 {
    index + ahead < bytes.count ? bytes[index + ahead] : 0
  }

  private func at(_ text: StaticString) -> Bool {
    index + text.utf8CodeUnitCount <= bytes.count
      && text.withUTF8Buffer { bytes[index..<(index + $0.count)].elementsEqual($0) }
  }

  private mutating func skipBlanksAndComments() {
    while index < bytes.count {
      if byte() <= 0x20 {
        index += 1
      } else if at("\u{A0}") {
        index += 2
      } else if at("--") || at("//") {
        while index < bytes.count, byte() != UInt8(ascii: "\n") { index += 1 }
      } else if at("/*") {
        skipBlockComment()
      } else {
        return
      }
    }
  }

  private mutating func skipBlockComment() {
    let start = index
    index += 2
    while index < bytes.count, !at("*/") { index += 1 }
    if index == bytes.count {
      errors.append(SQLError("comment has no end", at: start, hint: "close it with */"))
    } else {
      index += 2
    }
  }

  private mutating func next() -> Token.Kind? {
    let first = byte()
    if first == UInt8(ascii: "'") { return .string(quotedText(UInt8(ascii: "'"), "string")) }
    if first == UInt8(ascii: "\"") { return quotedName() }
    if first | 0x20 == UInt8(ascii: "u"), byte(1) == UInt8(ascii: "&"), byte(2) == UInt8(ascii: "'")
    {
      index += 2
      return .unicodeString(quotedText(UInt8(ascii: "'"), "string"))
    }
    if first | 0x20 == UInt8(ascii: "x"), byte(1) == UInt8(ascii: "'") {
      index += 1
      return binary()
    }
    if Self.isDigit(first) || (first == UInt8(ascii: ".") && Self.isDigit(byte(1))) {
      return number()
    }
    if let typographic = typographicCharacter() {
      errors.append(typographic)
      return nil
    }
    if Self.isLetter(first) { return word() }
    return symbol()
  }

  private mutating func word() -> Token.Kind {
    let start = index
    while Self.isLetter(byte()) || Self.isDigit(byte()) || byte() == UInt8(ascii: "$") {
      if typographicCharacter(peek: true) != nil || at("\u{A0}") { break }
      index += 1
    }
    let text = source.text(start..<index).uppercased()
    checkLength(text, start)
    return .word(text)
  }

  private mutating func quotedName() -> Token.Kind {
    let start = index
    let text = quotedText(UInt8(ascii: "\""), "quoted name")
    if text.isEmpty {
      errors.append(SQLError("a name must not be empty", at: start))
    }
    if text.utf8.contains(where: { $0 < 0x20 }) {
      errors.append(SQLError("a name must not contain control characters", at: start))
    }
    checkLength(text, start)
    return .quoted(text)
  }

  private mutating func checkLength(_ name: String, _ start: Int) {
    if name.count > Self.nameLimit {
      errors.append(SQLError("a name has at most \(Self.nameLimit) characters", at: start))
    }
  }

  private mutating func quotedText(_ quote: UInt8, _ what: String) -> String {
    let start = index
    var text: [UInt8] = []
    index += 1
    while index < bytes.count {
      if byte() == quote {
        if byte(1) != quote {
          index += 1
          return String(decoding: text, as: UTF8.self)
        }
        index += 1
      }
      text.append(byte())
      index += 1
    }
    errors.append(
      SQLError(
        "\(what) has no end", at: start,
        hint: "close it with \(quote == 0x22 ? "\"" : "'"); write that sign twice to have it inside"
      ))
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func binary() -> Token.Kind {
    let start = index
    let digits = Array(quotedText(UInt8(ascii: "'"), "binary string").utf8)
    let values = digits.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard values.count == digits.count, values.count % 2 == 0 else {
      errors.append(
        SQLError("a binary string has an even number of hexadecimal digits", at: start))
      return .binary([])
    }
    return .binary(
      stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] * 16 + values[$0 + 1]) })
  }

  private mutating func number() -> Token.Kind {
    let start = index
    while Self.isDigit(byte()) { index += 1 }
    var isExact = true
    var hasPoint = false
    if byte() == UInt8(ascii: "."), byte(1) != UInt8(ascii: ".") {
      hasPoint = true
      index += 1
      while Self.isDigit(byte()) { index += 1 }
    }
    if byte() | 0x20 == UInt8(ascii: "e") {
      let signed = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-")
      if Self.isDigit(byte(signed ? 2 : 1)) {
        isExact = false
        index += signed ? 2 : 1
        while Self.isDigit(byte()) { index += 1 }
      }
    }
    if Self.isLetter(byte()), typographicCharacter(peek: true) == nil, !at("\u{A0}") {
      errors.append(
        SQLError(
          "a name must not begin with a digit", at: start, hint: "quote it: \"1st\""))
      while Self.isLetter(byte()) || Self.isDigit(byte()) { index += 1 }
    }
    let text = source.text(start..<index)
    if !isExact { return .approximate(text) }
    return hasPoint ? .decimal(text) : .integer(text)
  }

  private mutating func symbol() -> Token.Kind? {
    let two = ["||", "<>", "!=", "<=", ">=", "=>"]
    for text in two where bytes[index...].starts(with: text.utf8) {
      index += 2
      return .symbol(text == "!=" ? "<>" : text)
    }
    let start = index
    index += 1
    if "(),;.+-*/%=<>:[]?{}".utf8.contains(bytes[start]) {
      return .symbol(String(UnicodeScalar(bytes[start])))
    }
    errors.append(
      SQLError("unexpected character '\(Character(UnicodeScalar(bytes[start])))'", at: start))
    return nil
  }

  /// What text processors make of dashes and quotes.
  private mutating func typographicCharacter() -> SQLError? {
    let error = typographicCharacter(peek: true)
    if error != nil { index += 3 }
    return error
  }

  private func typographicCharacter(peek: Bool) -> SQLError? {
    guard byte() == 0xE2, byte(1) == 0x80 else { return nil }
    let plain =
      switch byte(2) {
      case 0x90...0x95: "-"
      case 0x98...0x9B: "'"
      case 0x9C...0x9F: "\""
      default: ""
      }
    if plain.isEmpty { return nil }
    let name = plain == "-" ? "dash" : "quotation mark"
    return SQLError(
      "typographic \(name) in the program", at: index,
      hint:
        "a text processor or a PDF changed it: write \(plain)\(plain == "-" ? ", and -- for a comment" : "")"
    )
  }

  static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  static func isLetter(_ byte: UInt8) -> Bool {
    (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || byte == UInt8(ascii: "_") || byte >= 0x80
  }
}
