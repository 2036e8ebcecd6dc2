import CKernels
import RandomCutForest

extension DeepARLayout {
  /// Writes what the network sees at one position of a series, all but the lagged values.
  package func writeFeatures(
    _ row: inout [Float], configuration: DeepARConfiguration, position: Int, period: Int,
    scale: Double, dynamicFeatures: [[Float]]
  ) {
    configuration.frequency.calendarFeatures(of: period, into: &row, at: calendar)
    let years = Double(2 + max(0, min(position, configuration.maximumAge)))
    row[age] = Float(logarithm(years) * 0.434_294_481_903_251_83)
    for (index, feature) in dynamicFeatures.enumerated() {
      row[dynamic + index] = position >= 0 ? feature[position] : 0
    }
    row[logScale] = Float(
      (logarithm(scale) - configuration.logScaleMean) / configuration.logScaleDeviation)
  }

  /// Writes the embedded categories of a series.
  package func writeCategories(
    _ row: inout [Float], weights: [Float], dimension: Int, categories: [Int]
  ) {
    for (field, category) in categories.enumerated() {
      for index in 0..<dimension {
        row[embedded + field * dimension + index] =
          weights[embeddings[field] + category * dimension + index]
      }
    }
  }
}

extension DeepARScorer {
  /// Takes the network one position on and predicts the value there; 0 before the series begins.
  mutating func advance(
    _ state: inout DeepARState, position: Int, dynamicFeatures: [[Float]]
  ) {
    writeInput(state, position: position, lagsFrom: 0, dynamicFeatures: dynamicFeatures)
    let layout = model.layout
    model.weights.withUnsafeBufferPointer { weights in
      input.withUnsafeBufferPointer { input in
        gates.withUnsafeMutableBufferPointer { gates in
          state.hidden.withUnsafeMutableBufferPointer { hidden in
            state.cell.withUnsafeMutableBufferPointer { cell in
              guard let weights = weights.baseAddress, let input = input.baseAddress,
                let gates = gates.baseAddress, let hidden = hidden.baseAddress,
                let cell = cell.baseAddress
              else { return }
              gates.update(from: weights + layout.layers[0].bias, count: 4 * layout.cells)
              lstm_affine(
                input, layout.inputCount, weights + layout.layers[0].input, gates, 1,
                layout.inputCount, 4 * layout.cells)
              layout.advance(weights, gates: gates, hidden: hidden, cell: cell, rows: 1)
            }
          }
        }
      }
    }
    layout.predict(
      weights: model.weights, hidden: state.hidden, row: 0, rows: 1, outputs: &outputs)
    state.next = model.configuration.likelihood.distribution(
      outputs: outputs, scale: state.scale)
  }

  /// Writes the input row of a position; lags before the `lagsFrom`-th are left at 0.
  mutating func writeInput(
    _ state: DeepARState, position: Int, lagsFrom: Int, dynamicFeatures: [[Float]]
  ) {
    let layout = model.layout
    let inverse = Float(1 / state.scale)
    let capacity = state.ring.count
    for index in 0..<layout.lags.count {
      let at = position - layout.lags[index]
      input[index] =
        index < lagsFrom || at < 0 ? 0 : state.ring[at % capacity] * inverse
    }
    layout.writeFeatures(
      &input, configuration: model.configuration, position: position,
      period: state.nextPeriod + position - state.count, scale: state.scale,
      dynamicFeatures: dynamicFeatures)
    if dynamicFeatures.isEmpty {
      state.writeFeatures(&input, at: layout.dynamic, position: position)
    }
    layout.writeCategories(
      &input, weights: model.weights, dimension: model.configuration.embeddingDimension,
      categories: state.categories)
  }
}

extension DeepARLayout {
  /// Completes the gates of the first layer, which hold the input's part, and runs all layers.
  ///
  /// `hidden` and `cell` are layers × rows × cells.
  func advance(
    _ weights: UnsafePointer<Float>, gates: UnsafeMutablePointer<Float>,
    hidden: UnsafeMutablePointer<Float>, cell: UnsafeMutablePointer<Float>, rows: Int
  ) {
    let width = 4 * cells
    for (index, layer) in layers.enumerated() {
      let state = index * rows * cells
      if index > 0 {
        for row in 0..<rows {
          (gates + row * width).update(from: weights + layer.bias, count: width)
        }
        lstm_affine(
          hidden + state - rows * cells, cells, weights + layer.input, gates, rows, cells, width)
      }
      lstm_affine(
        hidden + state, cells, weights + layer.recurrent, gates, rows, cells, width)
      lstm_cells(gates, cell + state, cell + state, nil, hidden + state, rows, cells)
    }
  }

  /// The outputs of the network for one of `rows` rows.
  func predict(
    weights: [Float], hidden: [Float], row: Int, rows: Int, outputs: inout [Float]
  ) {
    let last = ((layers.count - 1) * rows + row) * cells
    for output in 0..<outputCount {
      var sum = weights[headBias + output]
      for index in 0..<cells {
        sum += hidden[last + index] * weights[head + index * outputCount + output]
      }
      outputs[output] = sum
    }
  }
}
