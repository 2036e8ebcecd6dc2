/// The snapshot of a global-local detector: its sample, its clusters and what it knows of scores.
private enum GlobalLocalFormat {
  static let magic: UInt64 = 0x4441_4c47_4e4b_4243  // "CBKNGLAD"
  static let version: UInt32 = 1
  static let samples: UInt32 = 1
  static let clusters: UInt32 = 2
  static let scores: UInt32 = 3
}

extension GlobalLocalDetector {
  /// Everything needed to continue identically but the parameters, with checksums.
  ///
  /// - Parameter encode: The bytes of a value, from which `init(snapshot:)` makes an equal one.
  /// - Returns: The bytes.
  public func snapshot(_ encode: (Element) -> [UInt8]) -> [UInt8] {
    let kept = samples.map { (bytes: encode($0.element), key: $0.key) }
    let groups = clusters.map { ($0, $0.representatives.map(encode)) }
    var size = 512
    for sample in kept { size += sample.bytes.count + 12 }
    for (_, members) in groups {
      size += 20
      for member in members { size += member.count + 4 }
    }
    var writer = SnapshotWriter(capacity: size)
    writer.write(GlobalLocalFormat.magic)
    writer.write(GlobalLocalFormat.version)
    writer.beginSection(GlobalLocalFormat.samples)
    writer.write(UInt32(kept.count))
    for sample in kept {
      writer.write(sample.key)
      writer.write(counted: sample.bytes)
    }
    writer.endSection()
    writer.beginSection(GlobalLocalFormat.clusters)
    writer.write(UInt32(groups.count))
    for (cluster, members) in groups {
      writer.write(cluster.weight)
      writer.write(cluster.radius)
      writer.write(UInt32(members.count))
      for member in members { writer.write(counted: member) }
    }
    writer.endSection()
    writer.beginSection(GlobalLocalFormat.scores)
    thresholder.write(to: &writer)
    recentMean.write(to: &writer)
    writer.write(meanAtClustering)
    for number in [seen, clusteredAt] { writer.write(Int64(number)) }
    writer.write(random.state)
    writer.endSection()
    return writer.finish()
  }

  /// The detector that wrote `snapshot`; it continues identically.
  ///
  /// - Parameters:
  ///   - snapshot: What `snapshot` returned.
  ///   - sampleSize: As for the one that wrote it, as all other parameters.
  ///   - timeDecay: As for a new one.
  ///   - zFactor: As for a new one.
  ///   - distance: As for a new one.
  ///   - decode: The value whose bytes `encode` returned; nil where there is none.
  /// - Throws: `badSnapshot` when the bytes are damaged or of another version.
  public init(
    snapshot: Span<UInt8>, sampleSize: Int = 256, timeDecay: Double? = nil, zFactor: Double = 3,
    distance: @escaping (Element, Element) -> Double, decode: ([UInt8]) -> Element?
  ) throws(ForestError) {
    try self.init(
      sampleSize: sampleSize, timeDecay: timeDecay, zFactor: zFactor, distance: distance)
    var restored = self
    try snapshot.withUnsafeBytes { buffer throws(ForestError) in
      guard let start = buffer.baseAddress else { throw .badSnapshot(reason: "it is empty") }
      try restored.read(SnapshotReader(start, count: buffer.count), decode)
    }
    self = restored
  }

  private mutating func read(
    _ snapshot: SnapshotReader, _ decode: ([UInt8]) -> Element?
  ) throws(ForestError) {
    var reader = snapshot
    try reader.open(
      magic: GlobalLocalFormat.magic, version: GlobalLocalFormat.version,
      of: "a global-local detector")
    var kept = try reader.section(GlobalLocalFormat.samples)
    let count = try kept.count(of: 12)
    guard count <= sampleSize else {
      throw .badSnapshot(reason: "it has \(count) values, more than \(sampleSize)")
    }
    for _ in 0..<count {
      let key = try kept.read(Double.self)
      samples.append(Sample(element: try kept.element(decode), key: key))
    }
    var groups = try reader.section(GlobalLocalFormat.clusters)
    for _ in 0..<(try groups.count(of: 20)) {
      let weight = try groups.read(Double.self)
      let radius = try groups.read(Double.self)
      var members: [Element] = []
      for _ in 0..<(try groups.count(of: 4)) { members.append(try groups.element(decode)) }
      guard !members.isEmpty, radius > 0 else {
        throw .badSnapshot(reason: "a cluster is empty")
      }
      clusters.append(.init(representatives: members, weight: weight, radius: radius))
    }
    var scores = try reader.section(GlobalLocalFormat.scores)
    try thresholder.read(from: &scores)
    try recentMean.read(from: &scores)
    meanAtClustering = try scores.read(Double.self)
    seen = Int(try scores.read(Int64.self))
    clusteredAt = Int(try scores.read(Int64.self))
    random = SplitMix64(seed: try scores.read(UInt64.self))
    guard kept.isAtEnd, groups.isAtEnd, scores.isAtEnd, reader.isAtEnd else {
      throw .badSnapshot(reason: "bytes follow its end")
    }
    guard seen >= count, (0...seen).contains(clusteredAt) else {
      throw .badSnapshot(reason: "a counter is out of range")
    }
  }
}

extension SnapshotReader {
  fileprivate mutating func element<Element>(
    _ decode: ([UInt8]) -> Element?
  ) throws(ForestError) -> Element {
    let count = try count(of: 1)
    let start = try bytes(count)
    let encoded = [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    guard let element = decode(encoded) else {
      throw .badSnapshot(reason: "a value of \(count) bytes cannot be decoded")
    }
    return element
  }
}
