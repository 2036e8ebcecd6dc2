import Columns
import Delivery
import Engine
import Testing
import Transport

/// Objects of an output that are copied piece by piece while they grow and leave.
@Suite struct ObjectCopiesTests {
  /// The objects of an output by their first rows, in order.
  private typealias Objects = [(firstRow: Int64, records: ObjectRecords)]

  private static func grow(_ records: inout ObjectRecords, by count: Int, keepsEnds: Bool) {
    records.bytes += (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ count) }
    guard keepsEnds else { return }
    while records.ends.last ?? 0 < Int64(records.bytes.count) {
      records.ends.append(
        min(Int64(records.bytes.count), (records.ends.last ?? 0) + Int64(1 + count % 9)))
    }
  }

  private static func makeObjects(_ random: inout SplitMix64) -> Objects {
    (0..<Int.random(in: 0...5, using: &random)).map { number in
      var records = ObjectRecords(bytes: [], ends: [])
      grow(
        &records, by: Int.random(in: 1...2_500_000, using: &random),
        keepsEnds: Bool.random(using: &random))
      return (Int64(number * 10), records)
    }
  }

  private static func head(_ objects: Objects) -> [UInt8] {
    var head = SectionWriter()
    for object in objects { object.records.saveCounts(into: &head) }
    return head.bytes
  }

  private static func restore(
    _ count: Int, _ head: [UInt8], _ slices: [StateWriter.Slice]
  ) throws -> [ObjectRecords] {
    var writer = StateWriter()
    writer.section("output/O", slice: 0, bytes: head)
    writer.append(slices)
    let reader = StateReader(writer.slices)
    var section = try reader.section("output/O")
    var slice = 0
    let restored = try (0..<count).map { _ in
      try ObjectCopies.restore("output/O", from: reader, &section, behind: &slice)
    }
    #expect(slice == slices.count)
    return restored
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>) func theyAreCopiedAsTheyWereAtTheBeginning(
    seed: UInt64
  ) throws {
    var random = SplitMix64(seed: seed)
    var objects = Self.makeObjects(&random)
    let before = objects
    var copies = ObjectCopies()
    copies.begin(objects.flatMap { ObjectCopies.pieces(of: $0.firstRow, $0.records) })
    var writer = StateWriter()
    while let (piece, _) = copies.next {
      if let index = objects.indices.randomElement(using: &random) {
        if Int.random(in: 0..<4, using: &random) == 0 {
          let object = objects.remove(at: index)
          copies.willForget(object.firstRow, object.records)
        } else {
          Self.grow(
            &objects[index].records, by: 1_000, keepsEnds: !objects[index].records.ends.isEmpty)
        }
      }
      let found =
        copies.next?.records ?? objects.first { $0.firstRow == piece.object }?.records
      _ = copies.copyNext(of: try #require(found), section: "output/O", into: &writer)
    }
    let restored = try Self.restore(before.count, Self.head(before), writer.slices)
    #expect(restored == before.map(\.records))
    copies.begin(before.flatMap { ObjectCopies.pieces(of: $0.firstRow, $0.records) })
    copies.forget()
    #expect(copies.next == nil)
  }

  @Test func missingAndShortPiecesAreFound() throws {
    var records = ObjectRecords(bytes: [], ends: [])
    Self.grow(&records, by: 2_000_000, keepsEnds: false)
    let objects: Objects = [(4, records)]
    var copies = ObjectCopies()
    copies.begin(ObjectCopies.pieces(of: 4, records))
    var writer = StateWriter()
    while copies.copyNext(of: records, section: "output/O", into: &writer) {}
    #expect(writer.slices.count == 2)
    #expect(throws: StateError.self) {
      try Self.restore(1, Self.head(objects), [writer.slices[0]])
    }
    var twice = StateWriter()
    for slice in 1...2 {
      twice.section("output/O", slice: slice, bytes: writer.slices[0].bytes)
    }
    #expect(throws: StateError.self) { try Self.restore(1, Self.head(objects), twice.slices) }
  }
}
