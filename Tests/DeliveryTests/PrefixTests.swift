import Columns
import Delivery
import Testing

/// 10:30 UTC on 27 August 2018, the moment of the Firehose guide's examples.
private let moment = CivilTime(year: 2018, month: 8, day: 27, hour: 10, minute: 30).milliseconds

private func evaluate(
  _ prefix: Prefix, error: ErrorOutputType? = nil, values: [String: String] = [:]
) throws -> String {
  try prefix.evaluate(
    Prefix.Context(
      rowTime: moment, seed: [1, 2, 3], errorOutputType: error, partitionValues: values))
}

struct PrefixTests {
  @Test func guideRowWithoutPrefix() throws {
    #expect(try evaluate(try Prefix(parsing: nil)) == "2018/08/27/10/")
    let text = "myFirehoseFailures/!{firehose:error-output-type}/"
    let failures = try Prefix.errorPrefix(parsing: text, besides: nil)
    #expect(
      try evaluate(failures, error: .processingFailed) == "myFirehoseFailures/processing-failed/")
  }

  @Test func guideRowWithExpressionButNoErrorPrefix() throws {
    let text = "!{timestamp:yyyy/MM/dd}"
    #expect(try evaluate(try Prefix(parsing: text)) == "2018/08/27")
    #expect(throws: SettingErrors.self) { try Prefix.errorPrefix(parsing: nil, besides: text) }
  }

  @Test func guideRowWithRandomString() throws {
    let text =
      "myFirehose/DeliveredYear=!{timestamp:yyyy}/anyMonth/rand=!{firehose:random-string}"
    let result = try evaluate(try Prefix(parsing: text))
    let start = "myFirehose/DeliveredYear=2018/anyMonth/rand="
    #expect(result.hasPrefix(start))
    let random = result.dropFirst(start.count)
    #expect(random.count == 11)
    #expect(random.allSatisfy { $0.isASCII && ($0.isNumber || $0.isLowercase) })
    #expect(try evaluate(try Prefix(parsing: text)) == result)
    let failures = try Prefix.errorPrefix(
      parsing:
        "myFirehoseFailures/!{firehose:error-output-type}/!{timestamp:yyyy}/anyMonth/!{timestamp:dd}",
      besides: text)
    #expect(
      try evaluate(failures, error: .processingFailed)
        == "myFirehoseFailures/processing-failed/2018/anyMonth/27")
  }

  @Test func guideRowWithPlainPrefix() throws {
    let prefix = try Prefix(parsing: "myFirehosePrefix")
    #expect(try evaluate(prefix) == "myFirehosePrefix2018/08/27/10/")
    #expect(prefix.warning?.contains("does not end with '/'") == true)
    #expect(try Prefix(parsing: "myFirehosePrefix/").warning == nil)
    #expect(try Prefix(parsing: "year=!{timestamp:yyyy}").warning == nil)
    let failures = try Prefix.errorPrefix(parsing: nil, besides: "myFirehosePrefix/")
    #expect(
      try evaluate(failures, error: .processingFailed)
        == "myFirehosePrefix/processing-failed/2018/08/27/10/")
  }

  @Test func everyRandomStringDiffers() throws {
    let text = "!{firehose:random-string}/!{firehose:random-string}/!{timestamp:yyyy}"
    let parts = try evaluate(try Prefix(parsing: text)).split(separator: "/")
    #expect(parts[0] != parts[1])
  }

  @Test(arguments: [
    ("a!{timestamp:yyyy", 2, "not closed"),
    ("!{timestamp}", 1, "namespace:value"),
    ("x/!{time:yyyy}", 5, "unknown"),
    ("!{timestamp:yyyy/bb}", 18, "letter 'b'"),
    ("!{timestamp:}", 13, "empty"),
    ("!{timestamp:'open}", 13, "not closed"),
    ("!{timestamp:yyyy[MM]}", 17, "reserved"),
    ("!{timestamp:HHH}", 13, "too many"),
    ("!{firehose:random}", 12, "unknown"),
    ("!{firehose:error-output-type}/", 12, "error prefix only"),
    ("!{partitionKeyFromQuery:}", 25, "no id"),
    ("a/../b", 1, "folder"),
  ])
  func refusals(_ text: String, _ column: Int, _ message: String) throws {
    let error = try #require(throws: SettingErrors.self) { try Prefix(parsing: text) }
    #expect(error.errors.count == 1)
    #expect(error.errors[0].column == column)
    #expect(error.errors[0].message.contains(message))
    #expect(!error.errors[0].hint.isEmpty)
  }

  @Test(arguments: [
    ("e/!{timestamp:yyyy}/", "needs the error type"),
    ("!{firehose:error-output-type}/!{partitionKeyFromQuery:a}/", "partition keys"),
  ])
  func errorPrefixRefusals(_ text: String, _ message: String) throws {
    let error = try #require(throws: SettingErrors.self) {
      try Prefix.errorPrefix(parsing: text, besides: nil)
    }
    #expect(error.errors.map(\.message).joined().contains(message))
  }

  @Test func allErrorsAreReportedTogether() throws {
    let error = try #require(throws: SettingErrors.self) {
      try Prefix(parsing: "!{a:b}/!{timestamp:b}/!{firehose:c}")
    }
    #expect(error.errors.map(\.column) == [3, 20, 34])
  }

  @Test(arguments: [
    ("Zürich", "Zürich"), ("a/b", "a%2Fb"), ("..", "%2E%2E"), (".", "%2E"), ("a\u{1}b", "a%01b"),
    ("", "__HIVE_DEFAULT_PARTITION__"), ("50%", "50%25"), ("k=v", "k%3Dv"), ("a b", "a b"),
  ])
  func partitionValuesMakeSafeFolders(_ value: String, _ folder: String) throws {
    let prefix = try Prefix(parsing: "c=!{partitionKeyFromQuery:c}/!{timestamp:yyyy}/")
    #expect(prefix.partitionKeys == ["c"])
    #expect(try evaluate(prefix, values: ["c": value]) == "c=\(folder)/2018/")
  }

  @Test func missingAndLongPartitionValuesFail() throws {
    let prefix = try Prefix(parsing: "!{partitionKeyFromQuery:c}/")
    #expect(throws: DeliveryError.self) { try evaluate(prefix) }
    let long = String(repeating: "x", count: 256)
    let error = try #require(throws: DeliveryError.self) {
      try evaluate(prefix, values: ["c": long])
    }
    #expect(error.code == "Partitioning.PrefixTooLong")
    #expect(error.remedy == .none)
  }
}

