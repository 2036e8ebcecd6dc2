/// Ends trials that do worse than most did.
///
/// After each epoch the metric of the trial is compared with the median, over the trials before it, of
/// the mean of their metric up to that epoch.
///
/// - Source: SageMaker's automatic early stopping; Golovin et al., "Google Vizier", KDD 2017, 3.2.2.
package struct MedianStop {
  /// A median of fewer trials says nothing.
  private static let leastTrials = 3

  /// The running means of each finished trial.
  private var finished: [[Double]] = []
  private var current: [Double] = []

  /// Nothing is known yet.
  package init() {}

  /// Takes the metric of the trial's next epoch, lower being better; true when the trial should end.
  package mutating func isHopeless(_ value: Double) -> Bool {
    current.append(value)
    let epoch = current.count
    let means = finished.compactMap { $0.count >= epoch ? $0[epoch - 1] : nil }.sorted()
    guard means.count >= Self.leastTrials else { return false }
    let middle = means.count / 2
    let median =
      means.count % 2 == 1 ? means[middle] : (means[middle - 1] + means[middle]) / 2
    return !(value <= median)
  }

  /// Says that the trial has ended.
  package mutating func finish() {
    var sum = 0.0
    var means: [Double] = []
    for value in current where value.isFinite {
      sum += value
      means.append(sum / Double(means.count + 1))
    }
    if !means.isEmpty { finished.append(means) }
    current = []
  }
}
