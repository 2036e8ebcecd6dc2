public import Columns
public import Dataflow

/// One pipeline as its file describes it, defaults filled in.
public struct PipelineConfiguration: Sendable {
  /// The file that was read.
  public var file: String
  /// The file's text before environment variables were put in; safe to keep in a snapshot.
  public var sourceText: String
  /// The pipeline's name; part of object names, group ids and state paths.
  public var name: String
  /// Where the SQL stands, for messages: a file, or the pipeline file itself.
  public var applicationFile: String
  /// The SQL text.
  public var application: String
  /// Where an inline program stands in its file: lines above it, and columns of indentation.
  public var applicationOffset = (lines: 0, columns: 0)
  /// The Kafka topics that are read, each as one in-application stream.
  public var inputs: [Input]
  /// The tables that the application may join its streams to.
  public var referenceTables: [ReferenceTableSettings] = []
  /// Where in-application streams go.
  public var outputs: [Output]
  /// Connection settings, the pipeline's over the daemon's.
  public var kafka: KafkaSettings
  /// The consumer group.
  public var group: String
  /// Seeds every random generator of the pipeline.
  public var seed: UInt64
  /// What is promised to outputs.
  public var guarantee: Guarantee
  /// Time limits and intervals of the task.
  public var timing: Timing
  /// Where records go that cannot be decoded or scored; nil for the folder below the state.
  public var deadLetter: DeliverySettings?
  /// Options of the SQL dialect.
  public var sql: SQLSettings
  /// What each task may hold.
  public var limits = DataflowLimits()
  /// When too many bad records pause the pipeline.
  public var circuitBreaker = CircuitBreakerSettings()
  /// Where snapshots and journal are kept.
  public var stateStore = StateStore.directory
  /// What a task without state reads before its start to teach its detectors.
  public var history: History?
  /// What is trained for the application's endpoints.
  public var models: [ModelConfiguration] = []
  /// Pumps whose forests begin with one that was trained before.
  public var forestSeeds: [ForestSeed] = []

  /// A pump whose forests do not begin empty.
  public struct ForestSeed: Sendable {
    /// The pump, as the application names it.
    public var pump: String
    /// The endpoint that serves the trained forest.
    public var endpoint: String
    /// Where the file says so.
    public var place = Place()
  }

  /// Whether rows of a stream go to a topic, whose readers wait for the next commit.
  var hasTopicOutput: Bool {
    outputs.contains { if case .kafka = $0.kind { true } else { false } }
  }

  /// How far back a task without state begins; what it reads there reaches no output.
  public enum History: Hashable, Sendable {
    /// So many records of each partition.
    case records(Int64)
    /// So many milliseconds.
    case duration(Int64)
  }

  /// What is promised to outputs.
  public enum Guarantee: String, Sendable {
    case exactlyOnce = "exactly_once"
    case atLeastOnce = "at_least_once"
  }

  /// Options of the SQL dialect.
  public struct SQLSettings: Hashable, Sendable {
    /// Accepts functions that the original refused.
    public var extensions = false
  }

  /// Durations in milliseconds.
  public struct Timing: Hashable, Sendable {
    /// After this long without a record, time goes on without it.
    public var idleTimeout: Int64 = 10_000
    /// How long a merge waits for a partition that has unread records.
    public var mergeWait: Int64 = 1_000
    /// How far a record may lie ahead of the clock.
    public var maxFuture: Int64 = 3_600_000
    /// At most this long between two snapshots.
    public var snapshotInterval: Int64 = 60_000
    /// At most this many records between two snapshots.
    public var snapshotRecords: Int64 = 500_000
    /// How long between two commits.
    public var commitInterval: Int64 = 1_000
    /// Whether the interval between commits follows how long they take, within 25 to 100 ms.
    public var adaptsCommitInterval = false
    /// Creates the defaults.
    public init() {}
  }

  /// A Kafka topic read as a stream.
  public struct Input: Sendable {
    /// The in-application stream's name, as SQL must write it.
    public var stream: String
    /// The topic.
    public var topic: String
    /// Where a group without commits begins.
    public var start: StartPosition
    /// What happens when records were deleted before they were read.
    public var gapPolicy = GapPolicy.stop
    /// How the bytes of a record become columns.
    public var format: Format
    /// The column that holds the Kafka record key, if declared.
    public var key: String?
    /// The declared columns in order.
    public var columns: [InputColumn]
    /// The column that gives ROWTIME, in place of the record's time.
    public var eventTime: EventTime?
  }

