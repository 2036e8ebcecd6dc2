public import LearnedModels

/// A model of a pipeline: what it is trained from and when, how it is judged and rolled out.
public struct ModelConfiguration: Sendable {
  /// The model's name in the registry.
  public var name: String
  /// The endpoint that serves it, as SQL names it.
  public var endpoint: String
  /// Which trainer.
  public var algorithm: Algorithm
  /// The trainer's hyperparameters by their names.
  public var hyperparameters: [String: String]
  /// Seeds the training.
  public var seed: UInt64
  /// What it is trained from.
  public var data: DataSource
  /// When it is trained.
  public var schedule: Schedule
  /// What a candidate must reach.
  public var gate = Gate()
  /// How a candidate comes into service.
  public var rollout = Rollout()
  /// What takes a candidate back.
  public var guards = Guards()
  /// The most memory of the training process, bytes.
  public var memoryLimit: Int64 = 1 << 30
  /// The longest that a training may take, milliseconds.
  public var timeLimit: Int64 = 3_600_000
  /// Where its data stand in the file, for messages.
  public var place = Place()

  /// What a model is trained from.
  public struct DataSource: Sendable {
    /// Where rows lie.
    public enum Origin: Hashable, Sendable {
      /// The records of an input of the pipeline, by its stream.
      case topic(stream: String)
      /// The objects that an output of the pipeline has left in a folder, by its stream.
      case delivered(stream: String)
      /// One file in a form that the trainer reads.
      case file(String)
    }

    /// Where rows lie.
    public var origin: Origin
    /// How far back from now, milliseconds; nil is everything.
    public var window: Int64?
    /// The columns that become features, in this order; one for a forecaster, none for a file.
    public var columns: [String] = []
    /// The column that is the time of a row; nil is the record's timestamp.
    public var time: String?
    /// The columns that tell series of a forecaster apart.
    public var key: [String] = []
    /// The columns that are the categories of a series, in the order in which ML_FORECAST has them.
    public var categories: [String] = []
    /// The columns whose values are known beforehand, in the order in which ML_FORECAST has them.
    public var dynamicFeatures: [String] = []
    /// The least rows that are enough.
    public var minimumRows: Int64 = 100
    /// The most rows that are used, the newest of them.
    public var maximumRows: Int64 = 1_000_000

    /// Creates a source of everything at its origin.
    public init(origin: Origin) { self.origin = origin }
  }

  /// What a candidate must reach before it is rolled out.
  public struct Gate: Hashable, Sendable {
    /// The share of the newest rows that the training does not see and the gate measures on.
    public var holdout = 0.2
    /// How many windows of the prediction length a forecaster is measured on at the end of each series,
    /// as far as `holdout` allows; at least one.
    public var windows = 5
    /// By which share of the champion's figure the candidate's may be worse.
    public var tolerance = 0.0
    /// The worst figure that a candidate may have; nil for any.
    public var limit: Double?

    /// Creates the defaults.
    public init() {}
  }

  /// How long something lasts: until a time has passed and so many rows were scored.
  public struct Stage: Hashable, Sendable {
    /// Milliseconds.
    public var time: Int64
    /// Rows that the candidate has scored.
    public var records: Int64 = 0

    /// Creates a stage of some length.
    public init(time: Int64) { self.time = time }
  }

  /// How a candidate comes into service.
  public struct Rollout: Hashable, Sendable {
    /// Whether a candidate that has passed its gate is rolled out without a command.
    public var isAutomatic = true
    /// For how long it only scores along; nil for not at all.
    public var shadow: Stage?
    /// For how long it serves a share of the keys; nil for not at all.
    public var canary: Stage?
    /// That share.
    public var canaryWeight = 0.1
    /// For how long it is watched after its promotion; nil for not at all.
    public var watch: Stage?

    /// Creates the defaults: straight into service.
    public init() {}
  }

  /// What takes a candidate back while it is shadow or canary, or watched after its promotion.
  public struct Guards: Hashable, Sendable {
    /// The greatest share of its rows that it may fail to score.
    public var errorRate = 0.01
    /// The greatest share of its rows whose result may lie above `alertAbove`; nil for any.
    public var alertRate: Double?
    /// A result above this counts as an alert: distance, score, or for a forecaster the negative
    /// decimal logarithm of the tail probability.
    public var alertAbove: Double?
    /// The longest that scoring a row may take on average, nanoseconds; nil for any.
    public var latency: Int64?
    /// The least rows on which a guard judges.
    public var minimumRecords: Int64 = 100

    /// Creates the defaults.
    public init() {}
  }

  /// Creates a model with the defaults.
  public init(
    name: String, algorithm: Algorithm, hyperparameters: [String: String], seed: UInt64,
    data: DataSource, schedule: Schedule
  ) {
    self.name = name
    endpoint = name
    self.algorithm = algorithm
    self.hyperparameters = hyperparameters
    self.seed = seed
    self.data = data
    self.schedule = schedule
  }
}
