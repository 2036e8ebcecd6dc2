import Columns
import Dataflow
import StreamSQL
import Testing

/// What programs see of the clock.
@Suite struct ClockTests {
  private static let source = SourceStream(
    name: "S", schema: Schema([ColumnDefinition(name: "N", type: .integer)]))

  private func times(_ steps: [(tick: Int64?, rowtime: Int64)]) throws -> [[Int64]] {
    let text = """
      CREATE STREAM O (now TIMESTAMP, start TIMESTAMP); CREATE PUMP P AS INSERT INTO O
      SELECT STREAM CURRENT_ROW_TIMESTAMP, CURRENT_TIMESTAMP FROM S;
      """
    let plan = try #require(compile(text, file: "test.sql", sources: [Self.source]).plan)
    let dataflow = try Dataflow(plan: plan, configuration: DataflowConfiguration(watched: ["O"]))
    var output = dataflow.makeOutput()
    var pool = StringPool()
    for (index, step) in steps.enumerated() {
      if let tick = step.tick { dataflow.tick(tick) }
      var batch = Batch(schema: Self.source.schema)
      batch.rowtimes.append(step.rowtime)
      batch.causes.append(Int64(index))
      batch.columns[0].append(Int64(1))
      dataflow.process(&batch, source: 0, pool: &pool, output: &output)
    }
    return output.streams[0].batch.columns.map(\.integers)
  }

  @Test func theTimeOfARowIsTheLastTick() throws {
    #expect(
      try times([(1_000, 5), (nil, 6), (2_500, 7)]) == [
        [1_000, 1_000, 2_500], [1_000, 1_000, 1_000],
      ])
  }

  @Test func withoutTicksRowsAloneMoveTime() throws {
    #expect(try times([(nil, 5), (nil, 6)]) == [[5, 6], [5, 5]])
  }
}
