import Dataflow
import Logging
package import Registry
import Synchronization
import Transport

extension ModelConfiguration.Rollout {
  /// Where a rollout begins.
  package func firstPhase(hasChampion: Bool) -> Endpoint.Phase {
    guard hasChampion else { return .inService }
    return shadow != nil ? .shadow : canary != nil ? .canary : .inService
  }
}

extension ModelConfiguration {
  /// What an endpoint serves in a phase of a rollout.
  package func variants(
    champion: EndpointVariant?, candidate: (model: String, version: Int), in phase: Endpoint.Phase
  ) -> [EndpointVariant] {
    let alone = EndpointVariant(
      name: "champion", model: candidate.model, version: candidate.version)
    guard var champion, phase == .shadow || phase == .canary else { return [alone] }
    champion.name = "champion"
    champion.isShadow = false
    champion.weight = phase == .canary ? 1 - rollout.canaryWeight : 1
    return [
      champion,
      EndpointVariant(
        name: Self.candidateName, model: candidate.model, version: candidate.version,
        weight: phase == .canary ? rollout.canaryWeight : 1, isShadow: phase == .shadow),
    ]
  }
}

/// Leads candidates through their rollouts, and takes back those whose guard trips.
final class RolloutKeeper: Sendable {
  private let registry: Registry
  private let slots: SlotBoard
  private let board: StatusBoard
  private let models: Mutex<[(pipeline: String, settings: ModelConfiguration)]>
  private let time: any TimeSource
  private let logger: Logger

  init(
    registry: Registry, slots: SlotBoard, board: StatusBoard, plans: [PipelinePlan],
    time: any TimeSource, logger: Logger
  ) {
    self.registry = registry
    self.slots = slots
    self.board = board
    models = Mutex(Self.models(of: plans))
    self.time = time
    self.logger = logger
  }

  private static func models(
    of plans: [PipelinePlan]
  ) -> [(pipeline: String, settings: ModelConfiguration)] {
    plans.flatMap { plan in plan.models.map { (plan.configuration.name, $0.configuration) } }
  }

  /// Leads what these pipelines train from now on.
  func update(_ plans: [PipelinePlan]) { models.withLock { $0 = Self.models(of: plans) } }

  /// Does what is due.
  func advance() {
    for (pipeline, settings) in models.withLock({ $0 }) where board.holdsFirstTask(pipeline) {
      do {
        try advance(settings)
      } catch {
        logger.error("endpoint \(settings.endpoint) stays as it is: \(error)")
      }
    }
  }

  private func advance(_ settings: ModelConfiguration) throws {
    guard let endpoint = try registry.endpoint(settings.endpoint) else { return }
    let counters = slots.counters(of: Dataflow.slot(ofEndpoint: settings.endpoint))
    switch settings.decide(endpoint, counters, now: time.now) {
    case .wait: return
    case .rollBack(let reason):
      logger.error("endpoint \(settings.endpoint) is rolled back: \(reason)")
      try registry.rollBack(settings.endpoint, reason: reason, by: "daemon", at: time.now)
    case .canary: try deploy(settings, endpoint, .canary, counters)
    case .promote: try deploy(settings, endpoint, .inService, counters)
    }
  }

  private func deploy(
    _ settings: ModelConfiguration, _ endpoint: Endpoint, _ phase: Endpoint.Phase,
    _ counters: [VariantCounters]
  ) throws {
    let name = ModelConfiguration.candidateName
    guard let candidate = endpoint.variants.first(where: { $0.name == name }) else { return }
    let rows = counters.first { $0.name == candidate.name }?.rows ?? 0
    let reason = "no guard has tripped over \(rows) rows as \(endpoint.phase.rawValue)"
    logger.notice(
      "endpoint \(settings.endpoint): \(candidate.model)/\(candidate.version): \(reason)")
    let variants = settings.variants(
      champion: endpoint.champion, candidate: (candidate.model, candidate.version), in: phase)
    try registry.deploy(
      settings.endpoint, variants: variants, phase: phase, reason: reason,
      expected: endpoint.configuration, by: "daemon", at: time.now)
  }
}
