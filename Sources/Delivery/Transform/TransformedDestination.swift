/// A destination that gets what a step makes of the records.
///
/// Records that the step drops are not stored; those that fail go to the backup. Objects keep their
/// record ends.
public struct TransformedDestination: Destination {
  private let step: TransformStep
  private let destination: any Destination
  private let endsLines: Bool

  /// Creates a destination in front of another.
  ///
  /// - Parameters:
  ///   - step: What changes the records.
  ///   - destination: Where they are stored.
  ///   - endsLines: Whether a record gets a line feed that the step has left out.
  public init(step: TransformStep, destination: any Destination, endsLines: Bool) {
    self.step = step
    self.destination = destination
    self.endsLines = endsLines
  }

  /// Transforms and stores an object.
  ///
  /// - Throws: `RejectedRecords` when all was stored but some records, for which the step failed;
  ///   otherwise what the destination throws.
  public func put(_ object: ClosedObject) async throws -> PutResult {
    precondition(object.recordEnds.count == object.recordCount, "record ends are kept for a step")
    var bytes: [UInt8] = []
    var ends: [Int64] = []
    var kept: [Int] = []
    var failed: [Int] = []
    var first = 0
    while first < object.recordCount {
      let records = first..<batchEnd(of: object, from: first)
      for (index, outcome) in zip(records, try await step.outcomes(of: object, records: records)) {
        switch outcome {
        case .ok(let data):
          bytes += data
          if endsLines, data.last != Self.lineFeed { bytes.append(Self.lineFeed) }
          ends.append(Int64(bytes.count))
          kept.append(index)
        case .dropped: break
        case .failed: failed.append(index)
        }
      }
      first = records.upperBound
    }
    let result: PutResult
    do {
      result = try await store(object, bytes, ends)
    } catch let rejected as RejectedRecords {
      // The destination counts the records that were kept; the backup gets the ones that came in.
      throw RejectedRecords(
        records: (rejected.records.map { kept[$0] } + failed).sorted(), error: rejected.error)
    }
    guard failed.isEmpty else {
      throw RejectedRecords(
        records: failed,
        error: DeliveryError(
          code: "Transform.ProcessingFailed",
          message: "the transform step failed for \(failed.count) records",
          hint: "look for them in the backup", remedy: .none))
    }
    return result
  }

  private func store(
    _ object: ClosedObject, _ bytes: [UInt8], _ ends: [Int64]
  ) async throws -> PutResult {
    guard !ends.isEmpty else { return .stored }
    return try await destination.put(
      ClosedObject(
        identity: object.identity, name: object.name, bytes: bytes, recordEnds: ends,
        recordCount: ends.count, oldestRowTime: object.oldestRowTime))
  }

  private static let lineFeed = UInt8(ascii: "\n")

  private func batchEnd(of object: ClosedObject, from first: Int) -> Int {
    let start = first == 0 ? 0 : object.recordEnds[first - 1]
    var end = first + 1
    while end < object.recordCount,
      object.recordEnds[end] - start <= Int64(TransformStep.batchBytes)
    {
      end += 1
    }
    return end
  }
}
