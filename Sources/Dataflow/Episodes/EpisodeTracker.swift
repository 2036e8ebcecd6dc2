public import Columns

/// The episodes of all entities of one rule: pending, firing, resolved.
///
/// A function of the rows and of ROWTIME: where batches are cut changes nothing, since what ends by
/// time ends at its own time, in the order of times and entities.
public struct EpisodeTracker: Sendable {
  private let rule: EpisodeRule
  private var episodes: [Episode] = []
  private var places: [[String]: Int] = [:]
  private var heap = EpisodeHeap()
  /// Anomalous rows that told nobody anything new because of cooldown, flapping or the limit.
  public private(set) var suppressedRows: Int64 = 0
  private var nextNumber: Int64 = 0

  /// Creates a tracker at rest.
  public init(_ rule: EpisodeRule) { self.rule = rule }

  /// How many entities are not at rest.
  public var count: Int { episodes.count }

  /// When something changes if no row comes, ROWTIME; nil at rest.
  public var nextDeadline: Int64? { heap.first?.deadline }

  /// Takes one row; rows come in the order of ROWTIME.
  ///
  /// - Parameters:
  ///   - entity: The values of the entity's columns.
  ///   - rowtime: ROWTIME of the row.
  ///   - condition: What the row says.
  ///   - value: What was compared with the threshold.
  ///   - values: What alerts tell of the row; asked for only when the row is the peak so far.
  ///   - transitions: Gets what follows.
  public mutating func observe(
    entity: [String], rowtime: Int64, condition: EpisodeRule.Condition, value: Double?,
    values: () -> [EpisodeValue] = { [] }, into transitions: inout [EpisodeTransition]
  ) {
    advance(to: rowtime, into: &transitions)
    guard let place = place(of: entity, isWanted: condition == .anomalous) else {
      if condition == .anomalous { suppressedRows += 1 }
      return
    }
    episodes[place].lastSeen = rowtime
    switch episodes[place].phase {
    case .resting:
      if condition == .anomalous { begin(place, rowtime) }
    case .pending:
      if condition != .anomalous { rest(place) }
    case .firing: observeFiring(place, rowtime, condition, &transitions)
    }
    if condition == .anomalous, episodes[place].phase != .resting {
      note(place, rowtime, value, values)
      fireIfDue(place, rowtime, &transitions)
    }
    let deadline = episodes[place].deadline(rule)
    if episodes[place].phase == .resting, deadline <= rowtime {
      remove(place)
    } else {
      heap.update(place, deadline: deadline, episodes: episodes)
    }
  }

  /// Ends what ends by time up to `rowtime`.
  public mutating func advance(
    to rowtime: Int64, into transitions: inout [EpisodeTransition]
  ) {
    while let (place, deadline) = heap.first, deadline <= rowtime {
      if episodes[place].phase == .firing { resolve(place, deadline, &transitions) }
      if episodes[place].phase == .pending { rest(place) }
      let next = episodes[place].deadline(rule)
      if next <= rowtime {
        remove(place)
      } else {
        heap.update(place, deadline: next, episodes: episodes)
      }
    }
  }

  // MARK: Phases

  private mutating func place(of entity: [String], isWanted: Bool) -> Int? {
    if let place = places[entity] { return place }
    guard isWanted, episodes.count < rule.entityLimit else { return nil }
    places[entity] = episodes.count
    episodes.append(Episode(entity: entity))
    heap.append(deadline: .max, episodes: episodes)
    return episodes.count - 1
  }

  private mutating func begin(_ place: Int, _ rowtime: Int64) {
    episodes[place].phase = .pending
    episodes[place].startedAt = rowtime
    episodes[place].points = 0
    episodes[place].peak = nil
    episodes[place].values = []
  }

  private mutating func note(
    _ place: Int, _ rowtime: Int64, _ value: Double?, _ values: () -> [EpisodeValue]
  ) {
    episodes[place].points += 1
    episodes[place].normalPoints = 0
    episodes[place].lastAnomalous = rowtime
    guard let value, rule.threshold != nil else {
      episodes[place].values = values()
      return
    }
    if let peak = episodes[place].peak {
      guard rule.side == .above ? value > peak : value < peak else { return }
    }
    episodes[place].peak = value
    episodes[place].values = values()
  }

