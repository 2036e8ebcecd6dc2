/// A pattern of any function, in that function's syntax.
package enum TextPattern: Hashable, Sendable {
  /// Java's syntax, found anywhere in the text.
  case regex([UInt8])
  /// LIKE with an escape character, the whole text.
  case like([UInt8], escape: UInt8?)
  /// SIMILAR TO with an escape character, the whole text.
  case similar([UInt8], escape: UInt8?)
  /// SUBSTRING SIMILAR: group 1 is what lies between the marks.
  case substringSimilar([UInt8], escape: UInt8)
  /// REGEX_LOG_PARSE: the whole text.
  case wholeRegex([UInt8])
  /// FAST_REGEX_LOG_PARSE: the whole text, taking as little as it can.
  case fastRegex([UInt8])
  /// W3C_LOG_PARSE: a format's name or its directives.
  case w3c([UInt8])
  /// SYS_LOG_PARSE: the time, and what stands behind it (RFC 3164); a priority before it is passed over.
  case sysLog

  /// The regular expression; nil when the pattern is malformed.
  var expression: [UInt8]? {
    switch self {
    case .regex(let pattern): pattern
    case .like(let pattern, let escape): Patterns.like(pattern, escape: escape)
    case .similar(let pattern, let escape): Patterns.similar(pattern, escape: escape)
    case .substringSimilar(let pattern, let escape):
      Patterns.substringSimilar(pattern, escape: escape)
    case .wholeRegex(let pattern): Patterns.anchored(pattern)
    case .fastRegex(let pattern): Patterns.fast(pattern)
    case .w3c(let format): Patterns.w3c(format)
    case .sysLog: Patterns.anchored(Array(Patterns.sysLog.utf8))
    }
  }

  /// Whether `.` stands for a line feed too.
  var matchesNewlines: Bool {
    switch self {
    case .like, .similar, .substringSimilar: true
    default: false
    }
  }
}

/// LIKE, SIMILAR TO and the log formats as regular expressions.
enum Patterns {
  fileprivate static let sysLog =
    #"(?:<\d{1,3}>\d?)?\s*([A-Z][a-z]{2}\s+\d{1,2}\s+\d{2}:\d{2}:\d{2}|\d{4}-\S+)\s+(.*)"#

