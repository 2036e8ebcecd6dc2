/// What the runner looks at in every turn: through spans, since an output is large to copy.
extension TaskCore {
  /// The first row of the open object of an output whose interval is over, or nil.
  func dueObject(output index: Int, now: Int64) -> Int64? {
    let stages = stages
    return stages.span[index].dueObject(now: now)
  }

  /// What became of the rows of each output, the dead letters last.
  var balances: [OutputBalance] {
    let all = stages
    let stages = all.span
    var balances: [OutputBalance] = []
    balances.reserveCapacity(stages.count)
    for index in stages.indices { balances.append(stages[index].balance) }
    return balances
  }

  /// The least ROWTIME that no destination has yet, or nil.
  var oldestUndelivered: Int64? {
    let all = stages
    let stages = all.span
    var oldest: Int64?
    for index in stages.indices {
      if let time = stages[index].oldestRowTime { oldest = min(time, oldest ?? time) }
    }
    return oldest
  }

  /// Whether so much is staged for alerts and topics that a commit must take it up before more comes.
  var isFull: Bool {
    sum { $0.stagedBytes } >= Self.stagedByteLimit
      || sum { $0.stagedAlerts >= Self.stagedAlertLimit ? 1 : 0 } > 0
  }

  private static let stagedByteLimit = 32 << 20
  private static let stagedAlertLimit = 2_048

  /// How many alerts no commit has taken up.
  var stagedAlerts: Int { sum { $0.stagedAlerts } }

  /// Bytes of closed objects that did not arrive yet.
  var pendingBytes: Int { sum { $0.pendingBytes } }

  /// Adds up a value of every output.
  private func sum(_ value: (borrowing OutputStage) -> Int) -> Int {
    let all = stages
    let stages = all.span
    var sum = 0
    for index in stages.indices { sum += value(stages[index]) }
    return sum
  }
}
