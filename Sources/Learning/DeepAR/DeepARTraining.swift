import LearnedModels

/// Trains a DeepAR network on series, and forecasts the ends of the test series.
func trainDeepAR(
  _ request: TrainingRequest, train: [TimeSeries], test: [TimeSeries],
  progress: TrainingProgress
) throws(TrainingError) -> TrainingResult {
  let parameters: DeepARHyperparameters
  do throws(HyperparameterError) {
    parameters = try DeepARHyperparameters(request.hyperparameters)
  } catch {
    throw .hyperparameter(error)
  }
  let data = try DeepARDataset(train, parameters, note: progress.noted)
  var trainer = DeepARTrainer(data, parameters, seed: request.seed)
  try trainer.run(progress)
  let model: DeepARModel
  do throws(DeepARError) {
    model = try DeepARModel(configuration: data.configuration, weights: trainer.best)
  } catch {
    throw .diverged(reason: error.description, hint: "lower learning_rate")
  }
  let epochs = trainer.metrics.count
  var final = [Metric("train:final_loss", trainer.bestLoss, step: epochs)]
  if !test.isEmpty {
    final += try DeepAREvaluation(
      model, on: test, samples: parameters.evaluationSamples, quantiles: parameters.quantiles,
      seed: request.seed, progress: progress
    ).metrics(step: epochs)
  }
  for metric in final { _ = progress.measured(metric) }
  return TrainingResult(
    model: .deepAR(model), metrics: trainer.metrics + final, rowCount: train.count)
}
