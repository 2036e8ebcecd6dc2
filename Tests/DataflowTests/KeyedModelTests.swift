import Columns
import Dataflow
import RimSupport
import StreamSQL
import Testing
import Transport

/// Which keys have models, and that it changes nothing where the models are.
@Suite struct KeyedModelTests {
  typealias Row = KeyedTask.Row

  struct Rule: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let limits: DataflowLimits
    /// Keys, each with its seconds.
    let rows: [(Int64, String)]
    /// The first letters of the statuses.
    let expected: String
  }

  /// Rows of the key a at 0 to 9 s, after which it is scored.
  static let warm = (0..<10).map { (Int64($0), "a") }

  static let rules = [
    Rule(
      testDescription: "a model from the first row on, scores after ten", limits: .init(),
      rows: warm + [(10, "a"), (10, "b"), (11, "a")], expected: "WWWWWWWWWWSWS"),
    Rule(
      testDescription: "no model beyond the limit", limits: .init(models: 1),
      rows: [(0, "a"), (0, "b"), (1, "a"), (1, "b")], expected: "WNWN"),
    Rule(
      testDescription: "a model with the third row", limits: .init(modelAfter: 3),
      rows: [(0, "a"), (0, "b"), (1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "b")],
      expected: "NNNWWNW"),
    Rule(
      testDescription: "a key that stayed away begins anew", limits: .init(modelTTL: 10_000),
      rows: warm + [(10, "a"), (20, "a"), (31, "a")], expected: "WWWWWWWWWWSSW"),
    Rule(
      testDescription: "an expired key makes room", limits: .init(models: 1, modelTTL: 10_000),
      rows: [(0, "a"), (10, "b"), (11, "b"), (12, "a"), (22, "b"), (23, "a")], expected: "WNWNWN"),
    Rule(
      testDescription: "sightings outlive the model",
      limits: .init(modelTTL: 10_000, modelAfter: 2),
      rows: [(0, "a"), (1, "a"), (20, "a"), (21, "b"), (21, "b")], expected: "NWWNW"),
  ]

  @Test(arguments: rules) func keysHaveModels(_ rule: Rule) throws {
    let rows = rule.rows.map { Row(time: $0.0 * 1_000, key: $0.1, value: Double($0.0 % 5)) }
    for (batchSize, budget) in [(100, nil), (1, nil), (3, KeyedTask.tightBudget)] {
      var limits = rule.limits
      limits.modelBytes = budget
      let task = try KeyedTask(limits)
      task.feed(rows, batchSize: batchSize)
      #expect(task.statuses.compactMap(\.first) == Array(rule.expected), "batches of \(batchSize)")
    }
    let task = try KeyedTask(rule.limits)
    for row in rows {
      task.feed([row])
      try task.restore(task.save())
    }
    #expect(task.statuses.compactMap(\.first) == Array(rule.expected), "save and restore")
  }

  private static func limits(_ random: inout SplitMix64) -> DataflowLimits {
    DataflowLimits(
      models: [3, 6, 100].randomElement(using: &random) ?? 3,
      modelTTL: [nil, 90, 400].randomElement(using: &random) ?? nil,
      modelAfter: Int.random(in: 1...3, using: &random))
  }

  private static func rows(_ random: inout SplitMix64) -> [Row] {
    var time: Int64 = 1_000
    return (0..<400).map { _ in
      time += Int64.random(in: 0...20, using: &random)
      // A few keys come often, many seldom.
      let isHot = Bool.random(using: &random)
      let key = Int.random(in: 0..<(isHot ? 3 : 30), using: &random)
      return Row(time: time, key: "k\(key)", value: Double.random(in: 0...9, using: &random))
    }
  }

  /// Random limits and rows: statuses as the naive model says, and the same rows however batches are cut,
  /// wherever the models are, and whenever the task begins again from a snapshot.
  @Test(arguments: 1...30 as ClosedRange<UInt64>) func whereModelsAreChangesNothing(seed: UInt64)
    throws
  {
    var random = SplitMix64(seed: seed)
    var limits = Self.limits(&random)
    let rows = Self.rows(&random)
    let straight = try KeyedTask(limits, seed: seed)
    straight.feed(rows)
    var naive = NaiveAdmission(limits)
    let expected = rows.map { naive.status($0) }
    #expect(straight.statuses == expected)

    limits.modelBytes = KeyedTask.tightBudget
    let single = try KeyedTask(limits, seed: seed)
    single.feed(rows, batchSize: 1)
    #expect(single.rows == straight.rows, "one by one")
    #expect(single.counters.evictions > 0 || naive.peak < 6)

    // Of a state that fits, models stay as they were saved until somebody asks for them.
    if seed.isMultiple(of: 2) { limits.modelBytes = 100_000_000 }
    let disturbed = try KeyedTask(limits, seed: seed)
    var next = 0
    var number: Int64 = 0
    func feedSome() {
      let count = min(rows.count - next, Int.random(in: 0...9, using: &random))
      disturbed.feed(Array(rows[next..<next + count]))
      next += count
    }
    while next < rows.count {
      feedSome()
      for _ in 0..<Int.random(in: 0...4, using: &random) {
        _ = disturbed.dataflow.readOneModel()
      }
      number += 1
      if Bool.random(using: &random) { continue }
      let here = next
      let whole = SnapshotCopyTests.Task.state(disturbed.save())
      disturbed.dataflow.forgetSaved()
      let copied = disturbed.copy(number) { if Bool.random(using: &random) { feedSome() } }
      #expect(SnapshotCopyTests.Task.state(copied) == whole, "snapshot \(number)")
      guard next == here else { continue }
      try disturbed.restore(copied)
    }
    #expect(disturbed.rows == straight.rows, "disturbed")
    #expect(disturbed.dataflow.failure == nil)
  }

  @Test func modelsAreReadOneByOneOrWhenARowAsks() throws {
    let rows = (0..<600).map {
      KeyedTask.Row(time: Int64($0), key: "k\($0 % 20)", value: Double($0 * 7 % 11))
    }
    let task = try KeyedTask(DataflowLimits())
    task.feed(Array(rows[..<300]))
    let saved = SnapshotCopyTests.Task.state(task.save())
    let twin = try KeyedTask(DataflowLimits())
    try twin.restore(task.save())
    #expect(twin.counters.resident == 40)
    #expect(SnapshotCopyTests.Task.state(twin.save()) == saved)
    let asSaved = twin.counters.residentBytes
    var reads = 1
    while twin.dataflow.readOneModel() { reads += 1 }
    #expect((20...40).contains(reads))
    #expect(twin.counters.residentBytes > asSaved)
    #expect(!twin.dataflow.readOneModel())
    #expect(SnapshotCopyTests.Task.state(twin.save()) == saved)
    task.feed(Array(rows[300...]))
    twin.feed(Array(rows[300...]))
    #expect(twin.rows == task.rows.map { Array($0.suffix(300)) })
  }

  /// Whether models wait in the scratch or not: the rows of its key tell of a model that is damaged, somebody is
  /// told once, it is kept, and the others go on.
  @Test(arguments: [nil, KeyedTask.tightBudget] as [Int?], [false, true])
  func aDamagedModelHarmsNoOther(budget: Int?, isReadBefore: Bool) throws {
    let rows = (0..<600).map {
      KeyedTask.Row(time: Int64($0), key: "k\($0 % 20)", value: Double($0 * 7 % 11))
    }
    let task = try KeyedTask(DataflowLimits())
    task.feed(Array(rows[..<300]))
    var writer = StateWriter()
    for slice in task.save() {
      var bytes = slice.bytes
      if slice.number == 3 { bytes[bytes.count / 2] ^= 1 }
      writer.section(slice.section, slice: slice.number, bytes: bytes)
    }
    let twin = try KeyedTask(DataflowLimits(modelBytes: budget))
    try twin.restore(writer.slices)
    if isReadBefore { while twin.dataflow.readOneModel() {} }
    task.feed(Array(rows[300...]))
    twin.feed(Array(rows[300..<450]), batchSize: 40)
    let damages = twin.takeDamages()
    #expect(damages.map(\.key) == Array(repeating: "{\"K\":\"k2\"}", count: 2))
    #expect(damages.allSatisfy { $0.reason.contains("is damaged") })
    twin.feed(Array(rows[450...]), batchSize: 40)
    #expect(twin.takeDamages().isEmpty && twin.dataflow.failure == nil)
    #expect(
      twin.rows == task.rows.map { $0.suffix(300).filter { !$0.hasPrefix("k2 ") } })
    let kept = SnapshotCopyTests.Task.state(twin.save())
    let copied = SnapshotCopyTests.Task.state(twin.copy(1))
    for slice in writer.slices where slice.number == 3 {
      #expect(kept["\(slice.section)#3"] == slice.bytes)
      #expect(copied["\(slice.section)#3"] == slice.bytes)
    }
  }

  /// What the scratch gives back is what was written, or nothing of what follows counts.
  @Test func aScratchThatGivesBackOtherBytesIsAFailure() throws {
    let task = try KeyedTask(DataflowLimits(modelBytes: KeyedTask.tightBudget))
    task.feed((0..<20).map { Row(time: $0, key: "k\($0)", value: 1) })
    task.scratch.damagesReads = true
    task.feed([Row(time: 30, key: "k0", value: 1)])
    #expect(task.dataflow.failure?.contains("other bytes than were written") ?? false)
    #expect(task.takeDamages().isEmpty)
  }

  /// Nothing stays in the scratch that no model and no snapshot needs.
  @Test func theScratchHoldsWhatIsSpilled() throws {
    var random = SplitMix64(seed: 3)
    let limits = DataflowLimits(modelBytes: KeyedTask.tightBudget, modelTTL: 200)
    let task = try KeyedTask(limits)
    for number in 0..<20 as Range<Int64> {
      task.feed(
        Self.rows(&random).map { Row(time: $0.time + number * 10_000, key: $0.key, value: 1) })
      if number % 3 == 1 { _ = task.copy(number) }
    }
    let end = task.scratch.bytes.count
    task.feed([Row(time: 1_000_000, key: "z", value: 0)])
    #expect(task.counters.resident == 2 && task.counters.spilled == 0)
    #expect(task.dataflow.scratchBytes == 0 && end > 0)
    // All rounds had as many keys: the room was used again.
    #expect(end < 2_000_000, "\(end)")
  }

  @Test func aScratchThatRefusesKeepsModelsInMemory() throws {
    var random = SplitMix64(seed: 4)
    let rows = Self.rows(&random)
    let straight = try KeyedTask(DataflowLimits())
    straight.feed(rows)
    let task = try KeyedTask(DataflowLimits(modelBytes: KeyedTask.tightBudget))
    task.scratch.refusesWrites = true
    task.feed(Array(rows[..<200]))
    #expect(task.dataflow.scratchProblem == "no room" && task.dataflow.failure == nil)
    #expect(task.counters.residentBytes > KeyedTask.tightBudget && task.counters.spilled == 0)
    task.dataflow.keepToModelMemory()
    #expect(task.dataflow.scratchProblem == "no room")
    task.scratch.refusesWrites = false
    task.dataflow.keepToModelMemory()
    #expect(task.dataflow.scratchProblem == nil)
    #expect(task.counters.residentBytes <= KeyedTask.tightBudget && task.counters.spilled > 0)
    task.feed(Array(rows[200...]))
    #expect(task.rows == straight.rows)
  }

  @Test func aModelThatCannotBeReadBackIsAFailure() throws {
    let task = try KeyedTask(DataflowLimits(modelBytes: KeyedTask.tightBudget))
    task.feed((0..<20).map { Row(time: $0, key: "k\($0)", value: 1) })
    #expect(task.counters.spilled > 0 && task.dataflow.failure == nil)
    task.scratch.refusesReads = true
    task.feed([Row(time: 30, key: "k0", value: 1)])
    #expect(task.dataflow.failure == "a model cannot be read back: no room")
  }

  @Test func theBudgetHoldsWhatItSays() throws {
    let budget = 400_000
    let task = try KeyedTask(DataflowLimits(modelBytes: budget))
    for round in 0..<40 as Range<Int64> {
      task.feed(
        (0..<50).map { Row(time: round, key: "k\($0)", value: Double(($0 * 7 + round) % 11)) })
      #expect(task.counters.residentBytes <= budget)
    }
    #expect(task.counters.resident + task.counters.spilled == 100)
    #expect(task.counters.residentBytes > budget / 2)
    #expect(task.counters.evictions > 0 && task.counters.loads > 0)
  }
}

