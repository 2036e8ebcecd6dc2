import Columns

/// A model of one key of a table function.
protocol KeyedModel: AnyObject {
  associatedtype Parameters
  /// Bytes that it takes in memory, as asked of the allocator.
  var byteCount: Int { get }
  /// A model that has seen nothing.
  init(_ parameters: Parameters, seed: UInt64) throws
  /// A model as it was saved.
  init(_ parameters: Parameters, from reader: inout SectionReader) throws
  /// Writes everything that the model's answers depend on.
  func save(into writer: inout SectionWriter)
}

/// The models of a table function, one for all rows or one for each key.
///
/// Which keys have models follows from the rows and the limits alone. Where a model is, in memory or in
/// the scratch, follows from the budget of memory and changes no answer.
///
/// The rows of a call are grouped by key and judged key by key, because many models do not fit the
/// processor's caches.
final class KeyedModels<Model: KeyedModel> {
  private struct Entry {
    var model: Model?
    /// Its bytes in a snapshot, as long as nobody has asked for it since: reading them takes longer than
    /// all else of a start.
    var saved: [UInt8]?
    /// Where its bytes are when it is not in memory.
    var place: ScratchPlace?
    /// Its bytes in memory, now or when it was there last.
    var size = 0
    /// The ROWTIME of its last row.
    var lastSeen = Int64.min
    /// The rows of this call that wait for it, as a chain in `nextRow`.
    var firstRow: Int32 = -1
    var lastRow: Int32 = -1
  }

  private let parameters: Model.Parameters
  private let columns: [Int]
  private let seed: UInt64
  private let limits: DataflowLimits
  private let section: String
  private let space: ScratchSpace?
  var budget = Int.max
  private var keys: KeyTable
  private var entries: [Entry] = []
  /// All models where they can expire.
  private var lastUses = UseOrder()
  /// The models in memory where there is a budget.
  private var residents = UseOrder()
  private var sketch: SightingSketch
  private var copies: ModelCopies
  private(set) var counters = ModelCounters()
  /// The models that rows wait for, with the seeds of those that are to be made.
  private var waiting: [(number: Int, seed: UInt64)] = []
  private var nextRow: [Int32] = []
  private var rows: [Int32] = []
  /// All models before this one were read from the snapshot that was restored.
  private var nextToRead = 0
  /// Whether some models come from a state that did not say when their keys came.
  private var hasUndated = false
  /// Why the saved models cannot be read that have been found to be damaged: they are kept as they are, and the
  /// rows of their keys fail.
  private var damages: [Int: String] = [:]
  /// Those of which nobody has been told.
  private var untold: [Int] = []
  private let keySchema: Schema

  /// Creates an empty store.
  ///
  /// `columns` are those of the key in `schema`, none for one model that all rows share. The state stands
  /// in `section`: keys in slice 0, a model in each further one. Without a `space` all models stay in
  /// memory.
  init(
    _ parameters: Model.Parameters, partitionBy columns: [Int], of schema: Schema, seed: UInt64,
    limits: DataflowLimits, section: String, space: ScratchSpace?
  ) {
    self.parameters = parameters
    self.columns = columns
    self.seed = seed
    self.section = section
    var limits = limits
    if columns.isEmpty { (limits.modelTTL, limits.modelAfter) = (nil, 1) }
    self.limits = limits
    self.space = columns.isEmpty ? nil : space
    keySchema = Schema(columns.map { schema.columns[$0] })
    keys = KeyTable(columns.map { schema.columns[$0].type.storage })
    sketch = SightingSketch(threshold: limits.modelAfter, keys: limits.models)
    copies = ModelCopies(space: self.space)
  }

  // MARK: Rows

