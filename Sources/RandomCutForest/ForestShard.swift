/// The forests of many keys, on one thread.
///
/// A pool is one shard per thread: each thread makes its own with `index` and `count`, and is given
/// the rows whose key `ForestShard.index(of:count:)` sends to it. The forest of a key depends on
/// the configuration, the key and its rows alone, so that scores do not depend on the number of
/// shards.
///
/// Forests come to be when their key is first seen. One that has not been used for a while can be
/// put to sleep, and wakes when its key comes again.
public final class ForestShard {
  /// Of every forest; seeds are mixed with the key.
  public let configuration: ForestConfiguration
  private var slots: [UInt64: Slot] = [:]
  /// Calls so far: the clock of what is idle.
  private var clock: UInt64 = 0
  private var rows: [Row] = []
  private var points: [Float] = []
  private var scores: [Double] = []

  private final class Slot {
    var forest: RandomCutForest?
    var asleep: [UInt8] = []
    var lastUse: UInt64

    init(_ forest: consuming RandomCutForest, lastUse: UInt64) {
      self.forest = consume forest
      self.lastUse = lastUse
    }
  }

  private struct Row {
    let key: UInt64
    let number: Int
  }

  /// An empty shard; throws the first parameter that is out of range.
  public init(_ configuration: ForestConfiguration) throws(ForestError) {
    try configuration.validate()
    self.configuration = configuration
  }

  /// The shard of so many that serves a key.
  public static func index(of key: UInt64, count: Int) -> Int {
    var mixer = SplitMix64(seed: key)
    return Int(mixer.next() % UInt64(max(1, count)))
  }

  /// Number of keys, asleep or awake.
  public var count: Int { slots.count }

  /// Bytes of all forests and sleeping forms.
  public var byteCount: Int {
    // A sum of integers does not depend on the order of the keys.
    slots.values.reduce(0) { $0 + ($1.forest?.byteCount ?? $1.asleep.count) }
  }

  /// Scores and learns a point of one key.
  public func scoreAndUpdate(key: UInt64, _ point: Span<Float>) throws(ForestError) -> Double {
    clock += 1
    return try awake(key).forest?.scoreAndUpdate(point) ?? 0
  }

  /// Scores and learns a batch of rows, key by key; scores come in the order of the rows.
  ///
  /// - Parameters:
  ///   - keys: One per row.
  ///   - input: `pointLength` values per row.
  ///   - result: Takes one score per row.
  /// - Throws: Before anything is learned, when a value cannot be used or an array has the wrong
  ///   length.
  public func scoreAndUpdate(
    keys: Span<UInt64>, points input: Span<Float>, into result: inout MutableSpan<Double>
  ) throws(ForestError) {
    let length = configuration.pointLength
    try ForestError.check("points", count: input.count, is: keys.count * length)
    try ForestError.check("scores", count: result.count, is: keys.count)
    try ForestError.check(input)
    clock += 1
    rows.removeAll(keepingCapacity: true)
    for number in keys.indices { rows.append(Row(key: keys[number], number: number)) }
    rows.sort { a, b in a.key != b.key ? a.key < b.key : a.number < b.number }
    // The buffers are taken out, so that spans of them do not lock the shard.
    var points = self.points
    var scores = self.scores
    self.points = []
    self.scores = []
    var first = 0
    while first < rows.count {
      var end = first
      points.removeAll(keepingCapacity: true)
      while end < rows.count, rows[end].key == rows[first].key {
        let start = rows[end].number * length
        for j in start..<start + length { points.append(input[j]) }
        end += 1
      }
      let count = end - first
      if scores.count < count { scores = [Double](repeating: 0, count: count) }
      let slot = try awake(rows[first].key)
      var span = scores.mutableSpan
      try slot.forest?.scoreAndUpdate(points: points.span, count: count, into: &span)
      for row in first..<end { result[rows[row].number] = scores[row - first] }
      first = end
    }
    self.points = points
    self.scores = scores
  }

  /// The slot of a key with its forest awake.
  private func awake(_ key: UInt64) throws(ForestError) -> Slot {
    if let slot = slots[key] {
      slot.lastUse = clock
      if !slot.asleep.isEmpty {
        slot.forest = try RandomCutForest(idleForm: slot.asleep.span)
        slot.asleep = []
      }
      return slot
    }
    var own = configuration
    var mixer = SplitMix64(seed: configuration.seed ^ key)
    own.seed = mixer.next()
    let slot = Slot(try RandomCutForest(own), lastUse: clock)
    slots[key] = slot
    return slot
  }

  /// Puts forests that were not used in the last `calls` calls into their idle form; returns how
  /// many.
  public func sleep(unusedFor calls: UInt64) -> Int {
    var count = 0
    for slot in slots.values where slot.asleep.isEmpty && clock - slot.lastUse >= calls {
      slot.asleep = slot.forest?.idleForm() ?? []
      slot.forest = nil
      count += 1
    }
    return count
  }

  /// Forgets a key.
  public func remove(key: UInt64) { slots[key] = nil }

  /// The exact state of a key's forest; nil where there is none.
  public func snapshot(key: UInt64) throws(ForestError) -> [UInt8]? {
    guard slots[key] != nil else { return nil }
    return try awake(key).forest?.snapshot()
  }

  /// Gives a key the forest of a snapshot.
  public func restore(key: UInt64, snapshot: Span<UInt8>) throws(ForestError) {
    slots[key] = Slot(try RandomCutForest(snapshot: snapshot), lastUse: clock)
  }
}
