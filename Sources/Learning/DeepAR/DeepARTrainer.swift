package import LearnedModels
package import RandomCutForest

/// The loop of a DeepAR training: epochs of batches, a learning rate that halves when the loss stands
/// still, and the best epoch's weights.
package struct DeepARTrainer {
  /// Epochs without progress after which the learning rate is halved.
  private static let plateau = 10
  /// How much of the newest weights goes into the average that becomes the model.
  private static let share = 0.005

  let parameters: DeepARHyperparameters
  var data: DeepARDataset
  var random: SplitMix64
  var weights: [Float]
  var averaged: [Float]
  private var gradient: [Float]
  var optimizer: DeepAROptimizer
  private let tape: DeepARTape
  var rate: Double
  var batches = 0
  /// Epochs since the best one, and since the learning rate was halved last.
  var stale = 0
  var sinceHalving = 0

  /// The trained network.
  var best: [Float]
  var bestLoss = Double.infinity
  /// Every epoch's mean loss.
  var metrics: [Metric] = []

  init(_ data: DeepARDataset, _ parameters: DeepARHyperparameters, seed: UInt64) {
    self.data = data
    self.parameters = parameters
    random = SplitMix64(seed: seed)
    tape = DeepARTape(data.configuration, windows: parameters.batchSize)
    weights = Self.initialWeights(tape.layout, data.configuration, &random)
    averaged = weights
    best = weights
    gradient = Array(repeating: 0, count: weights.count)
    optimizer = DeepAROptimizer(count: weights.count)
    rate = parameters.learningRate
  }

  /// Uniform weights within one over the root of the number of cells; embeddings are normal.
  package static func initialWeights(
    _ layout: DeepARLayout, _ configuration: DeepARConfiguration, _ random: inout SplitMix64
  ) -> [Float] {
    let bound = 1 / Double(layout.cells).squareRoot()
    var weights = (0..<layout.weightCount).map { _ in
      Float((2 * random.uniform() - 1) * bound)
    }
    for index in 0..<layout.layers[0].input { weights[index] = Float(standardNormal(&random)) }
    return weights
  }

  /// Trains until the last epoch, or until progress ends.
  ///
  /// - Parameters:
  ///   - progress: Told of stages and metrics.
  ///   - keep: Called after every epoch.
  /// - Throws: when it was cancelled, or the loss is no number.
  mutating func run(
    _ progress: TrainingProgress, keep: (borrowing DeepARTrainer) -> Void = { _ in }
  ) throws(TrainingError) {
    while metrics.count < parameters.epochs {
      if let patience = parameters.patience, stale >= patience { break }
      let epoch = metrics.count + 1
      let loss = try runEpoch(epoch, progress)
      let metric = Metric("train:loss", loss, step: epoch)
      metrics.append(metric)
      let goesOn = progress.measured(metric)
      if loss < bestLoss {
        bestLoss = loss
        best = averaged
        stale = 0
        sinceHalving = 0
      } else {
        stale += 1
        sinceHalving += 1
      }
      if sinceHalving > Self.plateau {
        rate /= 2
        sinceHalving = 0
      }
      if !goesOn { break }
      keep(self)
    }
  }

  private mutating func runEpoch(
    _ epoch: Int, _ progress: TrainingProgress
  ) throws(TrainingError) -> Double {
    var sum = 0.0
    for batch in 0..<parameters.batchesPerEpoch {
      try progress.check()
      progress.report(
        TrainingStage(
          "epoch \(epoch) of \(parameters.epochs)",
          fraction: (Double(epoch - 1) + Double(batch) / Double(parameters.batchesPerEpoch))
            / Double(parameters.epochs)))
      sum += try runBatch(of: epoch)
    }
    return sum / Double(parameters.batchesPerEpoch)
  }

  private mutating func runBatch(of epoch: Int) throws(TrainingError) -> Double {
    for slot in 0..<parameters.batchSize {
      tape.load(data.draw(&random), at: slot, from: data)
    }
    let loss = tape.run(
      weights, dropout: parameters.dropout, random: &random, gradient: &gradient)
    guard loss.isFinite, optimizer.step(&weights, gradient, rate: rate) else {
      throw .diverged(
        reason: "in epoch \(epoch) the loss is \(loss)"
          + (loss.isFinite ? " and its gradient no finite number" : ""),
        hint: "lower learning_rate, now \(parameters.learningRate), or look for extreme values")
    }
    batches += 1
    average(
      &averaged, towards: weights,
      share: Float(max(Self.share, 10 / (9 + Double(batches)))))
    return loss
  }
}
