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

/// A whole snapshot of a task.
package struct Snapshot: Sendable {
  /// Rises by one with each snapshot of a life.
  package var number: Int64
  /// The commit after whose steps the state was taken.
  package var commit: Int64
  /// Names everything in the configuration that outputs and state depend on.
  package var fingerprint: String
  /// The pipeline file that made the state.
  package var pipelineText: String
  /// The SQL text.
  package var applicationText: String
  /// The named sections.
  package var slices: [StateWriter.Slice]

  /// Creates a snapshot.
  package init(
    number: Int64, commit: Int64, fingerprint: String, pipelineText: String,
    applicationText: String, slices: [StateWriter.Slice]
  ) {
    self.number = number
    self.commit = commit
    self.fingerprint = fingerprint
    self.pipelineText = pipelineText
    self.applicationText = applicationText
    self.slices = slices
  }
}

/// Stores snapshots on whatever thread calls it.
package protocol SnapshotWriter: Sendable {
  /// Stores a snapshot; returns when it is durable.
  func store(_ snapshot: Snapshot) throws
}

/// Where the snapshots and the journal of one task live.
///
/// Nothing is part of the task's past until the commit record in the consumer group names it.
package protocol SnapshotStore: AnyObject {
  /// Whether there is no state that a task has ever gone on from: nothing, or an uncommitted birth.
  func isEmpty() throws -> Bool
  /// A number that no snapshot and no segment has.
  func nextNumber() throws -> Int64
  /// Stores a snapshot; returns when it is durable.
  func store(_ snapshot: Snapshot) throws
  /// What stores snapshots on another thread.
  var writer: any SnapshotWriter { get }
  /// The snapshot, or nil when it is not there.
  ///
  /// - Throws: `StateError` when it is damaged; it has then been set aside.
  func load(_ number: Int64) throws -> Snapshot?
  /// Begins a journal segment; blocks after this go there.
  func beginSegment(_ segment: Int64) throws
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
  /// Removes all blobs but these.
  func discardBlobs(except names: Set<String>) throws
  /// Removes snapshots and segments before `snapshot`.
  func discard(before snapshot: Int64) throws
}
