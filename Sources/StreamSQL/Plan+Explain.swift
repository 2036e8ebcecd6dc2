internal import Columns

extension Plan {
  /// The plan for people: streams, then each pump with its operators from the target down.
  ///
  /// - Parameter note: What the engine decided, with its reason; nil prints what the operators
  ///   decide.
  /// - Returns: Lines, each ended by a line feed.
  public func explain(parallelism note: String? = nil) -> String {
    var lines = ["streams"]
    for stream in streams {
      let columns = stream.schema.columns.filter { $0.role == .data }.map { column in
        "\(column.name) \(column.type)\(column.isNullable ? "" : " NOT NULL")"
      }
      let origin = stream.origin == .pumps ? "" : " (source"
      let key = stream.key.map { ", key \"\(stream.schema.columns[$0].name)\"" } ?? ""
      let end = stream.origin == .pumps ? "" : ")"
      lines.append("  \(stream.name)\(origin)\(key)\(end): \(columns.joined(separator: ", "))")
    }
    if !tables.isEmpty { lines.append("tables") }
    for table in tables {
      let columns = table.schema.columns.map { "\($0.name) \($0.type)" }
      lines.append("  \(table.name): \(columns.joined(separator: ", "))")
    }
    for pump in pumps { append(pump, &lines) }
    lines.append("parallelism: \(note ?? text(parallelism))")
    return lines.joined(separator: "\n") + "\n"
  }

  /// One pump with its operators from the target down.
  func explain(pump name: String) -> String {
    var lines: [String] = []
    for pump in pumps where pump.name == name { append(pump, &lines) }
    return lines.joined(separator: "\n")
  }

  private func append(_ pump: Pump, _ lines: inout [String]) {
    let state = pump.isStarted ? "" : " (stopped)"
    let seed = pump.forestSeed.map { " (forests begin with endpoint \($0))" } ?? ""
    lines.append("pump \(pump.name)\(state) -> \(streams[pump.target].name)\(seed)")
    append(pump.root, 1, statefulOperators.filter { $0.pump == pump.name }, &lines)
  }

  private func text(_ parallelism: Parallelism) -> String {
    switch parallelism {
    case .partitionParallel: "one task per partition, no operator needs rows of several partitions"
    case .single(let reasons):
      "single, not keyed by the record key: \(reasons.joined(separator: "; "))"
    }
  }

  private func append(
    _ node: PlanNode, _ depth: Int, _ stateful: [StatefulOperator], _ lines: inout [String]
  ) {
    var line = String(repeating: "  ", count: depth) + description(of: node)
    if let state = stateful.first(where: { $0.node == node.id }) {
      line += state.isKeyed ? "  [state, keyed]" : "  [state]"
    }
    lines.append(line)
    for input in node.inputs { append(input, depth + 1, stateful, &lines) }
  }

  private func description(of node: PlanNode) -> String {
    func list(_ expressions: [BoundExpression], _ input: PlanNode) -> String {
      expressions.map { $0.text(input.output) }.joined(separator: ", ")
    }
    switch node.operation {
    case .scan(let stream): return "scan \(streams[stream].name)"
    case .filter(let input, let predicate): return "filter \(predicate.text(input.output))"
    case .project(let input, let expressions, let rowtime):
      let time = rowtime.map { ", ROWTIME = \($0.text(input.output))" } ?? ""
      return "project \(list(expressions, input))\(time)"
    case .parseRecord(let input, let function, let arguments):
      return "parse \(function.name)(\(list(arguments, input)))"
    case .aggregate(let input, let window, let keys, let calls):
      return "\(window.name)\(detail(window)) by \(list(keys, input))"
        + " computing \(calls.map { $0.text(input.output) }.joined(separator: ", "))"
    case .slidingWindows(let input, let windows, let calls):
      let texts = calls.map { call in
        "\(call.call.text(input.output)) over \(windows[call.window].text(input.output))"
      }
      return "windows \(texts.joined(separator: ", "))"
    case .distinct(let input, let columns, let key, _):
      let names = columns.map { "\"\(input.output.columns[$0].name)\"" }
      return "distinct \(names.joined(separator: ", ")) per \(text(key))"
    case .orderBy(let input, let key, let keys):
      let names = keys.map {
        "\"\(input.output.columns[$0.column].name)\"\($0.isDescending ? " DESC" : "")"
      }
      return "order by \(names.joined(separator: ", ")) per \(text(key))"
    case .unionAll: return "union all"
    case .join(let join): return description(of: join)
    case .referenceJoin(let input, let join):
      let keys = join.keys.map {
        "\($0.left.text(input.output)) = \($0.right.text(tables[join.table].schema))"
      }
      return "\(join.preservesStream ? "LEFT" : "INNER") join with table "
        + "\(tables[join.table].name) on \(keys.joined(separator: " AND "))"
    case .tableFunction(let input, let function, let partition):
      let names = partition.map { "\"\(input.output.columns[$0].name)\"" }
      let by = names.isEmpty ? "" : " partition by \(names.joined(separator: ", "))"
      return "\(function.name)\(function.detail(input.output))\(by)"
    }
  }

  private func description(of join: StreamJoin) -> String {
    let keys = join.keys.map {
      "\($0.left.text(join.left.output)) = \($0.right.text(join.right.output))"
    }
    let both = Schema(join.left.output.columns + join.right.output.columns)
    let all = keys + (join.condition.map { [$0.text(both)] } ?? [])
    return
      "\(join.kind.rawValue) join, left \(join.leftWindow.text), right \(join.rightWindow.text)"
      + (all.isEmpty ? "" : ", on \(all.joined(separator: " AND "))")
  }

