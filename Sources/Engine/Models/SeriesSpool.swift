import Columns
import Foundation
import LearnedModels
import Registry

/// Collects time series and writes them as the trainer of forecasters reads them, one a line.
///
/// Bounded memory: 16 bytes a value and as many a dynamic feature of it, and at most a quarter more values
/// than `data.maximum_rows`, of which the newest periods are kept.
final class SeriesSpool: TrainingSink {
  private let folder: String
  private let settings: ModelConfiguration
  private let frequency: DeepARFrequency
  /// How many of the last periods of each series are held out.
  private let horizon: Int
  private var newestValues: NewestValues
  /// Each dynamic feature, with the same periods as the values.
  private var newestFeatures: [NewestValues]
  private var categories: [String: [Int]] = [:]
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
    newestFeatures = Array(repeating: newestValues, count: settings.data.dynamicFeatures.count)
  }

  func add(time: Int64, key: String, values: [Float], categories: [Int]) throws {
    let known = self.categories[key, default: categories]
    guard known == categories else {
      let name = key.isEmpty ? "the series" : "series '\(key)'"
      throw TrainingFailure(
        "\(name) has the categories \(known) and \(categories): a series has one of each field, name in "
          + "data.key what tells series apart")
    }
    if !categories.isEmpty { self.categories[key] = categories }
    oldest = min(oldest, time)
    newest = max(newest, time)
    let period = frequency.period(of: time)
    newestValues.add(values[0], period: period, to: key)
    for index in newestFeatures.indices {
      newestFeatures[index].add(values[index + 1], period: period, to: key)
    }
  }

  /// Writes the series: without their ends to train on, and for each window those that reach it, up to
  /// its end, to be measured on.
  ///
  /// - Throws: `TrainingFailure` when there are too few values, or no series is long enough.
  func finish(source: String) throws -> TrainingFiles {
    newestValues.trim()
    for index in newestFeatures.indices { newestFeatures[index].trim() }
    let (series, count) = (newestValues.series, Int64(newestValues.count))
    if let first = newestValues.firstPeriod { oldest = max(oldest, frequency.start(of: first)) }
    let least = settings.data.minimumRows
    guard count >= least else {
      throw TrainingFailure(
        "\(source) has \(count) values that can be trained on, data.minimum_rows asks for \(least)")
    }
    let train = try SpoolFile(path: folder + "/train.jsonl")
    // The newest window first.
    var windows: [SpoolFile] = []
    var written = 0
    for (key, points) in series.sorted(by: { $0.key < $1.key }) {
      let periods = points.map(\.period)
      guard let first = periods.min(), let last = periods.max(),
        case let length = last - first + 1, length > 2 * horizon, length <= Self.lengthLimit
      else { continue }
      let whole = whole(key, points, from: first, length: length)
      let start = frequency.start(of: first)
      let count = windowCount(length)
      try train.append(Self.line(start, whole, length: length - count * horizon))
      for window in 0..<count {
        let end = length - window * horizon
        guard whole.target[end - horizon..<end].contains(where: { !$0.isNaN }) else { continue }
        while windows.count <= window {
          windows.append(try SpoolFile(path: folder + "/holdout-\(windows.count + 1).jsonl"))
        }
        try windows[window].append(Self.line(start, whole, length: end))
      }
      written += 1
    }
    try train.close()
    for window in windows { try window.close() }
    // One that no series has a value in is left empty.
    let filled = try windows.filter { try Self.size(of: $0.path) > 0 }
    guard written > 0 else {
      throw TrainingFailure(
        "none of the \(series.count) series of \(source) is longer than two prediction lengths "
          + "(\(2 * horizon) periods)")
    }
    return TrainingFiles(
      train: train.path, holdout: filled.map(\.path),
      data: TrainingData(source: source, from: oldest, to: newest + 1, rows: count))
  }

  /// All periods from the first on; of several values of a period the one that came last counts, and
  /// dynamic features stay in a gap as they were.
  private func whole(
    _ key: String, _ points: [NewestValues.Point], from first: Int, length: Int
  ) -> TimeSeries {
    var target = [Float](repeating: .nan, count: length)
    for point in points { target[point.period - first] = point.value }
    let features = newestFeatures.map { feature in
      var known = [Float](repeating: .nan, count: length)
      for point in feature.series[key] ?? [] { known[point.period - first] = point.value }
      for place in 1..<length where known[place].isNaN { known[place] = known[place - 1] }
      return known
    }
    return TimeSeries(
      start: 0, target: target, categories: categories[key] ?? [], dynamicFeatures: features)
  }

  /// How many windows of a series are held out: at most the share that the gate takes, at least one.
  private func windowCount(_ length: Int) -> Int {
    let share = Int(settings.gate.holdout * Double(length)) / horizon
    return max(1, min(settings.gate.windows, share, (length - 1) / horizon - 1))
  }

  private static func size(of path: String) throws -> Int {
    try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
  }

  /// The first `length` periods of a series as a line.
  private static func line(_ start: Int64, _ whole: TimeSeries, length: Int) -> ArraySlice<UInt8> {
    var bytes: [UInt8] = []
    let time = CivilTime(milliseconds: start)
    bytes += "{\"start\":\"".utf8
    time.appendDate(to: &bytes)
    bytes.append(UInt8(ascii: " "))
    time.appendTime(to: &bytes, fraction: false)
    bytes += "\",\"target\":".utf8
    append(whole.target.prefix(length), to: &bytes)
    if !whole.categories.isEmpty { bytes += ",\"cat\":\(whole.categories)".utf8 }
    if !whole.dynamicFeatures.isEmpty {
      bytes += ",\"dynamic_feat\":[".utf8
      for (index, feature) in whole.dynamicFeatures.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        append(feature.prefix(length), to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    }
    bytes += "}\n".utf8
    return bytes[...]
  }

  private static func append(_ values: ArraySlice<Float>, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "["))
    for (index, value) in values.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      bytes += (value.isNaN ? "null" : "\(value)").utf8
    }
    bytes.append(UInt8(ascii: "]"))
  }
}
