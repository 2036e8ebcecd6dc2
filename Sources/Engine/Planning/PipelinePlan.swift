import Codecs
public import Columns
import Delivery
import Kafka
public import StreamSQL

/// A pipeline that was found correct: what the engine runs.
public struct PipelinePlan: Sendable {
  /// The configuration.
  public let configuration: PipelineConfiguration
  /// The inputs in order: source i of the application.
  public let inputs: [InputPlan]
  /// The reference tables in order: the first tables of the application.
  public let tables: [TablePlan]
  /// The application.
  public let application: Plan
  /// The outputs in order, the dead letters last.
  let outputs: [OutputPlan]
  /// What is trained for the application's endpoints.
  let models: [ModelPlan]
  /// How the input is shared between tasks.
  public let parallelism: Parallelism
  /// Names everything that outputs and state depend on.
  package let fingerprint: String
  /// The same as states of earlier versions have it.
  package let formerFingerprint: String

  /// How the input of a pipeline is shared between tasks.
  public enum Parallelism: Hashable, Sendable {
    /// Task i reads partition i of every input.
    case partitionParallel(reason: String)
    /// One task merges all partitions.
    case single(reason: String)
  }

  /// How many tasks it has, on all daemons, when its topics have so many partitions each.
  func taskCount(_ counts: [Int]) -> Int {
    switch parallelism {
    case .single: 1
    case .partitionParallel: counts[0]
    }
  }

  /// The partitions of a task in merge order with their inputs, when its topics have so many each; the
  /// first is the lead.
  func partitions(
    ofTask number: Int, counts: [Int]
  ) -> [(partition: TopicPartition, input: Int)] {
    var all: [(partition: TopicPartition, input: Int)] = []
    for (input, inputPlan) in inputs.enumerated() {
      let numbers =
        switch parallelism {
        case .single: Array(0..<counts[input])
        case .partitionParallel: [number]
        }
      for number in numbers {
        all.append((TopicPartition(topic: inputPlan.topic, partition: Int32(number)), input))
      }
    }
    return all
  }

  /// Whether this pipeline has made the state of a snapshot, and would go on with it just so.
  package func hasMade(_ snapshot: Snapshot) -> Bool {
    snapshot.fingerprint == fingerprint || snapshot.fingerprint == formerFingerprint
  }

  /// The columns of the application's sources: the inputs, then the streams of late rows.
  var sourceSchemas: [Schema] {
    inputs.map(\.schema)
      + inputs.filter { $0.eventTime?.lateSource != nil }.map { Planner.lateSchema($0.schema) }
  }

  /// Whether rows or dead letters go to a topic.
  package var hasTopicOutput: Bool {
    outputs.contains { if case .kafka = $0.kind { true } else { false } }
  }

  /// The index of the dead-letter output.
  var deadLetterOutput: Int { outputs.count - 1 }

  /// Where dead letters go: `file://…`, `s3://…`.
  public var deadLetterDestination: String {
    switch outputs[deadLetterOutput].kind {
    case .delivery(let delivery): return delivery.settings.destination
    case .kafka(let plan): return "kafka://\(plan.settings.topic)"
    case .webhook: preconditionFailure("the planner sends no dead letters to webhooks")
    }
  }
}

/// A topic as a source of the application.
public struct InputPlan: Sendable {
  /// The topic.
  public let topic: String
  /// The declared columns, and the metadata columns that the application names.
  public let schema: Schema
  let format: RecordFormat
  let start: PipelineConfiguration.StartPosition
  let gapPolicy: PipelineConfiguration.GapPolicy
  /// The column that gives ROWTIME, in place of the record's time.
  var eventTime: EventTimePlan?
}

/// A column of an input that gives ROWTIME.
struct EventTimePlan: Hashable, Sendable {
  /// The column; its values are milliseconds since 1970.
  let column: Int
  /// How far behind the greatest time a row may come, milliseconds.
  let lateness: Int64
  /// The application's source of the rows that come later.
  var lateSource: Int?
}

