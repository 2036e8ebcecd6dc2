import Delivery

/// What arrived: per output, task and partition value the objects in row-number order.
public struct Contents: Hashable, Sendable {
  /// Whose rows they are.
  public struct Place: Hashable, Comparable, Sendable {
    let output: Int
    let task: Int
    let values: [String]

    /// By output, task and partition values.
    public static func < (left: Place, right: Place) -> Bool {
      (left.output, left.task, left.values.joined(separator: "\u{0}"))
        < (right.output, right.task, right.values.joined(separator: "\u{0}"))
    }
  }

  /// One object.
  struct Part: Hashable, Sendable {
    let firstRow: Int64
    let lastRow: Int64
    let bytes: [UInt8]
  }

  private(set) var parts: [Place: [Part]] = [:]

  /// Whether nothing has arrived.
  public var isEmpty: Bool { parts.isEmpty }

  init(
    _ store: ObjectStoreImage, topics: [String: [[UInt8]]], isPartitionParallel: Bool,
    violate: (String) -> Void
  ) {
    var lives: [Int: Set<String>] = [:]
    for stored in store.objects {
      let identity = stored.object.identity
      lives[identity.task, default: []].insert(identity.life)
      let place = Place(
        output: stored.output, task: identity.task, values: identity.partitionValues)
      parts[place, default: []].append(
        Part(firstRow: identity.firstRow, lastRow: identity.lastRow, bytes: stored.object.bytes))
    }
    for (topic, rows) in topics { add(rows, of: topic, isPartitionParallel, violate) }
    for place in parts.keys { parts[place]?.sort { $0.firstRow < $1.firstRow } }
    for (task, names) in lives where names.count > 1 {
      violate("task \(task) has delivered in \(names.count) lives")
    }
  }

  /// Adds the rows of a topic to the tasks that wrote them; their ids tell which, and come once.
  private mutating func add(
    _ rows: [[UInt8]], of topic: String, _ isPartitionParallel: Bool, _ violate: (String) -> Void
  ) {
    var ids: Set<Substring> = []
    for (number, row) in rows.enumerated() {
      let text = String(decoding: row, as: UTF8.self)
      guard let start = text.firstRange(of: "\"numbers-"),
        let id = text[start.upperBound...].split(separator: "\"").first,
        let partition = id.split(separator: "-").first.flatMap({ Int($0) })
      else {
        violate("a row of topic \(topic) has no id: \(text)")
        continue
      }
      if !ids.insert(id).inserted { violate("topic \(topic) has \(id) twice") }
      let task = isPartitionParallel ? partition : 0
      let place = Place(output: Self.topicOutput, task: task, values: [topic])
      parts[place, default: []].append(
        Part(firstRow: Int64(number), lastRow: Int64(number), bytes: row + [10]))
    }
  }

  /// The number under which topics are listed: after all others.
  static let topicOutput = 1_000

  /// The bytes put together, without the moments at which records were refused.
  private func text(_ place: Place) -> String {
    Self.withoutMoments(
      String(decoding: (parts[place] ?? []).flatMap(\.bytes), as: UTF8.self))
  }

  private static func withoutMoments(_ text: String) -> String {
    let field = "\"attemptEndingTimestamp\":"
    var result = ""
    var rest = text[...]
    while let found = rest.firstRange(of: field) {
      result += rest[..<found.upperBound]
      rest = rest[found.upperBound...].drop { $0.isNumber }
    }
    return result + rest
  }

  private func cuts(_ place: Place) -> [Int64] { (parts[place] ?? []).map(\.firstRow) }

  /// How these contents differ from those of an undisturbed run.
  ///
  /// - Parameters:
  ///   - reference: The undisturbed run.
  ///   - oneToOne: Whether the objects must be the same too.
  ///   - outputs: The outputs to compare.
  /// - Returns: The differences in words.
  func differences(
    from reference: Contents, oneToOne: Bool, outputs: ClosedRange<Int> = 0...topicOutput
  ) -> [String] {
    let places = Set(parts.keys).union(reference.parts.keys).sorted()
      .filter { outputs.contains($0.output) }
    return places.compactMap { place in
      if text(place) != reference.text(place) {
        return "output \(place.output) of task \(place.task) has\n\(text(place))\nand not\n"
          + reference.text(place) + "\nin rows "
          + "\((parts[place] ?? []).map { "\($0.firstRow)-\($0.lastRow)" })"
      }
      if oneToOne, cuts(place) != reference.cuts(place) {
        return "output \(place.output) of task \(place.task) is cut otherwise"
      }
      return nil
    }
  }
}
