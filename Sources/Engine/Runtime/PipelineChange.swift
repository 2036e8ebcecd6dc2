/// What a reload does with the pipelines of a daemon, which are told apart by their names.
package struct PipelineChange {
  /// What has to be opened and to begin, in the place of one that ends or besides.
  package let begun: [PipelinePlan]
  /// Those that end.
  package let ended: Set<String>
  /// Those that go on and notice nothing.
  package let kept: Set<String>

  /// Compares what runs with what shall run; what has failed begins anew.
  package init(from running: [(plan: PipelinePlan, hasFailed: Bool)], to plans: [PipelinePlan]) {
    let unchanged = running.filter { old in
      !old.hasFailed && plans.contains { $0.isUnchanged(from: old.plan) }
    }
    let kept = Set(unchanged.map(\.plan.configuration.name))
    self.kept = kept
    begun = plans.filter { !kept.contains($0.configuration.name) }
    ended = Set(running.map(\.plan.configuration.name)).subtracting(kept)
  }

  /// The names by what becomes of them: `changed: a; new: b, c; unchanged: d`.
  package var summary: String {
    let after = Set(begun.map(\.configuration.name))
    let groups = [
      ("changed", ended.intersection(after)), ("new", after.subtracting(ended)),
      ("gone", ended.subtracting(after)), ("unchanged", kept),
    ]
    return groups.filter { !$0.1.isEmpty }.map {
      "\($0.0): \($0.1.sorted().joined(separator: ", "))"
    }.joined(separator: "; ")
  }
}
