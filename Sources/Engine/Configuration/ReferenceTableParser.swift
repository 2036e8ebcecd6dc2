import Yams

/// Reads `reference_tables:` of a pipeline file.
extension PipelineParser {
  func parseReferenceTables(_ root: MappingReader) -> [ReferenceTableSettings] {
    var names: Set<String> = []
    return root.mappings("reference_tables").compactMap { table in
      defer { table.finish() }
      let name = table.requiredString("table") ?? ""
      if !name.isEmpty, !names.insert(name).inserted {
        reader.report("the table '\(name)' is declared twice", at: table.value("table"))
      }
      guard let source = parseSource(table) else { return nil }
      var hasHeader = false
      let format = parseFormat(table) { hasHeader = $0.boolean("header") ?? false }
      if hasHeader, case .topic = source {
        reader.report(
          "records of a topic have no header line", at: table.value("csv"),
          hint: "leave header out")
      }
      var settings = ReferenceTableSettings(
        table: name, source: source, format: format, hasHeader: hasHeader,
        columns: parseColumns(table), refresh: parseRefresh(table, source),
        byteLimit: table.size("max_size", in: 1...(1 << 30)) ?? 256 << 20)
      settings.place.line = table.node.mark?.line ?? 0
      settings.place.column = table.node.mark?.column ?? 0
      return settings
    }
  }

  private func parseRefresh(
    _ table: MappingReader, _ source: ReferenceTableSettings.Source
  ) -> Int64 {
    let usual: Int64 = if case .topic = source { 5_000 } else { 60_000 }
    return table.duration("refresh", in: 100...86_400_000) ?? usual
  }

  private func parseSource(_ table: MappingReader) -> ReferenceTableSettings.Source? {
    let given = ["file", "s3", "kafka"].filter { table.value($0) != nil }
    guard given.count == 1 else {
      reader.report(
        "\(table.path) needs exactly one of file, s3 and kafka", at: table.node,
        hint: "file: sites.csv, s3: {bucket: b, key: sites.csv}, or kafka: {topic: sites}")
      return nil
    }
    switch given[0] {
    case "file":
      guard let path = table.requiredString("file"), !path.isEmpty else { return nil }
      let folder = reader.file.lastIndex(of: "/").map { String(reader.file[...$0]) } ?? ""
      return .file(path: path.hasPrefix("/") ? path : folder + path)
    case "s3":
      guard let object = table.mapping("s3") else { return nil }
      defer { object.finish() }
      let store = OutputParser(reader: reader).objectStore(keysOf: object)
      guard let bucket = object.requiredString("bucket"), let key = object.requiredString("key")
      else { return nil }
      return .object(bucket: bucket, key: key, store: store)
    default:
      guard let kafka = table.mapping("kafka") else { return nil }
      defer { kafka.finish() }
      return .topic(
        name: kafka.requiredTopic("topic") ?? "", keyColumn: kafka.string("key_column"))
    }
  }
}
