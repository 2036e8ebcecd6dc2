import Dataflow
import Foundation
import Logging
import Registry
import StreamSQL
import Synchronization
import Transport

/// Where a task has taken up what an endpoint serves now.
public struct EndpointActivation: Sendable {
  /// The endpoint.
  public let endpoint: String
  /// `pipeline/number`.
  public let task: String
  /// The first record that it holds for, counted in records of the task.
  public let rowNumber: Int64
  /// The next offset of each partition, as `topic-partition@offset`.
  public let offsets: [String]
  /// The models with their variants: `champion load/3`.
  public let variants: [String]
}

/// Publishes what the registry's endpoints serve to the tasks that ask them.
///
/// It looks whether the registry has changed; a model that cannot be read or does not fit leaves what
/// was there in service.
final class EndpointPublisher: Sendable {
  private let registry: Registry
  private let slots: SlotBoard
  private let time: any TimeSource
  private let logger: Logger
  private let state: Mutex<State>

  private struct State {
    var endpoints: [String]
    /// Above which result a row counts as an alert, by endpoint.
    var thresholds: [String: Double]
    /// The configuration that was looked at last, by endpoint.
    var seen: [String: Int64] = [:]
    /// What blobs hold, by their names.
    var variants: [String: [String]] = [:]
    var activations: [EndpointActivation] = []
  }

  init(
    registry: Registry, slots: SlotBoard, plans: [PipelinePlan], time: any TimeSource,
    logger: Logger
  ) {
    self.registry = registry
    self.slots = slots
    self.time = time
    self.logger = logger
    state = Mutex(
      State(endpoints: Self.endpoints(of: plans), thresholds: Self.thresholds(of: plans)))
  }

  private static func endpoints(of plans: [PipelinePlan]) -> [String] {
    Set(plans.flatMap(\.application.endpoints)).sorted()
  }

  private static func thresholds(of plans: [PipelinePlan]) -> [String: Double] {
    var thresholds: [String: Double] = [:]
    for model in plans.flatMap(\.models) {
      thresholds[model.configuration.endpoint] = model.configuration.guards.alertAbove
    }
    return thresholds
  }

  /// Publishes what these pipelines ask for from now on.
  func update(_ plans: [PipelinePlan]) {
    let thresholds = Self.thresholds(of: plans)
    state.withLock { state in
      // A blob says what counts as an alert.
      state.seen = state.seen.filter { thresholds[$0.key] == state.thresholds[$0.key] }
      state.endpoints = Self.endpoints(of: plans)
      state.thresholds = thresholds
    }
    publish()
  }

  /// The endpoints' activations so far, in their order.
  var activations: [EndpointActivation] { state.withLock { $0.activations } }

  /// Publishes what has changed since the last call.
  func publish() {
    for name in state.withLock({ $0.endpoints }) {
      do {
        guard let endpoint = try registry.endpoint(name),
          state.withLock({ $0.seen[name] }) != endpoint.configuration
        else { continue }
        state.withLock { $0.seen[name] = endpoint.configuration }
        let deployment = try deployment(of: endpoint)
        let bytes = deployment.encoded()
        let blob = ArtifactFolder.name(of: bytes)
        state.withLock { state in
          state.variants[blob] = deployment.variants.map { "\($0.name) \($0.version)" }
        }
        slots.publish(
          Dataflow.slot(ofEndpoint: name), blob: blob, bytes: bytes, value: .deployment(deployment))
      } catch {
        logger.error("endpoint \(name) keeps what it serves: \(error)")
        audit("refuse", name, "\(error)")
      }
    }
  }

  private func deployment(of endpoint: Endpoint) throws -> Deployment {
    try Deployment(
      variants: endpoint.variants.map { variant in
        let version = try registry.version(variant.version, of: variant.model)
        return try Deployment.Variant(
          name: variant.name, version: version.name, weight: variant.weight,
          isShadow: variant.isShadow, artifact: registry.artifacts.load(version.artifact))
      }, alertAbove: state.withLock { $0.thresholds[endpoint.name] })
  }

  /// Writes down what has become of what was published.
  func note() {
    var lines: [(subject: String, detail: String)] = []
    let endpoints = state.withLock { $0.endpoints }
    for (slot, blob, outcome) in slots.takeOutcomes() {
      let name = endpoints.first { Dataflow.slot(ofEndpoint: $0) == slot } ?? slot
      switch outcome {
      case .refused(let task, let reason): audit("refuse", name, "task \(task): \(reason)")
      case .activated(let position):
        let offsets = position.offsets.map { "\($0.0)@\($0.1)" }
        let variants = state.withLock { state in
          let variants = state.variants[blob] ?? []
          state.activations.append(
            EndpointActivation(
              endpoint: name, task: position.task, rowNumber: position.rowNumber,
              offsets: offsets, variants: variants))
          return variants
        }
        let names = variants.joined(separator: ", ")
        logger.notice(
          "endpoint \(name): task \(position.task) serves \(names) from record \(position.rowNumber) on"
        )
        lines.append(
          (
            "endpoint \(name)",
            "task \(position.task) before record \(position.rowNumber), "
              + offsets.joined(separator: " ")
          ))
      }
    }
    do {
      try registry.note("activate", lines, by: "daemon", at: time.now)
    } catch {
      logger.error("the audit trail cannot be written: \(error)")
    }
  }

  private func audit(_ action: String, _ endpoint: String, _ detail: String) {
    do {
      try registry.note(action, "endpoint \(endpoint)", detail, by: "daemon", at: time.now)
    } catch {
      logger.error("the audit trail cannot be written: \(error)")
    }
  }
}
