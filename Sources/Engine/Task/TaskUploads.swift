import Delivery
import Logging
import Synchronization

/// Hands the closed objects of one task to their destinations once a commit covers them.
struct TaskUploads {
  /// How many bytes may wait for destinations before the task stops taking records.
  static let byteLimit = 64 << 20

  private let start: TaskStart
  private var underWay: [Key: Task<Void, Never>] = [:]

  private struct Key: Hashable, Comparable {
    let output: Int
    let firstRow: Int64

    static func < (one: Key, other: Key) -> Bool {
      (one.output, one.firstRow) < (other.output, other.firstRow)
    }
  }

  init(start: TaskStart) { self.start = start }

  /// Whether more objects may be closed.
  func hasRoom(_ core: TaskCore) -> Bool { pendingBytes(core) < Self.byteLimit }

  func pendingBytes(_ core: TaskCore) -> Int { core.pendingBytes }

  /// Starts the delivery of objects, named per output by their first rows.
  mutating func release(_ objects: [Set<Int64>], of core: TaskCore) {
    for (output, firstRows) in objects.enumerated() {
      for object in core.stages[output].pending where firstRows.contains(object.identity.firstRow) {
        let key = Key(output: output, firstRow: object.identity.firstRow)
        guard underWay[key] == nil else { continue }
        underWay[key] = deliver(object, output: output)
      }
    }
  }

  private func deliver(_ object: ClosedObject, output: Int) -> Task<Void, Never>? {
    guard let uploader = start.services.uploaders[output] else { return nil }
    let name = start.name
    let worker = start.services.worker
    let logger = start.services.logger
    let firstRow = object.identity.firstRow
    return Task(executorPreference: start.services.executor) {
      do {
        _ = try await uploader.deliver(object)
        worker.post(.delivered(name, output: output, firstRow: firstRow))
      } catch let error as DeliveryError {
        worker.post(.undeliverable(name, output: output, error))
      } catch {
        // Cancelled: the task was given up, and its next owner delivers the object.
        logger.debug("delivery of \(object.name) was cancelled")
      }
    }
  }

  mutating func finished(output: Int, firstRow: Int64) {
    underWay[Key(output: output, firstRow: firstRow)] = nil
  }

  /// Gives up what is under way.
  func cancel() {
    for key in underWay.keys.sorted() { underWay[key]?.cancel() }
  }
}
