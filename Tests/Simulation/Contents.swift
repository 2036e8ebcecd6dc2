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
  /// Their bytes put together, without the moments at which records were refused.
  private var texts: [Place: [UInt8]] = [:]

  /// The offsets of the records that brought forth the rows of topics, by partition.
  public private(set) var causes: [Int: Set<Int64>] = [:]

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
    for place in parts.keys {
      parts[place]?.sort { $0.firstRow < $1.firstRow }
      texts[place] = Self.withoutMoments((parts[place] ?? []).flatMap(\.bytes))
    }
    for (task, names) in lives where names.count > 1 {
      violate("task \(task) has delivered in \(names.count) lives")
    }
  }

  /// Adds the rows of a topic to the tasks that wrote them; their ids tell which, and come once.
  private mutating func add(
    _ rows: [[UInt8]], of topic: String, _ isPartitionParallel: Bool, _ violate: (String) -> Void
  ) {
    var ids: Set<String> = []
    for (number, row) in rows.enumerated() {
      guard let start = row[...].end(ofFirst: Self.idBegin),
        let end = row[start...].firstIndex(of: UInt8(ascii: "\"")),
        let partition = Int(
          String(decoding: row[start..<end].prefix { $0 != UInt8(ascii: "-") }, as: UTF8.self))
      else {
        violate("a row of topic \(topic) has no id: \(String(decoding: row, as: UTF8.self))")
        continue
      }
      let id = String(decoding: row[start..<end], as: UTF8.self)
      if !ids.insert(id).inserted { violate("topic \(topic) has \(id) twice") }
      let numbers = id.split(separator: "-").compactMap { Int64($0) }
      if numbers.count > 1 { causes[partition, default: []].insert(numbers[1]) }
      let task = isPartitionParallel ? partition : 0
      let place = Place(output: Self.topicOutput, task: task, values: [topic])
      parts[place, default: []].append(
        Part(firstRow: Int64(number), lastRow: Int64(number), bytes: row + [10]))
    }
  }

  private static let idBegin = Array("\"numbers-".utf8)

  /// The number under which topics are listed: after all others.
  static let topicOutput = 1_000

  private static let moment = Array("\"attemptEndingTimestamp\":".utf8)

  private static func withoutMoments(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var rest = text[...]
    while let end = rest.end(ofFirst: moment) {
      result += rest[..<end]
      rest = rest[end...].drop { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
    return result + rest
  }

  private func text(_ place: Place) -> String {
    String(decoding: texts[place] ?? [], as: UTF8.self)
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
      if texts[place] != reference.texts[place] {
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

extension ArraySlice<UInt8> {
  /// Where the first occurrence of some bytes ends, or nil.
  fileprivate func end(ofFirst bytes: [UInt8]) -> Int? {
    guard let first = bytes.first, count >= bytes.count else { return nil }
    var start = startIndex
    while start + bytes.count <= endIndex {
      if self[start] == first, self[start..<start + bytes.count].elementsEqual(bytes) {
        return start + bytes.count
      }
      start += 1
    }
    return nil
  }
}