  /// Gives the rows of a call to the models of their keys.
  ///
  /// Rows that have failed in `evaluation` are passed over. `judge` takes a model and its rows, ascending.
  ///
  /// - Returns: The rows whose keys have no model.
  func process(
    _ input: Batch, _ evaluation: inout Evaluation, _ pool: inout StringPool,
    judge: (Model, [Int32], inout Evaluation, inout StringPool) -> Void
  ) -> [Int32] {
    let words = keys.keys(of: columns.map { input.columns[$0] }, count: input.count)
    nextRow.removeAll(keepingCapacity: true)
    nextRow.append(contentsOf: repeatElement(-1, count: input.count))
    var unmodelled: [Int32] = []
    for row in 0..<input.count where !evaluation.failed[row] {
      let time = input.rowtimes[row]
      if let ttl = limits.modelTTL {
        if hasUndated { date(time) }
        while let oldest = lastUses.oldest, entries[oldest].lastSeen < time - ttl {
          if entries[oldest].firstRow >= 0 { judgeWaiting(&evaluation, &pool, judge) }
          forget(oldest)
          counters.expirations += 1
        }
      }
      let number: Int
      if let known = keys.find(words, row: row) {
        number = known
        if entries[number].firstRow < 0 { waiting.append((number, 0)) }
      } else {
        let own = modelSeed(seed, columns, input, row, pool)
        guard sketch.admits(spread(own)), keys.count < modelLimit else {
          unmodelled.append(Int32(truncatingIfNeeded: row))
          continue
        }
        number = insert(words, row)
        waiting.append((number, own))
      }
      entries[number].lastSeen = time
      if limits.modelTTL != nil { lastUses.use(number) }
      chain(row, to: number)
    }
    judgeWaiting(&evaluation, &pool, judge)
    counters.rowsWithoutModel += Int64(unmodelled.count)
    return unmodelled
  }

  private var modelLimit: Int { columns.isEmpty ? 1 : limits.models }

  private func insert(_ words: [UInt64], _ row: Int) -> Int {
    let number = keys.insert(words, row: row).number
    while entries.count <= number { entries.append(Entry()) }
    return number
  }

  @inline(__always)
  private func chain(_ row: Int, to number: Int) {
    let row = Int32(truncatingIfNeeded: row)
    if entries[number].firstRow < 0 {
      entries[number].firstRow = row
    } else {
      nextRow[Int(entries[number].lastRow)] = row
    }
    entries[number].lastRow = row
  }

  /// Lets models judge the rows that wait for them, in the order of their first rows.
  private func judgeWaiting(
    _ evaluation: inout Evaluation, _ pool: inout StringPool,
    _ judge: (Model, [Int32], inout Evaluation, inout StringPool) -> Void
  ) {
    for (number, seed) in waiting {
      takeRows(of: number)
      do {
        let model = try wake(number, seed: seed)
        judge(model, rows, &evaluation, &pool)
        measure(number, model)
      } catch {
        for row in rows { evaluation.fail(Int(row), .badModelInput, "\(error)") }
        if entries[number].place == nil, entries[number].saved == nil { forget(number) }
      }
    }
    waiting.removeAll(keepingCapacity: true)
  }

  private func takeRows(of number: Int) {
    rows.removeAll(keepingCapacity: true)
    var row = entries[number].firstRow
    while row >= 0 {
      rows.append(row)
      row = nextRow[Int(row)]
    }
    entries[number].firstRow = -1
  }

  // MARK: Residence

  /// A model that is about to change, in memory: from there, from the scratch, or new.
  private func wake(_ number: Int, seed: UInt64) throws -> Model {
    if !damages.isEmpty, let reason = damages[number] { throw DataflowError(reason) }
    if let model = entries[number].model {
      copies.willChange(number, section: section) { model.save(into: &$0) }
      if budget < Int.max { residents.use(number) }
      return model
    }
    if let bytes = entries[number].saved { return try wake(number, saved: bytes) }
    makeRoom(for: entries[number].size)
    let model: Model
    if let place = entries[number].place, let space {
      guard let bytes = space.load(place) else { throw DataflowError(space.failure ?? "") }
      model = try read(bytes, of: number)
      if !copies.pin(number, at: place) { space.release(place) }
      entries[number].place = nil
      counters.loads += 1
      counters.spilled -= 1
    } else {
      model = try Model(parameters, seed: seed)
    }
    entries[number].model = model
    entries[number].size = 0
    counters.resident += 1
    if budget < Int.max { residents.use(number) }
    return model
  }

