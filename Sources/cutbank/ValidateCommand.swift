import ArgumentParser
import Engine
import Kafka
import Logging

/// `cutbank validate`: every error of pipelines, without running them.
struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate",
    abstract: "Check pipelines and print every error with its place and a hint.",
    discussion: """
      Where brokers are named it also warns of topics that are missing or do not keep records for as long \
      as a replay needs them: the log start is compared with the snapshot that the group's commit names. \
      Warnings do not make a pipeline invalid.
      """)

  @Argument(help: "Pipeline files, or folders of them.")
  var pipelines: [String]

  @OptionGroup var options: PipelineOptions

  func run() throws {
    let settings = try options.daemon()
    let (plans, warnings) = try PipelineFiles.plans(
      pipelines, daemon: settings, brokersRequired: false)
    for warning in warnings { Output.note(warning.description) }
    let problems = plans.flatMap { $0.checkTables() }
    guard problems.isEmpty else { throw ConfigurationRefused(problems: problems) }
    for plan in plans {
      checkRetention(plan, settings)
      try Output.write(
        "\(plan.configuration.file): pipeline \(plan.configuration.name) is valid\n")
    }
  }

  /// Warns of what the brokers do not keep for long enough, when there are some.
  private func checkRetention(_ plan: PipelinePlan, _ settings: DaemonConfiguration) {
    guard plan.configuration.kafka.brokers != PipelineFiles.noBrokers else { return }
    do {
      let check = try RetentionCheck(
        plan, dataDirectory: settings.dataDirectory,
        logger: Logger(label: "cutbank.validate") { _ in SwiftLogNoOpLogHandler() })
      for warning in try check.warnings() { Output.note(warning.description) }
    } catch {
      Output.note(
        "\(plan.configuration.file): warning: topics and state were not compared: \(error)")
    }
  }
}

/// `cutbank explain`: what a pipeline will do.
struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Print the plan of a pipeline: streams, operators, outputs, parallelism and why.")

  @Argument(help: "A pipeline file.")
  var pipeline: String

  @OptionGroup var options: PipelineOptions

  func run() throws {
    let (plans, warnings) = try PipelineFiles.plans(
      [pipeline], daemon: try options.daemon(), brokersRequired: false)
    for warning in warnings { Output.note(warning.description) }
    for plan in plans { try Output.write(plan.explain()) }
  }
}
