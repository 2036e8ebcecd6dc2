internal import Codecs

/// Inputs, outputs and reference tables.
extension ApplicationReader {
  mutating func input(_ input: Element) throws(ImportProblem) -> PipelineText.Input {
    guard let schema = input["inputschema", "schema"] else {
      throw problem(
        input, "the input has no InputSchema", hint: "without columns no record can be read")
    }
    let (format, csv, rowPath) = self.format(schema)
    var result = PipelineText.Input(
      stream: try stream(input), topic: try topic(input), format: format, csv: csv,
      rowPath: rowPath)
    result.start = start(input)
    let columns = schema.all("recordcolumns", "recordcolumn")
    guard !columns.isEmpty else { throw problem(schema, "the input has no RecordColumns") }
    for column in columns {
      result.columns.append(try self.column(column, isJSON: format == "json"))
    }
    if let encoding = schema["recordencoding"], let text = encoding.literal, text != "UTF-8" {
      remark(encoding, "records must be UTF-8, not \(text)")
    }
    if let processing = input["inputprocessingconfiguration", "processingconfiguration"] {
      let lambda = processing["inputlambdaprocessor", "lambda"]
      let name = lambda?["resourcearn"].map { resourceName($0, "the function") } ?? "function"
      remark(
        processing,
        "the Lambda function '\(name)' changed records before the application: let it, or a program in "
          + "its place, write its results to the topic '\(result.topic)'")
    }
    if let count = input["inputparallelism", "parallelism"]?["count"], let text = count.literal,
      let number = Int(text), number > 1
    {
      remark(
        count,
        "the input had \(number) in-application streams; the topic is read as one, "
          + "\(result.stream): in the SQL leave out those that end in _002 and above")
    }
    return result
  }

  private mutating func stream(_ input: Element) throws(ImportProblem) -> String {
    if let prefix = input["nameprefix"] {
      return text(prefix, "the input's NamePrefix") + "_001"
    }
    if let name = input["inappstreamnames"] { return text(name, "the input's stream") }
    throw problem(input, "the input has no NamePrefix")
  }

  private mutating func topic(_ input: Element) throws(ImportProblem) -> String {
    if let arn = input["kinesisstreamsinput", "kinesisstream"]?["resourcearn"] {
      return topicName(arn, "the input's topic")
    }
    if let arn = input["kinesisfirehoseinput", "kinesisfirehose"]?["resourcearn"] {
      let topic = topicName(arn, "the input's topic")
      remark(
        arn,
        "the input was the Firehose stream '\(topic)': let its producers write to the topic '\(topic)'"
      )
      return topic
    }
    throw problem(
      input, "the input reads neither a Kinesis stream nor a Firehose stream",
      hint: "KinesisStreamsInput or KinesisFirehoseInput with a ResourceARN is missing")
  }

  /// The name of a stream as that of a topic; what stands for an unknown name is said.
  private mutating func topicName(_ arn: Element, _ what: String) -> String {
    let name = resourceName(arn, what)
    let plain = Self.plainName(name)
    if name.contains("${") { remark(arn, "\(what) is called '\(plain)' until you name it") }
    return plain
  }

  private mutating func start(_ input: Element) -> String {
    let configuration =
      input["inputstartingpositionconfiguration", "startingpositionconfiguration"]
    guard let position = configuration?["inputstartingposition", "startingposition"] else {
      return "latest"
    }
    switch text(position, "the starting position") {
    case "TRIM_HORIZON": return "trim_horizon"
    case "NOW": return "latest"
    default:
      remark(
        position,
        "the application went on where it stopped; the pipeline begins at the latest record: write "
          + "start: trim_horizon, or {timestamp: 'yyyy-MM-dd HH:mm:ss'}, to begin earlier")
      return "latest"
    }
  }

  private mutating func format(
    _ schema: Element
  ) -> (format: String, csv: PipelineText.CSV?, rowPath: String?) {
    let format = schema["recordformat"]
    let parameters = format?["mappingparameters"]
    let csv = parameters?["csvmappingparameters", "csv"]
    let json = parameters?["jsonmappingparameters", "json"]
    let type = format?["recordformattype"].map { text($0, "the record format") }
    guard type == "CSV" || type == nil && csv != nil else {
      let path = json?["recordrowpath"].map { text($0, "the row path") }
      return ("json", nil, path == "$" ? nil : path)
    }
    let column = csv?["recordcolumndelimiter"].map { text($0, "the column delimiter") } ?? ","
    let row = csv?["recordrowdelimiter"].map { text($0, "the row delimiter") } ?? "\n"
    return (
      "csv",
      PipelineText.CSV(
        columnDelimiter: Self.withEscapes(column), rowDelimiter: Self.withEscapes(row)), nil
    )
  }

