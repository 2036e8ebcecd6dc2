/// The shape of a DeepAR network and of what it sees.
public struct DeepARConfiguration: Hashable, Sendable {
  /// The spacing of the series.
  public var frequency: DeepARFrequency
  /// How many periods the network reads before it predicts.
  public var contextLength: Int
  /// How many periods it predicts.
  public var predictionLength: Int
  /// The law of a value.
  public var likelihood: DeepARLikelihood
  /// Layers of the network, 1 to 8.
  public var layerCount: Int
  /// Memory cells in each layer, 1 to 200.
  public var cellCount: Int
  /// For every category field of a series how many values it has; empty without categories.
  public var cardinalities: [Int]
  /// Numbers by which a category is represented.
  public var embeddingDimension: Int
  /// Time series of the user's own beside the target.
  public var dynamicFeatureCount: Int
  /// Middle and spread of the logarithm of the training windows' scale.
  public var logScaleMean: Double
  /// At least 0.1.
  public var logScaleDeviation: Double
  /// The length of the longest series in training; the age of a value counts up to here.
  public var maximumAge: Int

  /// Creates a configuration with the defaults of SageMaker.
  public init(
    frequency: DeepARFrequency, contextLength: Int, predictionLength: Int,
    likelihood: DeepARLikelihood = .studentT, layerCount: Int = 2, cellCount: Int = 40,
    cardinalities: [Int] = [], embeddingDimension: Int = 10, dynamicFeatureCount: Int = 0,
    logScaleMean: Double = 0, logScaleDeviation: Double = 1, maximumAge: Int = 1
  ) {
    self.frequency = frequency
    self.contextLength = contextLength
    self.predictionLength = predictionLength
    self.likelihood = likelihood
    self.layerCount = layerCount
    self.cellCount = cellCount
    self.cardinalities = cardinalities
    self.embeddingDimension = embeddingDimension
    self.dynamicFeatureCount = dynamicFeatureCount
    self.logScaleMean = logScaleMean
    self.logScaleDeviation = logScaleDeviation
    self.maximumAge = maximumAge
  }
}

/// Where the parts of an input row and of the weights lie.
///
/// An input row has the lagged values, the calendar, the age, the dynamic features, the logarithm of
/// the scale and the embedded categories. A weight matrix has one row per input, one column per
/// output.
package struct DeepARLayout: Hashable, Sendable {
  /// One layer's matrices.
  package struct Layer: Hashable, Sendable {
    package let inputCount: Int
    /// A row per input, 4 cells wide.
    package let input: Int
    /// A row per cell, 4 cells wide.
    package let recurrent: Int
    /// As many as gates.
    package let bias: Int
  }

  package let lags: [Int]
  package let calendar: Int
  package let age: Int
  package let dynamic: Int
  package let logScale: Int
  package let embedded: Int
  package let inputCount: Int
  package let cells: Int
  /// Where the table of each category field starts among the weights.
  package let embeddings: [Int]
  package let layers: [Layer]
  package let outputCount: Int
  /// cells × outputs, then the outputs' bias.
  package let head: Int
  package let headBias: Int
  package let weightCount: Int

  package init(_ configuration: DeepARConfiguration) {
    lags = configuration.frequency.lags
    calendar = lags.count
    age = calendar + configuration.frequency.calendarFeatureCount
    dynamic = age + 1
    logScale = dynamic + configuration.dynamicFeatureCount
    embedded = logScale + 1
    inputCount = embedded + configuration.cardinalities.count * configuration.embeddingDimension
    cells = configuration.cellCount
    var next = 0
    embeddings = configuration.cardinalities.map { cardinality in
      defer { next += cardinality * configuration.embeddingDimension }
      return next
    }
    var inputs = inputCount
    let gates = 4 * configuration.cellCount
    layers = (0..<configuration.layerCount).map { _ in
      let input = next
      let recurrent = input + inputs * gates
      let bias = recurrent + configuration.cellCount * gates
      next = bias + gates
      defer { inputs = configuration.cellCount }
      return Layer(inputCount: inputs, input: input, recurrent: recurrent, bias: bias)
    }
    outputCount = configuration.likelihood.outputCount
    head = next
    headBias = head + cells * outputCount
    weightCount = headBias + outputCount
  }
}
