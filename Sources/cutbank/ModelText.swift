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
      lines += metrics(try registry.metrics(of: job.id))
    }
    if let gate = try registry.gate(of: version.model, version: version.version) {
      lines.append(("gate", (gate.passed ? "passed: " : "refused: ") + gate.reason))
    }
    return lines
  }

  /// Of each metric the last step; of one that is measured as a whole too, that and its windows.
  private static func metrics(_ metrics: [Metric]) -> [(name: String, value: String)] {
    var lines: [(name: String, value: String)] = []
    var rest = metrics[...]
    while let first = rest.first {
      let steps = rest.prefix { $0.name == first.name }
      rest = rest.dropFirst(steps.count)
      var text = "\(steps.last?.value ?? first.value)"
      if first.step == 0, steps.count > 1 {
        let windows = steps.dropFirst().map { "\($0.value)" }.joined(separator: ", ")
        text = "\(first.value) (windows, the newest first: \(windows))"
      }
      lines.append(("metric \(first.name)", text))
    }
    return lines
  }

  /// A moment in UTC.
  static func time(_ milliseconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(milliseconds) / 1_000).formatted(.iso8601)
  }
}
