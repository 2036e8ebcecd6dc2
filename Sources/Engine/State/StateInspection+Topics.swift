import Columns
import Kafka

extension StateInspection {
  /// Reads every snapshot and the journal of a task in the topics of its pipeline; changes nothing.
  ///
  /// - Parameters:
  ///   - pipeline: The pipeline.
  ///   - task: The task.
  ///   - topics: The way to the cluster.
  ///   - record: What the group has committed for the task: the end of the journal, and the snapshots that
  ///     must be there; without it everything that the topics hold is read.
  /// - Throws: `KafkaError` when the brokers stop answering.
  package init(
    pipeline: String, task: Int, topics: any StateTopics, record: CommitRecord?
  ) throws {
    self.init()
    let partitions = TopicSnapshotStore.names(of: pipeline).map {
      TopicPartition(topic: $0, partition: Int32(task))
    }
    if let record { lines.append("commit: \(record.text)") }
    let heads = try addSnapshots(in: partitions[0], topics, record)
    try addJournal(in: partitions[1], topics, heads, record)
  }

  private static let snapshotHint =
    "when the newest snapshot cannot be read, the one before it is used at the next start"
  private static let journalHint =
    "a task that cannot read its journal up to its commit stops and says so: bring the topic back from a "
    + "copy, or forget the state with the topics and the group's offsets"

  /// Adds the snapshots of a partition.
  ///
  /// - Returns: The end of the journal when each of those that are whole was begun.
  private mutating func addSnapshots(
    in partition: TopicPartition, _ topics: any StateTopics, _ record: CommitRecord?
  ) throws -> [Int64: Int64] {
    let marks = try topics.watermarks(of: partition)
    var open: [Int64: (head: Int64, bytes: [UInt8])] = [:]
    var heads: [Int64: Int64] = [:]
    try topics.read(partition, from: marks.low, to: marks.high) { offset, bytes in
      do throws(StateError) {
        switch try StatePart(bytes, name: "\(partition), offset \(offset)") {
        case .begin(let head): open[offset] = (head, [])
        case .bytes(let number, let content): open[number]?.bytes += content
        case .end(let number):
          guard let whole = open.removeValue(forKey: number) else { break }
          heads[number] = whole.head
          snapshots.append((number, []))
          let name = "snapshot-\(number)"
          try addSnapshot(name, SnapshotFile.decode(whole.bytes, name: name))
        case .step: throw StateError(section: "", offset: 0, message: "a step among snapshots")
        }
      } catch {
        add("\(partition), offset \(offset): \(error.message)", Self.snapshotHint)
      }
      return true
    }
    for number in open.keys.sorted() {
      lines.append("snapshot-\(number): not finished, which no commit names")
    }
    findMissing(in: partition, record)
    return heads
  }

  /// Finds what the commit, or a snapshot, names and is not there.
  private mutating func findMissing(in partition: TopicPartition, _ record: CommitRecord?) {
    let known = Set(snapshots.map(\.number))
    for (number, origins) in snapshots {
      for origin in origins.subtracting(known).sorted() {
        add(
          "\(partition): snapshot-\(origin), which has parts of snapshot-\(number), is missing",
          Self.snapshotHint)
      }
    }
    guard let record else { return }
    for number in Set([record.snapshot, record.previousSnapshot]).subtracting(known).sorted() {
      add(
        "\(partition): snapshot-\(number), which the group's commit names, is missing",
        Self.snapshotHint)
    }
  }

  /// Adds the journal from the oldest snapshot up to the commit, or to its end.
  private mutating func addJournal(
    in partition: TopicPartition, _ topics: any StateTopics, _ heads: [Int64: Int64],
    _ record: CommitRecord?
  ) throws {
    let marks = try topics.watermarks(of: partition)
    var steps: [Int64: (previous: Int64, isLast: Bool, bytes: [UInt8])] = [:]
    try topics.read(partition, from: marks.low, to: marks.high) { offset, bytes in
      do throws(StateError) {
        if case .step(let previous, let isLast, let content) = try StatePart(
          bytes, name: "\(partition)")
        {
          steps[offset] = (previous, isLast, content)
        }
      } catch {
        add("\(partition), offset \(offset): \(error.message)", Self.journalHint)
      }
      return true
    }
    // Snapshots that are kept only because others refer to them have no journal any more.
    let start =
      record.flatMap { heads[$0.previousSnapshot] ?? heads[$0.snapshot] } ?? marks.low - 1
    let end = record.map { $0.segmentEnd > 0 ? $0.segmentEnd - 1 : heads[$0.segment] ?? start }
    var chain: [(offset: Int64, isLast: Bool, bytes: [UInt8])] = []
    var next = end ?? marks.high - 1
    while next > start {
      guard let step = steps.removeValue(forKey: next) else {
        add("\(partition): the record at offset \(next) is missing", Self.journalHint)
        break
      }
      chain.append((next, step.isLast, step.bytes))
      next = step.previous
    }
    addBlocks(of: chain.reversed(), in: partition)
    if !steps.isEmpty {
      lines.append(
        "\(partition): \(steps.count) records that no commit names: of owners that had lost the task, or "
          + "newer than the commit")
    }
  }

  private mutating func addBlocks(
    of chain: [(offset: Int64, isLast: Bool, bytes: [UInt8])], in partition: TopicPartition
  ) {
    var blocks: [JournalBlock] = []
    var waiting: [UInt8] = []
    var total = 0
    for step in chain {
      waiting += step.bytes
      total += step.bytes.count
      guard step.isLast else { continue }
      do throws(StateError) {
        var offset = 0
        blocks.append(try StateFile.decodeBlock(waiting, at: &offset, name: "\(partition)"))
      } catch {
        add("\(partition), up to offset \(step.offset): \(error.message)", Self.journalHint)
      }
      waiting = []
    }
    addBlocks("\(partition)", blocks, bytes: total)
  }
}
