import Columns
package import Kafka
import Synchronization

/// What state needs of a cluster: records added at a partition's end and read by their offsets.
///
/// Called per commit and part of a snapshot.
package protocol StateTopics: Sendable {
  /// Makes sure that topics are there with a partition for each of so many tasks.
  func prepare(_ names: [String], partitions: Int) throws(KafkaError)
  /// Adds records; returns their offsets, ascending, when they are durable.
  func append(_ records: [[UInt8]], to partition: TopicPartition) throws(KafkaError) -> [Int64]
  /// Hands over the records from offset `first` to before `end` until `body` returns false, or no more
  /// are there.
  func read(
    _ partition: TopicPartition, from first: Int64, to end: Int64,
    _ body: (_ offset: Int64, _ record: [UInt8]) throws -> Bool
  ) throws
  /// The oldest and the next offset.
  func watermarks(of partition: TopicPartition) throws(KafkaError) -> Watermarks
  /// Lets the cluster drop the records before `offset`.
  func delete(before offset: Int64, of partition: TopicPartition) throws(KafkaError)
}

/// Snapshots and journal of one task in partition i of two topics, so that any machine can go on.
///
/// The number of a snapshot is the offset of its first record in the topic `….state`, which the broker
/// gave and no other owner has; its parts follow, at most 512 KiB each, and are found from there on.
/// Each record of the topic `….journal` names the one before it: what lies between two of a chain was
/// written by an owner whose commits were refused, and is passed over.
package final class TopicSnapshotStore: SnapshotStore {
  private let topics: any StateTopics
  private let state: TopicPartition
  private let journal: TopicPartition
  private let chain = Mutex(Chain())
  private let references = SnapshotReferences()
  /// Before which offsets nothing is left.
  private let deleted = Mutex<(state: Int64, journal: Int64)>((0, 0))

  /// The records of the journal that count.
  private struct Chain {
    /// The last one; -1 before the first.
    var head: Int64 = -1
    /// The snapshot after whose beginning blocks are appended.
    var segment: Int64 = -1
    /// The head at the beginning of each snapshot that is known.
    var heads: [Int64: Int64] = [:]
  }

  /// The most bytes of a record.
  static let partSize = 512 << 10

  /// Opens the partitions of a task.
  package init(pipeline: String, task: Int, topics: any StateTopics) {
    self.topics = topics
    let names = Self.names(of: pipeline)
    state = TopicPartition(topic: names[0], partition: Int32(task))
    journal = TopicPartition(topic: names[1], partition: Int32(task))
  }

  /// The topics of a pipeline: of snapshots, and of the journal.
  package static func names(of pipeline: String) -> [String] {
    ["cutbank.\(pipeline).state", "cutbank.\(pipeline).journal"]
  }

  package var place: String { "\(state) and \(journal)" }
  // Records cannot be moved; they go with those before the next snapshot that is kept.
  package var damagedPlace: String? { nil }

  package func isEmpty() throws -> Bool { try topics.watermarks(of: journal).high == 0 }

  // MARK: Snapshots

  package func makeWriter(_ snapshot: Snapshot) -> any SnapshotWriter {
    TopicSnapshotWriter(
      topics: topics, partition: state, snapshot: snapshot, references: references)
  }

  package func load(_ number: Int64) throws -> Snapshot? {
    guard var snapshot = try read(number) else { return nil }
    snapshot.slices = try SnapshotFile.resolve(snapshot.slices, name: name(number)) { origin in
      try read(origin)
    }
    return snapshot
  }

  /// A snapshot with its references, read up to where that `isEnough`; nil when the topic does not have it.
  package func peek(_ number: Int64, until isEnough: (Snapshot) -> Bool) throws -> Snapshot? {
    try read(number, until: isEnough)
  }

  private func name(_ number: Int64) -> String { "\(state) from offset \(number) on" }

  /// A snapshot with its references; nil when the topic does not have it.
  private func read(
    _ number: Int64, until isEnough: (Snapshot) -> Bool = { _ in false }
  ) throws -> Snapshot? {
    let marks = try topics.watermarks(of: state)
    guard number >= marks.low, number < marks.high else { return nil }
    var decoder = SnapshotDecoder(name: name(number))
    var hasBegun = false
    var isWhole = false
    var hasEnough = false
    try topics.read(state, from: number, to: marks.high) { offset, record in
      let part = try StatePart(record, name: name(number))
      switch part {
      case .begin(let head):
        guard offset == number else { return true }
        chain.withLock { $0.heads[number] = head }
        hasBegun = true
      case .bytes(number, let content):
        try decoder.add(content)
        guard !decoder.isNewer else {
          throw StateProblem(
            message: "the snapshot in \(name(number)) was written by a newer cutbank",
            hint: "run that version or a later one")
        }
        hasEnough = decoder.begun.map(isEnough) ?? false
      case .end(number): isWhole = true
      case .bytes, .end, .step: break
      }
      return hasBegun && !isWhole && !hasEnough
    }
    guard hasBegun else { return nil }
    if hasEnough { return decoder.begun }
    guard isWhole else {
      throw StateError(section: name(number), offset: 0, message: "parts are missing")
    }
    let snapshot = try decoder.finish()
    references.note(snapshot.slices, of: number)
    return snapshot
  }

  // MARK: Journal

  package func beginSegment() throws -> Int64 {
    try chain.withLock { chain in
      let begin = StatePart.begin(head: chain.head)
      let number = try topics.append([begin.bytes], to: state)[0]
      chain.heads[number] = chain.head
      chain.segment = number
      return number
    }
  }

  package func append(_ block: JournalBlock) throws -> (segment: Int64, end: Int64) {
    let bytes = StateFile.encode(block)
    return try chain.withLock { chain in
      var rest = bytes[...]
      repeat {
        let part = Array(rest.prefix(Self.partSize))
        rest = rest.dropFirst(part.count)
        let step = StatePart.step(previous: chain.head, isLast: rest.isEmpty, bytes: part)
        chain.head = try topics.append([step.bytes], to: journal)[0]
      } while !rest.isEmpty
      return (chain.segment, chain.head + 1)
    }
  }

  package func blocks(from first: Int64, to segment: Int64, end: Int64) throws -> [JournalBlock] {
    let start = try headAtBeginning(of: first)
    let head = try end > 0 ? end - 1 : headAtBeginning(of: segment)
    chain.withLock { chain in
      chain.head = head
      chain.segment = segment
    }
    guard head > start else { return [] }
    var found: [Int64: (previous: Int64, isLast: Bool, bytes: [UInt8])] = [:]
    try topics.read(journal, from: start + 1, to: head + 1) { offset, record in
      if case .step(let previous, let isLast, let bytes) = try StatePart(record, name: "\(journal)")
      {
        found[offset] = (previous, isLast, bytes)
      }
      return true
    }
    var chain: [(isLast: Bool, bytes: [UInt8])] = []
    var next = head
    while next > start {
      guard let step = found[next] else {
        throw StateError(
          section: "\(journal)", offset: 0, message: "the record at offset \(next) is missing")
      }
      chain.append((step.isLast, step.bytes))
      next = step.previous
    }
    return try decode(chain.reversed())
  }

  private func decode(_ steps: [(isLast: Bool, bytes: [UInt8])]) throws -> [JournalBlock] {
    var blocks: [JournalBlock] = []
    var bytes: [UInt8] = []
    for step in steps {
      bytes += step.bytes
      guard step.isLast else { continue }
      var offset = 0
      blocks.append(try StateFile.decodeBlock(bytes, at: &offset, name: "\(journal)"))
      bytes = []
    }
    return blocks
  }

  private func headAtBeginning(of number: Int64) throws -> Int64 {
    if let known = chain.withLock({ $0.heads[number] }) { return known }
    var found: Int64?
    try topics.read(state, from: number, to: number + 1) { _, record in
      if case .begin(let head) = try StatePart(record, name: name(number)) { found = head }
      return false
    }
    guard let found else {
      throw StateError(section: name(number), offset: 0, message: "no snapshot begins here")
    }
    chain.withLock { $0.heads[number] = found }
    return found
  }

  // MARK: Retention

  package func discard(before snapshot: Int64) throws {
    let oldest = min(snapshot, references.needed(from: snapshot).min() ?? snapshot)
    let steps = try headAtBeginning(of: snapshot) + 1
    chain.withLock { chain in chain.heads = chain.heads.filter { $0.key >= snapshot } }
    try deleted.withLock { deleted in
      if oldest > deleted.state {
        try topics.delete(before: oldest, of: state)
        deleted.state = oldest
      }
      if steps > deleted.journal {
        try topics.delete(before: steps, of: journal)
        deleted.journal = steps
      }
    }
  }

  // MARK: Blobs

  // The planner lets no pipeline whose steps name blobs keep its state in topics.
  package func storeBlob(_ bytes: [UInt8], name: String) throws { throw noBlobs(name) }
  package func blob(_ name: String) throws -> [UInt8]? { nil }
  package func discardBlobs(except names: Set<String>) throws {
    if let name = names.first { throw noBlobs(name) }
  }

  private func noBlobs(_ name: String) -> StateProblem {
    StateProblem(
      message: "topics of state hold no models or tables, such as \(name)",
      hint: "set state: {store: directory}")
  }
}

