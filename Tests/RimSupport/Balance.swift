/// What a task has counted since its birth, as `cutbank state inspect` prints it of a snapshot; or the
/// sum over several tasks.
public struct Balance: Hashable, Sendable, CustomStringConvertible {
  /// What became of the rows of one output.
  public struct Output: Hashable, Sendable {
    public var rows = 0
    public var delivered = 0
    public var deadLettered = 0
    public var inFlight = 0
  }

  /// How many tasks are summed up.
  public private(set) var tasks = 0
  public private(set) var polled = 0
  public private(set) var decoded = 0
  public private(set) var deadLettered = 0
  public private(set) var skipped = 0
  /// Records that were deleted before they were polled.
  public private(set) var lost = 0
  /// Rows that came behind the watermark of their event time.
  public private(set) var late = 0
  /// In the order of the configuration, the dead letters last.
  public private(set) var outputs: [Output] = []
  /// What is unaccounted for, or could not be read.
  public private(set) var problems: [String] = []

  /// Nothing was counted yet.
  public init() {}

  /// Reads the newest snapshot of what is printed of one task.
  public init(inspection lines: [String]) {
    let snapshots = lines.indices.filter { lines[$0].hasPrefix("snapshot-") }
    guard
      let newest = snapshots.max(by: { Self.numbers(lines[$0])[0] < Self.numbers(lines[$1])[0] })
    else {
      problems.append("there is no snapshot: \(lines)")
      return
    }
    tasks = 1
    let end = snapshots.first { $0 > newest } ?? lines.count
    let told = lines[newest..<end]
    for line in told { read(line) }
    if outputs.isEmpty || !told.contains(where: { $0.contains(" polled = ") }) {
      problems.append("there are no balances: \(lines)")
    }
  }

  private static func numbers(_ line: String) -> [Int] {
    line.matches(of: /\d+/).compactMap { Int($0.output) }
  }

  /// Takes the numbers of a line and looks whether both sides are equal.
  private mutating func read(_ line: String) {
    // The name may hold numbers of its own.
    let name = line.split(separator: ": ").first.map { String($0.drop { $0 == " " }) } ?? ""
    let counted = Self.numbers(String(line.dropFirst(line.prefix { $0 == " " }.count + name.count)))
    var isEven = true
    if line.contains(" polled = "), counted.count == 4 {
      polled = counted[0]
      decoded = counted[1]
      deadLettered = counted[2]
      skipped = counted[3]
      isEven = polled == decoded + deadLettered + skipped
    } else if line.contains(" lost before "), let count = counted.first {
      lost = count
    } else if line.contains(" behind the watermark"), let count = counted.first {
      late = count
    } else if name.hasPrefix("output "), counted.count == 4 {
      let output = Output(
        rows: counted[0], delivered: counted[1], deadLettered: counted[2], inFlight: counted[3])
      isEven = output.rows == output.delivered + output.deadLettered + output.inFlight
      outputs.append(output)
    } else if line.hasSuffix(" absorbed"), counted.count == 6 {
      // Those that make rows of their own absorb what enters.
      let left = counted[2...].reduce(0, +)
      isEven = counted[0] == left || counted[0] == left + counted[1]
    }
    if !isEven || line.contains("UNEVEN") { problems.append(line) }
  }

  /// Adds another task of the pipeline.
  public mutating func add(_ other: Balance) {
    tasks += other.tasks
    polled += other.polled
    decoded += other.decoded
    deadLettered += other.deadLettered
    skipped += other.skipped
    lost += other.lost
    late += other.late
    problems += other.problems
    let missing = max(0, other.outputs.count - outputs.count)
    outputs += Array(repeating: Output(), count: missing)
    for (index, output) in other.outputs.enumerated() {
      outputs[index].rows += output.rows
      outputs[index].delivered += output.delivered
      outputs[index].deadLettered += output.deadLettered
      outputs[index].inFlight += output.inFlight
    }
  }

  /// `12 polled = 10 decoded + 1 dead-lettered + 1 skipped; 10 rows = 10 delivered; …`.
  public var description: String {
    let records = Self.sum([(decoded, "decoded"), (deadLettered, "refused"), (skipped, "skipped")])
    var text = "\(polled) polled = \(records)"
    if lost > 0 { text += ", \(lost) lost" }
    if late > 0 { text += ", \(late) late" }
    for output in outputs.dropLast() {
      let parts = [
        (output.delivered, "delivered"), (output.deadLettered, "refused"),
        (output.inFlight, "in flight"),
      ]
      text += "; \(output.rows) rows = \(Self.sum(parts))"
    }
    if let letters = outputs.last, letters.rows > 0 { text += "; \(letters.rows) dead letters" }
    return text
  }

  /// The parts of a sum that are not nothing; the first one always.
  private static func sum(_ parts: [(count: Int, name: String)]) -> String {
    parts.enumerated().filter { $0.offset == 0 || $0.element.count > 0 }
      .map { "\($0.element.count) \($0.element.name)" }.joined(separator: " + ")
  }
}