  /// A model out of the snapshot that was restored.
  private func wake(_ number: Int, saved bytes: [UInt8]) throws -> Model {
    let model = try read(bytes, of: number)
    copies.willChange(number, section: section) { $0.append(raw: bytes) }
    entries[number].saved = nil
    entries[number].model = model
    if budget < Int.max { residents.use(number) }
    return model
  }

  /// Reads one more model of the snapshot that was restored, unless a row has asked for it or there is no
  /// room; returns whether any are left.
  func readOne() -> Bool {
    while nextToRead < entries.count, entries[nextToRead].saved == nil { nextToRead += 1 }
    guard nextToRead < entries.count, let bytes = entries[nextToRead].saved,
      counters.residentBytes + Self.expansion * bytes.count <= budget
    else {
      nextToRead = entries.count
      return false
    }
    // What cannot be read has been noted.
    if let model = try? wake(nextToRead, saved: bytes) { measure(nextToRead, model) }
    nextToRead += 1
    return nextToRead < entries.count
  }

  /// A model in memory takes up to so many times the bytes of its saved form.
  private static var expansion: Int { 16 }

  /// Reads a model; one that cannot be read is noted.
  private func read(_ bytes: [UInt8], of number: Int) throws -> Model {
    do {
      var reader = SectionReader(section: section, bytes: bytes)
      let model = try Model(parameters, from: &reader)
      try reader.finish()
      return model
    } catch {
      let reason = "the saved model of the key is damaged: \(error)"
      damages[number] = reason
      untold.append(number)
      throw DataflowError(reason)
    }
  }

  /// Takes note of the size of a model that has changed, and a sixth more for what the allocator loses
  /// between arrays that come and go, and for copies on their way to a snapshot.
  private func measure(_ number: Int, _ model: Model) {
    let arrays = model.byteCount
    let size = arrays + arrays / 6
    counters.residentBytes += size - entries[number].size
    entries[number].size = size
    makeRoom(for: 0)
  }

  /// Moves models that were not used for the longest time out of memory until there is room.
  func makeRoom(for size: Int) {
    guard let space else { return }
    let least = size > 0 ? 0 : 1
    while counters.residentBytes + size > budget, counters.resident > least,
      let oldest = residents.oldest
    {
      guard spill(oldest, to: space) else { return }
    }
  }

  private func spill(_ number: Int, to space: ScratchSpace) -> Bool {
    guard entries[number].model != nil || entries[number].saved != nil else { return false }
    var writer = SectionWriter()
    save(number, into: &writer)
    guard let place = space.store(writer.bytes) else { return false }
    entries[number].place = place
    entries[number].model = nil
    entries[number].saved = nil
    residents.remove(number)
    counters.residentBytes -= entries[number].size
    counters.resident -= 1
    counters.spilled += 1
    counters.evictions += 1
    return true
  }

  /// Forgets a key and its model.
  private func forget(_ number: Int) {
    if let model = entries[number].model {
      copies.willChange(number, section: section) { model.save(into: &$0) }
      counters.resident -= 1
      counters.residentBytes -= entries[number].size
    } else if let bytes = entries[number].saved {
      copies.willChange(number, section: section) { $0.append(raw: bytes) }
      counters.resident -= 1
      counters.residentBytes -= entries[number].size
    } else if let place = entries[number].place {
      if !copies.pin(number, at: place) { space?.release(place) }
      counters.spilled -= 1
    }
    keys.remove(number)
    damages[number] = nil
    lastUses.remove(number)
    residents.remove(number)
    entries[number] = Entry()
  }

  /// Gives models whose keys nobody knows the time of the time of the first row.
  private func date(_ time: Int64) {
    for number in keys.numbers where entries[number].lastSeen == Int64.min {
      entries[number].lastSeen = time
    }
    hasUndated = false
  }

  // MARK: State

  private static var format: Int64 { -1 }

