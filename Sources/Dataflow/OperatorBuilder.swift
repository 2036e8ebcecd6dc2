import Columns
import StreamSQL

/// A pump in execution.
struct PumpExecutor {
  let name: String
  /// The pump's place in the program: the index in the plan breaks ties of position.
  let position: Int
  /// The stream that it feeds.
  let target: Int
  /// Inputs before their users.
  let nodes: [Operator]
  let root: Operator
  let scans: [ScanOperator]
}

/// Makes the operators of pumps.
struct OperatorBuilder {
  private let plan: Plan
  private let configuration: DataflowConfiguration
  private let tables: [TableState]
  private let endpoints: [EndpointSlot]
  private let space: ScratchSpace?
  private let programOrder: [Int]
  private var isBounded: [Bool]
  private var tableFunctions: UInt64 = 0
  private var pumpName = ""
  private var forestSeed: EndpointSlot?
  private var nodes: [Operator] = []
  private var scans: [ScanOperator] = []
  /// The columns that the user of the node about to be made reads; nil when it may be all.
  private var columnsRead: [Int]?

  init(
    plan: Plan, configuration: DataflowConfiguration, tables: [TableState],
    endpoints: [EndpointSlot], space: ScratchSpace?
  ) {
    self.endpoints = endpoints
    self.space = space
    self.plan = plan
    self.configuration = configuration
    self.tables = tables
    isBounded = plan.streams.map { _ in true }
    let order = plan.pumps.indices.sorted {
      (plan.pumps[$0].position, $0) < (plan.pumps[$1].position, $1)
    }
    var places = [Int](repeating: 0, count: order.count)
    for (place, pump) in order.enumerated() { places[pump] = place }
    programOrder = places
  }

  /// Rows of a stream obey the source's bounds only if all its writers' do.
  mutating func noteWriter(of stream: Int, isBounded: Bool) {
    self.isBounded[stream] = self.isBounded[stream] && isBounded
  }

  /// Makes the operators of a pump; those that feed it must have been made before.
  mutating func makePump(_ pump: Pump, index: Int) throws -> PumpExecutor {
    pumpName = pump.name
    forestSeed = try pump.forestSeed.map { try endpoint($0) }
    nodes = []
    scans = []
    let root = try make(pump.root)
    return PumpExecutor(
      name: pump.name, position: programOrder[index], target: pump.target, nodes: nodes,
      root: root, scans: scans)
  }

  private mutating func make(_ node: PlanNode) throws -> Operator {
    let made = try makeOperator(node)
    nodes.append(made)
    return made
  }

  private mutating func makeOperator(_ node: PlanNode) throws -> Operator {
    let read = columnsRead
    columnsRead = nil
    let schema = node.output
    let section = OperatorName(pump: pumpName, node: node.id).section
    let limits = configuration.limits
    switch node.operation {
    case .scan(let stream):
      let scan = ScanOperator(
        stream: stream, schema: plan.streams[stream].schema, section: section,
        isBounded: isBounded[stream])
      scans.append(scan)
      return scan
    case .filter(let input, let predicate):
      columnsRead = read.map { $0 + predicate.columns }
      return FilterOperator(
        input: try make(input), predicate: predicate, schema: schema, section: section)
    case .project(let input, let expressions, let rowtime):
      columnsRead = (expressions + (rowtime.map { [$0] } ?? [])).flatMap(\.columns)
      return ProjectOperator(
        input: try make(input), expressions: expressions, rowtime: rowtime, schema: schema,
        section: section)
    case .parseRecord(let input, let function, let arguments):
      return try ParseRecordOperator(
        input: try make(input), function: function, arguments: arguments, schema: schema,
        section: section)
    case .aggregate(let input, let window, let keys, let calls):
      return AggregateOperator(
        input: try make(input), window: window, keys: keys, calls: calls, limits: limits,
        schema: schema, section: section)
    case .slidingWindows(let input, let windows, let calls):
      return SlidingWindowsOperator(
        input: try make(input), windows: windows, calls: calls, limits: limits, schema: schema,
        section: section)
    case .distinct(let input, let columns, let key, let keyColumn):
      return DistinctOperator(
        input: try make(input), columns: columns, key: key, keyColumn: keyColumn, limits: limits,
        schema: schema, section: section)
    case .orderBy(let input, let key, let keys):
      return OrderByOperator(
        input: try make(input), key: key, keys: keys, rowLimit: limits.heldRows, schema: schema,
        section: section)
    case .unionAll(let inputs):
      var made: [Operator] = []
      for input in inputs { made.append(try make(input)) }
      return UnionOperator(inputs: made, schema: schema, section: section)
    case .join(let join):
      return StreamJoinOperator(
        left: try make(join.left), right: try make(join.right), join: join, limits: limits,
        schema: schema, section: section)
    case .referenceJoin(let input, let join):
      return ReferenceJoinOperator(
        input: try make(input), join: join, table: tables[join.table], limits: limits,
        schema: schema, section: section)
    case .tableFunction(let input, let function, let partitionBy):
      return try makeTableFunction(
        function, input: try make(input), partitionBy: partitionBy, schema: schema,
        section: section, columnsRead: read)
    }
  }

