/// Settings of the daemon: `cutbank.yaml`, environment, flags.
///
/// Precedence: default < file < `CUTBANK_SECTION__KEY` < flag.
public struct DaemonConfiguration: Sendable {
  /// How Kafka is reached when a pipeline does not say.
  public var kafka = KafkaSettings()
  /// Where state, outbox and dead letters live.
  public var dataDirectory = "./data"
  /// How long a SIGTERM may take, milliseconds.
  public var shutdownTimeout: Int64 = 60_000
  /// How much of the dead letters in the data directory is kept.
  public var deadLetters = DeadLetterRetention.Limits()
  /// The least severe level that is logged.
  public var logLevel = "info"
  /// How often the log tells what pipelines do, milliseconds; 0 is never.
  public var statusInterval: Int64 = 60_000

  /// The program whose command `train` trains models: this one.
  public var program = "/proc/self/exe"

  /// Where the model registry lives when it is not below the data directory: daemons of a group share
  /// one, and have a data directory each.
  public var registryDirectory: String?

  /// Where the model registry lives.
  public var registryFolder: String { registryDirectory ?? dataDirectory + "/models" }

  /// Creates the defaults.
  public init() {}

  /// Reads settings from a file's text, then from environment variables.
  ///
  /// - Throws: `ConfigurationRefused` with every problem.
  public init(file: String?, text: String?, environment: [String: String]) throws {
    self.init()
    var problems: [ConfigurationProblem] = []
    if let file, let text {
      let reader = ConfigurationReader(file: file, text: text, environment: environment)
      if let root = reader.root(text) { read(root) }
      problems = reader.problems
    }
    problems += read(environment)
    if problems.contains(where: { $0.severity == .error }) {
      throw ConfigurationRefused(problems: problems)
    }
  }

  private mutating func read(_ root: MappingReader) {
    if let mapping = root.mapping("kafka") { kafka = KafkaParser.parse(mapping) }
    dataDirectory = root.string("data_directory") ?? dataDirectory
    registryDirectory = root.string("registry_directory") ?? registryDirectory
    shutdownTimeout = root.duration("shutdown_timeout", in: 0...3_600_000) ?? shutdownTimeout
    if let kept = root.mapping("dead_letters") {
      deadLetters.age = kept.duration("max_age", in: 0...(3_660 * 86_400_000)) ?? deadLetters.age
      deadLetters.bytes = kept.size("max_size", in: 0...(1 << 50)) ?? deadLetters.bytes
      kept.finish()
    }
    if let log = root.mapping("log") {
      logLevel = log.choice("level", Self.levels.map { ($0, $0) }) ?? logLevel
      statusInterval = log.duration("status", in: 0...86_400_000) ?? statusInterval
      log.finish()
    }
    root.finish()
  }

  static let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

  private mutating func read(_ environment: [String: String]) -> [ConfigurationProblem] {
    var problems: [ConfigurationProblem] = []
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
      guard name.hasPrefix("CUTBANK_"), name.contains("__") || Self.plainNames.contains(name) else {
        continue
      }
      let key = name.dropFirst("CUTBANK_".count)
      if key.hasPrefix("KAFKA__") {
        let property = key.dropFirst("KAFKA__".count).lowercased().replacing("_", with: ".")
        if property == "brokers" {
          kafka.brokers = value
        } else {
          kafka.properties[property] = value
        }
      } else if key == "DATA_DIRECTORY" {
        dataDirectory = value
      } else if key == "REGISTRY_DIRECTORY" {
        registryDirectory = value
      } else if key == "SHUTDOWN_TIMEOUT", let parsed = Quantity.milliseconds(value) {
        shutdownTimeout = parsed
      } else if key == "LOG__STATUS", let parsed = Quantity.milliseconds(value) {
        statusInterval = parsed
      } else if key == "LOG__LEVEL", Self.levels.contains(value) {
        logLevel = value
      } else {
        problems.append(
          ConfigurationProblem(
            file: "environment", message: "\(name)='\(value)' is no setting or has a wrong value",
            hint: "settings: CUTBANK_KAFKA__BROKERS, CUTBANK_KAFKA__<PROPERTY>, "
              + "CUTBANK_DATA_DIRECTORY, CUTBANK_REGISTRY_DIRECTORY, CUTBANK_SHUTDOWN_TIMEOUT, "
              + "CUTBANK_LOG__LEVEL, CUTBANK_LOG__STATUS"))
      }
    }
    return problems
  }

  private static let plainNames = [
    "CUTBANK_DATA_DIRECTORY", "CUTBANK_REGISTRY_DIRECTORY", "CUTBANK_SHUTDOWN_TIMEOUT",
  ]
}

extension PipelineConfiguration {
  /// Reads a pipeline file's text.
  ///
  /// - Parameters:
  ///   - file: The path for messages; the application path is relative to its folder.
  ///   - text: The file's text.
  ///   - environment: The variables that `${NAME}` stands for.
  ///   - daemon: The daemon's connection settings, which the pipeline's own override.
  ///   - readFile: Gives the text of the application file.
  /// - Returns: The configuration, and warnings.
  /// - Throws: `ConfigurationRefused` with every problem found.
  public static func read(
    file: String, text: String, environment: [String: String], daemon: KafkaSettings,
    readFile: (String) throws -> String
  ) throws -> (PipelineConfiguration, [ConfigurationProblem]) {
    let reader = ConfigurationReader(file: file, text: text, environment: environment)
    let configuration = withoutActuallyEscaping(readFile) { readFile in
      reader.root(text).map {
        PipelineParser(
          reader: reader, sourceText: text, daemonKafka: daemon, readFile: readFile
        ).parse($0)
      }
    }
    guard let configuration, !reader.problems.contains(where: { $0.severity == .error }) else {
      throw ConfigurationRefused(
        problems: reader.problems.sorted { ($0.line, $0.column) < ($1.line, $1.column) })
    }
    return (configuration, reader.problems)
  }
}
