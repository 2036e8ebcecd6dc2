/// Where closed objects go.
public protocol Destination: Sendable {
  /// Stores an object whole, unless an object of its name is there: then it was stored before.
  ///
  /// - Throws: `DeliveryError`, or `CancellationError` when the task is cancelled.
  func put(_ object: ClosedObject) async throws -> PutResult
}

/// What a destination did with an object.
public enum PutResult: String, Hashable, Sendable {
  /// It is stored now.
  case stored
  /// It was there already.
  case existed
}
