import Foundation
import Registry

/// How models and endpoints are written for people.
enum ModelText {
  /// One line about an endpoint.
  static func line(_ endpoint: Endpoint) -> String {
    let variants = endpoint.variants.map { variant in
      "\(variant.name) \(variant.model)/\(variant.version) "
        + (variant.isShadow ? "shadow" : "weight \(variant.weight)")
    }
    return "  \(endpoint.name)  \(endpoint.phase.rawValue)  \(variants.joined(separator: ", "))\n"
  }

  /// Everything about a version, name by name.
  static func details(
    _ version: ModelVersion, _ registry: Registry
  ) throws -> [(name: String, value: String)] {
    var lines = [
      (name: "version", value: version.name), (name: "algorithm", value: version.algorithm),
      (name: "artifact", value: version.artifact), (name: "bytes", value: "\(version.bytes)"),
      (name: "created", value: time(version.createdAt)),
    ]
    if let job = try registry.job(version.job) {
      lines.append(("job", "\(job.id)"))
      lines.append(("seed", "\(job.seed)"))
      lines.append(("data", job.data.source))
      if let from = job.data.from, let to = job.data.to {
        lines.append(("data window", "\(time(from)) to \(time(to))"))
      }
      if let rows = job.data.rows { lines.append(("rows", "\(rows)")) }
      if let parent = job.parent { lines.append(("parent", "\(parent)")) }
      for (name, value) in job.hyperparameters.sorted(by: { $0.key < $1.key }) {
        lines.append(("hyperparameter \(name)", value))
      }
      // Of each metric the last step.
      let metrics = try registry.metrics(of: job.id)
      for (index, metric) in metrics.enumerated()
      where index + 1 == metrics.count || metrics[index + 1].name != metric.name {
        lines.append(("metric \(metric.name)", "\(metric.value)"))
      }
    }
    if let gate = try registry.gate(of: version.model, version: version.version) {
      lines.append(("gate", (gate.passed ? "passed: " : "refused: ") + gate.reason))
    }
    return lines
  }

  /// A moment in UTC.
  static func time(_ milliseconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(milliseconds) / 1_000).formatted(.iso8601)
  }
}
