import Migration
import Testing

/// Single settings, in the forms in which they are written.
@Suite struct DetailTests {
  /// An application in Terraform with one changed place.
  static func terraform(
    code: String = "\"-- x\"", arn: String = "\"arn:aws:kinesis:r:1:stream/t\"", more: String = ""
  ) -> String {
    """
    \(more)
    resource "aws_kinesis_analytics_application" "a" {
      name = "a"
      code = \(code)
      inputs {
        name_prefix = "S"
        kinesis_stream { resource_arn = \(arn) }
        schema {
          record_columns { name = "a", sql_type = "INTEGER" }
        }
      }
    }
    """.replacing("\"a\", sql_type", with: "\"a\"\n sql_type")
  }

  static func template(code: String, arn: String = "arn:aws:kinesis:r:1:stream/t") -> String {
    """
    Parameters: {Limit: {Default: 7}, Stage: {Default: test}, Free: {Type: String}}
    Resources:
      Numbers: {Type: "AWS::Kinesis::Stream", Properties: {Name: numbers}}
      Nameless: {Type: "AWS::Kinesis::Stream"}
      App:
        Type: AWS::KinesisAnalytics::Application
        Properties:
          ApplicationCode: \(code)
          Inputs:
            - NamePrefix: S
              KinesisStreamsInput: {ResourceARN: \(arn)}
              InputSchema: {RecordColumns: [{Name: a, SqlType: INTEGER}]}
    """
  }

  static func only(_ text: String, file: String) throws -> ImportedApplication {
    let applications = try importKinesisAnalytics(text, file: file) { "-- the file \($0)" }
    return try #require(applications.first)
  }

  static let terraformPrograms: [(String, String)] = [
    (#""a \"b\" \n\t\\ \u0041""#, "a \"b\" \n\t\\ A\n"),
    ("<<EOF\n  one\n    two\nEOF", "  one\n    two\n"),
    ("<<-EOF\n  one\n\n    two\n  EOF", "one\n\n  two\n"),
    ("<<SQL\na \\n b # no comment\nSQL", "a \\n b # no comment\n"),
    ("\"${var.n} $${n} ${\"nested\"}\"", "7 ${n} ${\"nested\"}\n"),
    ("local.text", "7 of 7\n"),
    ("file(\"${path.module}/sql/a.sql\") // there", "-- the file sql/a.sql\n"),
    ("file(\"a.sql\")", "-- the file a.sql\n"),
    ("var.none", "${var.none}\n"),
    ("\"x\" /* here */ # and here", "x\n"),
  ]

  @Test(arguments: terraformPrograms) func terraformTexts(_ code: String, _ expected: String) throws
  {
    let more = "variable \"n\" { default = 7 }\nlocals { text = \"${var.n} of ${var.n}\" }"
    let text = Self.terraform(code: code, more: more)
    #expect(try Self.only(text, file: "a.tf").program == expected)
  }

  static let templateCodes: [(String, String)] = [
    ("plain", "plain\n"),
    ("!Sub 'x > ${Limit} ${!kept} ${AWS::Region}'", "x > 7 ${kept} ${AWS::Region}\n"),
    ("!Sub ['${A}-${B}-${Limit}', {A: one, B: !Ref Stage}]", "one-test-7\n"),
    ("!Join ['; ', [a, !Ref Stage, {Ref: Limit}]]", "a; test; 7\n"),
    ("{'Fn::Join': ['', [a, b]]}", "ab\n"),
    ("{'Fn::Sub': 'x ${Numbers}'}", "x numbers\n"),
    ("!Ref Free", "${Free}\n"),
    ("!ImportValue other", "${ImportValue other}\n"),
    ("|\n        two\n          lines\n", "two\n  lines\n"),
  ]

  @Test(arguments: templateCodes) func templateTexts(_ code: String, _ expected: String) throws {
    #expect(try Self.only(Self.template(code: code), file: "a.yaml").program == expected)
  }

  static let topics: [(String, String)] = [
    ("arn:aws:kinesis:eu-west-1:1:stream/clicks", "clicks"),
    ("!GetAtt Numbers.Arn", "numbers"),
    ("!GetAtt Nameless.Arn", "Nameless"),
    ("{'Fn::GetAtt': [Numbers, Arn]}", "numbers"),
    ("!Sub 'arn:aws:kinesis:${AWS::Region}:${AWS::AccountId}:stream/${Stage}-in'", "test-in"),
    ("!Sub 'arn:${AWS::Partition}:kinesis:${AWS::Region}:1:stream/in'", "in"),
    ("!Join [':', ['arn:aws:kinesis', !Ref 'AWS::Region', '1', 'stream/joined']]", "joined"),
    ("!Sub 'arn:aws:kinesis:${AWS::Region}:1:stream/${Free}-in'", "Free-in"),
  ]

  @Test(arguments: topics) func templateTopics(_ arn: String, _ topic: String) throws {
    let pipeline = try Self.only(Self.template(code: "x", arn: arn), file: "a.yaml").pipeline
    #expect(pipeline.contains("kafka: {topic: \(topic), start: latest}"), "\(pipeline)")
  }

  @Test func onlyUnknownPartsOfANameAreReported() throws {
    let region = "!Sub 'arn:aws:kinesis:${AWS::Region}:1:stream/in'"
    let known = try Self.only(Self.template(code: "x", arn: region), file: "a.yaml")
    #expect(!known.remarks.contains { $0.message.contains("AWS::Region") })
    let free = "!Sub 'arn:aws:kinesis:${AWS::Region}:1:stream/${Free}'"
    let unknown = try Self.only(Self.template(code: "x", arn: free), file: "a.yaml")
    #expect(
      unknown.remarks.map(\.message).contains(
        "the input's topic holds Free, which is not in this file: write its value in place of "
          + "'${Free}'"))
    #expect(unknown.remarks.contains { $0.message.hasSuffix("is called 'Free' until you name it") })
  }

