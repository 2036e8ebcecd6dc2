import Codecs
import Columns
import Delivery
import Foundation
import Kafka
import Learning
import Logging

/// Reads what a model is trained from, in bounded memory.
struct TrainingReader {
  let plan: ModelPlan
  let kafka: KafkaSettings
  /// The rows before this time are left out, milliseconds since 1970; nil for none.
  let from: Int64?
  let logger: Logger
  let isCancelled: () -> Bool

  /// Without a record for this many waits of 20 ms a topic is given up.
  private static let patience = 1_500
  private static let objectLimit = 1 << 28

  /// Hands every row to the sink.
  ///
  /// - Throws: `TrainingFailure`, `CancellationError`, or what the sink throws.
  func read(into sink: inout some TrainingSink) throws {
    switch plan.source {
    case .file(let path): try read(file: path, into: &sink)
    case .objects(let folder, let compression, let columns):
      try read(folder: folder, compression, columns, into: &sink)
    case .parquet(let folder, let format, let columns):
      try read(folder: folder, format, columns, into: &sink)
    case .topic(let name, let columns): try read(topic: name, columns, into: &sink)
    }
  }

  private func check() throws {
    if isCancelled() { throw CancellationError() }
  }

  // MARK: Files

  /// The rows of a file in their order, which stands for their time.
  private func read(file path: String, into sink: inout some TrainingSink) throws {
    var block = Learning.RowBlock()
    var number: Int64 = 0
    do {
      let rows = try FileRows([path])
      try rows.rewind()
      repeat {
        try check()
        try rows.read(into: &block, limit: Batch.rowLimit)
        for row in 0..<block.count {
          let start = row * rows.featureCount
          number += 1
          try sink.add(
            time: number, key: "", values: Array(block.values[start..<start + rows.featureCount]),
            categories: [])
        }
      } while block.count > 0
    } catch let error as DataError {
      throw TrainingFailure(error.description)
    }
  }

  /// The rows of delivered objects in the order of their names.
  private func read(
    folder: String, _ compression: Compression, _ columns: TrainingColumns,
    into sink: inout some TrainingSink
  ) throws {
    var decoder = try TrainingRowDecoder(columns, from: from ?? .min)
    let isCSV = columns.format == .csv(CSVFormat())
    var number: Int64 = 0
    for path in objects(in: folder) {
      try check()
      guard let bytes = FileManager.default.contents(atPath: path),
        let lines = compression.decompress(Array(bytes), limit: Self.objectLimit)
      else {
        logger.warning("\(path) is left out of the training: it cannot be read, or not unpacked")
        continue
      }
      var start = 0
      while start < lines.count {
        let end = Self.lineEnd(lines, from: start, isCSV: isCSV)
        number += 1
        try decoder.add(lines.span.extracting(start..<end), timestamp: number, to: &sink)
        start = end + 1
      }
    }
  }

  /// The end of a line; in CSV a line feed within quotes is none.
  private static func lineEnd(_ bytes: [UInt8], from start: Int, isCSV: Bool) -> Int {
    guard isCSV else { return bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count }
    var isQuoted = false
    for place in start..<bytes.count {
      if bytes[place] == UInt8(ascii: "\"") { isQuoted.toggle() }
      if bytes[place] == UInt8(ascii: "\n"), !isQuoted { return place }
    }
    return bytes.count
  }

  /// The files below a folder in the order of their names, without what is hidden: that is being
  /// written, or is no object.
  private func objects(in folder: String) -> [String] {
    let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return names.sorted().filter { !$0.split(separator: "/").contains(where: \.isHidden) }
      .map { folder + "/" + $0 }.filter { path in
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
          && !isFolder.boolValue
      }
  }

  /// The rows of delivered Parquet files in the order of their names.
  private func read(
    folder: String, _ format: ParquetFormat, _ columns: TrainingColumns,
    into sink: inout some TrainingSink
  ) throws {
    var decoder = try TrainingRowDecoder(columns, from: from ?? .min)
    for path in objects(in: folder) where path.hasSuffix(ParquetFormat.fileExtension) {
      try check()
      guard let bytes = FileManager.default.contents(atPath: path) else {
        logger.warning("\(path) is left out of the training: it cannot be read")
        continue
      }
      do {
        try decoder.add(file: Array(bytes), format, to: &sink)
      } catch let error as DeliveryError {
        logger.warning("\(path) is left out of the training: \(error.message)")
      }
    }
  }

  // MARK: Topics

  /// The records of a topic, partition by partition.
  ///
  /// A consumer of its own reads them, which joins no group and commits nothing.
  private func read(
    topic: String, _ columns: TrainingColumns, into sink: inout some TrainingSink
  ) throws {
    var decoder = try TrainingRowDecoder(columns, from: from ?? .min)
    var configuration = ConsumerConfiguration(
      brokers: kafka.brokers, group: nil, properties: kafka.consumerProperties)
    configuration.clientID = "cutbank-training"
    configuration.queueKilobytes = 4_096
    let consumer = try Consumer(configuration, logger: logger)
    let found = try consumer.client.metadata(topic: topic, timeout: .seconds(10)).topic(topic)
    for partition in found?.partitions ?? [] {
      try check()
      try read(
        consumer, TopicPartition(topic: topic, partition: partition.number), &decoder, into: &sink)
    }
    try consumer.close()
  }

  private func read(
    _ consumer: Consumer, _ partition: TopicPartition, _ decoder: inout TrainingRowDecoder,
    into sink: inout some TrainingSink
  ) throws {
    let marks = try consumer.client.watermarks(of: partition, timeout: .seconds(10))
    let start = try start(consumer, partition, marks)
    guard start < marks.high,
      let queue = try consumer.assign([PartitionStart(partition, at: .offset(start))]).first
    else { return }
    var records = RecordBatch(capacity: Batch.rowLimit)
    var next = start
    var silence = 0
    while next < marks.high {
      try check()
      _ = consumer.poll(timeout: silence == 0 ? .zero : .milliseconds(20))
      queue.poll(into: &records)
      silence = records.count == 0 ? silence + 1 : 0
      guard silence < Self.patience else {
        throw TrainingFailure(
          "\(partition) has given no record for 30 s at offset \(next) of \(marks.high)")
      }
      for index in 0..<records.count {
        next = records.offsets[index] + 1
        guard next <= marks.high, !records.isTombstone(at: index) else { continue }
        try decoder.add(
          records.value(at: index), timestamp: records.timestamps[index], to: &sink)
      }
    }
    try consumer.unassign()
  }

  /// The newest rows of all partitions lie among as many of each.
  private func start(
    _ consumer: Consumer, _ partition: TopicPartition, _ marks: Watermarks
  ) throws -> Int64 {
    let newest = max(marks.low, marks.high - plan.configuration.data.maximumRows)
    guard let from, case .topic(_, let columns) = plan.source, columns.time == nil else {
      return newest
    }
    let found = try consumer.client.offsets(atOrAfter: [partition: from], timeout: .seconds(10))
    return max(newest, found[partition] ?? marks.high)
  }
}

extension Substring {
  fileprivate var isHidden: Bool { hasPrefix(".") }
}
