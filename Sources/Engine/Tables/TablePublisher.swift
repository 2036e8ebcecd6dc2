import Crypto
import Dataflow
import Logging
import Synchronization
import Transport

/// Where a task has taken up a reference table's rows.
public struct TableActivation: Hashable, Sendable {
  /// The table.
  public let table: String
  /// `pipeline/number`.
  public let task: String
  /// The first record that meets them, counted in records of the task.
  public let rowNumber: Int64
  /// How many rows the table has.
  public let rowCount: Int
}

/// Loads the reference tables of a pipeline, looks for changes, and publishes them to its tasks.
///
/// What cannot be read leaves what was there in use.
final class TablePublisher: Sendable {
  private let plan: PipelinePlan
  private let sources: [any TableSource]
  private let board: SlotBoard
  private let status: StatusBoard
  private let time: any TimeSource
  private let logger: Logger
  private let state: Mutex<State>

  private struct State {
    /// What is wrong with each table's source at present.
    var problems: [String?]
    var isPublished: [Bool]
    var rowCounts: [String: Int] = [:]
    var activations: [TableActivation] = []
  }

  /// How often it is written down what tasks have taken up, milliseconds.
  private static let noteInterval: Int64 = 200
  /// How long until the next look for a table that has no rows yet, milliseconds.
  private static let retryInterval: Int64 = 2_000

  init(
    _ plan: PipelinePlan, sources: [any TableSource], board: SlotBoard, status: StatusBoard,
    time: any TimeSource, logger: Logger
  ) {
    self.plan = plan
    self.sources = sources
    self.board = board
    self.status = status
    self.time = time
    self.logger = logger
    state = Mutex(
      State(
        problems: Array(repeating: nil, count: sources.count),
        isPublished: Array(repeating: false, count: sources.count)))
  }

  /// Where tasks have taken up rows, in their order.
  var activations: [TableActivation] { state.withLock { $0.activations } }

  /// Loads the tables that lie in files, before the first record is taken.
  ///
  /// - Returns: What is wrong with them.
  func loadFiles() async -> [ConfigurationProblem] {
    var problems: [ConfigurationProblem] = []
    for (index, table) in plan.tables.enumerated() {
      guard case .file = table.settings.source else { continue }
      await look(at: index, isFirst: true)
      if let problem = state.withLock({ $0.problems[index] }) {
        problems.append(table.problem(problem, of: plan.configuration))
      }
    }
    return problems
  }

  /// Looks at all sources again and again until it is cancelled.
  func run() async throws {
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for index in sources.indices {
          group.addTask { try await self.watch(index) }
        }
        group.addTask {
          while true {
            try await self.time.sleep(milliseconds: Self.noteInterval)
            self.note()
          }
        }
        try await group.waitForAll()
      }
    } catch is CancellationError {
      note()
    }
  }

  /// Ends reading of topics.
  func close() async throws {
    for source in sources { try await source.close() }
  }

  private func watch(_ index: Int) async throws {
    let refresh = plan.tables[index].settings.refresh
    while true {
      await look(at: index, isFirst: false)
      let isPublished = state.withLock { $0.isPublished[index] }
      try await time.sleep(
        milliseconds: isPublished ? refresh : min(refresh, Self.retryInterval))
    }
  }

  private func look(at index: Int, isFirst: Bool) async {
    let table = plan.tables[index].settings
    do {
      guard let content = try await sources[index].load() else { return }
      let blob = Hexadecimal.encode(SHA256.hash(data: content.bytes))
      let before = state.withLock { state in
        state.isPublished[index] = true
        state.rowCounts[blob] = content.rowCount
        defer { state.problems[index] = nil }
        return state.problems[index]
      }
      if before != nil { logger.notice("\(name(table)): \(table.sourceName) can be read again") }
      board.publish(
        Dataflow.slot(ofTable: table.table), blob: blob, bytes: content.bytes,
        value: .table(content))
    } catch is CancellationError {
      return
    } catch {
      let text = "\(error)"
      let (isNew, isPublished) = state.withLock { state in
        defer { state.problems[index] = text }
        return (state.problems[index] != text, state.isPublished[index])
      }
      guard isNew, !isFirst else { return }
      let rest =
        isPublished
        ? "the rows stay as they were" : "records wait for it unless the state has rows"
      logger.error("\(name(table)) cannot be loaded, \(rest): \(text)")
    }
  }

  /// Writes down what tasks have taken up.
  private func note() {
    let outcomes = board.takeOutcomes()
    for (slot, blob, outcome) in outcomes {
      guard case .activated(let position) = outcome,
        let table = plan.tables.first(where: { Dataflow.slot(ofTable: $0.settings.table) == slot })
      else { continue }
      let count = state.withLock { state in
        let count = state.rowCounts[blob] ?? 0
        state.activations.append(
          TableActivation(
            table: table.settings.table, task: position.task, rowNumber: position.rowNumber,
            rowCount: count))
        return count
      }
      let row = position.rowNumber
      logger.notice(
        "\(name(table.settings)): task \(position.task) has \(count) rows from record \(row) on")
    }
    if !outcomes.isEmpty { status.noteChange() }
  }

  private func name(_ table: ReferenceTableSettings) -> String {
    "pipeline \(plan.configuration.name): table \(table.table)"
  }
}

extension TablePlan {
  /// A problem of the table at its place in the pipeline's file.
  func problem(_ text: String, of configuration: PipelineConfiguration) -> ConfigurationProblem {
    ConfigurationProblem(
      file: configuration.file, line: settings.place.line, column: settings.place.column,
      message: "table \(settings.table): \(text)",
      hint: "the file must be there and correct before the pipeline first runs")
  }
}

extension PipelinePlan {
  /// Reads the reference tables that lie in files of this machine.
  ///
  /// - Returns: What is wrong with them, each with file and line.
  public func checkTables() -> [ConfigurationProblem] {
    tables.compactMap { table in
      guard case .file(let path) = table.settings.source else { return nil }
      do {
        _ = try FileTableSource.content(
          of: path, decoder: TableDecoder(plan: table), disk: LocalDisk())
        return nil
      } catch {
        return table.problem("\(error)", of: configuration)
      }
    }
  }
}
