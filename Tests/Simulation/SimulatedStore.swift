import Delivery
import Engine
import Transport

/// Where the objects of all outputs arrive; a name is taken once.
final class ObjectStoreImage: @unchecked Sendable {
  struct Stored {
    let output: Int
    let object: ClosedObject
  }

  private(set) var objects: [Stored] = []
  private var places: [String: Int] = [:]
  private let world: World

  init(world: World) { self.world = world }

  func put(_ object: ClosedObject, output: Int) -> PutResult {
    let name = "\(output)/\(object.name)"
    if let place = places[name] {
      if objects[place].object.bytes != object.bytes {
        world.violate("\(name) was stored with other bytes before")
      }
      return .existed
    }
    places[name] = objects.count
    objects.append(Stored(output: output, object: object))
    return .stored
  }
}

/// A destination that is slow, fails, or stores and says that it did not.
struct SimulatedDestination: Destination {
  let output: Int
  let image: ObjectStoreImage
  let world: World
  let process: ProcessState
  let time: ProcessTime

  func put(_ object: ClosedObject) async throws -> PutResult {
    try await wait()
    let rows = "\(object.identity.firstRow)-\(object.identity.lastRow)"
    let name = "put \(output) \(object.identity.task) \(rows)"
    let outcome = world.outcome(of: name, .upload, by: process)
    switch outcome {
    case .done, .standsStill, .delays, .repeats, .lies, .dies(.after):
      let result = image.put(object, output: output)
      if case .dies = outcome { throw CancellationError() }
      if case .lies = outcome { throw failure() }
      if case .delays = outcome { try await time.sleep(milliseconds: SimulatedMember.lateness) }
      // The acknowledgement may come late.
      try await wait()
      return result
    case .fails, .tears: throw failure()
    case .dies: throw CancellationError()
    }
  }

  private func wait() async throws {
    if world.happens(0.3) {
      try await time.sleep(milliseconds: Int64(world.generator.below(3_000)))
    }
    guard !process.isDead, !Task.isCancelled else { throw CancellationError() }
  }

  private func failure() -> DeliveryError {
    DeliveryError(
      code: "Simulated.Unavailable", message: "the receiver is away", hint: "none",
      remedy: .retry)
  }
}
