public import Columns
import StreamSQL

/// Something that a program uses under a name and that is exchanged while it runs.
public enum SlotValue: Sendable {
  /// The models of an endpoint.
  case deployment(Deployment)
  /// The rows of a reference table.
  case table(TableContent)
}

extension Dataflow {
  /// The names of what is exchanged while the plan runs: `endpoint/NAME` and `table/NAME`.
  public var slots: [String] { endpoints.map { Self.slot(ofEndpoint: $0.name) } + tableSlots }

  /// The slots without which no row can be processed: those of the reference tables.
  public var tableSlots: [String] {
    plan.tables.filter { $0.rows == nil }.map { Self.slot(ofTable: $0.name) }
  }

  /// The name of a reference table's slot.
  public static func slot(ofTable name: String) -> String { "table/" + name }

  /// The name of an endpoint's slot.
  public static func slot(ofEndpoint name: String) -> String { "endpoint/" + name }

  /// Reads the bytes of a slot's value and finds out whether the plan's operators can work with it.
  ///
  /// - Throws: when the bytes are damaged, or what `check` throws.
  public func value(of slot: String, bytes: [UInt8]) throws -> SlotValue {
    let value =
      table(of: slot) == nil
      ? SlotValue.deployment(try Deployment(decoding: bytes))
      : .table(try TableContent(decoding: bytes))
    try check(value, for: slot)
    return value
  }

  /// Finds out whether the plan's operators can work with a slot's value.
  ///
  /// - Throws: when the model does not fit the rows, or the table's columns are others.
  public func check(_ value: SlotValue, for slot: String) throws {
    switch value {
    case .table(let content):
      guard let table = table(of: slot), content.fits(table.schema) else {
        throw DataflowError("the rows have other columns than the table")
      }
    case .deployment(let deployment):
      for endpoint in endpoints where Self.slot(ofEndpoint: endpoint.name) == slot {
        for user in endpoint.users { try user.check(deployment) }
      }
    }
  }

  /// From the next row on a slot holds a value that was checked.
  ///
  /// - Parameters:
  ///   - slot: The slot's name.
  ///   - value: The value.
  ///   - pool: The strings of the task.
  /// - Throws: `StateError` when the rows of a table are damaged.
  public func activate(_ slot: String, _ value: SlotValue, pool: inout StringPool) throws {
    switch value {
    case .table(let content):
      guard let table = table(of: slot) else { return }
      table.feed(try content.rows(table.schema, into: &pool))
    case .deployment(let deployment):
      for endpoint in endpoints where Self.slot(ofEndpoint: endpoint.name) == slot {
        endpoint.activate(deployment)
      }
    }
  }

  private func table(of slot: String) -> TableState? {
    let place = plan.tables.firstIndex {
      $0.rows == nil && Self.slot(ofTable: $0.name) == slot
    }
    return place.map { tables[$0] }
  }

  /// What the variants of every endpoint have done since they were activated.
  public var variantCounters: [(endpoint: String, counters: [VariantCounters])] {
    endpoints.map { ($0.name, $0.counters) }
  }

  /// Lets the time that models take be measured; nothing but the counters depends on it.
  ///
  /// - Parameter stopwatch: Nanoseconds from any moment on.
  public func measure(by stopwatch: @escaping () -> Int64) {
    for endpoint in endpoints { endpoint.stopwatch = stopwatch }
  }
}

/// An operator that asks an endpoint.
protocol EndpointUser: AnyObject {
  /// Finds out whether it can work with the models.
  func check(_ deployment: Deployment) throws
}

/// An endpoint's place in a dataflow: what its operators look at before each batch.
final class EndpointSlot {
  let name: String
  private(set) var deployment: Deployment?
  /// Rises with every activation.
  private(set) var generation: Int64 = 0
  /// By variant.
  var counters: [VariantCounters] = []
  /// Nanoseconds from any moment on; stands still unless somebody measures.
  var stopwatch: () -> Int64 = { 0 }
  private(set) var users: [any EndpointUser] = []
  /// The bounds of the variants' shares: a key at u in 0..<1 belongs to the first whose bound is above.
  private var bounds: [Double] = []
  private var servers: [Int] = []

  init(name: String) { self.name = name }

  func add(_ user: any EndpointUser) { users.append(user) }

  func activate(_ deployment: Deployment) {
    self.deployment = deployment
    generation += 1
    counters = deployment.variants.map {
      VariantCounters(name: $0.name, version: $0.version, isShadow: $0.isShadow)
    }
    servers = deployment.variants.indices.filter {
      !deployment.variants[$0].isShadow && deployment.variants[$0].weight > 0
    }
    var total = 0.0
    for index in servers { total += deployment.variants[index].weight }
    var sum = 0.0
    bounds = servers.map { index in
      sum += deployment.variants[index].weight / total
      return sum
    }
  }

  /// The variant that serves a key; only while there is a deployment.
  func variant(of hash: UInt64) -> Int {
    let place = Self.place(hash)
    for (index, bound) in bounds.enumerated() where place < bound { return servers[index] }
    return servers[servers.count - 1]
  }

  /// Whether a shadow scores a key along.
  func shadows(_ variant: Int, _ hash: UInt64) -> Bool {
    guard let deployment else { return false }
    return Self.place(hash &* 0xD6E8_FEB8_6659_FD93) < deployment.variants[variant].weight
  }

  private static func place(_ hash: UInt64) -> Double { Double(hash >> 11) * 0x1p-53 }
}
