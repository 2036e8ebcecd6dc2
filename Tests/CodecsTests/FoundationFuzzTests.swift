import Codecs
import Columns
import Foundation
import Testing

/// Mutated records through our decoder and through Foundation's `JSONSerialization`.
///
/// Verdicts and values are equal but for the differences that `Difference` lists.
@Suite struct FoundationFuzzTests {
  /// Where the two may differ, and why.
  enum Difference: String, CaseIterable {
    /// We take several documents in a record, Foundation one.
    case severalDocuments
    /// Foundation skips a byte order mark and guesses UTF-16 and UTF-32 from zero bytes; RFC 8259, 8.1
    /// allows only UTF-8 between systems and lets a parser refuse a mark.
    case otherEncoding
    /// Foundation refuses numbers beyond the range of Double wherever they stand; we only where a column
    /// wants them, since grammar knows no range.
    case unmappedRange
    /// A row must be an object; Foundation also takes an array.
    case topLevelArray
    /// Foundation takes a comma before the end of an array or object; RFC 8259 does not.
    case trailingComma
    /// Foundation drops U+FEFF at the beginning of a string and behind escapes; to us it is a character like any other.
    case droppedMark
    /// A number below the range of Double is 0 for Foundation; for BOOLEAN we look at the digits.
    case underflow
    /// Foundation keeps numbers of more than 17 digits as `Decimal` of 38 digits, whose conversion to
    /// Double is not the nearest; ours is.
    case decimalRounding
  }

  static let records =
    ProcessInfo.processInfo.environment["CUTBANK_SOAK"] == nil ? 130_000 : 3_000_000

  @Test(arguments: 0..<8) func sameVerdictAndValues(_ seed: UInt64) throws {
    var random = SplitMix64(seed: 20_261_121 + seed)
    var subject = try Subject.make()
    var differences: [Difference: Int] = [:]
    var accepted = 0
    for number in 0..<Self.records {
      let record = Mutations.record(&random)
      switch subject.compare(record) {
      case .same(let isAccepted): accepted += isAccepted ? 1 : 0
      case .differs(let difference): differences[difference, default: 0] += 1
      case .wrong(let what):
        Issue.record(
          "seed \(seed), record \(number): \(what): \(String(decoding: record, as: UTF8.self))")
        if number > 100 { return }
      }
    }
    // Enough of either verdict, or the test would show nothing.
    #expect(accepted > Self.records / 20 && accepted < Self.records * 19 / 20)
    let counts = Difference.allCases.map { "\($0.rawValue) \(differences[$0] ?? 0)" }
    print(
      "seed \(seed): \(Self.records) records, \(accepted) rows;", counts.joined(separator: ", "))
  }
}

/// One decoder and what Foundation says beside it.
private struct Subject: ~Copyable {
  enum Verdict {
    case same(isAccepted: Bool)
    case differs(FoundationFuzzTests.Difference)
    case wrong(String)
  }

  var decoder: RecordDecoder
  /// A decoder whose column no record has, so that only grammar and rows count.
  var plain: RecordDecoder
  var pool = StringPool()
  var batch: Batch
  static let names = ["d", "i", "b", "s", "n"]

  static func make() throws -> Subject {
    let types: [ColumnType] = [.double, .bigint, .boolean, .varchar(60_000), .double]
    let schema = Schema(zip(names, types).map { ColumnDefinition(name: $0, type: $1) })
    let paths = ["$.d", "$.i", "$.b", "$.s", "$.o.n"]
    let none = Schema([ColumnDefinition(name: "P", type: .varchar(1))])
    return Subject(
      decoder: try RecordDecoder(
        schema: schema, format: .json(rowPath: .root, paths: paths.map { try JSONPath($0) })),
      plain: try RecordDecoder(
        schema: none, format: .json(rowPath: .root, paths: [JSONPath("$.none")])),
      batch: Batch(schema: schema))
  }

  mutating func compare(_ record: [UInt8]) -> Verdict {
    let outcome = decoder.decode(record.span, pool: &pool)
    defer { decoder.discardRows() }
    let verdict = compare(outcome, record)
    // Foundation cannot be told to keep the marks, so such records only show that nothing crashes.
    if case .wrong = verdict, hasMark(record) { return .differs(.droppedMark) }
    return verdict
  }

  private func hasMark(_ record: [UInt8]) -> Bool {
    record.indices.contains { record[$0...].starts(with: [0xEF, 0xBB, 0xBF]) }
  }

  private mutating func compare(_ outcome: DecodeOutcome, _ record: [UInt8]) -> Verdict {
    let theirs: Any
    do {
      theirs = try JSONSerialization.jsonObject(with: Data(record))
    } catch {
      return compareRefusal(outcome, "\(error)", record)
    }
    guard let object = theirs as? [String: Any] else {
      guard case .rejected(let reject) = outcome else { return .wrong("an array became a row") }
      if reject.code == .jsonRowNotObject { return .differs(.topLevelArray) }
      return explain(reject, record)
    }
    switch outcome {
    case .rejected(let reject) where reject.code.rawValue.hasPrefix("Column."):
      let column = reject.column ?? ""
      return mayRefuse(column, object, reject)
        ? .same(isAccepted: true) : .wrong("\(reject) but Foundation has \(object)")
    case .rejected(let reject): return explain(reject, record)
    case .rows(1): return compareValues(object)
    case .rows(let count): return .wrong("\(count) rows but Foundation sees one document")
    }
  }

