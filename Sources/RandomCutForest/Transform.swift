/// How inputs are changed before they enter the forest.
public enum TransformMethod: UInt8, CaseIterable, Sendable {
  /// As they are.
  case none
  /// Each input times its weight.
  case weighted
  /// Less their moving average.
  case subtractMovingAverage
  /// Less their moving average, in units of their moving deviation.
  case normalize
  /// The step from the input before.
  case difference
  /// The step from the input before, normalised.
  case normalizeDifference

  /// Whether steps, not values, enter the forest.
  public var isDifferenced: Bool { self == .difference || self == .normalizeDifference }

  var isNormalized: Bool { self == .normalize || self == .normalizeDifference }

  /// Whether the transformed values depend on what came before.
  var needsStatistics: Bool {
    self == .normalize || self == .normalizeDifference || self == .subtractMovingAverage
  }
}

/// The running statistics of one input, and its transformation there and back.
package struct InputStatistics: Equatable, Sendable {
  package var value: Deviation
  package var step: Deviation
  /// Of the deviation of the values, and of mean and deviation of the steps.
  package var valueDeviation: Deviation
  package var stepMean: Deviation
  package var stepDeviation: Deviation
  package var previous = 0.0

  package init(decay: Double) {
    value = Deviation(discount: decay)
    step = Deviation(discount: decay)
    valueDeviation = Deviation(discount: decay)
    stepMean = Deviation(discount: 0.1 * decay)
    stepDeviation = Deviation(discount: 0.1 * decay)
  }

  /// Takes in an input; a missing one, filled in by the caller, moves only the steps.
  package mutating func update(_ input: Double, isMissing: Bool = false) {
    if !isMissing { value.update(input) }
    step.update(step.count == 0 ? 0 : input - previous)
    if !isMissing { valueDeviation.update(value.deviation) }
    stepMean.update(step.mean)
    stepDeviation.update(step.deviation)
    previous = input
  }
}

/// The scale of one input at one moment: transformed = weight · (input - shift) / scale.
package struct InputScale: Equatable, Sendable {
  package var shift: Double
  package var scale: Double
  package var weight: Double
  package var isClipped: Bool

  private static let clip = 100.0

  /// The floor is added to the deviation, so that a constant series has a scale; nil takes 1 % of
  /// the mean, at most 1.
  package init(
    _ statistics: InputStatistics, _ method: TransformMethod, weight: Double, floor: Double?
  ) {
    let floor = floor ?? min(1, 0.01 * statistics.value.mean.magnitude + 1e-6)
    shift = 0
    scale = 1
    switch method {
    case .none, .weighted: break
    case .subtractMovingAverage: shift = statistics.value.mean
    case .normalize:
      shift = statistics.value.mean
      scale = statistics.valueDeviation.mean.magnitude + floor
    case .difference: shift = statistics.previous
    case .normalizeDifference:
      shift = statistics.previous + statistics.step.mean
      scale = statistics.step.deviation + floor
    }
    self.weight = weight
    isClipped = method.isNormalized
  }

  package func transform(_ input: Double) -> Float {
    let scaled = weight * (input - shift) / scale
    let limit = isClipped ? Self.clip : Double(ForestError.largestMagnitude)
    return Float(min(limit, max(-limit, scaled)))
  }

  package func invert(_ value: Float) -> Double {
    weight == 0 ? shift : Double(value) * scale / weight + shift
  }
}
