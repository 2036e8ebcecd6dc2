import Columns
import Delivery
import RimSupport
import Testing
import Transport

struct OpenObjectsTests {
  private func add(
    _ objects: inout OpenObjects, _ partition: String, row: Int64, now: Int64 = 0,
    size: Int = 10
  ) throws -> OpenObject? {
    try objects.append(partitionValues: [partition], row: row, rowTime: row, now: now) {
      $0 += [UInt8](repeating: 1, count: size)
    }
  }

  @Test func everyPartitionFillsByItself() throws {
    var objects = OpenObjects(hints: try BufferingHints(records: 2))
    #expect(try add(&objects, "a", row: 1) == nil)
    #expect(try add(&objects, "b", row: 2) == nil)
    let full = try #require(try add(&objects, "a", row: 3))
    #expect(full.partitionValues == ["a"] && full.firstRow == 1 && full.lastRow == 3)
    #expect(objects.count == 1 && objects.byteCount == 10 && objects.oldestRowTime == 2)
    #expect(try add(&objects, "b", row: 4)?.recordCount == 2)
    #expect(objects.count == 0 && objects.due(now: .max) == nil)
  }

  @Test func intervalsEndInTheOrderOfOpening() throws {
    var objects = OpenObjects(hints: try BufferingHints(intervalMilliseconds: 100))
    for (row, partition) in ["c", "a", "b"].enumerated() {
      #expect(try add(&objects, partition, row: Int64(row), now: Int64(row * 10)) == nil)
    }
    #expect(objects.due(now: 99) == nil && objects.due(now: 100) == 0)
    #expect(objects.takeDue(99) == nil)
    #expect(objects.takeDue(110)?.partitionValues == ["c"])
    #expect(objects.takeDue(110)?.partitionValues == ["a"])
    #expect(objects.takeDue(110) == nil)
    #expect(objects.takeAll().map(\.partitionValues) == [["b"]])
    #expect(objects.takeAll().isEmpty)
  }

  @Test func thereIsALimitOfOpenPartitions() throws {
    var objects = OpenObjects(hints: .standard, partitionLimit: 2)
    _ = try add(&objects, "a", row: 1)
    _ = try add(&objects, "b", row: 2)
    let error = try #require(throws: DeliveryError.self) { try add(&objects, "c", row: 3) }
    #expect(error.code == "Partitioning.TooManyPartitions")
    #expect(objects.count == 2)
    #expect(try add(&objects, "a", row: 4) == nil)
  }

  /// A set that is saved and restored at any moment goes on as if nothing had happened.
  @Test func restoringChangesNothing() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix64(seed: seed)
    let hints = try BufferingHints(intervalMilliseconds: 50, records: 5)
    var one = OpenObjects(hints: hints, partitionLimit: 6)
    var other = one
    for row in 0..<2_000 {
      let partition = "\(random.below(8))"
      let now = Int64(row)
      let results = (
        Result { try add(&one, partition, row: now, now: now) },
        Result { try add(&other, partition, row: now, now: now) }
      )
      switch results {
      case (.success(let first), .success(let second)): #expect(first == second, "seed \(seed)")
      case (.failure, .failure): break
      default: Issue.record("one refused, seed \(seed)")
      }
      #expect(one.takeDue(now) == other.takeDue(now), "seed \(seed)")
      guard random.below(10) == 0 else { continue }
      var saved: [OpenObject] = []
      for object in other.contents {
        var writer = SectionWriter()
        object.saveHead(into: &writer)
        var reader = SectionReader(section: "open", bytes: writer.bytes)
        saved.append(try OpenObject(restoring: &reader, records: object.records))
        try reader.finish()
      }
      let end = SectionReader(section: "open", bytes: [])
      other = OpenObjects(hints: hints, partitionLimit: 6)
      try other.restore(saved, from: end)
      if let first = saved.first {
        var twice = OpenObjects(hints: hints, partitionLimit: 6)
        #expect(throws: StateError.self) { try twice.restore([first, first], from: end) }
      }
    }
    #expect(one.takeAll() == other.takeAll(), "seed \(seed)")
  }
}

extension OpenObjects {
  fileprivate mutating func takeDue(_ now: Int64) -> OpenObject? {
    due(now: now).flatMap { take(firstRow: $0) }
  }
}