  /// Delimiters are often written as escapes that were escaped themselves.
  private static func withEscapes(_ text: String) -> String {
    switch text {
    case "\\n": "\n"
    case "\\r\\n": "\r\n"
    case "\\t": "\t"
    default: text
    }
  }

  private mutating func column(
    _ column: Element, isJSON: Bool
  ) throws(ImportProblem) -> PipelineText.Column {
    guard let name = column["name"], let type = column["sqltype"] else {
      throw problem(column, "a record column needs a Name and a SqlType")
    }
    let path = column["mapping"].map { text($0, "the column's mapping") }
    if isJSON, let element = column["mapping"], let path, path != "" { checkPath(path, element) }
    return PipelineText.Column(
      name: text(name, "the column's name"), type: sqlType(type),
      path: isJSON && path != "" ? path : nil)
  }

  /// Notes a path that a pipeline may not have; it is written as it is, and `validate` names it again.
  private mutating func checkPath(_ path: String, _ element: Element) {
    do throws(JSONPathError) {
      _ = try JSONPath(path)
    } catch {
      let isElement = path.contains { "[" == $0 } && path.contains(where: \.isNumber)
      let hint =
        isElement
        ? "map the array as VARCHAR with a path that ends in [0:], and take an element in the "
          + "program: JSON_VALUE(column, '$[0]' RETURNING INTEGER)"
        : error.hint
      remark(element, "the path \(path) is not possible (\(error.message)): \(hint)")
    }
  }

  /// The type as a pipeline may have it; one that it may not have is changed and noted.
  private mutating func sqlType(_ element: Element) -> String {
    let written = Template.trimmed(text(element, "the column's type")).uppercased()
    let name = Template.trimmed(written.prefix { $0 != "(" })
    let numbers = written.split { !$0.isNumber }.compactMap { Int($0) }
    let bare = [
      "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT", "REAL", "DOUBLE",
      "DOUBLE PRECISION", "FLOAT", "DATE", "TIME", "TIMESTAMP",
    ]
    if bare.contains(name) { return name }
    var type: String
    switch name {
    case "DECIMAL", "DEC", "NUMERIC":
      let precision = min(max(numbers.first ?? 18, 1), 18)
      let scale = min(numbers.dropFirst().first ?? 0, precision)
      type = numbers.isEmpty ? name : "\(name)(\(precision), \(scale))"
      if numbers.count == 1 { type = "\(name)(\(precision))" }
    case "CHAR", "CHARACTER", "BINARY":
      type = numbers.isEmpty ? name : "\(name)(\(min(max(numbers[0], 1), 65_535)))"
    case "VARCHAR", "VARBINARY", "CHARACTER VARYING", "CHAR VARYING", "BINARY VARYING":
      type = "\(name)(\(min(max(numbers.first ?? 65_535, 1), 65_535)))"
    default: type = "VARCHAR(65535)"
    }
    if type.filter({ $0 != " " }) != written.filter({ $0 != " " }) {
      remark(element, "the type \(written) became \(type)")
    }
    return type
  }

  mutating func output(
    _ output: Element, _ application: String
  ) throws(ImportProblem) -> PipelineText.Output {
    guard let name = output["name"] else { throw problem(output, "the output has no Name") }
    let stream = text(name, "the output's stream")
    let schema = output["destinationschema", "schema"]
    let isCSV = schema?["recordformattype"]?.literal == "CSV"
    if let arn = output["kinesisstreamsoutput", "kinesisstream"]?["resourcearn"] {
      if isCSV { remark(output, "rows are written to the topic as JSON, not as CSV") }
      let topic = topicName(arn, "the output's topic")
      return PipelineText.Output(stream: stream, kind: .kafka(topic: topic))
    }
    let kind = PipelineText.Output.Kind.delivery(
      to: "file://./out/\(application)/\(Self.plainName(stream))",
      format: isCSV ? "csv" : "jsonl")
    if let arn = output["kinesisfirehoseoutput", "kinesisfirehose"]?["resourcearn"] {
      let delivery = resourceName(arn, "the delivery stream")
      remark(
        arn,
        "\(stream) went to the Firehose stream '\(delivery)', whose settings are not in this file; its rows "
          + "go to files now: write its destination as delivery.to, its buffer as buffer: {size, "
          + "interval}, its compression and its prefix")
    } else if let arn = output["lambdaoutput", "lambda"]?["resourcearn"] {
      let function = resourceName(arn, "the function")
      remark(
        arn,
        "\(stream) went to the Lambda function '\(function)'; its rows go to files now: to have a "
          + "program called, write webhook: {url: …} or kafka: {topic: …} in place of delivery")
    } else {
      throw problem(
        output, "the output \(stream) goes nowhere",
        hint:
          "a KinesisStreamsOutput, KinesisFirehoseOutput or LambdaOutput with a ResourceARN is missing"
      )
    }
    return PipelineText.Output(stream: stream, kind: kind)
  }

