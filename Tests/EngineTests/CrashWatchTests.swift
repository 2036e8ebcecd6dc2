import Engine
import Foundation
import Glibc
import Kafka
import RimSupport
import Synchronization
import Testing
import Transport

/// The note that finds the record which kills the process.
@Suite struct CrashWatchTests {
  static func place(_ offset: Int64, partition: Int32 = 0, count: Int64 = 1) -> CrashWatch.Place {
    CrashWatch.Place(
      partition: TopicPartition(topic: "a.b-c_d", partition: partition), offset: offset,
      count: count)
  }

  private func watch(
    _ disk: MemoryDisk, _ commit: Int64, life: String = "l", now: Int64 = 0
  ) throws -> CrashWatch {
    let watch = try CrashWatch(folder: "f", disk: disk, life: life, commit: commit, now: now)
    try watch.open()
    return watch
  }

  @Test func aNoteReadsBack() throws {
    var note = CrashWatch.Note(life: "00ff", commit: 7, crashes: 3)
    #expect(CrashWatch.Note(bytes: note.bytes) == note)
    note.present = Self.place(12, partition: 3, count: 5)
    note.suspect = Self.place(11)
    #expect(CrashWatch.Note(bytes: note.bytes) == note)
  }

  @Test(arguments: [
    "", "cutbank-attempts1 life=l commit=1 crashes=0",
    "cutbank-attempts2 life=l commit=1 crashes=0\n",
    "cutbank-attempts1 life=l commit=x crashes=0\n", "cutbank-attempts1 life=l crashes=0\n",
    "\0\0\0\0\n",
  ])
  func whatIsNoNoteIsNone(text: String) {
    #expect(CrashWatch.Note(bytes: Array(text.utf8)) == nil)
  }

  @Test func aCrashMakesItNoteWhatItTakes() throws {
    let disk = MemoryDisk()
    #expect(try !watch(disk, 4).isCareful)
    // That one went on to commit 9 and died.
    let second = try watch(disk, 9)
    #expect(second.crashes == 1 && second.isCareful && second.suspect == nil)
    #expect(try watch(disk, 9).crashes == 2)
  }

  @Test func anotherCommitOrLifeBeginsAnew() throws {
    let disk = MemoryDisk()
    for _ in 0..<4 { _ = try watch(disk, 9) }
    #expect(try watch(disk, 10).crashes == 1)
    for _ in 0..<4 { _ = try watch(disk, 10) }
    #expect(try watch(disk, 10, life: "m").crashes == 1)
  }

  @Test func anEndInGoodOrderIsNoCrash() throws {
    let disk = MemoryDisk()
    for _ in 0..<5 {
      let watch = try watch(disk, 9)
      #expect(watch.crashes == 0)
      try watch.end()
    }
  }

  @Test func aBatchIsTakenApartAndTheRecordAtWhichItDiesTwiceIsTheCulprit() throws {
    let disk = MemoryDisk()
    _ = try watch(disk, 9)
    var watch = try watch(disk, 9)
    try watch.begin(Self.place(4, count: 8))
    let deaths: [(Int64, suspect: Int64)] = [(5, 4), (6, 5), (6, 6)]
    for (offset, suspect) in deaths {
      watch = try self.watch(disk, 9)
      #expect(watch.suspect?.offset == suspect && watch.culprit == nil)
      try watch.begin(Self.place(offset))
    }
    watch = try self.watch(disk, 9)
    #expect(watch.culprit == Self.place(6))
    watch.passedOver(before: 12)
    #expect(watch.waits && watch.culprit == nil)
    try watch.accepted(11, now: 0) { _ in 7 }
    #expect(watch.waits)
    try watch.accepted(12, now: 0) { _ in 7 }
    #expect(!watch.waits && watch.isCareful && watch.suspect == nil)
    #expect(try self.watch(disk, 12).crashes == 1)
  }

