import Transport

/// What becomes of one thing that a process asks of the outside.
public enum Outcome: Hashable, Sendable {
  /// It is done and answered.
  case done
  /// It is not done, and the answer says so.
  case fails
  /// It is done, and the answer says that it is not.
  case lies
  /// It is done, and answered long afterwards.
  case delays
  /// It is done, and answered twice.
  case repeats
  /// Of a commit all partitions but the lead are accepted, and the answer says so.
  case tears
  /// It is done, and then the process stands still while another one is started.
  case standsStill
  /// The process ends before, in the middle of or after it.
  case dies(Moment)

  /// When a process ends.
  public enum Moment: CaseIterable, Hashable, Sendable { case before, during, after }
}

/// As the language describes it, without looking the names up: this is noted with every effect.
extension Outcome: CustomStringConvertible {
  /// The name of the case.
  public var description: String {
    switch self {
    case .done: "done"
    case .fails: "fails"
    case .lies: "lies"
    case .delays: "delays"
    case .repeats: "repeats"
    case .tears: "tears"
    case .standsStill: "standsStill"
    case .dies(let moment): "dies(Simulation.Outcome.Moment.\(moment))"
    }
  }
}

/// What kind of outside an effect concerns.
enum EffectKind {
  case diskRead, diskWrite, brokerRead, commit, produce, transaction, upload
}

/// How often what goes wrong, per effect or step of the scheduler.
struct FaultRates {
  var kill = 0.0
  var diskError = 0.0
  var brokerError = 0.0
  var answerLost = 0.0
  var answerLate = 0.0
  var answerTwice = 0.0
  var uploadError = 0.0
  var uploadLie = 0.0
  var pause = 0.0
  var rebalance = 0.0
  var restart = 0.0
  /// How often somebody sets the wall clock.
  var clock = 0.0
}

/// A fault at a certain place: the n-th effect of all, or of those whose names contain a text.
public struct ScriptedFault: Sendable {
  /// Part of the effect's name; empty for all.
  public var effect: String
  /// Which of them, from 1.
  public var occurrence: Int
  /// What becomes of it.
  public var outcome: Outcome

  /// Creates a fault.
  public init(_ effect: String = "", occurrence: Int, _ outcome: Outcome) {
    self.effect = effect
    self.occurrence = occurrence
    self.outcome = outcome
  }
}

/// What happens to the consumer group when so many records are behind the tasks.
public struct GroupChange: Sendable {
  /// What happens.
  public enum Kind: Sendable {
    /// A new generation begins for no reason.
    case rebalances
    /// Another daemon joins.
    case joins
    /// The last that joined leaves.
    case leaves
    /// The sessions of all members are over, as after a network that was away.
    case forgets
    /// The same, while a member has been asked to give up partitions and has not done so.
    case forgetsWhoGivesUp
    /// The same, while a commit is on its way.
    case forgetsWhoCommits
  }

  /// How many records, all tasks together.
  public var records: Int64
  /// What happens then.
  public var kind: Kind

  /// Creates a change.
  public init(after records: Int64, _ kind: Kind) {
    self.records = records
    self.kind = kind
  }
}

/// Records of one partition that the brokers delete when the tasks have passed so many.
public struct RecordDeletion: Sendable {
  /// How many records are behind all tasks together.
  public var records: Int64
  /// Whose records are deleted.
  public var partition: Int32
  /// The offset of the oldest record that is left.
  public var begin: Int64

  /// Creates a deletion.
  public init(after records: Int64, partition: Int32, begin: Int64) {
    self.records = records
    self.partition = partition
    self.begin = begin
  }
}

/// Whether a process lives, as everything outside sees it.
final class ProcessState: @unchecked Sendable {
  // @unchecked, here and below: a simulation runs on one thread.
  let number: Int
  var isDead = false
  /// The process stands still until then.
  var pausedUntil: Int64 = 0
  /// Whether somebody must take it for dead and start another.
  var isMissed = false
  /// Whether it is processing a record that kills it.
  var isDoomed = false
  /// Lets everybody else go on while one of its threads waits for brokers.
  var meanwhile: (() -> Void)?
  /// The notes of tasks that are processing a record under suspicion.
  var suspicions: Set<String> = []

