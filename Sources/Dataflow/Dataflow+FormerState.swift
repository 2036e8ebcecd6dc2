public import Columns
public import StreamSQL

extension Dataflow {
  /// Takes over what still fits of the state that another plan's operators have saved.
  ///
  /// Operators that do what one of that plan did, on the same rows, go on with its state; the others begin
  /// anew.
  ///
  /// - Parameters:
  ///   - reader: The state.
  ///   - former: The plan whose operators saved it.
  ///   - pool: The strings of the task.
  /// - Returns: The operators that keep state and have begun anew, as the plan names them.
  /// - Throws: `StateError` when a section is missing or damaged.
  public func restore(
    from reader: StateReader, of former: Plan, pool: inout StringPool
  ) throws -> [StatefulOperator] {
    let counters = try restoreStreams(from: reader, of: former)
    var begun = Set(plan.statefulOperators.map { OperatorName(pump: $0.pump, node: $0.node) })
    for (now, before) in plan.unchangedOperators(since: former) {
      guard let node = node(now) else { continue }
      if let found = counters.first(where: { $0.name == before }) { node.counters = found.counters }
      begun.remove(now)
      guard node.hasState else { continue }
      try node.restore(from: reader.renaming(before.section, to: now.section), &pool)
    }
    return plan.statefulOperators.filter { state in
      let name = OperatorName(pump: state.pump, node: state.node)
      return begun.contains(name) && node(name) != nil
    }
  }

  /// Takes over how far time is, of the whole and of streams that still have their names.
  ///
  /// - Returns: What happened to the rows of the former plan's operators.
  private func restoreStreams(
    from reader: StateReader, of former: Plan
  ) throws -> [(name: OperatorName, counters: OperatorCounters)] {
    var section = try reader.section("dataflow")
    try restoreContext(from: &section)
    let rowtimes = try section.integers()
    guard rowtimes.count == former.streams.count else {
      throw section.failure("another application")
    }
    for (stream, rowtime) in zip(former.streams, rowtimes) {
      setLastRowtime(rowtime, ofStream: stream.name)
    }
    var counters: [(name: OperatorName, counters: OperatorCounters)] = []
    for pump in former.pumps where pump.isStarted {
      for node in pump.root.withInputs {
        let name = OperatorName(pump: pump.name, node: node.id)
        counters.append((name, try OperatorCounters(from: &section)))
      }
    }
    return counters
  }
}
