import Delivery
import Transport
import Yams

/// Reads the outputs of a pipeline file and checks what needs no SQL.
struct OutputParser {
  let reader: ConfigurationReader

  func outputs(_ root: MappingReader) -> [PipelineConfiguration.Output] {
    root.mappings("outputs").compactMap { output in
      defer { output.finish() }
      let stream = output.requiredString("stream") ?? ""
      let given = ["delivery", "webhook", "kafka"].compactMap { name in
        output.mapping(name).map { (name, $0) }
      }
      guard given.count == 1, let (name, mapping) = given.first else {
        reader.report(
          "\(output.path) needs exactly one of delivery, webhook and kafka", at: output.node)
        return nil
      }
      defer { mapping.finish() }
      let kind: PipelineConfiguration.Output.Kind
      switch name {
      case "delivery": kind = delivery(mapping)
      case "webhook": kind = .webhook(WebhookParser(reader: reader).webhook(mapping))
      default:
        var topic = TopicSettings(topic: mapping.requiredTopic("topic") ?? "")
        topic.key = mapping.string("key")
        topic.includesID = mapping.boolean("id") ?? false
        kind = .kafka(topic)
      }
      var result = PipelineConfiguration.Output(stream: stream, kind: kind)
      result.place = Place(of: mapping.node)
      return result
    }
  }

  // MARK: Deliveries

  /// Where dead letters go: their format is given.
  func deadLetters(_ mapping: MappingReader) -> DeliverySettings {
    var settings = DeliverySettings(destination: mapping.requiredString("to") ?? "")
    let url = destination(settings.destination, mapping)
    if case .httpEndpoint? = url {
      reader.report(
        "dead letters cannot be posted to an endpoint", at: mapping.value("to"),
        hint: "use file://, s3:// or kafka://")
    }
    compression(&settings, mapping)
    buffer(&settings, mapping)
    prefixes(&settings, mapping)
    settings.objectStore = objectStore(mapping)
    return settings
  }

  private func delivery(_ mapping: MappingReader) -> PipelineConfiguration.Output.Kind {
    var settings = DeliverySettings(destination: mapping.requiredString("to") ?? "")
    let url = destination(settings.destination, mapping)
    settings.includesID = mapping.boolean("id") ?? false
    if case .topic(let name)? = url {
      var topic = TopicSettings(topic: name)
      topic.includesID = settings.includesID
      return .kafka(topic)
    }
    settings.encoding =
      mapping.choice(
        "format",
        [
          ("jsonl", .jsonLines), ("json", .jsonLines), ("csv", .csv), ("raw", .raw),
          ("parquet", .parquet),
        ]) ?? .jsonLines
    if settings.includesID, settings.encoding != .jsonLines {
      reader.report(
        "\(settings.encoding.rawValue) has no place for the id of a row", at: mapping.value("id"),
        hint: "leave id out, or use format: jsonl")
    }
    settings.endsLines =
      mapping.choice("delimiter", [("newline", true), ("none", false)]) ?? true
    compression(&settings, mapping)
    buffer(&settings, mapping)
    prefixes(&settings, mapping)
    partitioning(&settings, mapping)
    settings.objectStore = objectStore(mapping)
    settings.endpoint = endpoint(mapping)
    settings.retryMilliseconds =
      mapping.duration("retry", in: 0...7_200_000) ?? settings.retryMilliseconds
    settings.transform = transform(mapping)
    settings.backup = backup(mapping)
    check(settings, url, mapping)
    return .delivery(settings)
  }

  private func destination(_ text: String, _ mapping: MappingReader) -> DestinationURL? {
    guard !text.isEmpty else { return nil }
    do {
      return try DestinationURL(parsing: text)
    } catch {
      report(error, at: mapping.value("to"), in: mapping)
      return nil
    }
  }

  private func compression(_ settings: inout DeliverySettings, _ mapping: MappingReader) {
    let names = Compression.allCases.map { ($0.rawValue, $0.rawValue) }
    settings.compression =
      mapping.choice("compression", names)
      ?? (settings.encoding == .parquet ? Compression.snappy.rawValue : settings.compression)
  }

