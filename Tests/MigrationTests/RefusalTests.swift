import Foundation
import Migration
import Testing

/// Files that are no application, or one that no pipeline can be made of.
@Suite struct RefusalTests {
  struct Case: Sendable, CustomStringConvertible {
    var file = "a.json"
    let text: String
    let expect: String

    var description: String { expect }
  }

  static let input = """
    "Inputs": [{"NamePrefix": "S", "KinesisStreamsInput": {"ResourceARN": "arn:aws:kinesis:r:1:stream/t"},
    "InputSchema": {"RecordColumns": [{"Name": "a", "SqlType": "INTEGER"}]}}]
    """

  static let cases: [Case] = [
    Case(text: "", expect: "a.json: error: the file is empty"),
    Case(
      file: "app.sql", text: "-- scores\n/* of\n rides */ create OR REPLACE STREAM S (a INTEGER);",
      expect: "app.sql: error: this is a program without the application around it"),
    Case(text: "CREATED: 1", expect: "a.json:1:1: error: neither 'ApplicationDetail'"),
    Case(text: "[1, 2]", expect: "a.json:1:1: error: the file holds no object"),
    Case(
      text: #"{"ApplicationSummaries": []}"#,
      expect: "a.json:1:1: error: neither 'ApplicationDetail' nor 'Resources' is in the file"),
    Case(
      text: "{\"a\": 1,\n \"b\": ]}", expect: "a.json:2:7: error: this is neither JSON nor YAML"),
    Case(text: #"{"a": 1, "a": 2}"#, expect: "a.json:1:2: error: the key a stands twice"),
    Case(
      text: #"{"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}"#,
      expect:
        "a.json:1:15: error: no resource of the template is a Kinesis Data Analytics application"),
    Case(
      text: #"{"Resources": {"A": {"Type": "AWS::KinesisAnalytics::Application"}}}"#,
      expect: "a.json:1:21: error: A has no Properties"),
    Case(
      text: #"{"ApplicationDetail": {"ApplicationName": "a", "RuntimeEnvironment": "FLINK-1_15"}}"#,
      expect: "a.json:1:70: error: the application runs FLINK-1_15, not SQL"),
    Case(
      text: #"{"ApplicationDetail": {"ApplicationName": "a", \#(input)}}"#,
      expect: "a.json:1:23: error: the application has no SQL"),
    Case(
      text: #"{"ApplicationDetail": {"ApplicationName": "a", "ApplicationCode": " ", \#(input)}}"#,
      expect: "a.json:1:67: error: the application's SQL is empty"),
    Case(
      text: #"{"ApplicationDetail": {"ApplicationName": "a", "ApplicationCode": "-- x"}}"#,
      expect: "a.json:1:23: error: the application has no input"),
    Case(
      text:
        #"{"ApplicationDetail": {"ApplicationCode": "-- x", "InputDescriptions": [{"NamePrefix": "S"}]}}"#,
      expect: "a.json:1:73: error: the input has no InputSchema"),
    Case(
      text: #"""
        {"ApplicationDetail": {"ApplicationCode": "-- x", "Inputs": [{"NamePrefix": "S",
        "InputSchema": {}}]}}
        """#,
      expect: "a.json:1:62: error: the input reads neither a Kinesis stream nor a Firehose stream"),
    Case(
      text:
        #"{"ApplicationDetail": {"ApplicationCode": "-- x", \#(input), "Outputs": [{"Name": "D"}]}}"#,
      expect: "a.json:2:88: error: the output D goes nowhere"),
    Case(
      file: "a.tf", text: "resource \"aws_s3_bucket\" \"b\" {}\n",
      expect: "a.tf: error: no resource of the file is a Kinesis Data Analytics application"),
    Case(
      file: "a.tf", text: "resource \"aws_kinesis_analytics_application\" \"b\" {\n  name = \"x\n}",
      expect: "a.tf:2:10: error: the text has no end"),
    Case(
      file: "a.tf", text: "resource \"a\" \"b\" {\n  name = \"x\"\n",
      expect: "a.tf:1:18: error: the block has no end"),
    Case(
      file: "a.tf", text: "a = <<EOF\nx\n",
      expect: "a.tf:1:5: error: the text <<EOF has no end"),
    Case(file: "a.tf", text: "a =\n", expect: "a.tf:1:4: error: a value is missing"),
    Case(file: "a.tf", text: "a b\n", expect: "a.tf:1:4: error: '=' or '{' must follow 'a'"),
    Case(
      file: "a.tf", text: "a = " + String(repeating: "[", count: 10_000),
      expect: "a.tf:1:104: error: blocks and values are nested deeper than 100 levels"),
    Case(
      file: "a.tf",
      text:
        "resource \"aws_kinesis_analytics_application\" \"b\" {\n  code = file(\"no.sql\")\n}\n",
      expect: "a.tf:2:10: error: the application's SQL no.sql cannot be read"),
  ]

  @Test(arguments: cases) func aBadFileIsRefusedWithItsPlace(_ test: Case) throws {
    let problem = #expect(throws: ImportProblem.self) {
      try importKinesisAnalytics(test.text, file: test.file, readFile: noFile)
    }
    let description = problem?.description ?? ""
    #expect(description.hasPrefix(test.expect), "\(description)")
  }

  @Test func twoApplicationsOfOneNameAreRefused() throws {
    let fixture = try #require(Fixture.all.last)
    let text = try fixture.text
    let problem = #expect(throws: ImportProblem.self) {
      try importKinesisAnalytics(
        text + text, file: fixture.file, readFile: fixture.read)
    }
    #expect(problem?.message == "there is another application 'old-test'")
  }

  /// Whatever happens to a file: an application or a refusal, never a crash.
  @Test(arguments: Fixture.all) func damagedFilesAreRefusedOrRead(_ fixture: Fixture) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var state = seed
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
    let bytes = Array(try fixture.text.utf8)
    let interesting = Array("{}[]\"'\\$<#:=,!&*|\n\t ".utf8)
    var outcomes = (read: 0, refused: 0)
    for _ in 0..<400 {
      var damaged = bytes
      for _ in 0...next(3) {
        let place = next(damaged.count)
        switch next(4) {
        case 0: damaged[place] = interesting[next(interesting.count)]
        case 1: damaged.insert(interesting[next(interesting.count)], at: place)
        case 2: damaged.remove(at: place)
        default: damaged.removeSubrange(place..<min(damaged.count, place + next(200)))
        }
      }
      do throws(ImportProblem) {
        let text = String(decoding: damaged, as: UTF8.self)
        let applications = try importKinesisAnalytics(
          text, file: fixture.file, readFile: fixture.read)
        #expect(!applications.isEmpty, "seed \(seed)")
        outcomes.read += 1
      } catch {
        #expect(error.file == fixture.file, "seed \(seed)")
        outcomes.refused += 1
      }
    }
    #expect(outcomes.refused > 0, "seed \(seed)")
  }
}
