/// The snapshot of a thresholded forest: the forest's own, then the statistics around it.
private enum ThresholdedFormat {
  static let magic: UInt64 = 0x0044_4853_4e4b_4243  // "CBKNSHD"
  static let version: UInt32 = 1
  static let forest: UInt32 = 1
  static let preprocessor: UInt32 = 2
  static let corrector: UInt32 = 3
}

extension ThresholdedForest {
  /// Everything needed to continue bit-identically but the configuration, with checksums.
  public mutating func snapshot() -> [UInt8] {
    let inner = forest.snapshot()
    var writer = SnapshotWriter(
      capacity: inner.count + 2048 + 512 * configuration.inputDimensions
        + 32 * configuration.forest.dimensions
        + preprocessor.held.count * (64 + 16 * configuration.inputDimensions))
    writer.write(ThresholdedFormat.magic)
    writer.write(ThresholdedFormat.version)
    writer.beginSection(ThresholdedFormat.forest)
    writer.write(contentsOf: inner)
    writer.endSection()
    writer.beginSection(ThresholdedFormat.preprocessor)
    preprocessor.write(to: &writer)
    writer.endSection()
    writer.beginSection(ThresholdedFormat.corrector)
    corrector.write(to: &writer)
    writer.endSection()
    return writer.finish()
  }

  /// The thresholded forest that wrote `snapshot`; it continues bit-identically.
  ///
  /// - Parameters:
  ///   - configuration: That of the forest that wrote it.
  ///   - snapshot: What `snapshot()` returned.
  /// - Throws: `badSnapshot` when the bytes are damaged, of another version, or of a forest of
  ///   another shape.
  public init(
    _ configuration: ThresholdedConfiguration, snapshot: Span<UInt8>
  ) throws(ForestError) {
    self = try snapshot.withUnsafeBytes { buffer throws(ForestError) in
      guard let start = buffer.baseAddress else { throw .badSnapshot(reason: "it is empty") }
      return try Self.restored(
        configuration, from: SnapshotReader(start, count: buffer.count))
    }
  }

  static func restored(
    _ configuration: ThresholdedConfiguration, from snapshot: SnapshotReader
  ) throws(ForestError) -> ThresholdedForest {
    var reader = snapshot
    try reader.open(
      magic: ThresholdedFormat.magic, version: ThresholdedFormat.version,
      of: "a thresholded forest")
    var result = try ThresholdedForest(configuration)
    let inner = try reader.section(ThresholdedFormat.forest)
    let forest = try inner.forest()
    guard forest.configuration.dimensions == configuration.forest.dimensions,
      forest.configuration.shingleSize == configuration.forest.shingleSize
    else { throw .badSnapshot(reason: "it is of a forest of another shape") }
    result.forest = forest
    var statistics = try reader.section(ThresholdedFormat.preprocessor)
    try result.preprocessor.read(from: &statistics)
    var corrections = try reader.section(ThresholdedFormat.corrector)
    try result.corrector.read(from: &corrections)
    guard statistics.isAtEnd, corrections.isAtEnd, reader.isAtEnd else {
      throw .badSnapshot(reason: "bytes follow its end")
    }
    return result
  }
}

extension SnapshotWriter {
  mutating func write(floats: [Float]) {
    write(UInt32(floats.count))
    for value in floats { write(value) }
  }

  mutating func write(doubles: [Double]) {
    write(UInt32(doubles.count))
    for value in doubles { write(value) }
  }
}

extension SnapshotReader {
  /// A number of elements; `bytes` is what each takes at least.
  mutating func count(of bytes: Int) throws(ForestError) -> Int {
    let count = Int(try read(UInt32.self))
    guard count <= remaining / bytes else {
      throw .badSnapshot(reason: "it ends in the middle of \(count) elements")
    }
    return count
  }

  mutating func floats() throws(ForestError) -> [Float] {
    var values: [Float] = []
    for _ in 0..<(try count(of: 4)) { values.append(try read(Float.self)) }
    return values
  }

  mutating func doubles() throws(ForestError) -> [Double] {
    var values: [Double] = []
    for _ in 0..<(try count(of: 8)) { values.append(try read(Double.self)) }
    return values
  }
}

extension Deviation {
  func write(to writer: inout SnapshotWriter) {
    writer.write(Int64(count))
    writer.write(sum)
    writer.write(squares)
    writer.write(weight)
  }

  /// Reads all but the discount, which follows from the configuration.
  mutating func read(from reader: inout SnapshotReader) throws(ForestError) {
    count = Int(try reader.read(Int64.self))
    sum = try reader.read(Double.self)
    squares = try reader.read(Double.self)
    weight = try reader.read(Double.self)
  }
}