/// A reference table of the application and where its rows come from.
public struct TablePlan: Sendable {
  let settings: ReferenceTableSettings
  /// The declared columns.
  public let schema: Schema
  /// The same, the column that holds the record's key set apart.
  let decodingSchema: Schema
  let format: RecordFormat
  /// The column that holds the key of a topic's record.
  var keyColumn: Int?
}

/// Where the rows of a stream of the application go.
struct OutputPlan: Sendable {
  /// What happens to rows.
  enum Kind: Sendable {
    case delivery(DeliveryPlan)
    case webhook(WebhookPlan)
    case kafka(TopicPlan)
  }

  /// Unique within the pipeline: the stream, with a number from the second output of a stream on.
  let name: String
  /// The stream.
  let stream: String
  /// Its columns.
  let schema: Schema
  let kind: Kind
}

/// A topic that takes rows.
struct TopicPlan: Sendable {
  let settings: TopicSettings
  /// The column that is the key of records.
  var keyColumn: Int?
}

/// A delivery stream that was found correct.
struct DeliveryPlan: Sendable {
  let settings: DeliverySettings
  let destination: DestinationURL
  let hints: BufferingHints
  let naming: ObjectNaming
  let compression: Compression
  /// The columns of the partition keys in the order of the prefix.
  var partitionColumns: [Int] = []
  /// The format of the files, when they are Parquet.
  var parquet: ParquetFormat?
  /// Where records go that are not taken; nil for destinations that take everything.
  var backup: BackupPlan?

  init(
    settings: DeliverySettings, destination: DestinationURL, hints: BufferingHints,
    naming: ObjectNaming, compression: Compression
  ) {
    self.settings = settings
    self.destination = destination
    self.hints = hints
    self.naming = naming
    self.compression = compression
  }

  var includesID: Bool { settings.includesID }

  var isEndpoint: Bool { if case .httpEndpoint = destination { true } else { false } }

  /// Whether records are sent one by one.
  var keepsRecordEnds: Bool { isEndpoint || settings.transform != nil }
}

/// Where records go that a delivery's destination does not take.
struct BackupPlan: Sendable {
  let settings: BackupSettings
  let destination: DestinationURL
  let naming: ObjectNaming
}

/// An alert webhook whose columns were found.
struct WebhookPlan: Sendable {
  /// A value of an alert.
  struct Field: Sendable {
    let name: String
    let column: Int
  }

  let settings: WebhookSettings
  var entityColumns: [Int] = []
  /// Every column once, the named ones first.
  var fields: [Field] = []
  var valueColumn: Int?
  var actualColumn: Int?
  var expectedColumn: Int?

  init(settings: WebhookSettings) { self.settings = settings }

  /// Gives every column that `values` does not name its name in alerts: the role of what the rule
  /// compares and of columns that are known, otherwise the column's own.
  mutating func nameColumns(of schema: Schema) {
    nameColumn(actualColumn, .actual)
    nameColumn(expectedColumn, .expected)
    for role in AlertRole.allCases {
      for column in role.columns { nameColumn(schema.index(of: column), role) }
    }
    // What is compared with a threshold and is no score is what was measured.
    nameColumn(valueColumn, .actual)
    let named = Set(fields.map(\.column))
    for (index, definition) in schema.columns.enumerated() where !named.contains(index) {
      // A column that has the name of a role which another one took keeps apart from it.
      let isTaken = fields.contains { $0.name == definition.name }
      let name = isTaken ? "column_\(definition.name)" : definition.name
      fields.append(Field(name: name, column: index))
    }
  }

  private mutating func nameColumn(_ column: Int?, _ role: AlertRole) {
    guard let column,
      !fields.contains(where: { $0.column == column || $0.name == role.rawValue })
    else { return }
    fields.append(Field(name: role.rawValue, column: column))
  }
}
