import ArgumentParser
import Columns
import Demo
import Engine
import Foundation
import Kafka
import Logging

/// Records for the inputs of a pipeline, produced to their topic at a steady rate.
struct GenerateLoad: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Produce records that fit a pipeline's input to its topic.",
    discussion: """
      Values are made up by the columns' types; the same seed gives the same values. Numbers wander \
      around a level of their own for each key, with a spike in every thousand records.
      """)

  @Option(help: "The pipeline file.")
  var pipeline: String

  @Option(help: "The input's stream; the first input without it.")
  var stream: String?

  @Option(help: "How many records to produce.")
  var records = 10_000

  @Option(help: "Records per second; as fast as possible without it.")
  var rate: Int?

  @Option(help: "How many different record keys there are; 0 makes records without a key.")
  var keys = 0

  @Option(help: "The same seed gives the same values.")
  var seed: UInt64 = 1

  @OptionGroup var options: PipelineOptions

  func validate() throws {
    guard records > 0 else { throw ValidationError("--records must be positive") }
    guard keys >= 0 else { throw ValidationError("--keys must not be negative") }
    if let rate, rate <= 0 { throw ValidationError("--rate must be positive") }
  }

  func run() async throws {
    let (plans, _) = try PipelineFiles.plans([pipeline], daemon: try options.daemon())
    guard let configuration = plans.first?.configuration,
      let input = configuration.inputs.first(where: { stream == nil || $0.stream == stream })
    else {
      throw Failure(
        message: "\(pipeline) has no input stream '\(stream ?? "")'", code: Outcome.configuration)
    }
    var load = try generator(for: input)
    let producer = try Producer(
      ProducerConfiguration(
        brokers: configuration.kafka.brokers, properties: configuration.kafka.properties),
      logger: LogLevel("warning").logger("cutbank"))
    let clock = ContinuousClock()
    let start = clock.now
    let topic = try producer.topic(input.topic)
    for index in 0..<records {
      if let rate { try await clock.sleep(until: start + .seconds(1) * index / rate) }
      let now = Int64(Date().timeIntervalSince1970 * 1_000)
      let record = load.next(timestamp: now)
      try producer.produce(
        to: topic, key: record.key.map { Array($0.utf8) }, value: Array(record.value.utf8),
        timestamp: now, timeout: .seconds(30))
    }
    try producer.flush(timeout: .seconds(30))
    let line = ProgressLine(
      unit: "records", done: producer.delivered, total: records, elapsed: clock.now - start)
    try Output.write(
      "\(line.done.grouped) of \(records.grouped) records produced to \(input.topic), "
        + "\(line.rate.grouped)/s\n")
    guard producer.delivered == records else {
      throw Failure(
        message: "\((records - producer.delivered).grouped) records were not acknowledged",
        hint: "look at the brokers' log", code: Outcome.temporary)
    }
  }

  private func generator(for input: PipelineConfiguration.Input) throws -> LoadGenerator {
    let columns: [LoadColumn]
    do {
      columns = try input.columns.map {
        try LoadColumn(name: $0.definition.name, path: $0.path, type: $0.definition.type)
      }
    } catch let error as LoadError {
      throw Failure(message: "\(error)", code: Outcome.configuration)
    }
    let format: LoadGenerator.Format =
      switch input.format {
      case .json: .json
      case .csv(let delimiter, _): .csv(delimiter: delimiter)
      }
    return LoadGenerator(
      columns: columns, keyColumn: input.columns.firstIndex { $0.definition.name == input.key },
      keys: keys, format: format, seed: seed)
  }
}