extension InputStatistics {
  func write(to writer: inout SnapshotWriter) {
    for deviation in [value, step, valueDeviation, stepMean, stepDeviation] {
      deviation.write(to: &writer)
    }
    writer.write(previous)
  }

  mutating func read(from reader: inout SnapshotReader) throws(ForestError) {
    try value.read(from: &reader)
    try step.read(from: &reader)
    try valueDeviation.read(from: &reader)
    try stepMean.read(from: &reader)
    try stepDeviation.read(from: &reader)
    previous = try reader.read(Double.self)
  }
}

extension Preprocessor {
  func write(to writer: inout SnapshotWriter) {
    for entry in statistics { entry.write(to: &writer) }
    gap.write(to: &writer)
    quality.write(to: &writer)
    writer.write(previousTimestamp)
    writer.write(Int64(seen))
    writer.write(Int64(imputedInShingle))
    writer.write(UInt32(held.count))
    for entry in held {
      writer.write(doubles: entry.values)
      writer.write(entry.timestamp)
      writer.write(doubles: entry.missing.map { Double($0) })
    }
  }

  mutating func read(from reader: inout SnapshotReader) throws(ForestError) {
    for i in statistics.indices { try statistics[i].read(from: &reader) }
    try gap.read(from: &reader)
    try quality.read(from: &reader)
    previousTimestamp = try reader.read(Int64.self)
    seen = Int(try reader.read(Int64.self))
    imputedInShingle = Int(try reader.read(Int64.self))
    held = []
    for _ in 0..<(try reader.count(of: 16)) {
      let values = try reader.doubles()
      let timestamp = try reader.read(Int64.self)
      var missing: [Int] = []
      for coordinate in try reader.doubles() {
        guard (0..<Double(values.count)).contains(coordinate) else {
          throw .badSnapshot(reason: "a missing coordinate is not there")
        }
        missing.append(Int(coordinate))
      }
      guard values.count == configuration.inputDimensions else {
        throw .badSnapshot(reason: "an input has \(values.count) coordinates")
      }
      held.append(HeldInput(values: values, timestamp: timestamp, missing: missing))
    }
  }
}

extension Thresholder {
  func write(to writer: inout SnapshotWriter) {
    for deviation in [primary, secondary, below] { deviation.write(to: &writer) }
    writer.write(Int64(count))
  }

  mutating func read(from reader: inout SnapshotReader) throws(ForestError) {
    try primary.read(from: &reader)
    try secondary.read(from: &reader)
    try below.read(from: &reader)
    count = Int(try reader.read(Int64.self))
  }
}

extension PredictorCorrector {
  func write(to writer: inout SnapshotWriter) {
    thresholder.write(to: &writer)
    distanceThresholder.write(to: &writer)
    for value in [lastScore, lastCorrected, lastThreshold] { writer.write(value) }
    writer.write(Int64(clock))
    writer.write(UInt8(significant == nil ? 0 : 1))
    if let significant {
      writer.write(Int64(significant.clock))
      writer.write(significant.score)
      writer.write(floats: significant.point)
      writer.write(floats: significant.expected)
      writer.write(doubles: significant.shiftChange)
    }
    writer.write(Int64(run.length))
    writer.write(UInt32(run.actual.count))
    for deviation in run.actual + run.expected { deviation.write(to: &writer) }
  }

  mutating func read(from reader: inout SnapshotReader) throws(ForestError) {
    try thresholder.read(from: &reader)
    try distanceThresholder.read(from: &reader)
    lastScore = try reader.read(Double.self)
    lastCorrected = try reader.read(Double.self)
    lastThreshold = try reader.read(Double.self)
    clock = Int(try reader.read(Int64.self))
    significant = nil
    if try reader.read(UInt8.self) != 0 {
      let clock = Int(try reader.read(Int64.self))
      let score = try reader.read(Double.self)
      let point = try reader.floats()
      let expected = try reader.floats()
      let change = try reader.doubles()
      guard clock <= self.clock, point.count == pointLength, expected.count == pointLength else {
        throw .badSnapshot(reason: "its last anomaly has \(point.count) coordinates")
      }
      significant = Significant(
        clock: clock, score: score, point: point, expected: expected, shiftChange: change)
    }
    run = Run()
    run.length = Int(try reader.read(Int64.self))
    let count = try reader.count(of: 64)
    for _ in 0..<count { run.actual.append(try Self.deviation(&reader)) }
    for _ in 0..<count { run.expected.append(try Self.deviation(&reader)) }
  }

  private static func deviation(
    _ reader: inout SnapshotReader
  ) throws(ForestError) -> Deviation {
    var deviation = Deviation(discount: 0)
    try deviation.read(from: &reader)
    return deviation
  }
}
