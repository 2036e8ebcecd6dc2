/// Where records go that a destination does not take.
public struct Backup: Sendable {
  let destination: any Destination
  private let naming: ObjectNaming
  private let type: ErrorOutputType

  /// Creates a backup.
  ///
  /// - Parameters:
  ///   - destination: Where the envelopes are stored.
  ///   - naming: The names of their objects, by an error prefix.
  ///   - type: The kind of error in the prefix.
  public init(
    destination: any Destination, naming: ObjectNaming,
    type: ErrorOutputType = .httpEndpointFailed
  ) {
    self.destination = destination
    self.naming = naming
    self.type = type
  }

  /// The object that holds the envelopes of some records of an object.
  ///
  /// - Throws: `DeliveryError` when it cannot be named.
  func object(
    for records: [Int]?, of object: ClosedObject, error: DeliveryError, attempts: Int, now: Int64
  ) throws(DeliveryError) -> ClosedObject {
    let hasRecords = !object.recordEnds.isEmpty
    let places = records ?? Array(0..<(hasRecords ? object.recordCount : 1))
    var bytes: [UInt8] = []
    for place in places {
      let raw = hasRecords ? Array(object.record(place)) : object.bytes
      let record = FailedRecord(
        attempts: attempts, arrivalTimestamp: object.oldestRowTime,
        attemptEndingTimestamp: now, error: error, rawData: raw, subsequenceNumber: place,
        dataID: "\(object.identity.uuid).\(place)", pipeline: object.identity.pipeline,
        stage: "deliver/\(object.identity.output)")
      bytes += record.line
    }
    let type = error.code.hasPrefix("Transform.") ? ErrorOutputType.processingFailed : type
    var identity = object.identity
    identity.output += "#\(type.rawValue)"
    let name = try naming.name(
      of: identity, rowTime: object.oldestRowTime, errorOutputType: type)
    return ClosedObject(
      identity: identity, name: name, bytes: bytes, recordCount: places.count,
      oldestRowTime: object.oldestRowTime)
  }
}