  @Test func recordsAreTakenOneByOneWhereItDiedOnly() throws {
    let disk = MemoryDisk()
    _ = try watch(disk, 9)
    var watch = try watch(disk, 9)
    try watch.begin(Self.place(100, count: 8))
    watch = try self.watch(disk, 9)
    let partition = Self.place(0).partition
    for (first, count, expected) in [
      (90, 5, 5), (90, 10, 10), (90, 50, 10), (99, 9, 1), (100, 9, 1), (107, 9, 1), (108, 9, 9),
    ] as [(Int64, Int, Int)] {
      #expect(watch.cut(partition, count) { first + Int64($0) } == expected)
      let next = Self.place(first, count: Int64(expected))
      #expect(watch.suspects(next) == (100..<108).overlaps(first..<first + Int64(expected)))
      #expect(
        watch.cut(Self.place(0, partition: 1).partition, count) { first + Int64($0) } == count)
    }
    #expect(!watch.suspects(Self.place(104, partition: 1)))
    // Offsets with gaps.
    #expect(watch.cut(partition, 5) { 90 + 4 * Int64($0) } == 3)
  }

  /// The machine may be what ends when the record is taken again.
  @Test func aRecordUnderSuspicionIsNotedOnStableStorage() throws {
    let disk = MemoryDisk()
    _ = try watch(disk, 9)
    var watch = try watch(disk, 9)
    // After a crash without a trace nothing is under suspicion.
    try watch.begin(Self.place(100, count: 8))
    watch = try self.watch(disk, 9)
    #expect(disk.durableNotes.isEmpty)
    for (offset, count) in [(96, 4), (100, 1), (101, 1), (107, 1), (108, 8)] as [(Int64, Int64)] {
      let place = Self.place(offset, count: count)
      let before = disk.durableNotes.count
      try watch.begin(place)
      #expect(disk.durableNotes.count == before + (watch.suspects(place) ? 1 : 0))
      if watch.suspects(place) {
        #expect(disk.durableNotes.last.flatMap(CrashWatch.Note.init(bytes:))?.present == place)
      }
      try watch.finish()
      try watch.accepted(9, now: 0) { _ in offset }
    }
    #expect(disk.durableNotes.count == 3)
    // Behind it none is any more.
    try watch.accepted(10, now: 0) { _ in 116 }
    try watch.begin(Self.place(100))
    #expect(disk.durableNotes.count == 3)
  }

  /// However many tasks have a record under suspicion, one at a time is processed, also after a failure.
  @Test func suspectsAreProcessedOneAtATime() async throws {
    let gate = SuspectGate()
    let tally = Tally()
    let turns = 0..<200
    let workers = 0..<4
    @Sendable func fails(_ worker: Int, _ turn: Int) -> Bool { (turn + worker) % 7 == 0 }
    await withTaskGroup { group in
      for worker in workers {
        // On a thread of its own: whoever waits at the gate holds it.
        group.addTask {
          await withCheckedContinuation { continuation in
            Thread.detachNewThread {
              for turn in turns {
                do throws(Refused) {
                  try gate.alone { () throws(Refused) in
                    tally.enter()
                    sched_yield()
                    tally.leave()
                    if fails(worker, turn) { throw Refused() }
                  }
                } catch {
                  tally.refuse()
                }
              }
              continuation.resume()
            }
          }
        }
      }
    }
    let refused = workers.reduce(0) { sum, worker in sum + turns.count { fails(worker, $0) } }
    #expect(tally.most == 1 && tally.refused == refused)
  }

  /// What a task throws behind the gate.
  private struct Refused: Error {}

  /// Who was behind the gate.
  private final class Tally: Sendable {
    private let state = Mutex((inside: 0, most: 0, refused: 0))

    var most: Int { state.withLock { $0.most } }
    var refused: Int { state.withLock { $0.refused } }

    func enter() {
      state.withLock { state in
        state.inside += 1
        state.most = max(state.most, state.inside)
      }
    }
    func leave() { state.withLock { $0.inside -= 1 } }
    func refuse() { state.withLock { $0.refused += 1 } }
  }

  @Test func theCareEndsAfterAWhileOrWhenTheSuspectIsBehind() throws {
    let disk = MemoryDisk()
    _ = try watch(disk, 9)
    var watch = try watch(disk, 9)
    try watch.accepted(10, now: CrashWatch.patience - 1) { _ in 5 }
    #expect(watch.isCareful)
    try watch.accepted(11, now: CrashWatch.patience) { _ in 5 }
    #expect(!watch.isCareful)
    #expect(try self.watch(disk, 11).crashes == 1)
    watch = try self.watch(disk, 11)
    try watch.begin(Self.place(6))
    watch = try self.watch(disk, 11)
    try watch.begin(Self.place(6))
    try watch.finish()
    try watch.accepted(12, now: 0) { _ in 6 }
    #expect(watch.suspect == Self.place(6))
    try watch.accepted(13, now: 0) { _ in 7 }
    #expect(watch.suspect == nil && watch.isCareful)
    #expect(try self.watch(disk, 13).culprit == nil)
  }

  /// Records, some of which kill, read by processes that somebody also kills at random.
  @Test(arguments: 0..<200) func whateverKillsExactlyThatIsPassedOver(seed: Int) throws {
    var generator = SplitMix64(seed: UInt64(seed))
    let count = Int64.random(in: 1...30, using: &generator)
    let killers = Set((0..<count).filter { _ in Int.random(in: 0..<10, using: &generator) == 0 })
    let disk = MemoryDisk()
    var committed: Int64 = 0
    var commit: Int64 = 0
    var passed: Set<Int64> = []
    var taken: [Int64] = []
    var attempts = 0
    // Nobody kills twice in succession by chance, so that no two deaths can fall on one record.
    var mayKill = true
    while committed < count {
      attempts += 1
      try #require(attempts < 200, "it does not come to its end")
      var watch = try watch(disk, commit)
      let killAt =
        mayKill && Bool.random(using: &generator)
        ? Int64.random(in: committed..<count, using: &generator) : count
      mayKill.toggle()
      let end = min(count, committed + Int64.random(in: 1...8, using: &generator))
      var isAlive = true
      var next = committed
      var skipped: Int64?
      while isAlive, next < end, skipped == nil {
        let (first, room) = (next, Int(end - next))
        let unit = watch.cut(Self.place(0).partition, room) { first + Int64($0) }
        let place = Self.place(next, count: Int64(unit))
        if watch.culprit == place {
          skipped = next
          watch.passedOver(before: commit + 1)
        } else {
          if watch.isCareful { try watch.begin(place) }
          isAlive = !(place.offset..<place.end).contains { killers.contains($0) || $0 == killAt }
        }
        next = place.end
      }
      guard isAlive else { continue }
      try watch.finish()
      taken += (committed..<next).filter { $0 != skipped }
      if let skipped { passed.insert(skipped) }
      committed = next
      commit += 1
      try watch.accepted(commit, now: 0) { _ in next }
      // It is killed before it takes more.
    }
    #expect(passed == killers)
    #expect(taken == (0..<count).filter { !killers.contains($0) })
  }
}