  private func buffer(_ settings: inout DeliverySettings, _ mapping: MappingReader) {
    if settings.encoding == .parquet { settings.bufferBytes = 64 * 1_048_576 }
    guard let buffer = mapping.mapping("buffer") else { return }
    let sizes = BufferingHints.sizeRange
    settings.bufferBytes =
      buffer.size("size", in: Int64(sizes.lowerBound)...Int64(sizes.upperBound))
      ?? settings.bufferBytes
    settings.bufferMilliseconds =
      buffer.duration("interval", in: BufferingHints.intervalRange) ?? settings.bufferMilliseconds
    let records = BufferingHints.recordRange
    settings.bufferRecords =
      buffer.integer("records", in: Int64(records.lowerBound)...Int64(records.upperBound))
    buffer.finish()
  }

  private func prefixes(_ settings: inout DeliverySettings, _ mapping: MappingReader) {
    settings.prefix = mapping.string("prefix")
    settings.errorPrefix = mapping.string("error_prefix")
    do {
      let prefix = try Prefix(parsing: settings.prefix)
      if let warning = prefix.warning {
        reader.report(warning, at: mapping.value("prefix"), severity: .warning)
      }
    } catch {
      for error in error.errors { report(error, at: mapping.value("prefix"), in: mapping) }
    }
    guard settings.errorPrefix != nil else { return }
    do {
      _ = try Prefix.errorPrefix(parsing: settings.errorPrefix, besides: settings.prefix)
    } catch {
      for error in error.errors { report(error, at: mapping.value("error_prefix"), in: mapping) }
    }
  }

  private func partitioning(_ settings: inout DeliverySettings, _ mapping: MappingReader) {
    settings.partitionKeys = mapping.stringTable("partition_keys").map {
      DeliverySettings.PartitionKey(id: $0.0, column: $0.1)
    }
    settings.partitionLimit = Int(mapping.integer("max_partitions", in: 1...5_000) ?? 500)
    for key in settings.partitionKeys
    where settings.prefix?.contains("!{partitionKeyFromQuery:\(key.id)}") != true {
      reader.report(
        "the partition key '\(key.id)' is not used in the prefix",
        at: mapping.value("partition_keys"),
        hint: "write !{partitionKeyFromQuery:\(key.id)} in prefix")
    }
  }

  private func objectStore(_ mapping: MappingReader) -> ObjectStoreSettings {
    guard let store = mapping.mapping("s3") else { return ObjectStoreSettings() }
    defer { store.finish() }
    return objectStore(keysOf: store)
  }

  /// How an object store is reached, from the keys of a mapping that may have others.
  func objectStore(keysOf store: MappingReader) -> ObjectStoreSettings {
    var settings = ObjectStoreSettings()
    settings.region = store.string("region") ?? settings.region
    settings.endpoint = store.string("endpoint")
    settings.usesPathStyle = store.boolean("path_style")
    settings.allow = addresses(store)
    guard let endpoint = settings.endpoint else { return settings }
    do {
      let opened = try ObjectStore(
        bucket: "bucket", region: settings.region, endpoint: endpoint)
      checkAddress(opened.endpoint, settings.allow, at: store.value("endpoint"), in: "s3")
    } catch {
      report(error, at: store.value("endpoint"), in: nil)
    }
    return settings
  }

  private func endpoint(_ mapping: MappingReader) -> HTTPEndpointSettings {
    var settings = HTTPEndpointSettings()
    guard let http = mapping.mapping("http") else { return settings }
    settings.accessKey = http.string("access_key") ?? ""
    for (name, value) in http.stringTable("attributes") { settings.attributes[name] = value }
    settings.allowsInsecure = http.boolean("allow_insecure") ?? false
    settings.allow = addresses(http)
    http.finish()
    return settings
  }

