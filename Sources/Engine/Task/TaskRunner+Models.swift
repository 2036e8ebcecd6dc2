import CMemory
import Dataflow
import Logging

extension TaskRunner {
  /// Whether the models of keys keep to their memory; a disk that refuses them holds records up.
  ///
  /// - Throws: `TaskFailure` when a model cannot be read back: the next start goes on from the snapshot.
  func modelsHaveRoom(now: Int64) throws -> Bool {
    guard let problem = core.modelProblem else {
      modelProblem = nil
      return true
    }
    guard now >= nextModelAttempt else { return false }
    nextModelAttempt = now + 1_000
    try core.keepToModelMemory()
    guard core.modelProblem != nil else {
      start.services.logger.notice("task \(name) goes on: models that wait have room again")
      modelProblem = nil
      return true
    }
    if modelProblem == nil {
      start.services.logger.warning(
        "task \(name) takes no records: models beyond model_memory have no place to wait: \(problem)",
        metadata: ["hint": "make room in data_directory; nothing is lost, and it goes on by itself"]
      )
    }
    modelProblem = "models beyond model_memory have no place to wait: \(problem)"
    return false
  }

  /// Reads models of the snapshot that the task began with, for at most 5 ms; records that come need not wait
  /// for those of other keys.
  ///
  /// - Returns: Whether any are left.
  func readModels() throws -> Bool {
    guard reading.isUnfinished else { return false }
    let begin = elapsed
    while reading.isUnfinished, elapsed - begin < 4 {
      reading.isUnfinished = core.readOneModel()
      reading.models += 1
    }
    reading.milliseconds += elapsed - begin
    if !reading.isUnfinished, reading.models >= Self.manyModels { releaseMemory() }
    try core.checkModels()
    return reading.isUnfinished
  }

  /// Gives back the memory of a state that was read, or stored as a whole, beside the worker: otherwise it
  /// would stay with the process.
  func releaseMemory() { log.afterStorage { cutbank_release_free_memory() } }

  /// Below these the search would cost more than it brings: bytes of a whole snapshot, models that were read.
  static let largeState = 16 << 20
  private static let manyModels = 100

  /// Says which saved models are damaged, each once.
  func reportDamagedModels() {
    for damage in core.takeModelDamages() {
      let text =
        "task \(name): the model of key \(damage.key) in \(damage.function) cannot be used, and the "
        + "rows of the key become error rows and dead letters: \(damage.reason)"
      start.services.logger.error(
        "\(text)",
        metadata: [
          "hint": """
          other keys go on, and the model's bytes are kept as they are: copy \(log.place) before the \
          next snapshots replace it, and report it; a cutbank that can read the model uses it again, \
          then cutbank dlq replay brings the rows back
          """
        ])
    }
  }
}

/// How far a task is with reading the models of the snapshot that it began with.
struct ModelReading {
  var isUnfinished = true
  var models = 0
  var milliseconds: Int64 = 0

  /// How long one takes, milliseconds: rather too much than too little, since the clock counts whole ones.
  var cost: Double { Double(milliseconds + 1) / Double(max(1, models)) }
}
