import Columns
public import LearnedModels

/// What serves under an endpoint's name: models with their shares of the keys, as one value.
///
/// Its bytes are the same for the same contents, so that their SHA-256 names it.
public struct Deployment: Sendable {
  /// A model with a share.
  public struct Variant: Sendable {
    /// The name that rows carry.
    public let name: String
    /// The model and its version, as rows carry it: `load/3`.
    public let version: String
    /// Its share of the keys is the weight over the sum of weights; of a shadow the share of the rows
    /// that it scores along.
    public let weight: Double
    /// Whether its results are only counted.
    public let isShadow: Bool
    /// The model.
    public let model: LearnedModel
    let artifact: [UInt8]

    /// Creates a variant from a model's bytes.
    ///
    /// - Throws: when the bytes are no model.
    public init(
      name: String, version: String, weight: Double, isShadow: Bool, artifact: [UInt8]
    ) throws {
      self.name = name
      self.version = version
      self.weight = weight
      self.isShadow = isShadow
      self.artifact = artifact
      model = try LearnedModel(decoding: artifact)
    }
  }

  /// The variants in order; at least one serves.
  public let variants: [Variant]
  /// A result counts as an alert above this: distance, score, or for a forecaster the negative decimal
  /// logarithm of the tail probability; nil counts none.
  public let alertAbove: Double?

  private static let tag = "CUTBANKD"
  private static let format: UInt16 = 1

  /// Creates a deployment.
  ///
  /// - Throws: `DataflowError` when no variant serves or a weight is no share.
  public init(variants: [Variant], alertAbove: Double? = nil) throws(DataflowError) {
    guard variants.contains(where: { !$0.isShadow && $0.weight > 0 }) else {
      throw DataflowError("no variant serves")
    }
    guard variants.allSatisfy({ $0.weight >= 0 && $0.weight.isFinite }) else {
      throw DataflowError("the weight of a variant is a number from 0 on")
    }
    self.variants = variants
    self.alertAbove = alertAbove
  }

  /// The bytes from which it can be read again.
  public func encoded() -> [UInt8] {
    var writer = SectionWriter()
    writer.append(raw: Array(Self.tag.utf8))
    writer.write(Self.format)
    writer.write(alertAbove != nil)
    writer.write(alertAbove ?? 0)
    writer.write(Int64(variants.count))
    for variant in variants {
      writer.write(variant.name)
      writer.write(variant.version)
      writer.write(variant.weight)
      writer.write(variant.isShadow)
      writer.write(variant.artifact)
    }
    return writer.bytes
  }

  /// Reads what `encoded` wrote.
  ///
  /// - Throws: when the bytes are no deployment or a model is damaged.
  public init(decoding bytes: [UInt8]) throws {
    let tag = Array(Self.tag.utf8)
    guard bytes.starts(with: tag) else { throw DataflowError("these bytes are no deployment") }
    var reader = SectionReader(section: "deployment", bytes: Array(bytes.dropFirst(tag.count)))
    let found: UInt16 = try reader.integer()
    guard found == Self.format else {
      throw DataflowError("the deployment has format \(found), this program knows \(Self.format)")
    }
    let hasThreshold = try reader.boolean()
    let threshold = try reader.double()
    var variants: [Variant] = []
    for _ in 0..<(try reader.count(width: 8)) {
      variants.append(
        try Variant(
          name: try reader.text(), version: try reader.text(), weight: try reader.double(),
          isShadow: try reader.boolean(), artifact: try reader.byteArray()))
    }
    try reader.finish()
    try self.init(variants: variants, alertAbove: hasThreshold ? threshold : nil)
  }
}

/// What a variant has done in this process since it was activated.
public struct VariantCounters: Hashable, Sendable {
  /// The variant.
  public let name: String
  /// The model and its version.
  public let version: String
  /// Whether its results are only counted.
  public let isShadow: Bool
  /// Rows that it was given; those without usable features count for no variant.
  public internal(set) var rows: Int64 = 0
  /// Rows that it could not score.
  public internal(set) var failed: Int64 = 0
  /// Rows whose result lies above the deployment's threshold.
  public internal(set) var alerts: Int64 = 0
  /// What scoring them took; 0 where nobody measures.
  public internal(set) var nanoseconds: Int64 = 0

  /// Creates counters that stand at zero.
  public init(name: String, version: String, isShadow: Bool) {
    self.name = name
    self.version = version
    self.isShadow = isShadow
  }

  /// Adds what the same variant has done in another task.
  public mutating func add(_ other: VariantCounters) {
    rows += other.rows
    failed += other.failed
    alerts += other.alerts
    nanoseconds += other.nanoseconds
  }

  /// Creates counters that stand somewhere.
  public init(
    name: String, version: String, isShadow: Bool, rows: Int64, failed: Int64 = 0,
    alerts: Int64 = 0, nanoseconds: Int64 = 0
  ) {
    self.init(name: name, version: version, isShadow: isShadow)
    self.rows = rows
    self.failed = failed
    self.alerts = alerts
    self.nanoseconds = nanoseconds
  }
}