  private func detail(_ window: GroupWindow) -> String {
    switch window {
    case .tumbling(_, let key): " per \(text(key))"
    case .stagger(let length): " of \(durationText(length))"
    case .hopping(let slide, let size): " of \(durationText(size)) every \(durationText(slide))"
    case .session(let gap): " with gap \(durationText(gap))"
    }
  }

  private func text(_ key: MonotonicKey) -> String {
    switch key {
    case .asserted: return "value of MONOTONIC"
    case .rowtime(let function):
      if function.isIdentity { return "ROWTIME" }
      if case .floor(let length) = function.steps.first, function.steps.count == 1 {
        return durationText(length)
      }
      return "function of ROWTIME"
    }
  }
}

extension AggregateCall {
  fileprivate func text(_ input: Schema) -> String {
    let list = arguments.map { $0.text(input) }.joined(separator: ", ")
    if function == .countRows { return "COUNT(*)" }
    return "\(function.name)(\(isDistinct ? "DISTINCT " : "")\(list))"
      + (ignoresNulls ? " IGNORE NULLS" : "")
  }
}

extension AggregateFunction {
  fileprivate var name: String {
    switch self {
    case .countRows, .count: "COUNT"
    case .sum: "SUM"
    case .average: "AVG"
    case .minimum: "MIN"
    case .maximum: "MAX"
    case .populationDeviation: "STDDEV_POP"
    case .sampleDeviation: "STDDEV_SAMP"
    case .populationVariance: "VAR_POP"
    case .sampleVariance: "VAR_SAMP"
    case .every: "EVERY"
    case .any: "ANY"
    case .firstValue: "FIRST_VALUE"
    case .lastValue: "LAST_VALUE"
    case .nthValue(let n, let fromLast): "NTH_VALUE[\(n)\(fromLast ? " FROM LAST" : "")]"
    case .lag(let n): "LAG[\(n)]"
    case .exponentialAverage(let halfLife): "EXP_AVG[\(durationText(halfLife))]"
    case .continuousPercentile(let share): "PERCENTILE_CONT[\(share)]"
    case .discretePercentile(let share): "PERCENTILE_DISC[\(share)]"
    case .approximateCountDistinct: "APPROX_COUNT_DISTINCT"
    }
  }
}

extension SlidingWindow {
  fileprivate func text(_ input: Schema) -> String {
    let keys = partitionBy.map { $0.text(input) }.joined(separator: ", ")
    let rows =
      switch frame {
      case .range(let length): "\(durationText(length)) preceding"
      case .rangeMonths(let months): "\(months) months preceding"
      case .rows(let count): "\(count) rows preceding"
      case .unbounded: "all rows"
      }
    return "(\(keys.isEmpty ? "" : "by \(keys), ")\(rows))"
  }
}

extension JoinWindow {
  fileprivate var text: String {
    switch self {
    case .currentRow: "current row"
    case .preceding(let length): "\(durationText(length)) preceding"
    case .following(let length): "\(durationText(length)) following"
    case .rows(let count): "\(count) rows preceding"
    }
  }
}

extension RecordFunction {
  /// The name in programs.
  var name: String {
    switch self {
    case .regex: "REGEX_LOG_PARSE"
    case .fastRegex: "FAST_REGEX_LOG_PARSE"
    case .w3c: "W3C_LOG_PARSE"
    case .variableColumn: "VARIABLE_COLUMN_LOG_PARSE"
    case .fixedColumn: "FIXED_COLUMN_LOG_PARSE"
    case .sysLog: "SYS_LOG_PARSE"
    }
  }
}

extension TableFunction {
  fileprivate func detail(_ input: Schema) -> String {
    func names(_ columns: [Int]) -> String {
      columns.map { "\"\(input.columns[$0].name)\"" }.joined(separator: ", ")
    }
    switch self {
    case .randomCutForest(let parameters):
      return " on \(names(parameters.features)), \(parameters.numberOfTrees) trees, "
        + "\(parameters.subSampleSize) points each, time decay \(parameters.timeDecay), "
        + "shingle \(parameters.shingleSize)"
    case .hotspots(let features, let size, let radius, let points):
      return " on \(names(features)), window \(size), radius \(radius), at least \(points) points"
    case .topKItems(let column, let k, let length):
      return " of \(names([column])), k \(k), per \(durationText(length))"
    case .countDistinctItems(let column, let length):
      return " of \(names([column])), per \(durationText(length))"
    case .groupRank(let parameters):
      return " by \(names([parameters.rankBy]))\(parameters.ranksDescending ? " DESC" : "")"
    case .detectAnomalies(let parameters): return " on \(names(parameters.features))"
    case .predict(let parameters):
      return " on \(names(parameters.features)), endpoint \(parameters.endpoint)"
    case .forecast(let parameters):
      var text = " of \(names([parameters.target]))"
      if !parameters.categories.isEmpty { text += ", categories \(names(parameters.categories))" }
      if !parameters.dynamicFeatures.isEmpty {
        text += ", dynamic features \(names(parameters.dynamicFeatures))"
      }
      return text + ", endpoint \(parameters.endpoint)"
    }
  }
}
