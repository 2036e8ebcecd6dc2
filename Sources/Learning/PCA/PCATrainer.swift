import LearnedModels
import RandomCutForest

/// Trains PCA in one pass over the rows.
enum PCATrainer {
  static func train(
    _ request: TrainingRequest, on source: any RowSource, test: (any RowSource)?,
    progress: TrainingProgress
  ) throws(TrainingError) -> TrainingResult {
    let settings: PCASettings
    do {
      settings = try PCASettings(request.hyperparameters, featureCount: source.featureCount)
    } catch {
      throw .hyperparameter(error)
    }
    let fit = try fit(settings, seed: request.seed, on: source, progress: progress)
    let explained = Metric("train:explained_variance", fit.explained, step: 1)
    _ = progress.measured(explained)
    return TrainingResult(model: .pca(fit.model), metrics: [explained], rowCount: fit.rowCount)
  }

  struct Fit {
    let model: PCAModel
    /// The share of the rows' variance that the components keep.
    let explained: Double
    let rowCount: Int
  }

  static func fit(
    _ settings: PCASettings, seed: UInt64, on source: any RowSource, progress: TrainingProgress
  ) throws(TrainingError) -> Fit {
    var rows = try RowPass(source, "pass 1 of 1", progress: progress)
    guard try rows.next(limit: settings.miniBatchSize) else {
      throw .data(DataError(message: "there are no rows"))
    }
    let shift = firstMean(rows.block, source.featureCount)
    if settings.isRandomized {
      var sketch = Sketch(settings, shift: shift, seed: seed)
      repeat { sketch.add(rows.block) } while try rows.next(limit: settings.miniBatchSize)
      try check(rows.rowsRead)
      return try sketch.fit(settings)
    }
    var moments = Moments(shift: shift)
    repeat {
      moments.add(rows.block.values)
    } while try rows.next(limit: settings.miniBatchSize)
    try check(rows.rowsRead)
    return try fit(settings, moments)
  }

  private static func check(_ rowCount: Int) throws(TrainingError) {
    guard rowCount >= 2 else {
      throw .data(
        DataError(
          message: "there is \(rowCount) row", hint: "PCA needs at least 2 different rows"))
    }
  }

  private static func firstMean(_ block: RowBlock, _ featureCount: Int) -> [Float] {
    var sums = [Double](repeating: 0, count: featureCount)
    for row in 0..<block.count {
      for feature in 0..<featureCount {
        sums[feature] += Double(block.values[row * featureCount + feature])
      }
    }
    return sums.map { Float($0 / Double(max(1, block.count))) }
  }

  private static func fit(
    _ settings: PCASettings, _ moments: Moments
  ) throws(TrainingError) -> Fit {
    let size = moments.dimensions
    let covariance = moments.covariance(subtractingMean: settings.subtractsMean)
    let total = (0..<size).reduce(0) { $0 + covariance[$1 * size + $1] }
    guard total > 0 else { throw .data(Self.constant) }
    guard let (values, vectors) = LinearAlgebra.eigen(symmetric: covariance, size: size) else {
      throw .diverged(
        reason: "the eigenvalues of the covariance were not found", hint: "scale the features")
    }
    let variances = values.prefix(settings.components).map { max(0, $0) }
    return Fit(
      model: PCAModel(
        mean: settings.subtractsMean ? moments.mean : [Double](repeating: 0, count: size),
        components: oriented(Array(vectors.prefix(settings.components * size)), size),
        variances: variances),
      explained: variances.reduce(0, +) / total, rowCount: moments.rowCount)
  }

  static let constant = DataError(
    message: "all rows are equal, so that no direction has any variance",
    hint: "leave constant columns out and give rows that differ")

  /// Turns each direction so that its value of greatest magnitude is positive: a direction and its
  /// opposite are equally good, and the same data shall give the same model.
  static func oriented(_ components: [Double], _ size: Int) -> [Double] {
    var components = components
    for start in stride(from: 0, to: components.count, by: size) {
      let greatest = components[start..<(start + size)].max { abs($0) < abs($1) } ?? 0
      guard greatest < 0 else { continue }
      for index in start..<(start + size) { components[index] = -components[index] }
    }
    return components
  }
}

