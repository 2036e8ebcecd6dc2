import Transport

/// What one seed means: a pipeline, machines and what goes wrong.
public struct Scenario: Sendable {
  /// How many pipelines seeds share.
  static let pipelines = 48

  let seed: UInt64
  let pipeline: SimulatedPipeline
  let workers: Int
  /// How many daemons run at once; they share one disk.
  let processes: Int
  private(set) var rates: FaultRates
  let refusesCommitsWhileJoining: Bool
  var scripted: [ScriptedFault] = []
  /// What happens to the group, in this order.
  var changes: [GroupChange] = []
  /// What brokers delete, in this order.
  var deletions: [RecordDeletion] = []
  /// How many records a fetch brings; nil for as many as there are, at once.
  ///
  /// A limited one brings what was there when the one before it was asked for.
  var fetchLimit: Int?
  /// How many bytes of metadata the brokers take; Kafka's default.
  var metadataLimit = 4_096
  /// Whether the records of the input were written in transactions, whose marks stand behind them.
  var endsWithMarks = false
  /// How long a transaction waits for commits that are announced, milliseconds.
  var gatheringTime: Int64 = 0

  /// The scenario of a seed.
  ///
  /// - Parameters:
  ///   - seed: Any number.
  ///   - pipeline: Pipeline `seed % pipelines`.
  init(seed: UInt64, pipeline: SimulatedPipeline) {
    self.seed = seed
    self.pipeline = pipeline
    var generator = SplitMix64(seed: seed &* 0x9E37_79B9 &+ 1)
    workers = 1 + generator.below(2)
    processes = generator.chance(0.3) ? 2 : 1
    refusesCommitsWhileJoining = generator.chance(0.5)
    func rate(_ most: Double, _ generator: inout SplitMix64) -> Double {
      generator.chance(0.5) ? Double.random(in: 0...most, using: &generator) : 0
    }
    rates = FaultRates(
      kill: rate(0.04, &generator), diskError: rate(0.03, &generator),
      brokerError: rate(0.1, &generator), answerLost: rate(0.1, &generator),
      uploadError: rate(0.3, &generator), uploadLie: rate(0.2, &generator),
      pause: rate(0.002, &generator), rebalance: rate(0.002, &generator),
      restart: rate(0.001, &generator), clock: rate(0.01, &generator))
    rates.answerLate = rate(0.05, &generator)
    rates.answerTwice = rate(0.1, &generator)
    gatheringTime = [0, 50, 200][generator.below(3)]
    endsWithMarks = generator.chance(0.5)
  }

  /// A scenario without chance: one process, and the faults named.
  init(pipeline: SimulatedPipeline, scripted: [ScriptedFault]) {
    seed = 1
    self.pipeline = pipeline
    workers = 1
    processes = 1
    rates = FaultRates()
    refusesCommitsWhileJoining = false
    gatheringTime = 50
    self.scripted = scripted
  }
}
