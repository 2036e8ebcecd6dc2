/// Counts that bound what a task may hold; reaching one refuses the row that does, never the query.
public struct DataflowLimits: Hashable, Sendable {
  /// Groups of one aggregation, partitions of one window, values of one DISTINCT.
  public var keys: Int
  /// Rows held by one ORDER BY, GROUP_RANK, sliding window or side of a join.
  public var heldRows: Int
  /// Rows that one row of a stream may match in a join.
  public var matchesPerRow: Int
  /// Models of one table function with PARTITION BY; rows of further keys have the status NO_MODEL.
  public var models: Int
  /// Bytes of forests in memory, all functions with PARTITION BY and all tasks together; nil is no limit.
  ///
  /// Forests beyond it wait in the scratch. It changes no result.
  public var modelBytes: Int?
  /// How long a key may stay away before its forest is forgotten, milliseconds of ROWTIME; nil is for ever.
  public var modelTTL: Int64?
  /// With which of its rows a key gets a forest, 1 to 100, roughly: they must not lie too far apart.
  public var modelAfter: Int

  /// Creates limits.
  public init(
    keys: Int = 2_000_000, heldRows: Int = 5_000_000, matchesPerRow: Int = 10_000,
    models: Int = 10_000, modelBytes: Int? = nil, modelTTL: Int64? = nil, modelAfter: Int = 1
  ) {
    self.keys = keys
    self.heldRows = heldRows
    self.matchesPerRow = matchesPerRow
    self.models = models
    self.modelBytes = modelBytes
    self.modelTTL = modelTTL
    self.modelAfter = modelAfter
  }

  /// Checks that a model that takes so many bytes when it is full has room.
  ///
  /// - Throws: `DataflowError` when it has not.
  func check(modelBytes size: Int) throws(DataflowError) {
    guard let modelBytes, modelBytes < size else { return }
    throw DataflowError(
      "a model takes \(size) bytes, model_memory is \(modelBytes) (limits: model_memory)")
  }
}

/// What a dataflow is made for, beside its plan.
public struct DataflowConfiguration: Hashable, Sendable {
  /// From which the generators of all models follow.
  public var seed: UInt64
  /// What the task may hold.
  public var limits: DataflowLimits
  /// The streams whose rows are wanted, `error_stream` among them if so; nil is all.
  public var watched: [String]?
  /// How many dataflows share the memory for models.
  public var sharers: Int

  /// Creates a configuration.
  public init(
    seed: UInt64 = 0, limits: DataflowLimits = .init(), watched: [String]? = nil, sharers: Int = 1
  ) {
    self.seed = seed
    self.limits = limits
    self.watched = watched
    self.sharers = max(1, sharers)
  }
}

/// Why a dataflow could not be made or restored.
public struct DataflowError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong, in lower case without a full stop.
  public let description: String

  /// Creates an error.
  public init(_ description: String) { self.description = description }
}
