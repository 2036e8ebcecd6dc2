internal import CPCRE2

/// A compiled regular expression over UTF-8; Java's syntax as far as PCRE2 shares it.
///
/// Matching stops at a fixed number of steps, so that no pattern can stall a task.
package final class Regex {
  /// How a search ended.
  package enum Outcome {
    case match
    case noMatch
    /// The pattern needed more than `stepLimit` steps, or the text is not UTF-8.
    case failed(String)
  }

  /// The most steps of one search.
  package static let stepLimit: UInt32 = 1_000_000

  /// How many groups the pattern has, without the whole match.
  package let groupCount: Int
  private let code: OpaquePointer
  private let data: OpaquePointer
  private let context: OpaquePointer

  /// Compiles the pattern of a function or a log parser.
  ///
  /// - Throws: `PatternError` when it is malformed.
  package convenience init(_ pattern: TextPattern) throws(PatternError) {
    guard let source = pattern.expression else {
      throw PatternError(message: "an escape or a bracket is not closed", offset: nil)
    }
    try self.init(source, matchesNewlines: pattern.matchesNewlines)
  }

  private init(_ pattern: [UInt8], matchesNewlines: Bool) throws(PatternError) {
    var error: Int32 = 0
    var offset = 0
    let options = UInt32(PCRE2_UTF) | (matchesNewlines ? UInt32(PCRE2_DOTALL) : 0)
    let compiled = pattern.withUnsafeBufferPointer { buffer in
      pcre2_compile_8(buffer.baseAddress, buffer.count, options, &error, &offset, nil)
    }
    guard let compiled else {
      throw PatternError(message: Self.message(error), offset: offset)
    }
    guard let data = pcre2_match_data_create_from_pattern_8(compiled, nil),
      let context = pcre2_match_context_create_8(nil)
    else {
      pcre2_code_free_8(compiled)
      throw PatternError(message: "there is no memory for it", offset: nil)
    }
    pcre2_set_match_limit_8(context, Self.stepLimit)
    pcre2_set_depth_limit_8(context, 10_000)
    var groups: UInt32 = 0
    pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_CAPTURECOUNT), &groups)
    code = compiled
    self.data = data
    self.context = context
    groupCount = Int(groups)
  }

  private static func message(_ error: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = buffer.withUnsafeMutableBufferPointer { buffer in
      pcre2_get_error_message_8(error, buffer.baseAddress, buffer.count)
    }
    return String(decoding: buffer.prefix(max(0, Int(count))), as: UTF8.self)
  }

  deinit {
    pcre2_match_context_free_8(context)
    pcre2_match_data_free_8(data)
    pcre2_code_free_8(code)
  }

  /// Looks for the first match at or behind `start`.
  ///
  /// `groups` becomes the byte ranges of the whole match and of every group, nil for a group that took no
  /// part.
  package func search(_ text: [UInt8], from start: Int = 0, groups: inout [Range<Int>?]) -> Outcome
  {
    groups.removeAll(keepingCapacity: true)
    let count = text.withUnsafeBufferPointer { buffer in
      pcre2_match_8(code, buffer.baseAddress, buffer.count, start, 0, data, context)
    }
    if count == PCRE2_ERROR_NOMATCH { return .noMatch }
    guard count > 0 else {
      return .failed(
        count == PCRE2_ERROR_MATCHLIMIT || count == PCRE2_ERROR_DEPTHLIMIT
          ? "the regular expression takes more than \(Self.stepLimit) steps on this text"
          : "the text cannot be searched (PCRE2 error \(count))")
    }
    guard let offsets = pcre2_get_ovector_pointer_8(data) else { return .noMatch }
    for group in 0...groupCount {
      let lower = offsets[2 * group]
      let upper = offsets[2 * group + 1]
      groups.append(
        group < Int(count) && lower != Int(bitPattern: UInt.max) && lower <= upper
          ? lower..<upper : nil)
    }
    return .match
  }
}

/// Why a pattern cannot be used.
package struct PatternError: Error, Hashable {
  /// What is wrong, in lower case without a full stop.
  package let message: String
  /// The byte of the regular expression at which it was seen, if that says anything.
  package let offset: Int?
}