  /// A pipeline needs an output, an application did not.
  mutating func standardOutput(
    _ sql: Element, _ application: String, program: String
  ) -> PipelineText.Output {
    let usual = "DESTINATION_SQL_STREAM"
    let streams = Self.createdStreams(program)
    let stream = streams.contains(usual) ? usual : streams.last ?? usual
    remark(
      sql, "the application has no output; \(stream) goes to files: name the stream that you want")
    return PipelineText.Output(
      stream: stream,
      kind: .delivery(to: "file://./out/\(application)/\(stream)", format: "jsonl"))
  }

  /// The names behind CREATE [OR REPLACE] STREAM, as they must be written to be found.
  private static func createdStreams(_ program: String) -> [String] {
    let words = program.split { $0.isWhitespace || $0 == "(" || $0 == ";" }
    return words.indices.dropFirst().dropLast().compactMap { index in
      let before = words[index - 1].uppercased()
      guard words[index].uppercased() == "STREAM", before == "CREATE" || before == "REPLACE" else {
        return nil
      }
      let name = words[index + 1]
      guard name.hasPrefix("\"") else { return name.uppercased() }
      return name.count > 2 && name.hasSuffix("\"") ? String(name.dropFirst().dropLast()) : nil
    }
  }

  mutating func referenceTable(
    _ table: Element
  ) throws(ImportProblem) -> PipelineText.ReferenceTable {
    guard let name = table["tablename"] else {
      throw problem(table, "the reference table has no TableName")
    }
    let source = table["s3referencedatasource", "s3"]
    guard let bucket = source?["bucketarn"], let key = source?["filekey"] else {
      throw problem(
        table, "the reference table has no S3 object",
        hint: "an S3ReferenceDataSource with BucketARN and FileKey is missing")
    }
    guard let schema = table["referenceschema", "schema"] else {
      throw problem(table, "the reference table has no ReferenceSchema")
    }
    let (format, csv, rowPath) = self.format(schema)
    var result = PipelineText.ReferenceTable(
      table: text(name, "the reference table's name"),
      bucket: resourceName(bucket, "the bucket"), key: text(key, "the object's key"),
      format: format, csv: csv, rowPath: rowPath)
    for column in schema.all("recordcolumns", "recordcolumn") {
      result.columns.append(try self.column(column, isJSON: format == "json"))
    }
    guard !result.columns.isEmpty else {
      throw problem(schema, "the reference table has no RecordColumns")
    }
    remark(
      table,
      "the reference table \(result.table) is read from s3://\(result.bucket)/\(result.key): set s3.region "
        + "there, and the keys in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)")
    return result
  }

  /// What has no counterpart.
  mutating func noteTheRest(_ settings: Element) {
    for key in ["cloudwatchloggingoption", "cloudwatchloggingoptions"] {
      for option in settings.all(key) {
        remark(
          option,
          "CloudWatch logging: cutbank logs to standard error, rows that fail to error_stream")
      }
    }
    if let role = settings["serviceexecutionrole"] ?? Self.role(in: settings) {
      remark(
        role,
        "IAM roles: access to Kafka is set under kafka: in cutbank.yaml or in the pipeline, or by "
          + "CUTBANK_KAFKA__… in the environment")
    }
    for tags in settings.all("tags").prefix(1) { remark(tags, "tags have no counterpart") }
    for block in settings.all("dynamic") {
      remark(block, "a dynamic block is not unfolded: write what it stands for")
    }
  }

  private static func role(in element: Element) -> Element? {
    switch element.kind {
    case .table(let members):
      for member in members {
        if ["rolearn", "referencerolearn"].contains(Element.key(member.name)) {
          if member.value.kind != .null { return member.value }
        } else if let found = role(in: member.value) {
          return found
        }
      }
      return nil
    case .list(let elements): return elements.lazy.compactMap(role).first
    case .null, .text: return nil
    }
  }
}
