import Engine
import Foundation
import RimSupport
import Synchronization
import Testing

/// Which dead letters are removed, and when.
@Suite struct DeadLetterRetentionTests {
  private static let hour: Int64 = 3_600_000

  private static func object(_ name: String, bytes: Int64, hours: Int64)
    -> DeadLetterRetention.Object
  {
    DeadLetterRetention.Object(path: name, bytes: bytes, time: -hours * hour)
  }

  private static let objects = [
    object("c", bytes: 10, hours: 3), object("a", bytes: 10, hours: 100),
    object("b", bytes: 10, hours: 50), object("d", bytes: 1_000, hours: 0),
  ]

  @Test(arguments: [
    (0, 0, ""), (101, 0, ""), (99, 0, "a"), (10, 0, "ab"), (1, 0, "abc"), (0, 1_030, ""),
    (0, 1_029, "a"), (0, 1_015, "ab"), (0, 1, "abc"), (99, 1_015, "ab"),
  ])
  func theOldestGoFirstAndTheNewestStay(hours: Int64, bytes: Int64, removed: String) {
    var limits = DeadLetterRetention.Limits()
    limits.age = hours * Self.hour
    limits.bytes = bytes
    let found = DeadLetterRetention.superfluous(Self.objects, limits, now: 0)
    #expect(found.map(\.path).joined() == removed)
  }

  @Test func onlyFinishedObjectsAreFound() throws {
    let folder = try TemporaryFolder()
    let below = folder.path + "/2026/11"
    try FileManager.default.createDirectory(atPath: below, withIntermediateDirectories: true)
    for name in ["one", ".one.tmp"] {
      try Data("12345".utf8).write(to: URL(fileURLWithPath: below + "/" + name))
    }
    let (found, folders) = try DeadLetterRetention.contents(below: folder.path)
    #expect(found.map(\.path) == [below + "/one"] && found[0].bytes == 5)
    #expect(folders.map(\.path).sorted() == [folder.path + "/2026", below])
    #expect(try DeadLetterRetention.contents(below: folder.path + "/none").objects.isEmpty)
  }

  /// A folder for each hour would otherwise stay for ever.
  @Test func foldersThatHaveBeenEmptyForLongGo() throws {
    let folder = try TemporaryFolder()
    for name in ["2026/11/01", "2026/11/02", "2026/12"] {
      try FileManager.default.createDirectory(
        atPath: folder.path + "/" + name, withIntermediateDirectories: true)
    }
    try Data("12345".utf8).write(to: URL(fileURLWithPath: folder.path + "/2026/11/02/one"))
    let now = Int64(Date().timeIntervalSince1970 * 1_000)
    func look(_ hours: Int64, _ bytes: Int64) throws -> [String] {
      var limits = DeadLetterRetention.Limits()
      limits.bytes = bytes
      _ = try DeadLetterRetention.removeOld(
        below: folder.path, limits, now: now + hours * Self.hour)
      return try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
    }
    #expect(try look(0, 1).count == 6)
    #expect(try look(2, 10) == ["2026", "2026/11", "2026/11/02", "2026/11/02/one"])
    // The object was the last one: what it leaves is young at first.
    #expect(try !look(2, 1).contains("2026/11/02/one"))
  }

  /// Daemons that share a data directory look at the same time: one is faster, which harms nobody.
  @Test func severalRemoveTheSame() throws {
    let folder = try TemporaryFolder()
    for hour in 0..<20 {
      let below = folder.path + "/\(hour)"
      try FileManager.default.createDirectory(atPath: below, withIntermediateDirectories: true)
      for name in 0..<20 {
        try Data("12345".utf8).write(to: URL(fileURLWithPath: below + "/\(name)"))
      }
    }
    let now = Int64(Date().timeIntervalSince1970 * 1_000) + 2 * Self.hour
    var limits = DeadLetterRetention.Limits()
    limits.bytes = 1
    let problems = Mutex<[any Error]>([])
    DispatchQueue.concurrentPerform(iterations: 4) { [limits] _ in
      do {
        _ = try DeadLetterRetention.removeOld(below: folder.path, limits, now: now)
      } catch {
        problems.withLock { $0.append(error) }
      }
    }
    #expect(problems.withLock { "\($0)" } == "[]")
    #expect(try DeadLetterRetention.contents(below: folder.path).objects.isEmpty)
  }

  @Test func settingsAreRead() throws {
    let text = "dead_letters: {max_age: 7d, max_size: 10MiB}"
    let read = try DaemonConfiguration(file: "cutbank.yaml", text: text, environment: [:])
    #expect(read.deadLetters.age == 7 * 24 * Self.hour && read.deadLetters.bytes == 10 << 20)
    #expect(throws: ConfigurationRefused.self) {
      _ = try DaemonConfiguration(
        file: "cutbank.yaml", text: "dead_letters: {max_aeg: 7d}", environment: [:])
    }
  }
}
