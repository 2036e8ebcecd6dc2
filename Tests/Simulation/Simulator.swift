import Engine

/// Runs seeds and compares each with the undisturbed run of its pipeline.
public final class Simulator {
  private var pipelines: [Int: SimulatedPipeline] = [:]
  private var references: [Int: Simulation.Result] = [:]

  /// Creates a simulator that has run nothing.
  public init() {}

  private func pipeline(_ number: Int) throws -> SimulatedPipeline {
    if let known = pipelines[number] { return known }
    let made = try SimulatedPipeline(number: number)
    pipelines[number] = made
    return made
  }

  /// The undisturbed run of a pipeline.
  private func reference(_ number: Int) throws -> Simulation.Result {
    if let known = references[number] { return known }
    let simulation = Simulation(
      Scenario(pipeline: try pipeline(number), scripted: []))
    let result = simulation.run(hostileSteps: 0)
    references[number] = result
    return result
  }

  /// How a poisoned pipeline differs in its first output from the same with a record that cannot be
  /// decoded in place of the one that kills.
  ///
  /// - Returns: The differences, and how often the lines of the poisoned run hold `text`.
  /// - Throws: when the engine refuses the pipeline.
  public func compareDefused(_ number: Int, countsLinesWith text: String) throws -> (
    differences: [String], lines: Int
  ) {
    let poisoned = Simulation(
      Scenario(pipeline: try pipeline(number), scripted: []), keepsLines: true)
    let defused = Simulation(
      Scenario(pipeline: try SimulatedPipeline(number: number, isDefused: true), scripted: []))
    let (found, wanted) = (poisoned.run(hostileSteps: 0), defused.run(hostileSteps: 0))
    let differences = found.contents.differences(
      from: wanted.contents, oneToOne: false, outputs: 0...0)
    return (
      found.violations + wanted.violations + differences,
      found.lines.filter { $0.contains(text) }.count
    )
  }

  /// One number for many runs.
  public static func combine(_ digest: UInt64, _ next: UInt64) -> UInt64 {
    digest &* 0x100_0000_01B3 ^ next
  }

  /// How many records the partitions of a pipeline hold together.
  ///
  /// - Throws: when the engine refuses the pipeline.
  public func recordCount(ofPipeline number: Int) throws -> Int {
    try pipeline(number).records.reduce(0) { $0 + $1.count }
  }

  /// How many tasks a pipeline has.
  ///
  /// - Throws: when the engine refuses the pipeline.
  public func taskCount(ofPipeline number: Int) throws -> Int { try pipeline(number).tasks }

  /// Whether a pipeline writes a topic.
  ///
  /// - Throws: when the engine refuses the pipeline.
  public func writesTopic(pipeline number: Int) throws -> Bool {
    try pipeline(number).plan.hasTopicOutput
  }

  /// Runs a pipeline that makes a row of a topic of each record, while brokers delete some that it has not
  /// read.
  ///
  /// - Parameters:
  ///   - isSingle: Whether one task reads all partitions.
  ///   - deletions: What is deleted, and when.
  ///   - changes: What happens to the group.
  ///   - scripted: What goes wrong besides.
  /// - Returns: What it brought forth, and per partition the offsets of the records without a row.
  /// - Throws: when the engine refuses the pipeline.
  public func runLossy(
    isSingle: Bool, deletions: [RecordDeletion], changes: [GroupChange],
    scripted: [ScriptedFault] = []
  ) throws -> (result: Simulation.Result, missing: [[Int64]]) {
    let pipeline = try SimulatedPipeline(lossyAsSingle: isSingle)
    var scenario = Scenario(pipeline: pipeline, scripted: scripted)
    scenario.deletions = deletions
    scenario.changes = changes
    scenario.fetchLimit = 4
    let result = Simulation(scenario, keepsLines: true).run(hostileSteps: 0)
    let missing = (0..<pipeline.partitions).map { partition in
      let found = result.contents.causes[partition] ?? []
      return (0..<SimulatedPipeline.lossyRecords).filter { !found.contains($0) }
    }
    return (result, missing)
  }

  /// Runs one seed.
  ///
  /// - Returns: What it brought forth, differences from the undisturbed run among the violations.
  /// - Throws: when the engine refuses the pipeline.
  public func run(seed: UInt64, keepsLines: Bool = false) throws -> Simulation.Result {
    let number = Int(seed % UInt64(Scenario.pipelines))
    let scenario = Scenario(seed: seed, pipeline: try pipeline(number))
    return try judged(
      Simulation(scenario, keepsLines: keepsLines).run(hostileSteps: 1_500), number)
  }

  /// Runs one pipeline with certain faults and changes of its group.
  ///
  /// - Returns: What it brought forth, differences from the undisturbed run among the violations.
  /// - Throws: when the engine refuses the pipeline.
  public func run(
    pipeline number: Int, scripted: [ScriptedFault] = [], changes: [GroupChange] = [],
    metadataLimit: Int = 4_096, gatheringTime: Int64 = 50, endsWithMarks: Bool = false,
    keepsLines: Bool = false
  ) throws -> Simulation.Result {
    var scenario = Scenario(pipeline: try pipeline(number), scripted: scripted)
    scenario.metadataLimit = metadataLimit
    scenario.gatheringTime = gatheringTime
    scenario.endsWithMarks = endsWithMarks
    scenario.changes = changes
    return try judged(Simulation(scenario, keepsLines: keepsLines).run(hostileSteps: 0), number)
  }

  private func judged(
    _ result: Simulation.Result, _ number: Int
  ) throws -> Simulation.Result {
    let undisturbed = try reference(number)
    var judged = result
    judged.violations += undisturbed.violations.map { "undisturbed: \($0)" }
    judged.violations += result.contents.differences(
      from: undisturbed.contents, oneToOne: false)
    return judged
  }
}
