import Columns
import Engine
import Foundation
import RimSupport
import Testing

/// A model of a key that is damaged in a snapshot whose checksums are right: the program wrote it so.
@Suite struct DamagedModelTests {
  /// Changes a bit of one key's model in the last snapshot of a task.
  static func damage(_ bench: PipelineBench, slice: Int) throws {
    let folder = bench.folder + "/data/numbers/task-0"
    let store = try LocalSnapshotStore(folder: folder, disk: LocalDisk())
    let numbers = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap {
      $0.hasPrefix("snapshot-") ? Int64($0.dropFirst(9)) : nil
    }
    let last = try #require(numbers.max())
    var snapshot = try #require(try store.load(last))
    // Of all sections only that of the forests has so many slices.
    let forests = try #require(
      Set(snapshot.slices.map(\.section)).first { section in
        snapshot.slices.count { $0.section == section } > ModelMemoryTests.keyCount
      })
    var writer = StateWriter()
    for part in snapshot.slices {
      var bytes = part.bytes
      if part.section == forests, part.number == slice { bytes[bytes.count / 2] ^= 1 }
      writer.section(part.section, slice: part.number, bytes: bytes)
    }
    snapshot.slices = writer.slices
    try store.store(snapshot)
  }

  /// With a limit of memory and without: the rows of its key are dead letters with their bytes, all others are as
  /// if nothing had been.
  @Test(arguments: ["", "limits: {model_memory: \(ModelMemoryTests.tight)}"])
  func itsRowsAreDeadLettersAndTheOthersGoOn(limits: String) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let plan = try ModelMemoryTests.plan(bench, limits)
    try bench.produceNumbers(0..<400)
    #expect(try await bench.run(bench.daemon(plan), until: 400))
    try Self.damage(bench, slice: 4)
    try bench.produceNumbers(400..<800)
    let daemon = bench.daemon(plan)
    #expect(try await bench.run(daemon, until: 800))
    let straight = try await ModelMemoryTests.straight(800)
    // The fourth key is that of 3, 43, 83 and so on.
    let expected = try straight.filter { line in
      let number = try #require(try Self.number(line))
      return number < 400 || number % ModelMemoryTests.keyCount != 3
    }
    #expect(try bench.lines("out") == expected)
    let letters = try bench.lines("dead")
    #expect(letters.count == 10)
    #expect(letters.allSatisfy { $0.contains("is damaged") })
  }

  private static func number(_ line: String) throws -> Int? {
    let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    return object?["n"] as? Int
  }
}
