import LearnedModels

/// Trains a model.
///
/// - Throws: The first thing that is wrong with hyperparameters or data, or that it was cancelled.
public func train(
  _ request: TrainingRequest, on data: TrainingData, progress: TrainingProgress = .init()
) throws(TrainingError) -> TrainingResult {
  switch (request.algorithm, data) {
  case (.deepAR, .series(let train, let test)):
    return try trainDeepAR(request, train: train, test: test, progress: progress)
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
