package import Columns

/// One commit's steps, as the journal keeps them.
package struct JournalBlock: Hashable, Sendable {
  /// The epoch of the owner that wrote it.
  package var epoch: Int64
  /// The number of the commit that covers the steps.
  package var commit: Int64
  /// The steps since the commit before.
  package var steps: [NumberedStep]

  /// Creates a block.
  package init(epoch: Int64, commit: Int64, steps: [NumberedStep]) {
    self.epoch = epoch
    self.commit = commit
    self.steps = steps
  }
}

/// The end of some block in a journal; a segment begins with the place of the block before its own.
struct JournalPlace: Hashable {
  /// The segment; -1 before the first block of a life.
  var segment: Int64
  /// The end of the block in the segment, whose header is not counted.
  var end: Int64
}

/// A snapshot of a task.
package struct Snapshot: Sendable {
  /// Rises by one with each snapshot of a life.
  package var number: Int64
  /// The commit after whose steps the state was taken.
  package var commit: Int64
  /// Names everything in the configuration that outputs and state depend on.
  package var fingerprint: String
  /// How the program that made it computes; nil from programs that did not say.
  package var arithmetic: UInt64?
  /// The pipeline file that made the state.
  package var pipelineText: String
  /// The SQL text.
  package var applicationText: String
  /// The named sections, some of which may be in earlier snapshots.
  package var slices: [StateWriter.Slice]

  /// Creates a snapshot.
  package init(
    number: Int64, commit: Int64, fingerprint: String, arithmetic: UInt64? = nil,
    pipelineText: String, applicationText: String, slices: [StateWriter.Slice]
  ) {
    self.number = number
    self.commit = commit
    self.fingerprint = fingerprint
    self.arithmetic = arithmetic
    self.pipelineText = pipelineText
    self.applicationText = applicationText
    self.slices = slices
  }
}

/// Stores one snapshot part by part, on whatever thread calls it, one call after the other.
package protocol SnapshotWriter: Sendable {
  /// Adds slices.
  func add(_ slices: [StateWriter.Slice]) throws
  /// Ends the snapshot; returns when it is durable. Without this call there is no snapshot.
  func finish() throws
  /// Removes what was stored of a snapshot that will not be finished.
  func abandon() throws
}

/// Where the snapshots and the journal of one task live.
///
/// Nothing is part of the task's past until the commit record in the consumer group names it. Each call
/// waits for the disk or the cluster; they come one after the other, but for `discard` and what a
/// `SnapshotWriter` does, which may come beside the others.
package protocol SnapshotStore: AnyObject, Sendable {
  /// Whether there is no state that a task has ever gone on from: nothing, or an uncommitted birth.
  func isEmpty() throws -> Bool
  /// Where the state lies, for whoever must look after it.
  var place: String { get }
  /// Where damaged snapshots are kept for a while; nil when they stay where they are.
  var damagedPlace: String? { get }
  /// What stores a snapshot that is begun with these slices, on another thread if that is wanted.
  func makeWriter(_ snapshot: Snapshot) -> any SnapshotWriter
  /// The snapshot with all its bytes, or nil when it is not there.
  ///
  /// - Throws: `StateError` when it, or an earlier one that it refers to, is damaged; it has then been
  ///   set aside, where there is a place for that.
  func load(_ number: Int64) throws -> Snapshot?
  /// Begins a journal segment; blocks after this go there.
  ///
  /// - Returns: Its number, which no other segment and no snapshot has, whoever else writes beside this
  ///   store; that of the snapshot after which the segment's blocks come.
  func beginSegment() throws -> Int64
  /// Appends a block; returns the end of the segment when it is durable.
  func append(_ block: JournalBlock) throws -> (segment: Int64, end: Int64)
  /// The blocks from the start of `from` up to byte `end` of `segment`; what lies beyond is dropped.
  func blocks(from: Int64, to segment: Int64, end: Int64) throws -> [JournalBlock]
  /// Stores what a step names; returns when it is durable.
  func storeBlob(_ bytes: [UInt8], name: String) throws
  /// What a step names, or nil when it is not there.
  ///
  /// - Throws: `StateError` when it is damaged.
  func blob(_ name: String) throws -> [UInt8]?
  /// Removes all blobs but these; one that stood still leaves those of its successor alone.
  func discardBlobs(except names: Set<String>) throws
  /// Removes the snapshots and segments before `snapshot`, but for the snapshots that those from it on
  /// refer to.
  func discard(before snapshot: Int64) throws
}

extension SnapshotStore {
  /// Stores a whole snapshot; returns when it is durable.
  ///
  /// It is encoded part by part: besides the snapshot no more than a part is in memory.
  package func store(_ snapshot: Snapshot) throws {
    var head = snapshot
    head.slices = []
    let writer = makeWriter(head)
    do {
      for slice in snapshot.slices { try writer.add([slice]) }
      try writer.finish()
    } catch let reason {
      // A full disk has its space back; what cannot be removed now the next start removes.
      do { try writer.abandon() } catch { throw reason }
      throw reason
    }
  }
}
