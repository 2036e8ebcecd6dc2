import Columns
import StreamSQL

/// A function that reads text: one value per row from the bytes of its arguments.
///
/// Where a pattern or an escape is the same as in the row before, its compiled form is used again.
final class TextFunctionKernel: Kernel {
  private let function: FunctionID
  private let arguments: [Kernel]
  private var texts: [[UInt8]]
  private var numbers: [Int64]
  private var output: [UInt8] = []
  private var compiledPattern: [UInt8]?
  private var compiledEscape: UInt8?
  private var regex: Regex?
  private var groups: [Range<Int>?] = []

  /// What a row gives.
  enum Outcome {
    case text
    case integer(Int64)
    case null
    case failed(String)
  }

  init(_ function: FunctionID, _ arguments: [Kernel], storage: ColumnType.Storage) {
    self.function = function
    self.arguments = arguments
    texts = arguments.map { _ in [] }
    numbers = arguments.map { _ in 0 }
    super.init(storage: storage, canFail: Self.fails(function) || arguments.contains { $0.canFail })
  }

  private static func fails(_ function: FunctionID) -> Bool {
    switch function {
    case .concatenate, .characterLength, .lower, .upper, .initialCapitals, .position, .trim,
      .substringComma, .substringFrom, .overlay:
      false
    default: true
    }
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var columns: [Column] = []
    for argument in arguments {
      columns.append(argument.evaluate(input, rows, &evaluation, &pool))
    }
    var result = Column(zeros: input.count, storage: storage)
    for column in columns { result.nulls.formUnion(column.nulls) }
    for index in 0..<rows.activeCount {
      let row = rows.selected.map { Int($0[index]) } ?? index
      if result.isNull(row) || evaluation.failed[row] { continue }
      for (position, column) in columns.enumerated() {
        if column.type.storage == .text {
          texts[position].removeAll(keepingCapacity: true)
          texts[position].append(contentsOf: pool.bytes[pool.range(of: column.texts[row])])
        } else {
          numbers[position] = column.integers[row]
        }
      }
      output.removeAll(keepingCapacity: true)
      switch compute() {
      case .text: result.texts[row] = pool.intern(output.span)
      case .integer(let value): result.integers[row] = value
      case .null: result.setNull(at: row)
      case .failed(let message): evaluation.fail(row, .badArgument, message)
      }
    }
    return result
  }

  private func compute() -> Outcome {
    switch function {
    case .concatenate:
      for text in texts { output.append(contentsOf: text) }
      return .text
    case .characterLength: return .integer(Int64(characterCount(texts[0][...])))
    case .lower: return changeCase(toUpper: false)
    case .upper: return changeCase(toUpper: true)
    case .initialCapitals: return initialCapitals()
    case .position: return position()
    case .trim(let side): return trim(side)
    case .overlay:
      let text = texts[0][...]
      let start = byteOffset(of: clamped(numbers[2] - 1), in: text)
      let end = byteOffset(of: clamped(numbers[2] - 1 + max(0, numbers[3])), in: text)
      output.append(contentsOf: text[..<start])
      output.append(contentsOf: texts[1])
      output.append(contentsOf: text[end...])
      return .text
    case .substringFrom: return substring(emptyIsNull: false)
    case .substringComma: return substring(emptyIsNull: true)
    default: return match()
    }
  }

  private func clamped(_ value: Int64) -> Int { Int(min(max(value, 0), 1 << 32)) }

  private func changeCase(toUpper: Bool) -> Outcome {
    if texts[0].allSatisfy({ $0 < 128 }) {
      let first: UInt8 = toUpper ? 97 : 65
      for byte in texts[0] {
        output.append(byte >= first && byte < first + 26 ? byte ^ 32 : byte)
      }
    } else {
      let text = String(decoding: texts[0], as: UTF8.self)
      output.append(contentsOf: (toUpper ? text.uppercased() : text.lowercased()).utf8)
    }
    return .text
  }

  private func initialCapitals() -> Outcome {
    var isInWord = false
    for character in String(decoding: texts[0], as: UTF8.self) {
      let isWord = character.isLetter || character.isNumber
      let changed = isWord && !isInWord ? character.uppercased() : character.lowercased()
      output.append(contentsOf: changed.utf8)
      isInWord = isWord
    }
    return .text
  }

  private func position() -> Outcome {
    let (needle, text) = (texts[0], texts[1])
    if needle.isEmpty { return .integer(1) }
    guard text.count >= needle.count else { return .integer(0) }
    for start in 0...(text.count - needle.count)
    where text[start] == needle[0]
      && text[start..<(start + needle.count)].elementsEqual(needle)
    {
      return .integer(Int64(characterCount(text[..<start])) + 1)
    }
    return .integer(0)
  }

  private func trim(_ side: FunctionID.TrimSide) -> Outcome {
    var rest = texts[0][...]
    let mark = texts[1]
    guard !mark.isEmpty else { return .failed("TRIM needs one character to remove") }
    if side != .trailing { while rest.starts(with: mark) { rest = rest.dropFirst(mark.count) } }
    if side != .leading {
      while rest.suffix(mark.count).elementsEqual(mark) { rest = rest.dropLast(mark.count) }
    }
    output.append(contentsOf: rest)
    return .text
  }