/// Writes one snapshot into a task's partition.
private final class TopicSnapshotWriter: SnapshotWriter {
  private let topics: any StateTopics
  private let partition: TopicPartition
  private let number: Int64
  private let references: SnapshotReferences
  private let state: Mutex<State>

  private struct State {
    var waiting: [UInt8]
    var sliceCount: Int
    var origins: Set<Int64>
  }

  init(
    topics: any StateTopics, partition: TopicPartition, snapshot: Snapshot,
    references: SnapshotReferences
  ) {
    self.topics = topics
    self.partition = partition
    self.references = references
    number = snapshot.number
    state = Mutex(
      State(
        waiting: SnapshotFile.encode(snapshot), sliceCount: snapshot.slices.count,
        origins: Set(snapshot.slices.compactMap(\.origin))))
  }

  func add(_ slices: [StateWriter.Slice]) throws {
    try state.withLock { state in
      state.waiting += SnapshotFile.encode(slices)
      state.sliceCount += slices.count
      state.origins.formUnion(slices.compactMap(\.origin))
      guard state.waiting.count >= TopicSnapshotStore.partSize else { return }
      try send(&state, all: false)
    }
  }

  // Its parts go with the records before the next snapshot that is kept.
  func abandon() throws {}

  func finish() throws {
    try state.withLock { state in
      state.waiting += SnapshotFile.encodeEnd(sliceCount: state.sliceCount)
      try send(&state, all: true)
      _ = try topics.append([StatePart.end(number).bytes], to: partition)
      references.note(state.origins, of: number)
    }
  }

  /// Sends what waits in parts, without `all` only whole ones.
  private func send(_ state: inout State, all: Bool) throws {
    var parts: [[UInt8]] = []
    var sent = 0
    let size = TopicSnapshotStore.partSize
    while state.waiting.count - sent >= (all ? 1 : size) {
      let end = min(state.waiting.count, sent + size)
      parts.append(StatePart.bytes(number, Array(state.waiting[sent..<end])).bytes)
      sent = end
    }
    _ = try topics.append(parts, to: partition)
    state.waiting.removeFirst(sent)
  }
}
