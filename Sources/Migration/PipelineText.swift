/// A pipeline file to be written.
struct PipelineText {
  struct CSV {
    let columnDelimiter: String
    let rowDelimiter: String
  }

  struct Column {
    let name: String
    let type: String
    let path: String?
  }

  struct Input {
    let stream: String
    let topic: String
    var start = "latest"
    let format: String
    let csv: CSV?
    let rowPath: String?
    var columns: [Column] = []

    init(stream: String, topic: String, format: String, csv: CSV?, rowPath: String?) {
      self.stream = stream
      self.topic = topic
      self.format = format
      self.csv = csv
      self.rowPath = rowPath
    }
  }

  struct ReferenceTable {
    let table: String
    let bucket: String
    let key: String
    let format: String
    let csv: CSV?
    let rowPath: String?
    var columns: [Column] = []

    init(
      table: String, bucket: String, key: String, format: String, csv: CSV?, rowPath: String?
    ) {
      self.table = table
      self.bucket = bucket
      self.key = key
      self.format = format
      self.csv = csv
      self.rowPath = rowPath
    }
  }

  struct Output {
    enum Kind {
      case kafka(topic: String)
      case delivery(to: String, format: String)
    }

    let stream: String
    let kind: Kind
  }

  let name: String
  var inputs: [Input] = []
  var tables: [ReferenceTable] = []
  var outputs: [Output] = []

  /// The file.
  var text: String {
    var lines = [
      "# Imported from the Kinesis Data Analytics application \(name).",
      "name: \(Self.scalar(name))",
      "application: \(Self.scalar(name + ".sql"))",
    ]
    let writesToKafka = outputs.contains { if case .kafka = $0.kind { true } else { false } }
    if writesToKafka {
      lines += ["# As in the original: a row may reach a topic twice.", "guarantee: at_least_once"]
    }
    lines += ["", "inputs:"]
    for input in inputs { lines += Self.lines(input) }
    if !tables.isEmpty { lines += ["", "reference_tables:"] }
    for table in tables { lines += Self.lines(table) }
    lines += ["", "outputs:"]
    for output in outputs { lines += Self.lines(output) }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func lines(_ input: Input) -> [String] {
    [
      "  - stream: \(scalar(input.stream))",
      "    kafka: {topic: \(scalar(input.topic)), start: \(input.start)}",
    ] + layout(input.format, input.csv, input.rowPath, input.columns)
  }

  private static func lines(_ table: ReferenceTable) -> [String] {
    [
      "  - table: \(scalar(table.table))",
      "    s3: {bucket: \(scalar(table.bucket)), key: \(scalar(table.key))}",
    ] + layout(table.format, table.csv, table.rowPath, table.columns)
  }

  private static func layout(
    _ format: String, _ csv: CSV?, _ rowPath: String?, _ columns: [Column]
  ) -> [String] {
    var lines = ["    format: \(format)"]
    if let csv, csv.columnDelimiter != "," || csv.rowDelimiter != "\n" {
      lines.append(
        "    csv: {column_delimiter: \(quoted(csv.columnDelimiter)), "
          + "row_delimiter: \(quoted(csv.rowDelimiter))}")
    }
    if let rowPath { lines.append("    row_path: \(scalar(rowPath))") }
    lines.append("    columns:")
    for column in columns {
      let path = column.path.map { ", path: \(scalar($0))" } ?? ""
      lines.append("      - {name: \(scalar(column.name)), type: \(scalar(column.type))\(path)}")
    }
    return lines
  }

  private static func lines(_ output: Output) -> [String] {
    let first = "  - stream: \(scalar(output.stream))"
    switch output.kind {
    case .kafka(let topic): return [first, "    kafka: {topic: \(scalar(topic))}"]
    case .delivery(let place, let format):
      return [first, "    delivery: {to: \(scalar(place)), format: \(format)}"]
    }
  }

  /// A text as YAML, quoted where it would be read as something else.
  static func scalar(_ text: String) -> String {
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
    let isPlain =
      (text.first.map { $0.isLetter || $0 == "_" || $0 == "$" } ?? false)
      && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-.$()/:".contains($0)) }
      && !text.hasSuffix(":") && !words.contains(text.lowercased())
    return isPlain ? text : quoted(text)
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case let control where control.value < 32 || control.value == 127:
        let digits = String(control.value, radix: 16)
        result += "\\x" + String(repeating: "0", count: 2 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
