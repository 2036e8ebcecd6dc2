import LearnedModels
import RandomCutForest

/// Trains k-means: extra centres from one streaming pass, reduced to k by Lloyd's algorithm, then,
/// if asked for, full passes of it.
enum KMeansTrainer {
  static func train(
    _ request: TrainingRequest, on source: any RowSource, test: (any RowSource)?,
    progress: TrainingProgress
  ) throws(TrainingError) -> TrainingResult {
    let settings: KMeansSettings
    do {
      settings = try KMeansSettings(request.hyperparameters, featureCount: source.featureCount)
    } catch {
      throw .hyperparameter(error)
    }
    guard settings.components > 0 else {
      return try train(
        settings, request.seed, on: source, test: test, through: nil, progress: progress)
    }
    let projection = try PCATrainer.fit(
      PCASettings(components: settings.components, miniBatchSize: settings.miniBatchSize),
      seed: request.seed, on: source, progress: progress
    ).model
    return try train(
      settings, request.seed, on: ProjectedRows(source, projection),
      test: test.map { ProjectedRows($0, projection) }, through: projection, progress: progress)
  }

  private static func train(
    _ settings: KMeansSettings, _ seed: UInt64, on source: any RowSource,
    test: (any RowSource)?, through projection: PCAModel?, progress: TrainingProgress
  ) throws(TrainingError) -> TrainingResult {
    var random = SplitMix64(seed: seed)
    let (state, rowCount) = try stream(settings, on: source, progress: progress, &random)
    var centres = try state.reduced(to: settings.k, settings: settings, progress: progress, &random)
    let found = centres.count / source.featureCount
    guard found == settings.k else {
      throw .data(
        DataError(
          message:
            "k = \(settings.k), but the \(rowCount) rows have only \(found) different places "
            + "that could be centres",
          hint: "lower k, or give more rows or a larger mini_batch_size"))
    }
    if settings.fullIterations > 0 {
      var lloyd = FullLloyd(
        centres: centres, shift: state.shift, blockSize: min(settings.miniBatchSize, 8_192))
      _ = try lloyd.run(
        source, limit: settings.fullIterations, tolerance: settings.tolerance, progress: progress)
      centres = lloyd.centres
    }
    for index in centres.indices { centres[index] += state.shift[index % source.featureCount] }
    let model = KMeansModel(
      centres: centres, dimensions: source.featureCount, projection: projection)
    var metrics: [Metric] = []
    for (name, rows) in [("train", source), ("test", test)] {
      guard let rows else { continue }
      metrics += try evaluate(
        model, on: rows, shift: state.shift, name, settings, progress: progress)
    }
    return TrainingResult(model: .kMeans(model), metrics: metrics, rowCount: rowCount)
  }

  /// The extra centres after all epochs.
  private static func stream(
    _ settings: KMeansSettings, on source: any RowSource, progress: TrainingProgress,
    _ random: inout SplitMix64
  ) throws(TrainingError) -> (WeightedCentres, rowCount: Int) {
    let wanted = settings.k * settings.extraCenterFactor
    var state: WeightedCentres?
    var rowCount = 0
    for epoch in 1...settings.epochs {
      var rows = try RowPass(
        source, "epoch \(epoch) of \(settings.epochs)", progress: progress,
        total: rowCount > 0 ? rowCount : nil)
      var limit = state == nil ? max(settings.miniBatchSize, wanted) : settings.miniBatchSize
      while try rows.next(limit: limit) {
        var centres: WeightedCentres
        if let known = state.take() {
          centres = known
        } else {
          centres = try WeightedCentres(
            first: rows.block, dimensions: source.featureCount, count: wanted,
            seeding: settings.seeding, progress: progress, &random)
        }
        try centres.absorb(rows.block, halfLife: settings.halfLife, progress: progress)
        state = centres
        limit = settings.miniBatchSize
      }
      rowCount = rows.rowsRead
    }
    guard let state, rowCount >= settings.k else {
      throw .data(
        DataError(
          message: "there are \(rowCount) rows for k = \(settings.k) clusters",
          hint: "k must be at most the number of rows"))
    }
    return (state, rowCount)
  }

  /// Mean and sum of the squared distances, by the expansion that the training uses.
  private static func evaluate(
    _ model: KMeansModel, on source: any RowSource, shift: [Float], _ name: String,
    _ settings: KMeansSettings, progress: TrainingProgress
  ) throws(TrainingError) -> [Metric] {
    var rows = try RowPass(source, "measuring \(name)", progress: progress)
    var centres = model.centres
    for index in centres.indices { centres[index] -= shift[index % shift.count] }
    let panels = NearestCentres(centres, dimensions: shift.count)
    var sums = CentreSums(count: model.k, dimensions: shift.count)
    let size = 4_096
    var nearest = [UInt32](repeating: 0, count: size)
    var least = [Float](repeating: 0, count: size)
    var second: [Float] = []
    var shifted: [Float] = []
    while try rows.next(limit: size) {
      RowKernels.shift(rows.block.values, by: shift, into: &shifted)
      try panels.assign(
        shifted, count: rows.block.count, nearest: &nearest, least: &least, second: &second,
        progress: progress)
      sums.add(shifted, count: rows.block.count, centres: centres, nearest: nearest)
    }
    guard rows.rowsRead > 0 else {
      throw .data(DataError(message: "the \(name) data have no rows"))
    }
    var metrics: [Metric] = []
    for metric in settings.metrics {
      let value =
        metric == "ssd" ? sums.squaredDistance : sums.squaredDistance / Double(rows.rowsRead)
      metrics.append(Metric("\(name):\(metric)", value, step: settings.epochs))
      _ = progress.measured(metrics[metrics.count - 1])
    }
    return metrics
  }
}
