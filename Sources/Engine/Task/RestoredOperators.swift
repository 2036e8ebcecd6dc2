import Columns
import Dataflow
import StreamSQL

/// Which operators of a task go on with the state of a snapshot.
enum RestoredOperators {
  /// All: the pipeline that made it is the same.
  case all
  /// Those that are as they were in the application that made it.
  case unchanged(Plan)
  /// None: nobody knows what made it.
  case none

  var isSameProgram: Bool { if case .all = self { true } else { false } }

  /// Gives them their state; returns those that begin anew.
  func restore(_ core: TaskCore, from reader: StateReader) throws -> [StatefulOperator] {
    switch self {
    case .all:
      try core.dataflow.restore(from: reader, pool: &core.pool)
      return []
    case .unchanged(let former):
      return try core.dataflow.restore(from: reader, of: former, pool: &core.pool)
    case .none: return core.plan.application.statefulOperators
    }
  }
}
