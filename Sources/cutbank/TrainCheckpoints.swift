import ArgumentParser
import Engine
import Foundation
import Learning
import Synchronization

/// The options of `cutbank train` by which a training goes on after an interruption.
struct TrainCheckpoints: ParsableArguments {
  @Option(
    help: """
      A directory for the checkpoint of a deepar training: the same command goes on from it after an \
      interruption, and ends with the same model as without one.
      """)
  var checkpoint: String?
  @Option(
    help:
      "Write a checkpoint after the first epoch, then at most every so many seconds; 0 after every epoch."
  )
  var checkpointInterval = 10.0

  func validate() throws {
    guard checkpointInterval >= 0, checkpointInterval.isFinite else {
      throw ValidationError("--checkpoint-interval must be a number of seconds from 0 on")
    }
  }

  /// Where the checkpoint lies, for messages; nil for none.
  var file: String? { checkpoint.map { $0 + "/checkpoint.bin" } }

  /// What the directory has, and how it is written: whole or not at all.
  func open() throws -> TrainingCheckpoints? {
    guard let checkpoint, let file else { return nil }
    let disk = LocalDisk()
    let start: [UInt8]?
    do {
      try disk.createDirectory(checkpoint)
      start = try disk.read(file)
    } catch {
      throw Failure(
        message: "the checkpoint cannot be read: \(error)",
        hint: "name a directory that you may read and write")
    }
    let interval = Duration.seconds(checkpointInterval)
    let last = Mutex<ContinuousClock.Instant?>(nil)
    return TrainingCheckpoints(
      start: start,
      isDue: { last.withLock { $0.map { $0.duration(to: .now) >= interval } ?? true } },
      save: { bytes in
        do {
          try disk.replace(file, with: bytes)
        } catch {
          Output.note("note: a checkpoint could not be written, the training goes on: \(error)")
        }
        last.withLock { $0 = .now }
      })
  }
}
