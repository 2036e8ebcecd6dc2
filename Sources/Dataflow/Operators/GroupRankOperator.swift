import Columns
import StreamSQL

/// GROUP_RANK: adds the rank, with gaps, among the rows of equal ROWTIME.
///
/// A group is complete as soon as time moves on, which a rowtime bound does at the latest; waiting for
/// `maximumIdleMilliseconds` is thus never needed.
final class GroupRankOperator: Operator {
  private let parameters: GroupRankParameters
  private let partitionBy: [Int]
  private let rowLimit: Int
  private var held: HeldRows

  init(
    input: Operator, parameters: GroupRankParameters, partitionBy: [Int], rowLimit: Int,
    schema: Schema, section: String
  ) {
    self.parameters = parameters
    self.partitionBy = partitionBy
    self.rowLimit = rowLimit
    held = HeldRows(schema: input.schema)
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override var hasState: Bool { true }

  /// The bound at which the held rows are complete.
  override var nextDue: Int64 {
    guard let rowtime = held.rows.rowtimes.first, rowtime < Int64.max else { return Int64.max }
    return rowtime + 1
  }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    let input = inputs[0].output
    var bounds = BoundCursor(context, isMoved: isBounded)
    counters.rowsIn += Int64(input.count)
    for row in 0..<input.count {
      let cause = input.causes[row]
      if let earlier = bounds.reaches(nextDue, before: cause) { release(earlier, pool) }
      if input.rowtimes[row] >= nextDue { release(cause, pool) }
      if held.rows.count >= rowLimit {
        refuse(
          input, row,
          RuntimeError(
            code: .limitExceeded,
            message: "GROUP_RANK holds \(rowLimit) rows already (limits: held_rows)"),
          context, pool)
      } else {
        held.append(from: input, row: row)
      }
    }
    if let cause = bounds.reaches(nextDue) { release(cause, pool) }
    counters.passed += Int64(output.count)
  }

  private func release(_ cause: Int64, _ pool: borrowing StringPool) {
    var partitions = KeyTable(partitionBy.map { held.rows.schema.columns[$0].type.storage })
    let words = partitions.keys(
      of: partitionBy.map { held.rows.columns[$0] }, count: held.rows.count)
    let owners = (0..<held.rows.count).map { partitions.insert(words, row: $0).number }
    let sorted = sortedRows(
      of: held.rows,
      by: [SortKey(column: parameters.rankBy, isDescending: parameters.ranksDescending)], pool)
    for partition in 0..<partitions.count {
      emit(sorted.filter { owners[Int($0)] == partition }, cause, pool)
    }
    held.removeAll()
  }

  private func emit(_ rows: [Int32], _ cause: Int64, _ pool: borrowing StringPool) {
    var ranks: [Int64] = []
    let values = held.rows.columns[parameters.rankBy]
    for (place, row) in rows.enumerated() {
      let isTie =
        place > 0 && compareRows(values, Int(row), Int(rows[place - 1]), pool) == 0
      ranks.append(isTie ? ranks[place - 1] : Int64(place) + 1)
    }
    var order = Array(rows.indices)
    if parameters.outputDescending {
      order.sort { (-ranks[$0], $0) < (-ranks[$1], $1) }
    }
    if parameters.outputLimit > 0 { order = Array(order.prefix(parameters.outputLimit)) }
    for place in order {
      let row = Int(rows[place])
      for index in held.rows.columns.indices {
        output.columns[index].append(from: held.rows.columns[index], row: row)
      }
      output.columns[held.rows.columns.count].append(ranks[place])
      output.rowtimes.append(held.rows.rowtimes[row])
      output.causes.append(cause)
    }
    counters.filtered += Int64(rows.count - order.count)
  }

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    held.save(section: section, into: &writer, pool) { _ in }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) { held.beginSave(section: section, into: &writer) { _ in } }

  override func continueSave(into writer: inout StateWriter, _ pool: borrowing StringPool) -> Bool {
    held.copyOne(section: section, into: &writer, pool)
  }

  override func forgetSaved() { held.forgetSaved() }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    let head = try held.restore(section: section, from: reader, &pool)
    try head.finish()
  }

  override func remapStrings(_ remap: inout StringRemapper) { held.remapStrings(&remap) }
}
