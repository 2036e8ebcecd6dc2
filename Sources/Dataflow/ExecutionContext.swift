import Columns

/// What the operators of one call share.
final class ExecutionContext {
  /// The rows of the task's input that move time in this call, ascending, each once.
  private(set) var causes: [Int64] = []
  /// The rowtime bound after each of them: no later row is earlier.
  private(set) var times: [Int64] = []
  /// The row number of the last record seen.
  private(set) var lastCause: Int64 = 0
  /// The greatest bound so far.
  private(set) var bound = Int64.min
  /// What the clock read last, or the first time that was seen, when the first rows came: what
  /// CURRENT_TIMESTAMP says.
  private(set) var startTime: Int64?
  /// What the clock read last; nil where rows alone move time.
  ///
  /// It is not saved: whoever restores a state gives it again.
  var clock: Int64?
  /// What was refused in this call.
  var errors: [RowError] = []
  /// The pump that runs.
  var pump = 0
  /// Its name.
  var pumpName = ""

  /// The rows of a batch move time.
  func begin(_ batch: Batch) {
    causes.removeAll(keepingCapacity: true)
    times.removeAll(keepingCapacity: true)
    for row in 0..<batch.count {
      let cause = batch.causes[row]
      bound = max(bound, batch.rowtimes[row])
      if let last = causes.last, last == cause {
        times[times.count - 1] = bound
      } else {
        causes.append(cause)
        times.append(bound)
      }
    }
    lastCause = causes.last ?? lastCause
    if startTime == nil { startTime = clock ?? batch.rowtimes.first }
  }

  /// A tick or an idle time-out moves time.
  func begin(bound time: Int64) {
    bound = max(bound, time)
    causes = [lastCause]
    times = [bound]
    if startTime == nil { startTime = clock ?? time }
  }

  /// Nothing moves time.
  func beginNothing() {
    causes.removeAll(keepingCapacity: true)
    times.removeAll(keepingCapacity: true)
  }

  /// The bound that holds when a row is processed.
  func time(of cause: Int64) -> Int64 {
    var low = 0
    var high = causes.count
    while low < high {
      let middle = (low + high) / 2
      if causes[middle] < cause { low = middle + 1 } else { high = middle }
    }
    return low < times.count ? times[low] : bound
  }

  func save(into writer: inout SectionWriter) {
    writer.write(lastCause)
    writer.write(bound)
    writer.write(startTime != nil)
    writer.write(startTime ?? 0)
  }

  func restore(from reader: inout SectionReader) throws(StateError) {
    lastCause = try reader.integer()
    bound = try reader.integer()
    let isStarted = try reader.boolean()
    let time = try reader.integer(Int64.self)
    startTime = isStarted ? time : nil
  }
}

/// Walks the rowtime bounds of a call beside an operator's input rows.
///
/// The bound of a record holds behind all rows that the record caused.
struct BoundCursor {
  private let context: ExecutionContext
  private let isMoved: Bool
  private var position = 0

  /// Begins; with `isMoved` false only rows move time, because their ROWTIME is not the source's.
  init(_ context: ExecutionContext, isMoved: Bool) {
    self.context = context
    self.isMoved = isMoved
  }

  /// The record before `cause` whose bound first reaches `due`; passes over the records before it.
  mutating func reaches(_ due: Int64, before cause: Int64) -> Int64? {
    guard isMoved, due < Int64.max else { return nil }
    while position < context.causes.count, context.causes[position] < cause {
      if context.times[position] >= due { return context.causes[position] }
      position += 1
    }
    return nil
  }

  /// Whether no record of the call reaches `due`, neither by its bound nor by the ROWTIME of its rows.
  func staysBefore(_ due: Int64) -> Bool { isMoved && context.bound < due }

  /// The same for all records that are left.
  mutating func reaches(_ due: Int64) -> Int64? { reaches(due, before: Int64.max) }
}
