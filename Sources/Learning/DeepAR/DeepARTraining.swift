import LearnedModels

/// Trains a DeepAR network on series, and forecasts the ends of the test series.
func trainDeepAR(
  _ request: TrainingRequest, train: [TimeSeries], test: [TimeSeries],
  progress: TrainingProgress, checkpoints: TrainingCheckpoints?
) throws(TrainingError) -> TrainingResult {
  let parameters: DeepARHyperparameters
  do throws(HyperparameterError) {
    parameters = try DeepARHyperparameters(request.hyperparameters)
  } catch {
    throw .hyperparameter(error)
  }
  let data = try DeepARDataset(train, parameters, note: progress.noted)
  var trainer = DeepARTrainer(data, parameters, seed: request.seed)
  let keeper = try checkpoints.map { checkpoints throws(TrainingError) in
    let identity = DeepARTrainingIdentity(request, data)
    try trainer.goOn(from: checkpoints, identity, note: progress.noted)
    return (checkpoints, identity)
  }
  try trainer.run(progress) { trainer in
    guard let (checkpoints, identity) = keeper, checkpoints.isDue() else { return }
    checkpoints.save(trainer.checkpoint(of: identity))
  }
  let model: DeepARModel
  do throws(DeepARError) {
    model = try DeepARModel(configuration: data.configuration, weights: trainer.best)
  } catch {
    throw .diverged(
      reason: error.description, hint: "lower learning_rate, or look for extreme values")
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