@Suite struct ScratchLayoutTests {
  @Test(arguments: 1...10 as ClosedRange<UInt64>) func placesDoNotOverlap(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var layout = ScratchLayout()
    var places: [ScratchPlace] = []
    for _ in 0..<2_000 {
      if !places.isEmpty, Bool.random(using: &random) {
        layout.release(places.remove(at: Int.random(in: 0..<places.count, using: &random)))
      } else {
        places.append(layout.place(count: Int.random(in: 0...300_000, using: &random)))
      }
    }
    let pages = places.map { place in
      place.page..<place.page + Int64((place.count + 4_095) / 4_096)
    }.sorted { $0.lowerBound < $1.lowerBound }
    for (one, next) in zip(pages, pages.dropFirst()) { #expect(one.upperBound <= next.lowerBound) }
    #expect((pages.last?.upperBound ?? 0) <= layout.end)
    for place in places { layout.release(place) }
    #expect(layout.used == 0)
  }
}

@Suite struct UseOrderTests {
  @Test(arguments: 1...10 as ClosedRange<UInt64>) func isThatOfAList(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var order = UseOrder()
    var naive: [Int] = []
    for _ in 0..<500 {
      let number = Int.random(in: 0..<20, using: &random)
      naive.removeAll { $0 == number }
      if Int.random(in: 0..<3, using: &random) == 0 {
        order.remove(number)
      } else {
        order.use(number)
        naive.append(number)
      }
      #expect(order.numbers == naive && order.oldest == naive.first)
    }
  }
}

@Suite struct SightingSketchTests {
  @Test func keysAreAdmittedWithTheirNthSighting() {
    var sketch = SightingSketch(threshold: 3, keys: 100)
    for sighting in 1...5 {
      for key in 0..<100 as Range<UInt64> {
        let isAdmitted = sketch.admits(SplitMix64.spread(key))
        #expect(isAdmitted == (sighting >= 3))
      }
    }
  }

  @Test func keysThatComeOnceAreSeldomAdmitted() {
    var sketch = SightingSketch(threshold: 2, keys: 10_000)
    var admitted = 0
    for key in 0..<1_000_000 as Range<UInt64> where sketch.admits(SplitMix64.spread(key)) {
      admitted += 1
    }
    #expect(admitted < 30_000, "\(admitted)")
  }

  /// Sightings that lie too far apart are forgotten.
  @Test func countsAge() {
    var sketch = SightingSketch(threshold: 2, keys: 1)
    var answers = [sketch.admits(SplitMix64.spread(7))]
    for key in 1_000..<9_000 as Range<UInt64> { _ = sketch.admits(SplitMix64.spread(key)) }
    for _ in 0..<2 { answers.append(sketch.admits(SplitMix64.spread(7))) }
    #expect(answers == [false, false, true])
  }
}

extension SplitMix64 {
  /// A hash of a number.
  fileprivate static func spread(_ number: UInt64) -> UInt64 {
    var generator = SplitMix64(seed: number)
    return generator.next()
  }
}