  func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    saveKeys(into: &writer, pool)
    for number in keys.numbers {
      writer.section(section, slice: number + 1) { save(number, into: &$0) }
    }
  }

  private func save(_ number: Int, into writer: inout SectionWriter) {
    if let model = entries[number].model {
      model.save(into: &writer)
    } else if let bytes = entries[number].saved {
      writer.append(raw: bytes)
    } else if let place = entries[number].place, let bytes = space?.load(place) {
      // Without the bytes the space has failed, and the state goes nowhere.
      writer.append(raw: bytes)
    }
  }

  private func saveKeys(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { section in
      section.write(Self.format)
      keys.save(into: &section, pool)
      section.write(keys.numbers.map { entries[$0].lastSeen })
      section.write(lastUses.numbers.map(Int64.init))
      sketch.save(into: &section)
    }
  }

  func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    saveKeys(into: &writer, pool)
    copies.begin(snapshot, models: keys.numbers, section: section, into: &writer)
  }

  func continueSave(into writer: inout StateWriter) -> Bool {
    copies.copyOne(section: section, into: &writer) { number, section in
      save(number, into: &section)
    }
  }

  func forgetSaved() { copies.forget() }

  func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var head = try reader.section(section)
    let first: Int64 = try head.integer()
    try keys.restore(from: &head, &pool)
    let numbers = keys.numbers
    var times = [Int64](repeating: Int64.min, count: numbers.count)
    var uses: [Int] = []
    if first == Self.format {
      times = try head.integers()
      uses = try head.integers().map { Int($0) }
      try sketch.restore(from: &head)
    }
    try head.finish()
    guard reader.sliceCount(section) - 1 == numbers.count, times.count == numbers.count,
      first == Self.format || first == Int64(numbers.count),
      uses.allSatisfy({ $0 >= 0 && $0 < keys.capacity })
    else { throw head.failure("\(numbers.count) models are announced") }
    entries = [Entry](repeating: Entry(), count: keys.capacity)
    (damages, untold) = ([:], [])
    counters = ModelCounters()
    for (index, number) in numbers.enumerated() { entries[number].lastSeen = times[index] }
    hasUndated = times.contains(Int64.min)
    restoreUses(uses, numbers)
    try restoreModels(numbers, from: reader)
  }

  /// Orders models by their last use; those of which it was not noted come in the order of time.
  private func restoreUses(_ uses: [Int], _ numbers: [Int]) {
    lastUses.removeAll()
    residents.removeAll()
    guard limits.modelTTL != nil else { return }
    let isNoted = uses.count == numbers.count
    let order =
      isNoted
      ? uses
      : numbers.sorted {
        (entries[$0].lastSeen, $0) < (entries[$1].lastSeen, $1)
      }
    for number in order { lastUses.use(number) }
  }

  /// Keeps models in the form that was saved, in memory as long as there is room; of a function without
  /// keys the model is read at once.
  private func restoreModels(_ numbers: [Int], from reader: StateReader) throws {
    nextToRead = columns.isEmpty ? entries.count : 0
    for (index, number) in numbers.enumerated() {
      var slice = try reader.section(section, slice: index + 1)
      if let space, counters.residentBytes >= budget {
        guard let place = space.store(slice.remaining) else {
          throw DataflowError(space.problem ?? "the scratch refuses a model")
        }
        entries[number].place = place
        counters.spilled += 1
        continue
      }
      counters.resident += 1
      guard columns.isEmpty else {
        let bytes = slice.remaining
        entries[number].saved = bytes
        entries[number].size = bytes.count
        counters.residentBytes += bytes.count
        if budget < Int.max { residents.use(number) }
        continue
      }
      let model = try Model(parameters, from: &slice)
      try slice.finish()
      entries[number].model = model
      measure(number, model)
    }
  }

  func remapStrings(_ remap: inout StringRemapper) { keys.remapStrings(&remap) }

  func takeDamages(_ section: String, _ pool: borrowing StringPool) -> [ModelDamage] {
    guard !untold.isEmpty else { return [] }
    var found: [ModelDamage] = []
    for number in untold {
      guard let reason = damages[number] else { continue }
      var key = Batch(schema: keySchema)
      for index in key.columns.indices {
        keys.append(number: number, index: index, to: &key.columns[index])
      }
      let text = String(decoding: RowText.json(key, row: 0, pool: pool), as: UTF8.self)
      found.append(ModelDamage(function: section, key: text, reason: reason))
    }
    untold = []
    return found
  }
}