  /// Why we may refuse what Foundation accepts.
  private func explain(_ reject: RecordReject, _ record: [UInt8]) -> Verdict {
    if hasOtherEncoding(record) { return .differs(.otherEncoding) }
    let before = record[..<reject.position].last { $0 > 0x20 }
    let closes = reject.position < record.count && [0x5D, 0x7D].contains(record[reject.position])
    if reject.code == .jsonMalformed, before == UInt8(ascii: ","), closes {
      return .differs(.trailingComma)
    }
    return .wrong("\(reject) but Foundation accepts")
  }

  private mutating func compareRefusal(_ outcome: DecodeOutcome, _ error: String, _ record: [UInt8])
    -> Verdict
  {
    switch outcome {
    case .rejected(let reject):
      if reject.code == .columnOutOfRange || !reject.code.rawValue.hasPrefix("Column.") {
        return .same(isAccepted: false)
      }
      // Valid for us but for a column: then Foundation's objection must be one of those below.
      return error.contains("not representable")
        ? .differs(.unmappedRange)
        : isSeveral(record)
          ? .differs(.severalDocuments) : .wrong("\(reject) but Foundation says \(error)")
    case .rows(let count) where count > 1: return .differs(.severalDocuments)
    case .rows:
      return error.contains("not representable")
        ? .differs(.unmappedRange) : .wrong("accepted but Foundation says \(error)")
    }
  }

  /// Whether a document ends before the record does.
  private mutating func isSeveral(_ record: [UInt8]) -> Bool {
    defer { plain.discardRows() }
    switch plain.decode(record.span, pool: &pool) {
    case .rows(let count): return count > 1
    case .rejected(let reject): return reject.code == .jsonRowNotObject && reject.position > 0
    }
  }

  private func hasOtherEncoding(_ record: [UInt8]) -> Bool {
    record.starts(with: [0xEF, 0xBB, 0xBF]) || record.starts(with: [0xFF, 0xFE])
      || record.starts(with: [0xFE, 0xFF]) || record.prefix(4).contains(0)
  }

  private func value(_ name: String, in object: [String: Any]) -> Any? {
    let found = name == "n" ? (object["o"] as? [String: Any])?["n"] : object[name]
    return found is NSNull ? nil : found
  }

  private func isBoolean(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }

  /// Whether the coercion table lets `column` refuse what Foundation found.
  private func mayRefuse(_ column: String, _ object: [String: Any], _ reject: RecordReject) -> Bool
  {
    switch value(column, in: object) {
    case let number as NSNumber where !isBoolean(number):
      return column == "i" && Int64("\(number)") == nil
    case let text as String:
      if column == "i" { return Int64(text) == nil }
      return column != "b" && (Double(text).map { !$0.isFinite || text.contains("x") } ?? true)
    case .none, is NSNumber: return false
    default: return column != "s" && reject.code == .columnTypeMismatch
    }
  }

  private mutating func compareValues(_ object: [String: Any]) -> Verdict {
    batch.removeAll()
    decoder.moveRows(to: &batch)
    var difference: FoundationFuzzTests.Difference?
    for (index, name) in Self.names.enumerated() {
      let column = batch.columns[index]
      guard let theirs = value(name, in: object) else {
        if column.nulls[0] { continue }
        return .wrong("\(name) is not NULL")
      }
      if column.nulls[0] { return .wrong("\(name) is NULL, Foundation has \(theirs)") }
      switch name {
      case "i":
        let isNear = (theirs as? NSNumber)?.doubleValue == Double(column.integers[0])
        if !isNear, column.integers[0] != expectedInteger(theirs) {
          return .wrong("\(name) is \(column.integers[0]), Foundation has \(theirs)")
        }
      case "b":
        if column.integers[0] != expectedBoolean(theirs) {
          if (theirs as? NSNumber)?.doubleValue == 0 {
            difference = .underflow
            continue
          }
          return .wrong("\(name) is \(column.integers[0]), Foundation has \(theirs)")
        }
      case "s":
        if let text = theirs as? String,
          Array(text.utf8)
            != pool.bytes[pool.range(of: column.texts[0])]
            .map({ $0 })
        {
          return .wrong("\(name) is \(pool.string(column.texts[0])), Foundation has \(text)")
        }
      default:
        let ours = column.doubles[0]
        let expected = expectedDouble(theirs)
        if ours == expected { continue }
        // At most 38 digits are left, so the last place of ours may differ from theirs.
        guard let decimal = theirs as? NSDecimalNumber, let nearest = Double(decimal.stringValue),
          abs(ours - nearest) <= ours.ulp
        else {
          return .wrong("\(name) is \(ours), Foundation has \(theirs)")
        }
        difference = .decimalRounding
      }
    }
    return difference.map { .differs($0) } ?? .same(isAccepted: true)
  }

  private func expectedDouble(_ value: Any) -> Double {
    if let text = value as? String {
      return Double(text.trimmingCharacters(in: .init(charactersIn: " "))) ?? .nan
    }
    return (value as? NSNumber)?.doubleValue ?? .nan
  }

  private func expectedInteger(_ value: Any) -> Int64? {
    if let text = value as? String {
      let trimmed = text.trimmingCharacters(in: .init(charactersIn: " "))
      return Int64(trimmed) ?? Double(trimmed).flatMap { Int64(exactly: $0) }
    }
    guard let number = value as? NSNumber else { return nil }
    return Int64("\(number)") ?? Int64(exactly: number.doubleValue)
  }

  private func expectedBoolean(_ value: Any) -> Int64? {
    if let text = value as? String { return text.lowercased() == "true" ? 1 : 0 }
    return (value as? NSNumber).map { $0.doubleValue == 0 ? 0 : 1 }
  }
}