  /// A column that gives ROWTIME.
  public struct EventTime: Hashable, Sendable {
    /// The column's name.
    public var column: String
    /// How far behind the greatest time a row may come, milliseconds.
    public var lateness: Int64
    /// The stream of the rows that come later; nil when they go to the dead letters.
    public var lateStream: String?
  }

  /// A declared column of an input.
  public struct InputColumn: Sendable {
    /// Name, type and nullability.
    public var definition: ColumnDefinition
    /// The JSONPath, for JSON; `$.name` when not given.
    public var path: String?
  }

  /// How the bytes of a record become columns.
  public enum Format: Hashable, Sendable {
    /// JSON documents; `rowPath` sets the root of the rows.
    case json(rowPath: String?)
    /// Delimited text; columns by position.
    case csv(columnDelimiter: String, rowDelimiter: String)
  }

  /// Where snapshots and journal are kept.
  public enum StateStore: String, Sendable {
    /// In a folder below the data directory.
    case directory
    /// In two topics, so that any daemon of the group can go on.
    case topics
  }

  /// What happens when records were deleted before they were read.
  public enum GapPolicy: String, Sendable {
    /// The pipeline stops and says how many are lost.
    case stop
    /// It counts them and goes on with the oldest record that is left.
    case earliest
    /// It counts them and goes on after the newest record.
    case latest
  }

  /// Where a group without commits begins.
  public enum StartPosition: Hashable, Sendable {
    case earliest
    case latest
    /// The first record at or after a moment, milliseconds since 1970.
    case timestamp(Int64)
    /// An offset per partition; partitions that are not named begin at the earliest.
    case offsets([Int32: Int64])
  }

  /// Where one in-application stream goes.
  public struct Output: Sendable {
    /// The stream's name.
    public var stream: String
    /// What happens to its rows.
    public var kind: Kind
    /// Where the output stands in its file, for messages.
    public var place = Place()

    /// What happens to the rows of a stream.
    public enum Kind: Sendable {
      case delivery(DeliverySettings)
      case webhook(WebhookSettings)
      case kafka(TopicSettings)
    }
  }
}

/// Where rows go that become records of a topic.
public struct TopicSettings: Hashable, Sendable {
  /// The topic.
  public var topic: String
  /// The column whose text is the record's key, which decides the partition; nil for records without key.
  public var key: String?
  /// Whether rows carry the id that never changes between attempts.
  public var includesID = false

  /// Creates settings for records without key.
  public init(topic: String) {
    self.topic = topic
  }
}

/// When bad records pause a task: over `percent` of at least `records` within a minute.
public struct CircuitBreakerSettings: Hashable, Sendable {
  /// The share that is still tolerated, 0 to 100; 100 never pauses.
  public var percent: Int64 = 50
  /// How many records must have been read.
  public var records: Int64 = 100

  /// Creates the defaults.
  public init() {}
}

/// A place in a file, from 1; 0 when it is not known.
public struct Place: Hashable, Sendable {
  /// The line.
  public var line = 0
  /// The column.
  public var column = 0

  /// Creates a place that is not known.
  public init() {}
}

/// How Kafka is reached; names are librdkafka's.
public struct KafkaSettings: Hashable, Sendable {
  /// `bootstrap.servers`, empty when not set.
  public var brokers: String
  /// Any other property of librdkafka.
  public var properties: [String: String]

  /// Creates settings.
  public init(brokers: String = "", properties: [String: String] = [:]) {
    self.brokers = brokers
    self.properties = properties
  }

  /// The properties that a producer takes; those of the consumer would be refused.
  public var producerProperties: [String: String] {
    let shared = ["security.", "sasl.", "ssl.", "socket.", "broker.", "client.", "metadata."]
    let prefixes = shared + Self.producerOnly + ["retry.backoff.ms"]
    return properties.filter { property, _ in prefixes.contains { property.hasPrefix($0) } }
  }

  /// The properties that a consumer takes.
  public var consumerProperties: [String: String] {
    properties.filter { property, _ in !Self.producerOnly.contains { property.hasPrefix($0) } }
  }

  private static let producerOnly = [
    "acks", "batch.", "compression.", "linger.", "message.timeout.ms", "queue.buffering.",
    "request.required.acks", "transaction.timeout.ms",
  ]

  /// These settings with those of `other` over them.
  public func overridden(by other: KafkaSettings) -> KafkaSettings {
    KafkaSettings(
      brokers: other.brokers.isEmpty ? brokers : other.brokers,
      properties: properties.merging(other.properties) { $1 })
  }
}
