import LearnedModels

/// Trains a model.
///
/// - Parameters:
///   - request: What shall be trained.
///   - data: What on.
///   - progress: Told of stages and metrics.
///   - checkpoints: Lets a forecaster go on after an interruption; the other algorithms know none.
/// - Returns: The model and its figures.
/// - Throws: The first thing that is wrong with hyperparameters, data or the checkpoint, or that it was
///   cancelled.
public func train(
  _ request: TrainingRequest, on data: TrainingData, progress: TrainingProgress = .init(),
  checkpoints: TrainingCheckpoints? = nil
) throws(TrainingError) -> TrainingResult {
  if checkpoints != nil, request.algorithm != .deepAR {
    throw .checkpoint(
      reason:
        "\(request.algorithm.rawValue) has no checkpoints: it reads its data a few times only",
      hint: "train it again from the beginning")
  }
  switch (request.algorithm, data) {
  case (.deepAR, .series(let train, let test)):
    return try trainDeepAR(
      request, train: train, test: test, progress: progress, checkpoints: checkpoints)
  case (.deepAR, .rows):
    throw .data(DataError(message: "rows of numbers do not train a deepar model, time series do"))
  case (_, .series):
    throw .data(
      DataError(message: "time series train a deepar model, not \(request.algorithm.rawValue)"))
  case (.kMeans, .rows(let rows, let test)):
    return try KMeansTrainer.train(request, on: rows, test: test, progress: progress)
  case (.pca, .rows(let rows, let test)):
    return try PCATrainer.train(request, on: rows, test: test, progress: progress)
  case (.randomCutForest, .rows(let rows, let test)):
    return try ForestTrainer.train(request, on: rows, test: test, progress: progress)
  }
}
