import Alerting
import Dataflow
import Delivery
package import Logging
package import Transport

/// Tells the log from time to time what a pipeline has done and what still waits.
///
/// Numbers are metadata, so that whoever watches the log can alarm on them: above all
/// `freshness_seconds`, the age of the oldest record that no destination has yet.
package struct StatusReport: Sendable {
  private struct Delivery: Sendable {
    let output: String
    let uploader: Uploader
  }

  private let name: String
  private var deliveries: [Delivery] = []
  private var receivers: [String] = []
  private let board: StatusBoard
  private let alerts: AlertServices?
  private let time: any TimeSource
  private let logger: Logger
  private let interval: @Sendable () -> Int64

  /// How long until the interval is looked at again, milliseconds: a reload may have changed it.
  private static let silence: Int64 = 60_000

  /// Makes the report of a pipeline with the uploaders of its outputs; `interval` may change, in
  /// milliseconds, and 0 is never.
  init(
    _ plan: PipelinePlan, _ uploaders: [Uploader?], board: StatusBoard, alerts: AlertServices?,
    time: any TimeSource, logger: Logger, interval: @escaping @Sendable () -> Int64
  ) {
    name = plan.configuration.name
    self.board = board
    self.alerts = alerts
    self.time = time
    self.logger = logger
    self.interval = interval
    for (output, uploader) in zip(plan.outputs, uploaders) {
      if let uploader { deliveries.append(Delivery(output: output.name, uploader: uploader)) }
      if case .webhook = output.kind { receivers.append("\(name)/\(output.name)") }
    }
  }

  /// Makes a report without deliveries and alerts; `interval` is as above.
  package init(
    _ plan: PipelinePlan, board: StatusBoard, time: any TimeSource, logger: Logger,
    interval: @escaping @Sendable () -> Int64
  ) {
    self.init(
      plan, [], board: board, alerts: nil, time: time, logger: logger, interval: interval)
  }

  /// Tells until it is cancelled, when there is something new.
  ///
  /// - Throws: `CancellationError`.
  package func run() async throws {
    var before = Logger.Metadata()
    var last = time.elapsed
    while true {
      let interval = interval()
      let rest = interval > 0 ? last + interval - time.elapsed : Self.silence
      guard rest <= 0 else {
        try await time.sleep(milliseconds: min(rest, Self.silence))
        continue
      }
      last = time.elapsed
      guard let status = board.status(of: name) else { continue }
      var metadata = numbers(of: status)
      addDeliveries(to: &metadata)
      addAlerts(to: &metadata)
      guard metadata != before else { continue }
      before = metadata
      let level: Logger.Level = metadata["unaccounted"] == nil ? .info : .error
      logger.log(level: level, "pipeline \(name): status", metadata: metadata)
    }
  }

  private func numbers(of status: PipelineStatus) -> Logger.Metadata {
    let tasks = status.tasks.values
    func sum(_ value: (TaskCounters) -> Int64) -> Int64 {
      tasks.reduce(0) { $0 + value($1.counters) }
    }
    var metadata: Logger.Metadata = [
      "tasks": "\(tasks.count)", "records": "\(sum(\.polled))",
      "dead_letters": "\(sum(\.deadLettered))",
      "waiting_bytes": "\(tasks.reduce(0) { $0 + $1.pendingBytes })",
    ]
    addBalances(of: Array(tasks), to: &metadata)
    if let oldest = tasks.compactMap(\.oldestUndelivered).min() {
      metadata["freshness_seconds"] = "\(max(0, time.now - oldest) / 1_000)"
    }
    if let margin = tasks.compactMap(\.replayMargin).max(by: { $0.isBetter(than: $1) }) {
      metadata["replay_margin"] = "\(margin.records)"
      if let problem = margin.problem { metadata["warning"] = "\(problem)" }
    }
    let models = tasks.compactMap(\.models)
    if !models.isEmpty { add(models, to: &metadata) }
    let problem = status.problem ?? tasks.lazy.compactMap(\.problem).first
    if let problem { metadata["problem"] = "\(problem)" }
    return metadata
  }

  /// What became of records and rows since the state began, and what is unaccounted for.
  private func addBalances(of tasks: [TaskStatus], to metadata: inout Logger.Metadata) {
    let counts: [(String, (TaskCounters) -> Int64)] = [
      ("skipped", { $0.skipped }), ("lost", { $0.lost }), ("late", { $0.late }),
      ("failed_rows", { $0.failedRows }),
    ]
    for (name, value) in counts {
      let sum = tasks.reduce(0) { $0 + value($1.counters) }
      if sum > 0 { metadata[name] = "\(sum)" }
    }
    var uneven = tasks.map(\.counters).filter { !$0.isEven }.map { counters in
      "\(counters.polled) records polled, \(counters.decoded) decoded, "
        + "\(counters.deadLettered) dead-lettered, \(counters.skipped) skipped"
    }
    for name in tasks.first?.outputs.map(\.name) ?? [] {
      let parts = tasks.flatMap(\.outputs).filter { $0.name == name }
      func sum(_ value: (OutputBalance) -> Int64) -> Int64 { parts.reduce(0) { $0 + value($1) } }
      metadata["rows_\(name)"] = """
        \(sum(\.rows)) = \(sum(\.delivered)) delivered + \(sum(\.deadLettered)) refused \
        + \(sum(\.inFlight)) in flight
        """
      uneven += parts.filter { !$0.isEven }.map { "\($0)" }
    }
    if !uneven.isEmpty { metadata["unaccounted"] = "\(uneven.joined(separator: "; "))" }
  }

  private func add(_ models: [ModelStatus], to metadata: inout Logger.Metadata) {
    let all = models.reduce(into: ModelCounters()) { $0.add($1.counters) }
    metadata["models_resident"] = "\(all.resident)"
    metadata["models_spilled"] = "\(all.spilled)"
    metadata["models_resident_bytes"] = "\(all.residentBytes)"
    metadata["models_spilled_bytes"] = "\(models.reduce(0) { $0 + $1.spilledBytes })"
    metadata["model_loads_total"] = "\(all.loads)"
    metadata["model_evictions_total"] = "\(all.evictions)"
    metadata["model_expirations_total"] = "\(all.expirations)"
    metadata["rows_without_model_total"] = "\(all.rowsWithoutModel)"
  }

  private func addDeliveries(to metadata: inout Logger.Metadata) {
    for delivery in deliveries {
      let status = delivery.uploader.status
      var text = "\(status.deliveredObjects) objects, \(status.deliveredRecords) records delivered"
      if status.pendingObjects > 0 {
        text += "; \(status.pendingObjects) objects, \(status.pendingBytes) bytes under way"
      }
      if status.backedUpObjects > 0 {
        text += "; \(status.backedUpObjects) with records in the backup"
      }
      if let error = status.lastError, let since = status.failingSince {
        text += "; failing for \(max(0, time.now - since) / 1_000) s: \(error)"
      }
      metadata["output_\(delivery.output)"] = "\(text)"
    }
  }

  private func addAlerts(to metadata: inout Logger.Metadata) {
    guard let alerts else { return }
    for receiver in receivers {
      let statistics: OutboxStatistics
      do {
        statistics = try alerts.outbox.statistics(receiver: receiver)
      } catch {
        metadata["alerts_\(receiver)"] = "the outbox cannot be read: \(error)"
        continue
      }
      guard statistics.queued + statistics.dead > 0 else { continue }
      metadata["alerts_\(receiver)"] = "\(statistics.summary(now: time.now))"
    }
  }
}
