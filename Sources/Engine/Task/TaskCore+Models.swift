import Dataflow

extension TaskCore {
  /// Why models that should wait on the disk are in memory, if there are any.
  var modelProblem: String? { dataflow.scratchProblem }

  /// Whether models wait on the disk.
  var hasSpilledModels: Bool { dataflow.scratchBytes > 0 }

  /// The models of keys; nil when the application has none.
  var modelStatus: ModelStatus? {
    let all = dataflow.modelCounters
    guard !all.isEmpty else { return nil }
    return ModelStatus(
      counters: all.reduce(into: ModelCounters()) { $0.add($1.counters) },
      spilledBytes: dataflow.scratchBytes)
  }

  /// Reads one more model of the snapshot that was restored; returns whether any are left.
  func readOneModel() -> Bool { dataflow.readOneModel() }

  /// The saved models that were found damaged since the last call.
  func takeModelDamages() -> [ModelDamage] { dataflow.takeModelDamages(pool: pool) }

  /// Tries again to move models to the disk.
  func keepToModelMemory() throws {
    dataflow.keepToModelMemory()
    try checkModels()
  }

  /// Ends the task when a model could not be read back: what was computed since is of no use.
  func checkModels() throws {
    guard let failure = dataflow.failure else { return }
    throw TaskFailure.disk(
      "\(failure)\n  hint: look after the disk of data_directory and start again; the pipeline goes on "
        + "from its last snapshot, and nothing is lost")
  }
}
