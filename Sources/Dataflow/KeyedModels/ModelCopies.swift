import Columns

/// What a snapshot in the making still lacks of an operator's models, and where those lie that have
/// not changed since an earlier one.
///
/// A model is copied when its turn comes, or just before it is first changed; of one that comes back from
/// the scratch the bytes there are kept until its turn. Slice `n + 1` of the operator's section is model
/// `n`, of which the operator tells before it changes, or removes, it.
struct ModelCopies {
  /// The snapshot that holds each model as it is now, or -1.
  private var places: [Int64] = []
  /// The bytes of each model there.
  private var sizes: [Int] = []
  private var isDue: [Bool] = []
  private var dueCount = 0
  /// All models before this one were copied.
  private var next = 0
  /// The snapshot in the making.
  private var snapshot: Int64 = -1
  /// How many bytes each snapshot that is referred to was given.
  private var written: [(snapshot: Int64, bytes: Int)] = []
  /// The copies that no caller has taken.
  private var copied = StateWriter()
  /// Where the bytes of models lie that are due and have changed since.
  private var pinned: [Int: ScratchPlace] = [:]
  private let space: ScratchSpace?

  /// Creates what no snapshot has anything of; `space` is where models lie that are not in memory.
  init(space: ScratchSpace? = nil) { self.space = space }

  /// Begins a snapshot of models, whose numbers ascend: refers to those that an earlier snapshot holds,
  /// and lets the others be copied.
  ///
  /// An earlier snapshot of which less than half is still of use is left behind, so that old snapshots
  /// take at most as much room again as the state; and so is one after sixteen others, so that none
  /// holds up the end of a log for ever.
  mutating func begin(
    _ snapshot: Int64, models: [Int], section: String, into writer: inout StateWriter
  ) {
    forgetCopies()
    self.snapshot = snapshot
    grow(to: (models.last ?? -1) + 1)
    var live = [Int](repeating: 0, count: written.count)
    for model in models {
      if let place = place(of: model) { live[place] += sizes[model] }
    }
    let oldest = max(0, written.count - Self.referredSnapshots)
    for index in 0..<oldest { live[index] = 0 }
    for model in models {
      if let place = place(of: model), place >= oldest, live[place] * 2 >= written[place].bytes {
        writer.reference(section, slice: model + 1, origin: places[model])
      } else {
        isDue[model] = true
        dueCount += 1
      }
    }
    written = written.indices.filter { $0 >= oldest && live[$0] * 2 >= written[$0].bytes }
      .map { written[$0] }
    written.append((snapshot, 0))
    next = 0
  }

  /// How many snapshots are referred to at most.
  private static let referredSnapshots = 16

  private func place(of model: Int) -> Int? {
    guard places[model] >= 0 else { return nil }
    return written.firstIndex { $0.snapshot == places[model] }
  }

  private mutating func grow(to count: Int) {
    while places.count < count {
      places.append(-1)
      sizes.append(0)
      isDue.append(false)
    }
  }

  /// To be called before a model is changed; copies it if the snapshot lacks it.
  mutating func willChange(
    _ model: Int, section: String, _ write: (inout SectionWriter) -> Void
  ) {
    guard model < places.count else { return }
    if pinned.isEmpty || pinned[model] == nil { copy(model, section: section, write) }
    places[model] = -1
  }

  /// To be called in its stead for a model that leaves the scratch; returns whether the bytes there are
  /// still wanted and will be released from here.
  mutating func pin(_ model: Int, at place: ScratchPlace) -> Bool {
    guard model < places.count else { return false }
    places[model] = -1
    guard isDue[model], pinned[model] == nil else { return false }
    pinned[model] = place
    return true
  }

  private mutating func copy(
    _ model: Int, section: String, _ write: (inout SectionWriter) -> Void
  ) {
    guard isDue[model] else { return }
    let before = copied.slices.count
    copied.section(section, slice: model + 1, write)
    isDue[model] = false
    dueCount -= 1
    places[model] = snapshot
    sizes[model] = copied.slices[before].bytes.count
    written[written.count - 1].bytes += sizes[model]
  }

  /// Hands over what was copied, after copying one more model; returns whether any are left.
  mutating func copyOne(
    section: String, into writer: inout StateWriter, _ write: (Int, inout SectionWriter) -> Void
  ) -> Bool {
    if dueCount > 0 {
      while !isDue[next] { next += 1 }
      let model = next
      if let place = pinned.removeValue(forKey: model) {
        let space = space
        copy(model, section: section) { $0.append(raw: space?.load(place) ?? []) }
        places[model] = -1
        space?.release(place)
      } else {
        copy(model, section: section) { write(model, &$0) }
      }
    }
    writer.append(copied.slices)
    copied = StateWriter()
    return dueCount > 0
  }

  /// Forgets a snapshot that was not finished, and all earlier ones.
  mutating func forget() {
    forgetCopies()
    written = []
    for model in places.indices { places[model] = -1 }
  }

  private mutating func forgetCopies() {
    copied = StateWriter()
    guard dueCount > 0 else { return }
    dueCount = 0
    for model in isDue.indices where isDue[model] {
      isDue[model] = false
      if let place = pinned.removeValue(forKey: model) { space?.release(place) }
    }
  }
}
