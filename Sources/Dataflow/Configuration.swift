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
  /// Bytes of the models of one table function with PARTITION BY; nil is no limit but `models`.
  ///
  /// A model counts with its size when full, so that the count depends on the configuration alone.
  public var modelBytes: Int?

  /// Creates limits.
  public init(
    keys: Int = 2_000_000, heldRows: Int = 5_000_000, matchesPerRow: Int = 10_000,
    models: Int = 10_000, modelBytes: Int? = nil
  ) {
    self.keys = keys
    self.heldRows = heldRows
    self.matchesPerRow = matchesPerRow
    self.models = models
    self.modelBytes = modelBytes
  }

  /// How many models of a size there may be.
  ///
  /// - Throws: `DataflowError` when there is no room for one.
  func models(ofBytes size: Int) throws(DataflowError) -> Int {
    guard let modelBytes else { return models }
    guard modelBytes >= size else {
      throw DataflowError(
        "a model takes \(size) bytes, model_memory is \(modelBytes) (limits: model_memory)")
    }
    return min(models, modelBytes / size)
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

  /// Creates a configuration.
  public init(seed: UInt64 = 0, limits: DataflowLimits = .init(), watched: [String]? = nil) {
    self.seed = seed
    self.limits = limits
    self.watched = watched
  }
}

/// Why a dataflow could not be made or restored.
public struct DataflowError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong, in lower case without a full stop.
  public let description: String

  /// Creates an error.
  public init(_ description: String) { self.description = description }
}