  private mutating func makeTableFunction(
    _ function: TableFunction, input: Operator, partitionBy: [Int], schema: Schema,
    section: String, columnsRead: [Int]?
  ) throws -> Operator {
    tableFunctions += 1
    let limits = configuration.limits
    let seed = configuration.seed &+ tableFunctions &* 0x9E37_79B9_7F4A_7C15
    switch function {
    case .randomCutForest(let parameters):
      return try RandomCutForestOperator(
        input: input, parameters: parameters, partitionBy: partitionBy, seed: seed,
        seededBy: forestSeed, limits: limits, space: space, schema: schema, section: section)
    case .hotspots(let features, let windowSize, let scanRadius, let minimumPoints):
      return HotspotsOperator(
        input: input, features: features, windowSize: windowSize, scanRadius: scanRadius,
        minimumPoints: minimumPoints, partitionBy: partitionBy, modelLimit: limits.models,
        schema: schema, section: section)
    case .topKItems(let column, let k, let length):
      return TopItemsOperator(
        input: input, column: column, k: k, length: length, partitionBy: partitionBy,
        keyLimit: limits.keys, schema: schema, section: section)
    case .countDistinctItems(let column, let length):
      return DistinctItemsOperator(
        input: input, column: column, length: length, partitionBy: partitionBy,
        keyLimit: limits.keys, schema: schema, section: section)
    case .groupRank(let parameters):
      return GroupRankOperator(
        input: input, parameters: parameters, partitionBy: partitionBy,
        rowLimit: limits.heldRows, schema: schema, section: section)
    case .detectAnomalies(let parameters):
      return try DetectAnomaliesOperator(
        input: input, parameters: parameters, partitionBy: partitionBy, seed: seed,
        seededBy: forestSeed, limits: limits, space: space, schema: schema, section: section,
        columnsRead: columnsRead)
    case .predict(let parameters):
      return PredictOperator(
        input: input, parameters: parameters, partitionBy: partitionBy,
        slot: try endpoint(parameters.endpoint), schema: schema, section: section)
    case .forecast(let parameters):
      return ForecastOperator(
        input: input, parameters: parameters, partitionBy: partitionBy,
        slot: try endpoint(parameters.endpoint), keyLimit: limits.models, schema: schema,
        section: section, columnsRead: columnsRead)
    }
  }

  private func endpoint(_ name: String) throws -> EndpointSlot {
    guard let found = endpoints.first(where: { $0.name == name }) else {
      throw DataflowError("there is no endpoint \(name) in the plan")
    }
    return found
  }
}

extension OperatorName {
  /// Where the operator's state stands.
  var section: String { "operator/\(pump)/\(node)" }
}
