/// The snapshot of a forecaster: its detector's own, then the errors of its forecasts.
private enum ForecasterFormat {
  static let magic: UInt64 = 0x5453_4346_4e4b_4243  // "CBKNFCST"
  static let version: UInt32 = 1
  static let detector: UInt32 = 1
  static let errors: UInt32 = 2
}

extension Forecaster {
  /// Everything needed to continue bit-identically but the parameters, with checksums.
  public mutating func snapshot() -> [UInt8] {
    let inner = detector.snapshot()
    var writer = SnapshotWriter(capacity: inner.count + 128 + errors.byteCount)
    writer.write(ForecasterFormat.magic)
    writer.write(ForecasterFormat.version)
    writer.beginSection(ForecasterFormat.detector)
    writer.write(contentsOf: inner)
    writer.endSection()
    writer.beginSection(ForecasterFormat.errors)
    errors.write(to: &writer)
    writer.endSection()
    return writer.finish()
  }

  /// The forecaster that wrote `snapshot`; it continues bit-identically.
  ///
  /// - Parameters:
  ///   - configuration: That of the forecaster that wrote it, as all other parameters.
  ///   - horizon: As for a new one.
  ///   - calibration: As for a new one.
  ///   - limits: As for a new one.
  ///   - snapshot: What `snapshot()` returned.
  /// - Throws: `badSnapshot` when the bytes are damaged, of another version, or of a forecaster of
  ///   another shape.
  public init(
    _ configuration: ThresholdedConfiguration, horizon: Int, calibration: Calibration = .simple,
    limits: [ClosedRange<Double>] = [], snapshot: Span<UInt8>
  ) throws(ForestError) {
    var restored = try Forecaster(
      configuration, horizon: horizon, calibration: calibration, limits: limits)
    try snapshot.withUnsafeBytes { buffer throws(ForestError) in
      guard let start = buffer.baseAddress else { throw .badSnapshot(reason: "it is empty") }
      try restored.read(SnapshotReader(start, count: buffer.count))
    }
    self = restored
  }

  private mutating func read(_ snapshot: SnapshotReader) throws(ForestError) {
    var reader = snapshot
    try reader.open(
      magic: ForecasterFormat.magic, version: ForecasterFormat.version, of: "a forecaster")
    let inner = try reader.section(ForecasterFormat.detector)
    detector = try ThresholdedForest.restored(detector.configuration, from: inner)
    var section = try reader.section(ForecasterFormat.errors)
    try errors.read(from: &section)
    guard section.isAtEnd, reader.isAtEnd else {
      throw .badSnapshot(reason: "bytes follow its end")
    }
  }
}

extension ForecastErrors {
  /// Bytes that `write` takes at most.
  fileprivate var byteCount: Int {
    64 + hits.count * 96 + (raw.count + published.count) * (32 + horizon * (8 + 24 * dimensions))
  }

  fileprivate func write(to writer: inout SnapshotWriter) {
    writer.write(Int64(count))
    for deviation in hits + above + below { deviation.write(to: &writer) }
    writer.write(UInt32(raw.count))
    for forecast in raw { forecast.write(to: &writer) }
    writer.write(UInt32(published.count))
    for forecast in published { forecast.write(to: &writer) }
  }

  fileprivate mutating func read(from reader: inout SnapshotReader) throws(ForestError) {
    count = Int(try reader.read(Int64.self))
    for i in hits.indices { try hits[i].read(from: &reader) }
    for i in above.indices { try above[i].read(from: &reader) }
    for i in below.indices { try below[i].read(from: &reader) }
    raw = try forecasts(from: &reader)
    published = try forecasts(from: &reader)
  }

  private func forecasts(from reader: inout SnapshotReader) throws(ForestError) -> [Forecast] {
    let count = try reader.count(of: 16)
    guard count <= horizon else {
      throw .badSnapshot(reason: "it has \(count) forecasts for a horizon of \(horizon)")
    }
    var forecasts: [Forecast] = []
    for _ in 0..<count {
      let forecast = try Forecast(from: &reader)
      let size = horizon * dimensions
      guard [forecast.values, forecast.lower, forecast.upper].allSatisfy({ $0.count == size })
      else {
        throw .badSnapshot(reason: "a forecast has \(forecast.values.count) values, not \(size)")
      }
      forecasts.append(forecast)
    }
    return forecasts
  }
}

extension Forecast {
  fileprivate func write(to writer: inout SnapshotWriter) {
    writer.write(doubles: values)
    writer.write(doubles: lower)
    writer.write(doubles: upper)
    writer.write(UInt32(timestamps.count))
    for timestamp in timestamps { writer.write(timestamp) }
  }

  fileprivate init(from reader: inout SnapshotReader) throws(ForestError) {
    self.init()
    values = try reader.doubles()
    lower = try reader.doubles()
    upper = try reader.doubles()
    for _ in 0..<(try reader.count(of: 8)) { timestamps.append(try reader.read(Int64.self)) }
  }
}
