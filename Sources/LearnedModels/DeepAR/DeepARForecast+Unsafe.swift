import CKernels
import RandomCutForest

/// Possible futures of one series.
public struct DeepARForecast: Hashable, Sendable {
  /// One path after the other, each with a value per period.
  public let samples: [Double]
  /// How many periods a path has.
  public let length: Int

  /// How many paths there are.
  public var pathCount: Int { samples.count / length }

  /// The mean of the paths in every period.
  public var mean: [Double] {
    (0..<length).map { period in
      var sum = 0.0
      for path in 0..<pathCount { sum += samples[path * length + period] }
      return sum / Double(pathCount)
    }
  }

  /// Quantiles of the paths, between two of them by linear interpolation: per probability, then per
  /// period.
  public func quantiles(_ probabilities: [Double]) -> [[Double]] {
    var quantiles = probabilities.map { _ in [Double](repeating: 0, count: length) }
    for period in 0..<length {
      let sorted = (0..<pathCount).map { samples[$0 * length + period] }.sorted()
      for (index, probability) in probabilities.enumerated() {
        let place = probability * Double(pathCount - 1)
        let low = min(Int(place), pathCount - 1)
        let high = min(low + 1, pathCount - 1)
        quantiles[index][period] =
          sorted[low] + (sorted[high] - sorted[low]) * (place - Double(low))
      }
    }
    return quantiles
  }
}

extension DeepARScorer {
  /// Draws possible futures of a series; of a model without a law, the one that it predicts.
  ///
  /// Categories and dynamic features of a series are ignored where the training had ignored them.
  ///
  /// - Parameters:
  ///   - series: the history, with dynamic features for the periods to be predicted too.
  ///   - samples: how many paths, at least 1.
  ///   - seed: decides all random numbers.
  /// - Returns: the paths.
  /// - Throws: `DeepARError` for a series that does not fit the model.
  public mutating func forecast(
    _ series: TimeSeries, samples: Int, seed: UInt64
  ) throws(DeepARError) -> DeepARForecast {
    let horizon = model.configuration.predictionLength
    let length =
      model.configuration.dynamicFeatureCount > 0 ? series.target.count + horizon : 0
    var series = series
    if model.configuration.cardinalities.isEmpty { series.categories = [] }
    if model.configuration.dynamicFeatureCount == 0 { series.dynamicFeatures = [] }
    try model.check(series, length: length)
    let filled = series.filled(model.configuration.frequency)
    let state = state(filled: filled)
    let paths = model.configuration.likelihood == .deterministicL1 ? 1 : max(1, samples)
    var random = SplitMix64(seed: seed)
    return forecast(
      state, dynamicFeatures: filled.dynamicFeatures, paths: paths, random: &random)
  }

  private mutating func forecast(
    _ state: DeepARState, dynamicFeatures: [[Float]], paths: Int, random: inout SplitMix64
  ) -> DeepARForecast {
    let layout = model.layout
    let horizon = model.configuration.predictionLength
    var futures = DeepARFutures(state: state, layout: layout, paths: paths)
    var samples = [Double](repeating: 0, count: paths * horizon)
    for step in 0..<horizon {
      if step > 0 {
        let sampled = layout.lags.prefix { $0 <= step }.count
        writeInput(
          state, position: state.count + step, lagsFrom: sampled,
          dynamicFeatures: dynamicFeatures)
        for path in 0..<paths {
          for index in 0..<sampled {
            futures.inputs[path * sampled + index] = Float(
              samples[path * horizon + step - layout.lags[index]] / state.scale)
          }
        }
        futures.advance(model: model, input: input, sampledLags: sampled)
      }
      for path in 0..<paths {
        var distribution = state.next
        if step > 0 {
          layout.predict(
            weights: model.weights, hidden: futures.hidden, row: path, rows: paths,
            outputs: &outputs)
          distribution = model.configuration.likelihood.distribution(
            outputs: outputs, scale: state.scale)
        }
        samples[path * horizon + step] = distribution.sample(&random)
      }
    }
    return DeepARForecast(samples: samples, length: horizon)
  }
}

/// The memory cells of many paths that start from one state.
private struct DeepARFutures {
  let paths: Int
  /// A row per path, as wide as lags were sampled.
  var inputs: [Float]
  /// A row per layer and path, as wide as there are cells.
  var hidden: [Float]
  var cell: [Float]
  /// A row per path, 4 cells wide.
  var gates: [Float]

  init(state: DeepARState, layout: DeepARLayout, paths: Int) {
    func repeated(_ values: [Float]) -> [Float] {
      var result: [Float] = []
      result.reserveCapacity(values.count * paths)
      for layer in layout.layers.indices {
        for _ in 0..<paths {
          result += values[(layer * layout.cells)..<((layer + 1) * layout.cells)]
        }
      }
      return result
    }
    self.paths = paths
    inputs = Array(repeating: 0, count: paths * layout.lags.count)
    hidden = repeated(state.hidden)
    cell = repeated(state.cell)
    gates = Array(repeating: 0, count: paths * 4 * layout.cells)
  }

  /// One step of all paths: what they share of the input is multiplied once.
  mutating func advance(model: DeepARModel, input: [Float], sampledLags: Int) {
    let layout = model.layout
    let width = 4 * layout.cells
    let rows = paths
    model.weights.withUnsafeBufferPointer { weights in
      input.withUnsafeBufferPointer { input in
        inputs.withUnsafeBufferPointer { inputs in
          gates.withUnsafeMutableBufferPointer { gates in
            hidden.withUnsafeMutableBufferPointer { hidden in
              cell.withUnsafeMutableBufferPointer { cell in
                guard let weights = weights.baseAddress, let input = input.baseAddress,
                  let inputs = inputs.baseAddress, let gates = gates.baseAddress,
                  let hidden = hidden.baseAddress, let cell = cell.baseAddress
                else { return }
                gates.update(from: weights + layout.layers[0].bias, count: width)
                lstm_affine(
                  input, layout.inputCount, weights + layout.layers[0].input, gates, 1,
                  layout.inputCount, width)
                for row in 1..<max(1, rows) {
                  (gates + row * width).update(from: gates, count: width)
                }
                lstm_affine(
                  inputs, sampledLags, weights + layout.layers[0].input, gates, rows, sampledLags,
                  width)
                layout.advance(weights, gates: gates, hidden: hidden, cell: cell, rows: rows)
              }
            }
          }
        }
      }
    }
  }
}
