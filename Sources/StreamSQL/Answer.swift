internal import Columns

/// What DESCRIBE, EXPLAIN and SHOW ask for.
enum Answer {
  /// The plan of one pump; nil is of the program.
  case explanation(of: String?)
  case list(String)
  case text(String)

  /// The columns of a stream as they are here: statements behind it may replace or drop it.
  static func description(of stream: PlanStream) -> Answer {
    let lines = stream.schema.columns.map { column in
      "  \(column.name) \(column.type)\(column.isNullable ? "" : " NOT NULL")"
        + (column.role == .metadata ? " (metadata)" : "")
    }
    return .text(([stream.name, "  ROWTIME TIMESTAMP"] + lines).joined(separator: "\n"))
  }

  /// The text of a completed answer.
  var content: String {
    if case .text(let text) = self { return text }
    return ""
  }

  /// The answer as text.
  func completed(with plan: Plan, functions: [String]) -> Answer {
    switch self {
    case .text: return self
    case .explanation(let pump):
      return .text(pump.map(plan.explain(pump:)) ?? plan.explain())
    case .list("STREAMS"): return .text(plan.streams.map(\.name).joined(separator: "\n"))
    case .list("PUMPS"):
      let lines = plan.pumps.map { pump in
        "\(pump.name) -> \(plan.streams[pump.target].name)\(pump.isStarted ? "" : " (stopped)")"
      }
      return .text(lines.joined(separator: "\n"))
    case .list:
      return .text((functions + FunctionCatalog.entries.map(\.usage)).joined(separator: "\n"))
    }
  }
}
