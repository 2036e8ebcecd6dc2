/// How long the tasks that write through one producer wait between two commits.
package struct CommitInterval {
  /// The interval.
  package private(set) var milliseconds: Int64
  private let adapts: Bool
  /// How long a transaction takes to end; the last ones count most.
  private var average = 0.0

  /// Creates the interval of a pipeline's configuration.
  package init(_ timing: PipelineConfiguration.Timing) {
    milliseconds = timing.commitInterval
    adapts = timing.adaptsCommitInterval
  }

  /// Follows how long transactions take to end, unless the configuration sets the interval: half of the
  /// time at most goes to that, unless they take more than 50 ms.
  ///
  /// - Parameter took: How long the last one took, milliseconds.
  package mutating func adapt(to took: Int64) {
    guard adapts else { return }
    average += (Double(took) - average) * Self.weight
    milliseconds = Self.choices.first { Double($0) >= 2 * average } ?? Self.longest
  }

  /// How much the last transaction counts: a single one that the brokers held up changes little.
  private static let weight = 0.125
  private static let choices: [Int64] = [25, 50]
  private static let longest: Int64 = 100
}
