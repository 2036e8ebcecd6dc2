/// Where closed objects go.
public protocol Destination: Sendable {
  /// Stores an object whole, unless an object of its name is there: then it was stored before.
  ///
  /// - Throws: `DeliveryError`, `RejectedRecords`, or `CancellationError` when the task is
  ///   cancelled.
  func put(_ object: ClosedObject) async throws -> PutResult
}

/// What a destination did with an object.
public enum PutResult: String, Hashable, Sendable {
  /// It is stored now.
  case stored
  /// It was there already.
  case existed
  /// Records that could not be delivered are in the backup location.
  case backedUp
}

/// Some records of an object will never be accepted; the others are delivered.
public struct RejectedRecords: Error, Hashable, Sendable {
  /// Their places in the object.
  public let records: [Int]
  /// Why.
  public let error: DeliveryError

  /// Creates the error.
  public init(records: [Int], error: DeliveryError) {
    self.records = records
    self.error = error
  }
}
