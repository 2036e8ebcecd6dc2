import CKernels
import COpenBLAS
package import LearnedModels
package import RandomCutForest

/// Windows side by side on their way through the network and back.
///
/// All matrices are time-major: the rows of one step, a row per window, lie together. Products run over
/// all steps at once where no step waits for another, on one thread, which never spins.
package final class DeepARTape {
  typealias Floats = UnsafeMutablePointer<Float>

  /// What one layer remembers for the way back.
  private struct Layer {
    /// rows × inputs.
    let input: Floats
    /// What each input was multiplied by for dropout.
    let mask: Floats
    /// rows × 4 cells.
    let gates: Floats
    /// One step more than there are; the first is zero.
    let hidden: Floats
    let cell: Floats
    let cellTanh: Floats
  }

  package let layout: DeepARLayout
  private let configuration: DeepARConfiguration
  private let windows: Int
  private let steps: Int
  private let rows: Int
  private let width: Int
  private var buffers: [Floats] = []
  private let layers: [Layer]
  private let outputs: Floats
  private let outputSlopes: Floats
  private let hiddenSlopes: Floats
  private let gateSlopes: Floats
  private let cellSlopes: Floats
  private let ones: Floats
  private var row: [Float]
  private var scales: [Double]
  private var categories: [[Int]]
  /// The values to be predicted; NaN where none was observed.
  private var targets: [Float]
  private var isDropping = false

  package init(_ configuration: DeepARConfiguration, windows: Int) {
    openblas_set_num_threads(1)
    let layout = DeepARLayout(configuration)
    let steps = configuration.contextLength + configuration.predictionLength - 1
    let rows = windows * steps
    let cells = layout.cells
    var buffers: [Floats] = []
    func floats(_ count: Int, of value: Float = 0) -> Floats {
      let buffer = Floats.allocate(capacity: count)
      buffer.initialize(repeating: value, count: count)
      buffers.append(buffer)
      return buffer
    }
    self.layout = layout
    self.configuration = configuration
    self.windows = windows
    self.steps = steps
    self.rows = rows
    width = 4 * cells
    layers = layout.layers.map { layer in
      Layer(
        input: floats(rows * layer.inputCount), mask: floats(rows * cells),
        gates: floats(rows * 4 * cells), hidden: floats((rows + windows) * cells),
        cell: floats((rows + windows) * cells), cellTanh: floats(rows * cells))
    }
    outputs = floats(rows * layout.outputCount)
    outputSlopes = floats(rows * layout.outputCount)
    hiddenSlopes = floats(rows * max(cells, layout.inputCount - layout.embedded))
    gateSlopes = floats(rows * 4 * cells)
    cellSlopes = floats(windows * cells)
    ones = floats(rows, of: 1)
    row = Array(repeating: 0, count: layout.inputCount)
    scales = Array(repeating: 1, count: windows)
    categories = Array(repeating: [], count: windows)
    targets = Array(repeating: .nan, count: rows)
    self.buffers = buffers
  }

  deinit {
    for buffer in buffers { buffer.deallocate() }
  }

  /// Writes the inputs and targets of a window.
  package func load(
    _ window: DeepARDataset.Window, at slot: Int, from data: borrowing DeepARDataset
  ) {
    let item = data.items[window.item]
    let scale = data.scale(window)
    let inverse = Float(1 / scale)
    scales[slot] = scale
    categories[slot] = item.series.categories
    for step in 0..<steps {
      let position = window.split - configuration.contextLength + 1 + step
      layout.writeFeatures(
        &row, configuration: configuration, position: position,
        period: item.firstPeriod + position, scale: scale,
        dynamicFeatures: item.series.dynamicFeatures)
      let at = step * windows + slot
      let input = layers[0].input + at * layout.inputCount
      for index in layout.calendar..<layout.embedded { input[index] = row[index] }
      item.series.target.withUnsafeBufferPointer { target in
        for (index, lag) in layout.lags.enumerated() {
          let past = position - lag
          input[index] = past >= 0 ? target[past] * inverse : 0
        }
      }
      let isObserved = position >= 0 && (item.observed.isEmpty || item.observed[position])
      targets[at] = isObserved ? item.series.target[position] : .nan
    }
  }

  /// The mean loss of the loaded windows, and its gradient by the weights.
  package func run(
    _ weights: [Float], dropout: Double, random: inout SplitMix64, gradient: inout [Float]
  ) -> Double {
    loadCategories(weights)
    return weights.withUnsafeBufferPointer { weights in
      gradient.withUnsafeMutableBufferPointer { gradient in
        guard let weights = weights.baseAddress, let slopes = gradient.baseAddress else {
          return 0
        }
        slopes.update(repeating: 0, count: gradient.count)
        for index in layers.indices { forward(index, weights, dropout, &random) }
        let loss = measure(weights)
        backwardHead(weights, slopes)
        for index in layers.indices.reversed() { backward(index, weights, slopes) }
        return loss
      }
    }
  }

  private func loadCategories(_ weights: [Float]) {
    guard layout.embedded < layout.inputCount else { return }
    for slot in 0..<windows {
      layout.writeCategories(
        &row, weights: weights, dimension: configuration.embeddingDimension,
        categories: categories[slot])
      for step in 0..<steps {
        let input = layers[0].input + (step * windows + slot) * layout.inputCount
        for index in layout.embedded..<layout.inputCount { input[index] = row[index] }
      }
    }
  }

  private func forward(
    _ index: Int, _ weights: UnsafePointer<Float>, _ dropout: Double,
    _ random: inout SplitMix64
  ) {
    let cells = layout.cells
    let layer = layers[index]
    let place = layout.layers[index]
    if index > 0 { drop(index, dropout, &random) }
    for row in 0..<rows {
      (layer.gates + row * width).update(from: weights + place.bias, count: width)
    }
    multiply(
      layer.input, weights + place.input, into: layer.gates, rows: rows, columns: width,
      depth: place.inputCount)
    for step in 0..<steps {
      let before = step * windows * cells
      let after = before + windows * cells
      let gates = layer.gates + step * windows * width
      if step > 0 {
        multiply(
          layer.hidden + before, weights + place.recurrent, into: gates, rows: windows,
          columns: width, depth: cells)
      }
      lstm_cells(
        gates, layer.cell + before, layer.cell + after, layer.cellTanh + before,
        layer.hidden + after, windows, cells)
    }
  }

  /// Passes the hidden values of the layer below on, some of them set to zero.
  private func drop(_ index: Int, _ dropout: Double, _ random: inout SplitMix64) {
    let cells = layout.cells
    let layer = layers[index]
    let below = layers[index - 1].hidden + windows * cells
    isDropping = dropout > 0
    guard isDropping else {
      layer.input.update(from: below, count: rows * cells)
      return
    }
    let kept = Float(1 / (1 - dropout))
    let threshold = UInt64(dropout * 65_536)
    for start in stride(from: 0, to: rows * cells, by: 4) {
      var bits = random.next()
      for at in start..<min(start + 4, rows * cells) {
        let factor = bits & 0xffff < threshold ? 0 : kept
        layer.mask[at] = factor
        layer.input[at] = below[at] * factor
        bits >>= 16
      }
    }
  }

  /// The mean loss; writes the slopes of the outputs.
  private func measure(_ weights: UnsafePointer<Float>) -> Double {
    let count = layout.outputCount
    let last = layers[layers.count - 1].hidden + windows * layout.cells
    for row in 0..<rows {
      (outputs + row * count).update(from: weights + layout.headBias, count: count)
    }
    multiply(
      last, weights + layout.head, into: outputs, rows: rows, columns: count,
      depth: layout.cells)
    var observed = 0.0
    for target in targets where target == target { observed += 1 }
    let share = observed > 0 ? 1 / observed : 0
    var sum = 0.0
    for row in 0..<rows {
      let slopes = outputSlopes + row * count
      guard targets[row] == targets[row] else {
        slopes.update(repeating: 0, count: count)
        continue
      }
      let output = outputs + row * count
      let loss = DeepARLoss(
        configuration.likelihood,
        outputs: (
          Double(output[0]), count > 1 ? Double(output[1]) : 0, count > 2 ? Double(output[2]) : 0
        ),
        value: Double(targets[row]), scale: scales[row % windows])
      sum += loss.value
      slopes[0] = Float(loss.slopes.0 * share)
      if count > 1 { slopes[1] = Float(loss.slopes.1 * share) }
      if count > 2 { slopes[2] = Float(loss.slopes.2 * share) }
    }
    return sum * share
  }

  private func backwardHead(_ weights: UnsafePointer<Float>, _ gradient: Floats) {
    let cells = layout.cells
    let count = layout.outputCount
    let last = layers[layers.count - 1].hidden + windows * cells
    accumulate(
      last, outputSlopes, into: gradient + layout.head, rows: rows, depth: cells,
      columns: count)
    sumColumns(outputSlopes, into: gradient + layout.headBias, columns: count)
    multiplyTransposed(
      outputSlopes, weights + layout.head, into: hiddenSlopes, rows: rows, columns: cells,
      depth: count, beta: 0)
  }

  /// From the slopes of a layer's hidden values to its weights' and to those of the layer below.
  private func backward(
    _ index: Int, _ weights: UnsafePointer<Float>, _ gradient: Floats
  ) {
    let cells = layout.cells
    let layer = layers[index]
    let place = layout.layers[index]
    cellSlopes.update(repeating: 0, count: windows * cells)
    for step in (0..<steps).reversed() {
      let before = step * windows * cells
      if step + 1 < steps {
        multiplyTransposed(
          gateSlopes + (step + 1) * windows * width, weights + place.recurrent,
          into: hiddenSlopes + before, rows: windows, columns: cells, depth: width, beta: 1)
      }
      lstm_cells_gradient(
        layer.gates + step * windows * width, layer.cell + before, layer.cellTanh + before,
        hiddenSlopes + before, cellSlopes, gateSlopes + step * windows * width, windows, cells)
    }
    accumulate(
      layer.input, gateSlopes, into: gradient + place.input, rows: rows,
      depth: place.inputCount, columns: width)
    accumulate(
      layer.hidden, gateSlopes, into: gradient + place.recurrent, rows: rows, depth: cells,
      columns: width)
    sumColumns(gateSlopes, into: gradient + place.bias, columns: width)
    if index > 0 {
      multiplyTransposed(
        gateSlopes, weights + place.input, into: hiddenSlopes, rows: rows, columns: cells,
        depth: width, beta: 0)
      if isDropping { for at in 0..<(rows * cells) { hiddenSlopes[at] *= layer.mask[at] } }
    } else {
      backwardCategories(weights, gradient)
    }
  }

  private func backwardCategories(_ weights: UnsafePointer<Float>, _ gradient: Floats) {
    let embedded = layout.inputCount - layout.embedded
    guard embedded > 0 else { return }
    multiplyTransposed(
      gateSlopes, weights + layout.layers[0].input + layout.embedded * width,
      into: hiddenSlopes, rows: rows, columns: embedded, depth: width, beta: 0)
    let dimension = configuration.embeddingDimension
    for row in 0..<rows {
      for (field, category) in categories[row % windows].enumerated() {
        let table = gradient + layout.embeddings[field] + category * dimension
        let slopes = hiddenSlopes + row * embedded + field * dimension
        for index in 0..<dimension { table[index] += slopes[index] }
      }
    }
  }

  /// out += a · b.
  private func multiply(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into out: Floats, rows: Int,
    columns: Int, depth: Int
  ) {
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(rows), blasint(columns),
      blasint(depth), 1, a, blasint(depth), b, blasint(columns), 1, out, blasint(columns))
  }

  /// out = beta out + a · bᵀ, where b has a row per column of out.
  private func multiplyTransposed(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into out: Floats, rows: Int,
    columns: Int, depth: Int, beta: Float
  ) {
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, blasint(rows), blasint(columns),
      blasint(depth), 1, a, blasint(depth), b, blasint(depth), beta, out, blasint(columns))
  }

  /// out += aᵀ · b.
  private func accumulate(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into out: Floats, rows: Int,
    depth: Int, columns: Int
  ) {
    cblas_sgemm(
      CblasRowMajor, CblasTrans, CblasNoTrans, blasint(depth), blasint(columns),
      blasint(rows), 1, a, blasint(depth), b, blasint(columns), 1, out, blasint(columns))
  }

  private func sumColumns(_ a: UnsafePointer<Float>, into out: Floats, columns: Int) {
    cblas_sgemv(
      CblasRowMajor, CblasTrans, blasint(rows), blasint(columns), 1, a, blasint(columns), ones,
      1, 1, out, 1)
  }
}

