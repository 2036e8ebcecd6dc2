import ArgumentParser
import Columns
import Delivery
import Engine
import Foundation
import Kafka
import Transport

/// `cutbank dlq`: the records that could not be decoded, scored or delivered.
struct DeadLetterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dlq",
    abstract: "List, show and replay records that could not be processed.",
    discussion: """
      Dead letters lie in the pipeline's dead-letter folder, DATA_DIRECTORY/PIPELINE/dead-letters \
      unless the pipeline says otherwise, one JSON line each with the bytes, topic, partition, offset \
      and reason.
      """,
    subcommands: [
      DeadLetterListCommand.self, DeadLetterShowCommand.self, DeadLetterReplayCommand.self,
    ])
}

/// Which dead letters a command is about.
struct DeadLetterOptions: ParsableArguments {
  @Argument(help: "The pipeline file.") var pipeline: String
  @Option(help: "Read this folder instead of the pipeline's.") var folder: String?
  @Option(help: "Only this error code, for example Json.Malformed.") var errorCode: String?
  @Option(help: "Only this stage, for example decode.") var stage: String?
  @Option(help: "Only the letter of this id, TOPIC-PARTITION-OFFSET-N.") var id: String?
  @OptionGroup var options: PipelineOptions

  /// The pipeline; `brokersRequired` refuses one without brokers.
  func plan(brokersRequired: Bool = false) throws -> PipelinePlan {
    let (plans, _) = try PipelineFiles.plans(
      [pipeline], daemon: try options.daemon(), brokersRequired: brokersRequired)
    return plans[0]
  }

  func letters(_ plan: PipelinePlan) throws -> [DeadLetter] {
    let source = try folder.map { DeadLetterFolder(path: $0) } ?? DeadLetterFolder(plan)
    return try source.letters().filter { letter in
      (errorCode == nil || letter.errorCode == errorCode)
        && (stage == nil || letter.stage == stage) && (id == nil || letter.dataId == id)
    }
  }
}

/// `cutbank dlq list`: how many letters there are of each kind.
struct DeadLetterListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Count dead letters by stage, error and topic.")

  @OptionGroup var selection: DeadLetterOptions

  func run() throws {
    let letters = try selection.letters(try selection.plan())
    let groups = Dictionary(grouping: letters) { letter in
      [letter.stage, letter.errorCode, letter.topic ?? "-"]
    }
    var rows = [["STAGE", "ERROR", "TOPIC", "RECORDS", "OLDEST", "NEWEST"]]
    for (kind, members) in groups.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      let times = members.map(\.arrivalTimestamp)
      rows.append(
        kind + ["\(members.count)", Self.moment(times.min()), Self.moment(times.max())])
    }
    try Output.write(Self.table(rows))
    Output.note("\(letters.count) dead letters")
  }

  static func moment(_ milliseconds: Int64?) -> String {
    milliseconds.map { "\(CivilTime(milliseconds: $0))" } ?? "-"
  }

  private static func table(_ rows: [[String]]) -> String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
      let line = cells.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
    }.joined()
  }
}

/// `cutbank dlq show`: the letters themselves.
struct DeadLetterShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Print dead letters with their reasons and bytes.")

  @OptionGroup var selection: DeadLetterOptions
  @Option(help: "At most so many, the newest.") var limit = 20

  func validate() throws {
    guard limit > 0 else { throw ValidationError("--limit must be positive") }
  }

  func run() throws {
    let letters = try selection.letters(try selection.plan())
    for letter in letters.suffix(limit) { try Output.write(Self.text(letter)) }
    Output.note("\(min(limit, letters.count)) of \(letters.count) dead letters")
  }

  private static func text(_ letter: DeadLetter) -> String {
    let bytes = letter.bytes ?? []
    let body =
      String(validating: bytes, as: UTF8.self).map { "\($0.prefix(2_000))" }
      ?? "base64 \(letter.rawData.prefix(2_000))"
    var lines = [
      "\(letter.dataId)  \(DeadLetterListCommand.moment(letter.arrivalTimestamp))",
      "  \(letter.place), stage \(letter.stage)", "  \(letter.reason)",
    ]
    if let key = letter.keyBytes { lines.append("  key: \(String(decoding: key, as: UTF8.self))") }
    lines.append("  \(bytes.count) bytes: \(body)")
    return lines.joined(separator: "\n") + "\n"
  }
}