  private static let special = Array(#"\^$.[]|()?*+{}#/"#.utf8)

  private static func appendEscaped(_ byte: UInt8, to regex: inout [UInt8]) {
    if special.contains(byte) { regex.append(92) }
    regex.append(byte)
  }

  /// A pattern whose only match is the whole text.
  static func anchored(_ pattern: [UInt8]) -> [UInt8] {
    Array(#"\A(?:"#.utf8) + pattern + Array(#")\z"#.utf8)
  }

  /// A LIKE pattern; nil when the escape stands before something that needs none.
  static func like(_ pattern: [UInt8], escape: UInt8?) -> [UInt8]? {
    var regex: [UInt8] = []
    var index = 0
    while index < pattern.count {
      let byte = pattern[index]
      if byte == escape {
        index += 1
        guard index < pattern.count else { return nil }
        let next = pattern[index]
        guard next == 37 || next == 95 || next == escape else { return nil }
        appendEscaped(next, to: &regex)
      } else if byte == 37 {
        regex.append(contentsOf: ".*".utf8)
      } else if byte == 95 {
        regex.append(UInt8(ascii: "."))
      } else {
        appendEscaped(byte, to: &regex)
      }
      index += 1
    }
    return anchored(regex)
  }

  /// The body of a SIMILAR TO pattern.
  static func similarBody(_ pattern: ArraySlice<UInt8>, escape: UInt8?) -> [UInt8]? {
    var regex: [UInt8] = []
    var isInClass = false
    var index = pattern.startIndex
    while index < pattern.endIndex {
      let byte = pattern[index]
      if byte == escape {
        index += 1
        guard index < pattern.endIndex else { return nil }
        appendEscaped(pattern[index], to: &regex)
      } else if isInClass {
        if let name = namedClass(pattern[index...]) {
          regex.append(
            contentsOf: "[:\(name.lowercased() == "whitespace" ? "space" : name.lowercased()):]"
              .utf8)
          index += name.utf8.count + 4
          continue
        }
        if byte == 93 { isInClass = false }
        if byte == 92 { regex.append(92) }
        regex.append(byte)
      } else {
        switch Character(UnicodeScalar(byte)) {
        case "%": regex.append(contentsOf: ".*".utf8)
        case "_": regex.append(UInt8(ascii: "."))
        case "[":
          isInClass = true
          regex.append(byte)
        case "|", "*", "+", "?", "{", "}", "(", ")": regex.append(byte)
        default: appendEscaped(byte, to: &regex)
        }
      }
      index += 1
    }
    return isInClass ? nil : regex
  }

  /// The name in `[:NAME:]` at the start of a text; the standard writes it in capitals.
  private static func namedClass(_ text: ArraySlice<UInt8>) -> String? {
    guard text.starts(with: "[:".utf8) else { return nil }
    let name = text.dropFirst(2).prefix(while: isLetter)
    guard !name.isEmpty, text[name.endIndex...].starts(with: ":]".utf8) else { return nil }
    return String(decoding: name, as: UTF8.self)
  }

  /// A SIMILAR TO pattern.
  static func similar(_ pattern: [UInt8], escape: UInt8?) -> [UInt8]? {
    similarBody(pattern[...], escape: escape).map(anchored)
  }

  /// `SUBSTRING(s SIMILAR 'a#"b#"c' ESCAPE '#')`: group 1 is what lies between the marks.
  static func substringSimilar(_ pattern: [UInt8], escape: UInt8) -> [UInt8]? {
    var marks: [Int] = []
    for index in 0..<max(0, pattern.count - 1)
    where pattern[index] == escape && pattern[index + 1] == 34 { marks.append(index) }
    guard marks.count == 2,
      let before = similarBody(pattern[..<marks[0]], escape: escape),
      let middle = similarBody(pattern[(marks[0] + 2)..<marks[1]], escape: escape),
      let after = similarBody(pattern[(marks[1] + 2)...], escape: escape)
    else { return nil }
    return anchored(
      Array("(?:".utf8) + before + Array(")(".utf8) + middle + Array(")(?:".utf8) + after
        + Array(")".utf8))
  }

  /// FAST_REGEX_LOG_PARSE: quantifiers take as little as they can.
  static func fast(_ pattern: [UInt8]) -> [UInt8] {
    var regex: [UInt8] = []
    var isInClass = false
    var index = 0
    while index < pattern.count {
      let byte = pattern[index]
      regex.append(byte)
      if byte == 92, index + 1 < pattern.count {
        index += 1
        regex.append(pattern[index])
      } else if byte == 91 {
        isInClass = true
      } else if byte == 93 {
        isInClass = false
      } else if !isInClass, byte == 42 || byte == 43 {
        let next = index + 1 < pattern.count ? pattern[index + 1] : 0
        if next != 63, next != 43 { regex.append(63) }
      }
      index += 1
    }
    return anchored(regex)
  }

  /// The named formats of W3C_LOG_PARSE as Apache's log format strings.
  ///
  /// Source: Apache HTTP Server, `mod_log_config`.
  static func w3cFormat(_ name: [UInt8]) -> [UInt8] {
    let text = String(decoding: name, as: UTF8.self)
    let format: String? =
      switch text.uppercased() {
      case "COMMON": #"%h %l %u %t "%r" %>s %b"#
      case "COMMON WITH VHOST": #"%v %h %l %u %t "%r" %>s %b"#
      case "NCSA EXTENDED": #"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i""#
      case "AGENT": "%{User-agent}i"
      default: nil
      }
    return format.map { Array($0.utf8) } ?? name
  }

  /// The fixed format of Internet Information Services: fifteen fields, a comma behind each.
  ///
  /// Source: Microsoft, "IIS Log File Formats".
  private static let iis: [UInt8] = {
    let fields = Array(repeating: " ?([^,]*)", count: 15)
    return Array(fields.joined(separator: ",").utf8) + Array(",? ?".utf8)
  }()

  /// The page that led to another: `%{Referer}i -> %U`; old servers drew a longer arrow.
  private static let referer = Array(#"(\S*) -+> (.*?)"#.utf8)

  /// A log format as a regular expression with one group per field; `%t` keeps its brackets, a quoted field
  /// loses its quotes.
  static func w3c(_ name: [UInt8]) -> [UInt8] {
    switch String(decoding: name, as: UTF8.self).uppercased() {
    case "IIS": return anchored(iis)
    case "REFERER": return anchored(referer)
    default: break
    }
    let format = w3cFormat(name)
    var regex: [UInt8] = []
    var index = 0
    var isQuoted = false
    while index < format.count {
      let byte = format[index]
      index += 1
      guard byte == 37, index < format.count else {
        if byte == 34 { isQuoted.toggle() }
        appendEscaped(byte, to: &regex)
        continue
      }
      if format[index] == 37 {
        appendEscaped(37, to: &regex)
        index += 1
        continue
      }
      while index < format.count, !isLetter(format[index]), format[index] != 123,
        format[index] != 91
      { index += 1 }
      if index < format.count, format[index] == 123 || format[index] == 91 {
        let close: UInt8 = format[index] == 123 ? 125 : 93
        while index < format.count, format[index] != close { index += 1 }
        index += 1
      }
      let isTime = index < format.count && format[index] == 116
      let isLast = index + 1 >= format.count
      index += 1
      let field =
        isTime
        ? #"(\[[^\]]*\]|\S+)"#
        : (isQuoted ? #"((?:[^"\\]|\\.)*)"# : (isLast ? "(.*?)" : #"(\S*)"#))
      regex.append(contentsOf: field.utf8)
    }
    return anchored(regex)
  }

  private static func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte | 32) }
}