/// Adam's memory and its step.
struct DeepAROptimizer {
  private static let gradientLimit = 10.0
  private static let decays: (first: Float, second: Float) = (0.9, 0.999)
  var first: [Float]
  var second: [Float]
  var powers = (first: 1.0, second: 1.0)

  init(count: Int) {
    first = Array(repeating: 0, count: count)
    second = first
  }

  /// Moves the weights against the gradient, whose norm is cut to 10.
  ///
  /// - Returns: False, and nothing has moved, when the gradient is no finite number.
  /// - Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015.
  mutating func step(_ weights: inout [Float], _ gradient: [Float], rate: Double) -> Bool {
    var square = 0.0
    for slope in gradient { square += Double(slope) * Double(slope) }
    guard square.isFinite else { return false }
    let norm = square.squareRoot()
    powers.first *= Double(Self.decays.first)
    powers.second *= Double(Self.decays.second)
    var step = lstm_adam(
      gradient_factor: norm > Self.gradientLimit ? Float(Self.gradientLimit / norm) : 1,
      weight_decay: 1e-8, rate: Float(rate / (1 - powers.first)),
      first_decay: Self.decays.first, second_decay: Self.decays.second,
      second_correction: Float(1 / (1 - powers.second)), epsilon: 1e-8)
    lstm_adam_step(&weights, gradient, &first, &second, weights.count, &step)
    return true
  }
}

/// Moves an average of weights towards the newest.
func average(_ average: inout [Float], towards weights: [Float], share: Float) {
  lstm_average(&average, weights, weights.count, share)
}
