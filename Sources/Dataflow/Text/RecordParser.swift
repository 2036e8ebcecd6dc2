import Columns
import StreamSQL

/// Cuts a line of text into fields: the log parsing functions.
final class RecordParser {
  private enum Method {
    /// A time without a year, and what stands behind it.
    case sysLog(Regex)
    /// Groups of an expression that must match the whole text.
    case groups(Regex)
    case separated(delimiter: [UInt8], escape: UInt8?, quote: UInt8?)
    /// Start, from 0, and length in characters; nil is the rest.
    case fixed([(start: Int, length: Int?)])
  }

  private let method: Method
  private var groups: [Range<Int>?] = []

  /// Makes a parser; nil when the pattern or the column list is malformed.
  ///
  /// - Parameters:
  ///   - function: Which of the functions.
  ///   - arguments: Its literals behind the text.
  init?(_ function: RecordFunction, _ arguments: [[UInt8]]) {
    switch function {
    case .regex:
      guard let regex = Self.regex(arguments.first.map { .wholeRegex($0) }) else { return nil }
      method = .groups(regex)
    case .fastRegex:
      guard let regex = Self.regex(arguments.first.map { .fastRegex($0) }) else { return nil }
      method = .groups(regex)
    case .w3c:
      guard let regex = Self.regex(arguments.first.map { .w3c($0) }) else { return nil }
      method = .groups(regex)
    case .sysLog:
      guard let regex = Self.regex(.sysLog) else { return nil }
      method = .sysLog(regex)
    case .variableColumn:
      guard arguments.count > 1, !arguments[1].isEmpty else { return nil }
      method = .separated(
        delimiter: arguments[1], escape: arguments.count > 2 ? arguments[2].first : nil,
        quote: arguments.count > 3 ? arguments[3].first : nil)
    case .fixedColumn:
      let text = String(decoding: arguments.first ?? [], as: UTF8.self)
      let columns = LogColumn.columns(text, fixed: true).map { ($0.start, $0.length) }
      if columns.isEmpty { return nil }
      method = .fixed(columns)
    }
  }

  /// The binder has compiled the pattern before, so only a literal that is no text fails here.
  private static func regex(_ pattern: TextPattern?) -> Regex? {
    guard let pattern else { return nil }
    do throws(PatternError) {
      return try Regex(pattern)
    } catch {
      return nil
    }
  }

  /// Cuts a text into its fields; a time without a year takes that of the row's ROWTIME.
  ///
  /// - Returns: The fields, nil for one that is absent; none at all when the text does not match.
  func parse(_ text: [UInt8], rowtime: Int64) -> [[UInt8]?] {
    switch method {
    case .groups(let regex): return groups(of: text, regex)
    case .sysLog(let regex):
      var fields = groups(of: text, regex)
      if let time = fields.first ?? nil {
        fields[0] = SysLogTime.withYear(time, rowtime: rowtime)
      }
      return fields
    case .separated(let delimiter, let escape, let quote):
      return separated(text, delimiter, escape, quote)
    case .fixed(let columns):
      return columns.map { column in
        let start = byteOffset(of: column.start, in: text[...])
        guard start < text.count else { return nil }
        let end = column.length.map { byteOffset(of: column.start &+ $0, in: text[...]) }
        return Array(TextParser.trim(text[start..<(end ?? text.count)]))
      }
    }
  }

  private func groups(of text: [UInt8], _ regex: Regex) -> [[UInt8]?] {
    guard case .match = regex.search(text, groups: &groups) else { return [] }
    return (1..<max(1, groups.count)).map { group in groups[group].map { Array(text[$0]) } }
  }

  private func separated(
    _ text: [UInt8], _ delimiter: [UInt8], _ escape: UInt8?, _ quote: UInt8?
  ) -> [[UInt8]?] {
    var fields: [[UInt8]?] = []
    var field: [UInt8] = []
    var isQuoted = false
    var index = 0
    while index < text.count {
      let byte = text[index]
      if byte == escape, index + 1 < text.count {
        field.append(text[index + 1])
        index += 2
      } else if byte == quote {
        isQuoted.toggle()
        index += 1
      } else if !isQuoted, text[index...].starts(with: delimiter) {
        fields.append(field)
        field = []
        index += delimiter.count
      } else {
        field.append(byte)
        index += 1
      }
    }
    fields.append(field)
    return fields
  }
}
