import Logging

/// How a task ends: it commits what it has done, and leaves a snapshot where the next start may need it.
extension TaskRunner {
  /// What became of the snapshot that a task leaves.
  enum LastSnapshot {
    case none
    case copying
    case taken
  }

  /// Goes a step further towards the end; returns whether there may be more to do at once.
  func stopTurn(_ mode: StopMode) throws -> Bool {
    if mode == .drain || mode == .barrier || isFormer, start.services.isOutOfTime() {
      endOutOfTime(mode)
      return false
    }
    if mode == .handOver, log.isBlocked {
      end(nil)
      return false
    }
    guard log.hasRoom else { return false }
    if lastSnapshot == .copying, mode != .handOver { return try copyLast() }
    switch mode {
    case .barrier:
      if lastSnapshot == .taken { end(nil) } else { try takeLast() }
    case .drain where core.stages.allSatisfy(\.pending.isEmpty):
      if lastSnapshot == .taken, !log.hasNews { end(nil) } else { try takeLast() }
    case .drain, .handOver, .drop:
      if log.hasNews {
        lastSnapshot = .none
        try log.commit(core, now: elapsed, snapshot: .none)
      } else if mode != .drain {
        end(nil)
      }
    }
    return false
  }

  /// Commits with the last snapshot.
  ///
  /// When models wait on the disk it is copied part by part, since the whole need not fit into memory.
  private func takeLast() throws {
    let isCopied = core.hasSpilledModels && !log.needsSnapshot
    lastSnapshot = isCopied ? .copying : .taken
    try log.commit(core, now: elapsed, snapshot: isCopied ? .begin : .take)
  }

  /// Copies more of the last snapshot.
  ///
  /// When it is stored a last commit names it, unless something has happened since.
  private func copyLast() throws -> Bool {
    if try log.copyMore(core) { return true }
    guard !log.isSaving, !log.isCopying else { return false }
    lastSnapshot = .taken
    let isWhole = log.hasStored && !log.hasNews
    try log.commit(core, now: elapsed, snapshot: isWhole ? .none : .take)
    return false
  }

  /// Ends without the rest: a shutdown, or a reload for which other pipelines wait, has used up its time.
  func endOutOfTime(_ mode: StopMode) {
    start.services.logger.warning(
      "task \(name) ends before everything was delivered; it goes on from its last commit"
    )
    // Brokers that are away may not take what is on its way into topics for long; there it harms nobody.
    end(nil, awaitsStorage: mode != .drain && start.services.stateTopics == nil)
  }
}