  init(number: Int) { self.number = number }
}

/// Time, chance and the record of a simulation.
final class World: @unchecked Sendable {
  var generator: SplitMix64
  /// Milliseconds since 1970.
  var now: Int64
  /// How far the wall clocks are from that.
  var wallStep: Int64 = 0
  /// Chance does harm only while this holds.
  var isHostile = false
  let rates: FaultRates
  let poison: Poison?
  private(set) var effects = 0
  /// Everything that happened, as one number.
  private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
  /// Everything that happened, as text, when asked for.
  var lines: [String]?
  /// What must never happen.
  private(set) var violations: [String] = []
  private var scripted: [(fault: ScriptedFault, seen: Int)]

  init(
    seed: UInt64, now: Int64, rates: FaultRates, scripted: [ScriptedFault], poison: Poison?
  ) {
    self.poison = poison
    generator = SplitMix64(seed: seed)
    self.now = now
    self.rates = rates
    self.scripted = scripted.map { ($0, 0) }
  }

  /// Puts something on the record.
  func note(_ text: @autoclosure () -> String) {
    var text = text()
    let before = digest
    let told = text.withUTF8 { bytes in
      bytes.reduce(before) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
    digest = (told ^ UInt64(bitPattern: now)) &* 0x100_0000_01B3
    lines?.append("\(now % 100_000_000) \(text)")
  }

  /// Says what must never happen.
  func violate(_ text: String) {
    note("VIOLATION \(text)")
    violations.append(text)
  }

  /// Whether something of this probability happens, while the world is hostile.
  func happens(_ rate: Double) -> Bool {
    guard isHostile, rate > 0 else { return false }
    return generator.chance(rate)
  }

  /// What becomes of an effect of a living process.
  func outcome(of name: String, _ kind: EffectKind, by process: ProcessState) -> Outcome {
    effects += 1
    let outcome =
      process.isDoomed ? .dies(.before) : scriptedOutcome(name) ?? drawn(kind, name)
    note("\(process.number) \(name) \(outcome)")
    if case .dies = outcome { process.isDead = true }
    guard outcome == .standsStill else { return outcome }
    process.pausedUntil = now + 60_000
    process.isMissed = true
    return .done
  }

  private func scriptedOutcome(_ name: String) -> Outcome? {
    var found: Outcome?
    for index in scripted.indices
    where scripted[index].fault.effect.isEmpty || name.contains(scripted[index].fault.effect) {
      scripted[index].seen += 1
      if scripted[index].seen == scripted[index].fault.occurrence {
        found = scripted[index].fault.outcome
      }
    }
    return found
  }

  private func drawn(_ kind: EffectKind, _ name: String) -> Outcome {
    // Whoever is killed twice at one record by chance would have it passed over.
    if !name.hasSuffix("/attempts"), happens(rates.kill) {
      return .dies(Outcome.Moment.allCases[generator.below(3)])
    }
    switch kind {
    case .diskRead: return happens(rates.diskError / 4) ? .fails : .done
    case .diskWrite:
      if happens(rates.diskError) { return generator.chance(0.5) ? .fails : .lies }
      return .done
    case .brokerRead: return happens(rates.brokerError) ? .fails : .done
    case .commit:
      if happens(rates.brokerError) { return .fails }
      if happens(rates.answerLost) { return .lies }
      if happens(rates.answerLate) { return .delays }
      return happens(rates.answerTwice) ? .repeats : .done
    case .produce, .transaction:
      if happens(rates.brokerError) { return .fails }
      return happens(rates.answerLost) ? .lies : .done
    case .upload:
      if happens(rates.uploadError) { return .fails }
      return happens(rates.uploadLie) ? .lies : .done
    }
  }
}

extension SplitMix64 {
  mutating func chance(_ probability: Double) -> Bool {
    Double.random(in: 0..<1, using: &self) < probability
  }

  mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
}