  @Test func theLastStreamIsTheOutputOfAnApplicationWithoutOne() throws {
    let code = ##"'CREATE STREAM a (x INTEGER); create or replace stream "Out"(x INTEGER);'"##
    let template = Self.template(code: code, arn: "arn:aws:kinesis:us-east-1:1:stream/in")
    let application = try Self.only(template, file: "a.yaml")
    #expect(application.pipeline.contains("stream: Out\n"), "\(application.pipeline)")
  }

  @Test func anApplicationWithoutOutputGetsOneAndARemark() throws {
    let application = try Self.only(Self.terraform(), file: "a.tf")
    #expect(application.pipeline.contains("delivery: {to: file://./out/a/DESTINATION_SQL_STREAM"))
    #expect(application.remarks.contains { $0.message.hasPrefix("the application has no output") })
  }

  @Test func charactersBeyondTheFirstPlaneSurvive() throws {
    let text = Self.template(code: #""\ud83d\ude80 \u00e9 \\ud83d""#)
    #expect(try Self.only(text, file: "a.yaml").program == "🚀 é \\ud83d\n")
  }

  /// Single elements cannot be mapped and some types do not exist: both are said with their place.
  @Test func typesAndPathsThatAPipelineMayNotHaveAreNamed() throws {
    let text = Self.template(code: "-- x").replacing(
      "{Name: a, SqlType: INTEGER}",
      with: "{Name: a, SqlType: GEOMETRY, Mapping: '$.a[0]'}, "
        + "{Name: b, SqlType: 'DECIMAL(30,2)', Mapping: $..b}, {Name: c, SqlType: INT, Mapping: $.c}"
    )
    let application = try Self.only(text, file: "a.yaml")
    let messages = application.remarks.map(\.message)
    #expect(messages.contains("the type GEOMETRY became VARCHAR(65535)"))
    #expect(messages.contains("the type DECIMAL(30,2) became DECIMAL(18, 2)"))
    let paths = messages.filter { $0.hasPrefix("the path ") }
    #expect(paths.count == 2, "\(messages)")
    #expect(paths[0].hasPrefix("the path $.a[0] is not possible"))
    #expect(paths[0].contains("JSON_VALUE"))
    #expect(paths[1].contains("'..' is not supported"))
  }
}