  private func transform(_ mapping: MappingReader) -> TransformSettings? {
    guard let transform = mapping.mapping("transform") else { return nil }
    let url = transform.requiredString("url") ?? ""
    if !url.isEmpty, WebURL(url) == nil {
      reader.report(
        "'\(url)' is no URL of a transform step", at: transform.value("url"),
        hint: "write https://host/path")
    }
    let settings = TransformSettings(url: url, allow: addresses(transform))
    if let parsed = WebURL(url) {
      checkAddress(parsed, settings.allow, at: transform.value("url"), in: "transform")
    }
    transform.finish()
    return settings
  }

  private func backup(_ mapping: MappingReader) -> BackupSettings? {
    guard let backup = mapping.mapping("backup") else { return nil }
    let to = backup.requiredString("to") ?? ""
    switch destination(to, backup) {
    case .httpEndpoint?, .topic?:
      reader.report(
        "a backup is a folder or an object store", at: backup.value("to"),
        hint: "use file:// or s3://")
    case .directory?, .objectStore?, nil: break
    }
    let settings = BackupSettings(destination: to, objectStore: objectStore(backup))
    backup.finish()
    return settings
  }

  /// Reports a host whose address is refused whenever it is asked for.
  func checkAddress(_ url: WebURL, _ allow: [String], at node: Node?, in part: String) {
    let policy = AddressPolicy(allowed: allow.compactMap { AddressBlock($0) })
    guard let address = url.literalAddress, !policy.allows(address) else { return }
    reader.report(
      "\(url.host) is not public, and requests to such addresses are refused", at: node,
      hint: "if that is what you want, write allow: [\(address)] in \(part)")
  }

  func addresses(_ mapping: MappingReader) -> [String] {
    let blocks = mapping.strings("allow")
    for block in blocks where AddressBlock(block) == nil {
      reader.report(
        "'\(block)' is no address range", at: mapping.value("allow"),
        hint: "write 127.0.0.0/8 or 10.1.2.3")
    }
    return blocks
  }

  private func report(_ error: SettingError, at node: Node?, in mapping: MappingReader?) {
    let place = error.column.map { ", character \($0)" } ?? ""
    let path = mapping?.path(to: error.setting) ?? error.setting
    reader.report("\(path)\(place): \(error.message)", at: node, hint: error.hint)
  }

  // MARK: What fits together

  private func check(
    _ settings: DeliverySettings, _ url: DestinationURL?, _ mapping: MappingReader
  ) {
    func refuse(_ key: String, _ message: String, _ hint: String) {
      reader.report("\(mapping.path(to: key)): \(message)", at: mapping.value(key), hint: hint)
    }
    if settings.encoding == .parquet {
      if settings.transform != nil {
        refuse("transform", "a step takes JSON or CSV records", "use format: jsonl")
      }
      if mapping.value("delimiter") != nil {
        refuse("delimiter", "Parquet has none", "leave it out")
      }
    }
    guard case .httpEndpoint(let address)? = url else {
      if mapping.value("http") != nil {
        refuse("http", "the destination is no HTTP endpoint", "write to: https://host/path")
      }
      if settings.backup != nil, settings.transform == nil {
        refuse(
          "backup", "folders and object stores are tried for ever, and take everything",
          "leave it out, or use it with transform or an HTTP endpoint")
      }
      return
    }
    if settings.encoding == .parquet {
      refuse("format", "an endpoint takes records, not files", "use format: jsonl")
    }
    if mapping.value("compression") != nil, !["none", "gzip"].contains(settings.compression) {
      refuse("compression", "Firehose's protocol knows none and gzip", "use gzip")
    }
    if settings.prefix != nil {
      refuse("prefix", "requests have no object names", "leave it out")
    }
    do {
      _ = try EndpointSettings(
        url: address, accessKey: settings.endpoint.accessKey, sourceARN: "",
        commonAttributes: settings.endpoint.attributes,
        allowsInsecure: settings.endpoint.allowsInsecure)
    } catch {
      for error in error.errors { report(error, at: mapping.value("to"), in: mapping) }
    }
    if let parsed = WebURL(address) {
      checkAddress(parsed, settings.endpoint.allow, at: mapping.value("to"), in: "http")
    }
  }
}