struct TimestampPatternTests {
  @Test(arguments: [
    ("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2018-08-27T10:30:05.070Z"),
    ("yy/M/d H:m:s", "18/8/27 10:30:5"),
    ("D DDD", "239 239"), ("EEE EEEE EEEEE", "Mon Monday M"), ("MMM MMMM MMMMM", "Aug August A"),
    ("h a KK kk", "10 AM 10 10"), ("QQ QQQ QQQQ", "03 Q3 3rd quarter"),
    ("xxx Z VV z", "+00:00 +0000 UTC UTC"),
    ("'o''clock' ''", "o'clock '"), ("A n N", "37805070 70000000 37805070000000"),
    ("SSSSSS S", "070000 0"), ("u", "2018"), ("w", "35"), ("yyyyy", "02018"),
  ])
  func fields(_ pattern: String, _ expected: String) throws {
    #expect(try TimestampPattern(pattern, setting: "p").text(at: moment + 5_070) == expected)
  }

  @Test(arguments: [
    (2024, 12, 30, "YYYY yyyy w", "2025 2024 1"), (2022, 1, 1, "YYYY w", "2022 1"),
    (10_000, 1, 1, "yyyy y", "+10000 10000"), (1900, 2, 28, "yyyy-MM-dd DDD", "1900-02-28 059"),
    (2038, 1, 19, "yyyy E", "2038 Tue"), (0, 1, 1, "u y", "0 1"),
  ])
  func years(_ year: Int, _ month: Int, _ day: Int, _ pattern: String, _ expected: String) throws {
    let time = CivilTime(year: year, month: month, day: day).milliseconds
    #expect(try TimestampPattern(pattern, setting: "p").text(at: time) == expected)
  }

  @Test func midnightHours() throws {
    let pattern = try TimestampPattern("HH kk hh KK a", setting: "p")
    #expect(pattern.text(at: CivilTime(year: 2020).milliseconds) == "00 24 12 00 AM")
    #expect(pattern.text(at: CivilTime(year: 2020, hour: 12).milliseconds) == "12 12 12 00 PM")
  }
}
