import Columns
import Foundation
import LearnedModels
import Registry

/// Collects time series and writes them as the trainer of forecasters reads them, one a line.
///
/// Bounded memory: 16 bytes a value, and at most a quarter more values than `data.maximum_rows`, of
/// which the newest periods are kept.
final class SeriesSpool: TrainingSink {
  private let folder: String
  private let settings: ModelConfiguration
  private let frequency: DeepARFrequency
  /// How many of the last periods of each series are held out.
  private let horizon: Int
  private var newestValues: NewestValues
  private var (oldest, newest) = (Int64.max, Int64.min)

  /// The longest series, gaps included.
  private static let lengthLimit = 10_000_000

  init(folder: String, settings: ModelConfiguration) throws {
    guard let frequency = settings.hyperparameters["time_freq"].flatMap({ DeepARFrequency($0) }),
      let horizon = settings.hyperparameters["prediction_length"].flatMap({ Int($0) })
    else { throw TrainingFailure("time_freq and prediction_length are needed to make series") }
    self.folder = folder
    self.settings = settings
    self.frequency = frequency
    self.horizon = horizon
    newestValues = NewestValues(limit: Int(settings.data.maximumRows))
  }

  func add(time: Int64, key: String, values: [Float]) throws {
    oldest = min(oldest, time)
    newest = max(newest, time)
    newestValues.add(values[0], period: frequency.period(of: time), to: key)
  }

  /// Writes the series: without their ends to train on, whole to be measured on.
  ///
  /// - Throws: `TrainingFailure` when there are too few values, or no series is long enough.
  func finish(source: String) throws -> TrainingFiles {
    newestValues.trim()
    let (series, count) = (newestValues.series, Int64(newestValues.count))
    if let first = newestValues.firstPeriod { oldest = max(oldest, frequency.start(of: first)) }
    let least = settings.data.minimumRows
    guard count >= least else {
      throw TrainingFailure(
        "\(source) has \(count) values that can be trained on, data.minimum_rows asks for \(least)")
    }
    let train = try SpoolFile(path: folder + "/train.jsonl")
    let holdout = try SpoolFile(path: folder + "/holdout.jsonl")
    var written = 0
    for (_, points) in series.sorted(by: { $0.key < $1.key }) {
      let periods = points.map(\.period)
      guard let first = periods.min(), let last = periods.max(),
        case let length = last - first + 1, length > 2 * horizon, length <= Self.lengthLimit
      else { continue }
      var values = [Float](repeating: .nan, count: length)
      // Of several values of a period the one that came last counts.
      for point in points { values[point.period - first] = point.value }
      let start = frequency.start(of: first)
      try train.append(Self.line(start, values.dropLast(horizon)))
      try holdout.append(Self.line(start, values[...]))
      written += 1
    }
    try train.close()
    try holdout.close()
    guard written > 0 else {
      throw TrainingFailure(
        "none of the \(series.count) series of \(source) is longer than two prediction lengths "
          + "(\(2 * horizon) periods)")
    }
    return TrainingFiles(
      train: train.path, holdout: holdout.path,
      data: TrainingData(source: source, from: oldest, to: newest + 1, rows: count))
  }

  private static func line(_ start: Int64, _ values: ArraySlice<Float>) -> ArraySlice<UInt8> {
    var bytes: [UInt8] = []
    let time = CivilTime(milliseconds: start)
    bytes += "{\"start\":\"".utf8
    time.appendDate(to: &bytes)
    bytes.append(UInt8(ascii: " "))
    time.appendTime(to: &bytes, fraction: false)
    bytes += "\",\"target\":[".utf8
    for (index, value) in values.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      bytes += (value.isNaN ? "null" : "\(value)").utf8
    }
    bytes += "]}\n".utf8
    return bytes[...]
  }
}
