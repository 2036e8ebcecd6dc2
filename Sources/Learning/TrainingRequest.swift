public import LearnedModels

/// What shall be trained; with the data it determines the model, bit for bit on one machine.
public struct TrainingRequest: Sendable, Equatable {
  /// The algorithm.
  public var algorithm: Algorithm
  /// SageMaker's names and texts; what is left out has SageMaker's default.
  public var hyperparameters: [String: String]
  /// The seed of every random decision.
  public var seed: UInt64

  /// A request.
  public init(algorithm: Algorithm, hyperparameters: [String: String], seed: UInt64 = 0) {
    self.algorithm = algorithm
    self.hyperparameters = hyperparameters
    self.seed = seed
  }
}

/// What a model is trained on and, if wanted, tested on.
public enum TrainingData {
  /// Rows of numbers: k-means, forests, PCA.
  case rows(train: any RowSource, test: (any RowSource)?)
  /// Time series: DeepAR. Of each test series the last prediction length is withheld.
  case series(train: [TimeSeries], test: [TimeSeries])
}

/// A figure that training brought forth.
public struct Metric: Sendable, Equatable {
  /// The name that SageMaker has for it, such as `train:msd` or `test:f1`.
  public let name: String
  /// The figure.
  public let value: Double
  /// The epoch or pass, from 1; that of the whole training at its end.
  public let step: Int

  /// A metric.
  public init(_ name: String, _ value: Double, step: Int) {
    self.name = name
    self.value = value
    self.step = step
  }
}

/// How far a training is.
public struct TrainingStage: Sendable, Equatable {
  /// What is done now: `pass 1 of 1`.
  public let name: String
  /// Done, from 0 to 1; nil while unknown.
  public let fraction: Double?

  /// A stage.
  public init(_ name: String, fraction: Double?) {
    self.name = name
    self.fraction = fraction
  }
}

/// How a training tells of itself and is stopped.
public struct TrainingProgress {
  /// Asked for every mini-batch; true ends the training with `TrainingError.cancelled`.
  public var isCancelled: () -> Bool
  /// Told for every mini-batch.
  public var report: (TrainingStage) -> Void
  /// Told of every metric when it is known; false ends the training early with what it has.
  public var measured: (Metric) -> Bool
  /// Told of what the user should know and what ends nothing, such as series that are left out.
  public var noted: (String) -> Void

  /// By default nobody listens and nothing is cancelled.
  public init(
    isCancelled: @escaping () -> Bool = { false },
    report: @escaping (TrainingStage) -> Void = { _ in },
    measured: @escaping (Metric) -> Bool = { _ in true },
    noted: @escaping (String) -> Void = { _ in }
  ) {
    self.isCancelled = isCancelled
    self.report = report
    self.measured = measured
    self.noted = noted
  }

  /// Throws when the training was cancelled.
  public func check() throws(TrainingError) {
    if isCancelled() { throw .cancelled }
  }
}

/// A model and the figures of its training.
public struct TrainingResult: Sendable {
  /// The model.
  public let model: LearnedModel
  /// All metrics in the order in which they were measured.
  public let metrics: [Metric]
  /// Rows or series that were read.
  public let rowCount: Int

  /// A result.
  public init(model: LearnedModel, metrics: [Metric], rowCount: Int) {
    self.model = model
    self.metrics = metrics
    self.rowCount = rowCount
  }
}
