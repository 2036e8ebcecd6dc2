import ArgumentParser
import Engine

/// `cutbank validate`: every error of pipelines, without running them.
struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate",
    abstract: "Check pipelines and print every error with its place and a hint.")

  @Argument(help: "Pipeline files, or folders of them.")
  var pipelines: [String]

  @OptionGroup var options: PipelineOptions

  func run() throws {
    let (plans, warnings) = try PipelineFiles.plans(
      pipelines, daemon: try options.daemon(), brokersRequired: false)
    for warning in warnings { Output.note(warning.description) }
    let problems = plans.flatMap { $0.checkTables() }
    guard problems.isEmpty else { throw ConfigurationRefused(problems: problems) }
    for plan in plans {
      try Output.write(
        "\(plan.configuration.file): pipeline \(plan.configuration.name) is valid\n")
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