  private func substring(emptyIsNull: Bool) -> Outcome {
    let text = texts[0][...]
    let start = numbers[1]
    var end = Int64.max
    if numbers.count > 2 {
      if numbers[2] < 0 { return emptyIsNull ? .null : .text }
      end = start.addingReportingOverflow(numbers[2]).partialValue
    }
    let from = byteOffset(of: clamped(start - 1), in: text)
    let to = byteOffset(of: clamped(end - 1), in: text)
    if from >= text.endIndex, emptyIsNull { return .null }
    if from < to { output.append(contentsOf: text[from..<to]) }
    return .text
  }

  private func match() -> Outcome {
    switch function {
    case .like, .similarTo:
      let escape = texts.count > 2 ? texts[2].first : nil
      guard prepare(texts[1], escape: escape) else { return .failed("the pattern is malformed") }
      return search { _ in .integer(1) } ?? .integer(0)
    case .substringRegex:
      guard prepare(texts[1], escape: nil) else { return .failed("the pattern is malformed") }
      return search { self.take($0[0]) } ?? .null
    case .substringSimilar:
      guard prepare(texts[1], escape: texts[2].first) else {
        return .failed("the pattern is malformed")
      }
      return search { self.take($0[1]) } ?? .null
    default: return replace()
    }
  }

  private func take(_ range: Range<Int>?) -> Outcome {
    guard let range else { return .null }
    output.append(contentsOf: texts[0][range])
    return .text
  }

  /// The outcome of the first match, nil if there is none.
  private func search(_ found: ([Range<Int>?]) -> Outcome) -> Outcome? {
    switch regex?.search(texts[0], groups: &groups) {
    case .match: found(groups)
    case .failed(let message): .failed(message)
    case .noMatch, nil: nil
    }
  }

  private func prepare(_ pattern: [UInt8], escape: UInt8?) -> Bool {
    if compiledPattern == pattern, compiledEscape == escape { return regex != nil }
    compiledPattern = pattern
    compiledEscape = escape
    regex = nil
    let wanted: TextPattern? =
      switch function {
      case .like: .like(pattern, escape: escape)
      case .similarTo: .similar(pattern, escape: escape)
      case .substringSimilar: escape.map { .substringSimilar(pattern, escape: $0) }
      default: .regex(pattern)
      }
    guard let wanted else { return false }
    do throws(PatternError) {
      regex = try Regex(wanted)
      return true
    } catch {
      return false
    }
  }

  private func replace() -> Outcome {
    guard prepare(texts[1], escape: nil), let regex else {
      return .failed("the regular expression is malformed")
    }
    let start = numbers[3]
    let occurrence = numbers[4]
    guard start >= 1, occurrence >= 0 else {
      return .failed("REGEX_REPLACE needs a start of 1 or more and an occurrence of 0 or more")
    }
    var position = byteOffset(of: clamped(start - 1), in: texts[0][...])
    output.append(contentsOf: texts[0][..<position])
    var seen: Int64 = 0
    scan: while position <= texts[0].count {
      switch regex.search(texts[0], from: position, groups: &groups) {
      case .noMatch: break scan
      case .failed(let message): return .failed(message)
      case .match: break
      }
      guard let whole = groups[0] else { break scan }
      seen += 1
      output.append(contentsOf: texts[0][position..<whole.lowerBound])
      if occurrence == 0 || seen == occurrence {
        guard appendReplacement() else { return .failed("the replacement is malformed") }
      } else {
        output.append(contentsOf: texts[0][whole])
      }
      position = whole.upperBound
      if whole.isEmpty {
        let next = byteOffset(of: 1, in: texts[0][position...])
        output.append(contentsOf: texts[0][position..<next])
        if next == position { break scan }
        position = next
      }
      if occurrence > 0, seen == occurrence { break scan }
    }
    if position < texts[0].count { output.append(contentsOf: texts[0][position...]) }
    return .text
  }

  /// Java's replacement syntax: `$n` is a group, `\` takes the next character as it is.
  private func appendReplacement() -> Bool {
    let replacement = texts[2]
    var index = 0
    while index < replacement.count {
      let byte = replacement[index]
      index += 1
      if byte == 92 {
        guard index < replacement.count else { return false }
        output.append(replacement[index])
        index += 1
      } else if byte == 36 {
        guard index < replacement.count, (48...57).contains(replacement[index]) else {
          return false
        }
        var group = Int(replacement[index] - 48)
        index += 1
        while index < replacement.count, (48...57).contains(replacement[index]),
          group * 10 + Int(replacement[index] - 48) < groups.count
        {
          group = group * 10 + Int(replacement[index] - 48)
          index += 1
        }
        guard group < groups.count else { return false }
        if let range = groups[group] { output.append(contentsOf: texts[0][range]) }
      } else {
        output.append(byte)
      }
    }
    return true
  }
}
