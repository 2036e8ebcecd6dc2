import Columns

/// What became of the models of one table function since its task was started.
public struct ModelCounters: Hashable, Sendable {
  /// Models in memory.
  public var resident = 0
  /// Models in the scratch.
  public var spilled = 0
  /// Bytes of the models in memory, with what the allocator loses.
  public var residentBytes = 0
  /// Models taken back into memory.
  public var loads: Int64 = 0
  /// Models moved from memory to the scratch.
  public var evictions: Int64 = 0
  /// Models forgotten because their keys had not come for longer than `model_ttl`.
  public var expirations: Int64 = 0
  /// Rows whose keys had no model.
  public var rowsWithoutModel: Int64 = 0

  /// Nothing so far.
  public init() {}

  /// Adds what became of other models.
  public mutating func add(_ other: ModelCounters) {
    resident += other.resident
    spilled += other.spilled
    residentBytes += other.residentBytes
    loads += other.loads
    evictions += other.evictions
    expirations += other.expirations
    rowsWithoutModel += other.rowsWithoutModel
  }
}

/// A saved model that cannot be read.
public struct ModelDamage: Hashable, Sendable {
  /// The function whose model it is, by the name of its section.
  public let function: String
  /// The columns of its key as JSON.
  public let key: String
  /// What is wrong with it.
  public let reason: String
}

/// What a dataflow asks of the models of a table function, whatever they are.
protocol ModelResidence: AnyObject {
  var counters: ModelCounters { get }
  /// Sets how many bytes of models may be in memory; one model may always.
  func setBudget(_ bytes: Int)
  /// Tries again to move models out of memory that the scratch has refused.
  func keepToBudget()
  /// The models that were found damaged since the last call, for the section's name and the strings of the task.
  func takeDamages(_ section: String, _ pool: borrowing StringPool) -> [ModelDamage]
  /// Reads one more model of the snapshot that was restored; returns whether any are left.
  func readOne() -> Bool
}

extension KeyedModels: ModelResidence {
  func setBudget(_ bytes: Int) { budget = bytes }
  func keepToBudget() { makeRoom(for: 0) }
}
