import Foundation
import Registry
import Transport

/// The files that a training process reads.
struct TrainingFiles {
  /// What is trained on, in random order.
  let train: String
  /// What is held out: the newest rows, or of series a file for each window, the newest first.
  let holdout: [String]
  /// Where the rows came from.
  let data: TrainingData
}

/// Writes rows to a file as they come, then divides them into the older ones to train on and the newest
/// to be held out.
///
/// Bounded memory: only a sample of the times is kept, from which the dividing moments follow; up to
/// 65,536 rows they are exact, beyond that within about half a percent of the rows. Trainers want
/// rows in random order, so that they are shuffled by way of files of a size that fits in memory.
final class TrainingSpool: TrainingSink {
  private let folder: String
  private let settings: ModelConfiguration
  private let rows: SpoolFile
  private var random: SplitMix64
  /// A uniform sample of the rows' places in time.
  private var sample: [Moment] = []
  private var count: Int64 = 0
  private var width = 0

  /// The place of a row in time; the number tells rows of one moment apart.
  private struct Moment: Comparable {
    let time: Int64
    let number: Int64

    static func < (first: Moment, second: Moment) -> Bool {
      (first.time, first.number) < (second.time, second.number)
    }
  }

  private static let sampleSize = 65_536
  private static let bucketBytes = 32 << 20

  init(folder: String, settings: ModelConfiguration) throws {
    self.folder = folder
    self.settings = settings
    random = SplitMix64(seed: settings.seed)
    rows = try SpoolFile(path: folder + "/rows.spool")
  }

  func add(time: Int64, key: String, values: [Float], categories: [Int]) throws {
    width = values.count
    try rows.append(time)
    for value in values { try rows.append(value) }
    let moment = Moment(time: time, number: count)
    count += 1
    if sample.count < Self.sampleSize {
      sample.append(moment)
    } else if case let place = random.next(upperBound: UInt64(count)), place < sample.count {
      sample[Int(place)] = moment
    }
  }

  /// Divides the rows.
  ///
  /// - Throws: `TrainingFailure` when there are too few.
  func finish(source: String, isCancelled: () -> Bool) throws -> TrainingFiles {
    try rows.close()
    let least = settings.data.minimumRows
    guard count >= least else {
      throw TrainingFailure(
        "\(source) has \(count) rows that can be trained on, data.minimum_rows asks for \(least)")
    }
    sample.sort()
    let kept = min(count, settings.data.maximumRows)
    let first = moment(after: 1 - Double(kept) / Double(count))
    let border = moment(after: 1 - settings.gate.holdout * Double(kept) / Double(count))
    let holdout = try FloatsFile(folder + "/holdout", width: width)
    let buckets = try makeBuckets(rows: Double(kept))
    var (oldest, newest) = (Int64.max, Int64.min)
    var number: Int64 = 0
    try SpoolFile.forEach(folder + "/rows.spool", size: 8 + 4 * width) { record in
      if number & 0xFFFF == 0, isCancelled() { throw CancellationError() }
      let moment = Moment(time: SpoolFile.integer(record), number: number)
      number += 1
      guard moment >= first else { return }
      oldest = min(oldest, moment.time)
      newest = max(newest, moment.time)
      let values = record.dropFirst(8)
      if moment >= border { return try holdout.append(values) }
      try buckets[Int(random.next(upperBound: UInt64(buckets.count)))].append(values)
    }
    try FileManager.default.removeItem(atPath: folder + "/rows.spool")
    let train = try FloatsFile(folder + "/train", width: width)
    for bucket in buckets { try shuffle(bucket, into: train) }
    try train.close()
    try holdout.close()
    guard train.count > 0, holdout.count > 0 else {
      throw TrainingFailure(
        "of \(count) rows \(train.count) are to train on and \(holdout.count) are held out: give "
          + "more rows, or change gate.holdout")
    }
    let hasTime = settings.data.hasTime
    return TrainingFiles(
      train: train.path, holdout: [holdout.path],
      data: TrainingData(
        source: source, from: hasTime ? oldest : nil, to: hasTime ? newest + 1 : nil,
        rows: Int64(train.count + holdout.count)))
  }

  /// The moment that a share of the rows lies before.
  private func moment(after share: Double) -> Moment {
    let place = (share * Double(sample.count)).rounded()
    guard place > 0 else { return Moment(time: .min, number: 0) }
    return sample[min(sample.count - 1, Int(place))]
  }

  private func makeBuckets(rows: Double) throws -> [SpoolFile] {
    let bytes = rows * Double(4 * width)
    let count = min(256, max(1, Int((bytes / Double(Self.bucketBytes)).rounded(.up))))
    return try (0..<count).map { try SpoolFile(path: folder + "/bucket-\($0).spool") }
  }

  /// Appends the rows of a bucket in random order and removes it.
  private func shuffle(_ bucket: SpoolFile, into target: FloatsFile) throws {
    try bucket.close()
    let bytes = FileManager.default.contents(atPath: bucket.path).map(Array.init) ?? []
    let size = 4 * width
    var order = Array(0..<(size == 0 ? 0 : bytes.count / size))
    for index in stride(from: order.count - 1, to: 0, by: -1) {
      order.swapAt(index, Int(random.next(upperBound: UInt64(index + 1))))
    }
    for row in order { try target.append(bytes[row * size..<(row + 1) * size]) }
    try FileManager.default.removeItem(atPath: bucket.path)
  }
}

extension ModelConfiguration.DataSource {
  /// Whether rows have a time, and not only an order.
  var hasTime: Bool {
    switch origin {
    case .topic: true
    case .delivered: time != nil
    case .file: false
    }
  }
}