  private mutating func fireIfDue(
    _ place: Int, _ rowtime: Int64, _ transitions: inout [EpisodeTransition]
  ) {
    let episode = episodes[place]
    guard episode.phase == .pending else {
      if episode.isFlapping(rule) { suppressedRows += 1 }
      return
    }
    switch rule.hold {
    case .points(let count): guard episode.points >= count else { return }
    case .milliseconds(let span): guard rowtime - episode.startedAt >= span else { return }
    }
    guard rowtime >= episode.cooldownUntil else {
      suppressedRows += 1
      return
    }
    episodes[place].phase = .firing
    if rule.flapCount > 0 {
      episodes[place].firings.append(rowtime)
      let excess = episodes[place].firings.count - rule.flapCount
      if excess > 0 { episodes[place].firings.removeFirst(excess) }
    }
    transitions.append(transition(place, isFiring: true, rowtime))
  }

  private mutating func observeFiring(
    _ place: Int, _ rowtime: Int64, _ condition: EpisodeRule.Condition,
    _ transitions: inout [EpisodeTransition]
  ) {
    switch condition {
    case .anomalous: break
    case .between:
      episodes[place].normalPoints = 0
      episodes[place].lastAnomalous = rowtime
    case .normal:
      episodes[place].normalPoints += 1
      guard !episodes[place].isFlapping(rule) else { break }
      switch rule.keep {
      case .points(let count):
        if episodes[place].normalPoints >= count { resolve(place, rowtime, &transitions) }
      case .milliseconds(let span):
        if rowtime - episodes[place].lastAnomalous >= span {
          resolve(place, rowtime, &transitions)
        }
      }
    }
  }

  private mutating func resolve(
    _ place: Int, _ rowtime: Int64, _ transitions: inout [EpisodeTransition]
  ) {
    transitions.append(transition(place, isFiring: false, rowtime))
    let (end, overflows) = rowtime.addingReportingOverflow(rule.cooldownMilliseconds)
    if rule.cooldownMilliseconds > 0 { episodes[place].cooldownUntil = overflows ? .max : end }
    rest(place)
  }

  private mutating func rest(_ place: Int) { episodes[place].phase = .resting }

  private mutating func remove(_ place: Int) {
    heap.remove(place, episodes: episodes)
    places[episodes[place].entity] = nil
    let last = episodes.removeLast()
    guard place < episodes.count else { return }
    episodes[place] = last
    places[last.entity] = place
  }

  private mutating func transition(
    _ place: Int, isFiring: Bool, _ rowtime: Int64
  ) -> EpisodeTransition {
    let episode = episodes[place]
    defer { nextNumber += 1 }
    return EpisodeTransition(
      number: nextNumber, entity: episode.entity, isFiring: isFiring, startedAt: episode.startedAt,
      rowtime: rowtime,
      points: episode.points, peak: episode.peak, values: episode.values,
      isFlapping: episode.isFlapping(rule))
  }

  // MARK: State

  /// Writes the episodes into a section of a snapshot.
  public func save(into writer: inout SectionWriter) {
    writer.write(suppressedRows)
    writer.write(nextNumber)
    writer.write(episodes.count)
    for episode in episodes { episode.save(into: &writer) }
  }

  /// Reads what `save` wrote into a tracker with the same rule.
  ///
  /// - Throws: `StateError` when the section is damaged.
  public mutating func restore(from reader: inout SectionReader) throws(StateError) {
    suppressedRows = try reader.integer()
    nextNumber = try reader.integer()
    episodes = []
    places = [:]
    heap = EpisodeHeap()
    for _ in 0..<(try reader.count()) {
      let episode = try Episode(restoring: &reader)
      guard places[episode.entity] == nil else { throw reader.failure("an entity is there twice") }
      places[episode.entity] = episodes.count
      episodes.append(episode)
      heap.append(deadline: episode.deadline(rule), episodes: episodes)
    }
  }
}