/// The randomized mode: each mini-batch is multiplied by random signs into few rows.
private struct Sketch {
  private let size: Int
  private let rows: Int
  private let shift: [Float]
  private var random: SplitMix64
  private var product: [Double]
  private var signs: [Double]
  private var sums: [Double]
  private var squares = 0.0
  private var rowCount = 0

  init(_ settings: PCASettings, shift: [Float], seed: UInt64) {
    size = shift.count
    rows = settings.components + settings.extraComponents
    self.shift = shift
    random = SplitMix64(seed: seed)
    product = [Double](repeating: 0, count: rows * size)
    signs = [Double](repeating: 0, count: rows)
    sums = [Double](repeating: 0, count: size)
  }

  mutating func add(_ block: RowBlock) {
    let values = block.values.enumerated().map { index, value in
      Double(value) - Double(shift[index % size])
    }
    for (index, value) in values.enumerated() {
      sums[index % size] += value
      squares += value * value
    }
    var matrix = [Double](repeating: 0, count: rows * block.count)
    for row in 0..<rows {
      for column in 0..<block.count {
        let sign = random.next() >> 63 == 0 ? 1.0 : -1.0
        matrix[row * block.count + column] = sign
        signs[row] += sign
      }
    }
    let added = LinearAlgebra.product(
      matrix, values, rows: rows, inner: block.count, columns: size)
    for index in product.indices { product[index] += added[index] }
    rowCount += block.count
  }

  /// The top right singular vectors of the sketch, by way of its small Gram matrix.
  func fit(_ settings: PCASettings) throws(TrainingError) -> PCATrainer.Fit {
    let n = Double(rowCount)
    let mean = sums.map { $0 / n }
    var centred = product
    for row in 0..<rows {
      for feature in 0..<size {
        // Centred rows, or rows as they came: the shift is put back.
        centred[row * size + feature] +=
          settings.subtractsMean
          ? -signs[row] * mean[feature] : signs[row] * Double(shift[feature])
      }
    }
    let gram = LinearAlgebra.product(
      centred, centred, rows: rows, inner: size, columns: rows, transposingSecond: true)
    let total = totalSquares(settings, mean)
    guard total > 0, let (values, vectors) = LinearAlgebra.eigen(symmetric: gram, size: rows),
      let first = values.first, first > 0
    else { throw .data(PCATrainer.constant) }
    guard settings.components <= rows, values[settings.components - 1] > first * 1e-12 else {
      throw .data(
        DataError(
          message: "the rows have fewer than \(settings.components) directions of variance",
          hint: "lower num_components"))
    }
    var components = LinearAlgebra.product(
      vectors, centred, rows: settings.components, inner: rows, columns: size)
    for row in 0..<settings.components {
      let length = values[row].squareRoot()
      for index in (row * size)..<((row + 1) * size) { components[index] /= length }
    }
    let divisor = Double(rows) * (settings.subtractsMean ? max(1, n - 1) : n)
    let variances = values.prefix(settings.components).map { $0 / divisor }
    return PCATrainer.Fit(
      model: PCAModel(
        mean: settings.subtractsMean
          ? zip(mean, shift).map { $0 + Double($1) } : [Double](repeating: 0, count: size),
        components: PCATrainer.oriented(components, size), variances: variances),
      explained: min(
        1, variances.reduce(0, +) * (settings.subtractsMean ? max(1, n - 1) : n) / total),
      rowCount: rowCount)
  }

  private func totalSquares(_ settings: PCASettings, _ mean: [Double]) -> Double {
    let n = Double(rowCount)
    guard !settings.subtractsMean else {
      return squares - n * mean.reduce(0) { $0 + $1 * $1 }
    }
    return squares
      + (0..<size).reduce(0) { sum, feature in
        let offset = Double(shift[feature])
        return sum + n * offset * (2 * mean[feature] + offset)
      }
  }
}
