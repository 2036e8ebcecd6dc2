import Engine

/// What the tasks of one process let be done beside their workers; a piece is done when the scheduler
/// says so.
final class ProcessWork: @unchecked Sendable {
  /// One of its threads.
  final class Line: BackgroundWork, @unchecked Sendable {
    fileprivate var waiting: [@Sendable () -> Void] = []
    fileprivate let name: String
    private let note: () -> Void

    fileprivate init(_ name: String, note: @escaping () -> Void) {
      self.name = name
      self.note = note
    }

    func perform(_ work: @escaping @Sendable () -> Void) { waiting.append(work) }

    fileprivate func step() -> Bool {
      guard !waiting.isEmpty else { return false }
      note()
      waiting.removeFirst()()
      return true
    }
  }

  private let world: World
  /// Whether there is one task at a time.
  private let isSingle: Bool
  private var lines: [Line] = []

  init(world: World, isSingle: Bool) {
    self.world = world
    self.isSingle = isSingle
  }

  /// Makes a thread; one that stores the state of a task begins when that of its predecessor is done.
  func makeLine(_ name: String) -> any BackgroundWork {
    let isLate = lines.contains { $0.name == name && !$0.waiting.isEmpty }
    if isSingle, ["journal", "snapshots"].contains(name), isLate {
      world.violate("a task begins while \(name) of the one before is under way")
    }
    let line = Line(name, note: { [world] in world.note("work for \(name)") })
    lines.append(line)
    return line
  }

  /// Does one piece; returns whether there was one.
  func step() -> Bool {
    let busy = lines.filter { !$0.waiting.isEmpty }
    guard !busy.isEmpty else { return false }
    return busy[world.generator.below(busy.count)].step()
  }

  /// The process is gone, and with it what it had not done.
  func end() {
    for line in lines { line.waiting = [] }
  }
}
