import Dataflow
import Delivery
import Synchronization
import Transport

/// A reference table in an object of an S3-compatible store, fetched again when its ETag differs.
final class ObjectTableSource: TableSource {
  private let name: String
  private let key: String
  private let reader: ObjectStoreReader
  private let decoder: TableDecoder
  private let threads: BlockingThreads
  private let seen = Mutex<String?>(nil)

  init(_ plan: TablePlan, key: String, reader: ObjectStoreReader, threads: BlockingThreads) {
    name = plan.settings.sourceName
    self.key = key
    self.reader = reader
    self.threads = threads
    decoder = TableDecoder(plan: plan)
  }

  func load() async throws -> TableContent? {
    let limit = Int(decoder.plan.settings.byteLimit)
    do {
      guard
        let object = try await reader.read(key, unless: seen.withLock { $0 }, limit: limit)
      else { return nil }
      seen.withLock { $0 = object.tag }
      guard object.isComplete else {
        throw TableProblem(
          place: name, message: "it has more than \(limit) bytes, the table's max_size")
      }
      return try await threads.run { [name, decoder] in
        try decoder.decode(file: object.bytes, name: name)
      }
    } catch let error as DeliveryError {
      // What to do about a failure that passes by itself is said of deliveries.
      let hint = error.remedy == .operatorAction ? " (\(error.hint))" : ""
      throw TableProblem(place: name, message: error.message + hint)
    }
  }
}