/// `cutbank dlq replay`: the records back into their topics.
struct DeadLetterReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Produce dead letters to their topics again.",
    discussion: """
      Each record is produced with its key and bytes to the topic it came from, or to --topic, with the \
      header cutbank-replay-of naming it. What was replayed is noted in the folder and left out the next \
      time, unless --again is given. A crash in between repeats at most 500 records, with the same header.
      """)

  @OptionGroup var selection: DeadLetterOptions
  @Option(help: "Produce to this topic.") var topic: String?
  @Flag(help: "Replay what was replayed before, too.") var again = false
  @Flag(help: "Only say what would be done.") var dryRun = false

  func run() throws {
    let plan = try selection.plan(brokersRequired: !dryRun)
    let folder = try selection.folder.map { DeadLetterFolder(path: $0) } ?? DeadLetterFolder(plan)
    var ledger = try ReplayLedger(folder: folder.path)
    let all = try selection.letters(plan)
    let letters = all.filter { again || !ledger.contains($0.dataId) }
    let homeless = letters.filter { topic == nil && $0.topic == nil }
    guard homeless.isEmpty else {
      throw Failure(
        message: "\(homeless.count) dead letters are rows that came from no topic, the first is "
          + homeless[0].dataId, hint: "choose others with --stage, or name a topic with --topic")
    }
    if dryRun {
      for letter in letters { try Output.write("\(letter.dataId) -> \(target(letter))\n") }
    } else {
      try produce(letters, plan, &ledger)
    }
    let verb = dryRun ? "would be replayed" : "replayed"
    Output.note("\(letters.count) \(verb), \(all.count - letters.count) were replayed before")
  }

  private func target(_ letter: DeadLetter) -> String { topic ?? letter.topic ?? "" }

  private func produce(
    _ letters: [DeadLetter], _ plan: PipelinePlan, _ ledger: inout ReplayLedger
  ) throws {
    let kafka = plan.configuration.kafka
    let producer = try Producer(
      ProducerConfiguration(brokers: kafka.brokers, properties: kafka.producerProperties),
      logger: LogLevel("warning").logger("cutbank"))
    var topics: [String: ProducerTopic] = [:]
    var start = 0
    // Noted in small steps, so that an end in between repeats few.
    while start < letters.count {
      let batch = letters[start..<min(start + Self.notedAtOnce, letters.count)]
      for letter in batch { try send(letter, producer, &topics) }
      var problem: String?
      do {
        try producer.flush(timeout: .seconds(60))
        let failed = producer.failed
        if failed > 0 { problem = "\(failed) of \(batch.count) records were refused" }
      } catch {
        problem = "\(kafka.brokers) did not take \(batch.count) records within 60 s: \(error)"
      }
      if let problem {
        throw Failure(
          message: "\(problem); the \(start) before them were delivered",
          hint: "check the topic and the brokers; only those before are noted as replayed",
          code: Outcome.temporary)
      }
      try ledger.add(batch.map(\.dataId))
      start = batch.endIndex
    }
  }

  private static let notedAtOnce = 500

  private func send(
    _ letter: DeadLetter, _ producer: Producer, _ topics: inout [String: ProducerTopic]
  ) throws {
    guard let bytes = letter.bytes else {
      throw Failure(message: "dead letter \(letter.dataId): rawData is not base64")
    }
    let name = target(letter)
    let opened = try topics[name] ?? producer.topic(name)
    topics[name] = opened
    let header = RecordHeader(name: "cutbank-replay-of", value: Array(letter.dataId.utf8))
    try producer.produce(
      to: opened, key: letter.keyBytes, value: bytes, headers: [header], timeout: .seconds(30))
  }
}

/// Which letters of a folder were replayed, a line each in a hidden file beside them.
struct ReplayLedger {
  private let file: String
  private var ids: Set<String>
  /// Whether the last line was cut short by the end of an earlier command.
  private var isCut: Bool

  init(folder: String) throws {
    file = folder + "/.replayed"
    let data = FileManager.default.contents(atPath: file) ?? Data()
    isCut = data.last.map { $0 != UInt8(ascii: "\n") } ?? false
    ids = Set(String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init))
  }

  func contains(_ id: String) -> Bool { ids.contains(id) }

  mutating func add(_ new: [String]) throws {
    ids.formUnion(new)
    let text = (isCut ? "\n" : "") + new.map { $0 + "\n" }.joined()
    do {
      if !FileManager.default.fileExists(atPath: file) {
        try Data().write(to: URL(fileURLWithPath: file))
      }
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
      try handle.seekToEnd()
      try handle.write(contentsOf: Data(text.utf8))
      try handle.synchronize()
      try handle.close()
      isCut = false
    } catch {
      throw Failure(
        message: "the records were replayed, but \(file) could not be written: \(error)",
        hint: "a second replay will repeat them")
    }
  }
}
