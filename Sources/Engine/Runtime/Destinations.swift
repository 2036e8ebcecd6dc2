import Delivery
import Foundation
import Logging
import Synchronization
import Transport

/// Opens the destinations of deliveries and closes their connections at the end.
final class Destinations: Sendable {
  private let threads: BlockingThreads
  /// Threads that look up addresses, which can take long.
  private let lookups: BlockingThreads
  private let time: any TimeSource
  private let logger: Logger
  private let connections = Mutex<[HTTPConnections]>([])

  init(
    threads: BlockingThreads, lookups: BlockingThreads, time: any TimeSource, logger: Logger
  ) {
    self.threads = threads
    self.lookups = lookups
    self.time = time
    self.logger = logger
  }

  /// What delivers the objects of one output; `isWriting` when another one of this owner does so still.
  ///
  /// - Throws: `DeliveryError` when a folder cannot be written, `SettingError` when there are no keys.
  func makeUploader(
    _ delivery: DeliveryPlan, owner: String, seed: UInt64, isWriting: Bool
  ) async throws -> Uploader {
    var backup: Backup?
    if let plan = delivery.backup {
      backup = Backup(
        destination: try await make(
          plan.destination, plan.settings.objectStore, .none, nil, owner: "\(owner)#backup",
          isWriting: isWriting),
        naming: plan.naming)
    }
    var destination = try await main(delivery, owner: owner, isWriting: isWriting)
    if let transform = delivery.settings.transform {
      guard let url = WebURL(transform.url) else { preconditionFailure("the parser refuses it") }
      let step = TransformStep(
        url: url, sourceARN: owner, connections: open(transform.allow), threads: threads,
        time: time)
      destination = TransformedDestination(
        step: step, destination: destination, endsLines: delivery.settings.endsLines)
    }
    return Uploader(
      destination: destination, backup: backup,
      retryMilliseconds: delivery.isEndpoint ? delivery.settings.retryMilliseconds : nil,
      time: time, seed: seed, log: (name: owner, logger: logger))
  }

  private func main(
    _ delivery: DeliveryPlan, owner: String, isWriting: Bool
  ) async throws -> any Destination {
    guard case .httpEndpoint(let url) = delivery.destination else {
      return try await make(
        delivery.destination, delivery.settings.objectStore, delivery.compression,
        delivery.parquet, owner: owner, isWriting: isWriting)
    }
    let endpoint = delivery.settings.endpoint
    let settings = try EndpointSettings(
      url: url, accessKey: endpoint.accessKey, sourceARN: owner,
      commonAttributes: endpoint.attributes, usesGzip: delivery.compression == .gzip,
      allowsInsecure: endpoint.allowsInsecure)
    return EndpointDestination(
      settings: settings, connections: open(endpoint.allow), threads: threads, time: time)
  }

  private func make(
    _ destination: DestinationURL, _ store: ObjectStoreSettings, _ compression: Compression,
    _ parquet: ParquetFormat?, owner: String, isWriting: Bool
  ) async throws -> any Destination {
    switch destination {
    case .directory(let path):
      return try await DirectoryDestination(
        path: path, owner: owner, compression: compression, parquet: parquet, threads: threads,
        removesUnfinished: !isWriting)
    case .objectStore(let bucket, let prefix):
      let connections = open(store.allow)
      let keys = try accessKeys(store, connections)
      return ObjectStoreDestination(
        store: try ObjectStore(
          bucket: bucket, region: store.region, endpoint: store.endpoint,
          usesPathStyle: store.usesPathStyle),
        prefix: prefix, compression: compression, parquet: parquet, keys: keys,
        connections: connections, threads: threads, time: time)
    case .httpEndpoint, .topic:
      preconditionFailure("the planner refuses these")
    }
  }

  /// What gives the rows of a reference table.
  ///
  /// - Throws: `SettingError` when there are no keys of an object store.
  func makeTableSource(
    _ table: TablePlan, of plan: PipelinePlan, disk: any Disk, broker: any Broker, logger: Logger
  ) throws -> any TableSource {
    switch table.settings.source {
    case .file(let path):
      return FileTableSource(table, path: path, disk: disk, threads: threads)
    case .object(let bucket, let key, let store):
      let connections = open(store.allow)
      let reader = ObjectStoreReader(
        store: try ObjectStore(
          bucket: bucket, region: store.region, endpoint: store.endpoint,
          usesPathStyle: store.usesPathStyle),
        keys: try accessKeys(store, connections), connections: connections, time: time)
      return ObjectTableSource(table, key: key, reader: reader, threads: threads)
    case .topic(let name, _):
      return TopicTableSource(table, topic: name, threads: threads, logger: logger) {
        try broker.makeReader(plan, logger: logger)
      }
    }
  }

  private func accessKeys(
    _ store: ObjectStoreSettings, _ connections: HTTPConnections
  ) throws -> AccessKeySource {
    try AccessKeySource(
      environment: ProcessInfo.processInfo.environment, region: store.region,
      connections: connections, threads: threads, time: time)
  }

  private func open(_ allow: [String]) -> HTTPConnections {
    let policy = AddressPolicy(allowed: allow.compactMap { AddressBlock($0) })
    let opened = HTTPConnections(policy: policy, threads: lookups)
    connections.withLock { $0.append(opened) }
    return opened
  }

  func shutdown() async throws {
    for connection in connections.withLock({ $0 }) { try await connection.shutdown() }
  }
}
