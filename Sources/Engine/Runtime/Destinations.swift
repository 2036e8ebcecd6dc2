import Delivery
import Foundation
import Synchronization
import Transport

/// Opens the destinations of deliveries and closes their connections at the end.
final class Destinations: Sendable {
  private let threads: BlockingThreads
  private let time: any TimeSource
  private let connections = Mutex<[HTTPConnections]>([])

  init(threads: BlockingThreads, time: any TimeSource) {
    self.threads = threads
    self.time = time
  }

  /// The destination of one delivery.
  ///
  /// - Throws: `DeliveryError` when a folder cannot be written, `SettingError` when there are no keys.
  func make(_ delivery: DeliveryPlan, owner: String) async throws -> any Destination {
    switch delivery.destination {
    case .directory(let path):
      return try await DirectoryDestination(
        path: path, owner: owner, compression: delivery.compression, threads: threads)
    case .objectStore(let bucket, let prefix):
      return try objectStore(delivery, bucket: bucket, prefix: prefix)
    case .httpEndpoint, .topic:
      preconditionFailure("the planner refuses these")
    }
  }

  private func objectStore(
    _ delivery: DeliveryPlan, bucket: String, prefix: String
  ) throws -> any Destination {
    let settings = delivery.settings.objectStore
    let policy = AddressPolicy(allowed: settings.allow.compactMap { AddressBlock($0) })
    let opened = HTTPConnections(policy: policy, threads: threads)
    connections.withLock { $0.append(opened) }
    let keys = try AccessKeySource(
      environment: ProcessInfo.processInfo.environment, region: settings.region,
      connections: opened, threads: threads, time: time)
    return ObjectStoreDestination(
      store: try ObjectStore(
        bucket: bucket, region: settings.region, endpoint: settings.endpoint,
        usesPathStyle: settings.usesPathStyle),
      prefix: prefix, compression: delivery.compression, keys: keys, connections: opened,
      threads: threads, time: time)
  }

  func shutdown() async throws {
    for connection in connections.withLock({ $0 }) { try await connection.shutdown() }
  }
}
