import ArgumentParser
import Engine
import Foundation
import Registry
import Transport

/// `cutbank models`: what the registry knows, and what serves.
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "Show trained models and endpoints; promote and roll back versions.",
    discussion: """
      Works on the registry under the data directory, also while a daemon runs: the daemon takes a \
      change up between two batches.
      """,
    subcommands: [
      ModelsListCommand.self, ModelsShowCommand.self, ModelsPromoteCommand.self,
      ModelsRollbackCommand.self, ModelsDiffCommand.self,
    ])
}

/// Where the registry is.
struct RegistryOptions: ParsableArguments {
  @Option(name: .long, help: "Settings of the daemon, instead of ./cutbank.yaml.")
  var config: String?

  @Option(name: .long, help: "Where state and registry live.")
  var dataDirectory: String?

  /// Opens the registry; unless `creates` is set it must be there.
  func open(creates: Bool = false) throws -> Registry {
    var options = PipelineOptions()
    options.brokers = nil
    options.config = config
    options.dataDirectory = dataDirectory
    let folder = try options.daemon().registryFolder
    guard creates || Registry.exists(in: folder) else {
      throw Failure(
        message: "there is no model registry in \(folder)",
        hint: "a daemon makes one when a pipeline asks an endpoint; name its folder with "
          + "--data-directory")
    }
    return try Registry(folder: folder)
  }

  /// Runs `body`; what the registry refuses becomes the command's failure.
  static func guarded<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as RegistryError {
      throw Failure(message: error.message, hint: error.hint)
    }
  }

  static var actor: String { "user " + NSUserName() }
}

struct ModelsListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List models with their newest versions, and endpoints.")

  @OptionGroup var options: RegistryOptions

  func run() throws {
    try RegistryOptions.guarded {
      let registry = try options.open()
      var text = "models\n"
      for name in try registry.models() {
        let versions = try registry.versions(of: name)
        let jobs = try registry.jobs(of: name, limit: 1)
        text += "  \(name)  \(versions.first.map { "\($0.algorithm), " } ?? "")"
        text += "\(versions.count) version\(versions.count == 1 ? "" : "s")"
        if let job = jobs.first { text += ", last job \(job.id) \(job.status.rawValue)" }
        text += "\n"
      }
      text += "endpoints\n"
      for endpoint in try registry.endpoints() { text += ModelText.line(endpoint) }
      try Output.write(text)
    }
  }
}

struct ModelsShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show a model's versions and jobs, or one version with its figures.")

  @Argument(help: "The model.")
  var model: String

  @Argument(help: "The version; without it all are listed.")
  var version: Int?

  @OptionGroup var options: RegistryOptions

  func run() throws {
    try RegistryOptions.guarded {
      let registry = try options.open()
      if let version {
        let found = try registry.version(version, of: model)
        for line in try ModelText.details(found, registry) {
          try Output.write("\(line.name): \(line.value)\n")
        }
        return
      }
      guard try registry.models().contains(model) else {
        throw RegistryError(
          "there is no model '\(model)'", hint: "`cutbank models list` shows what there is")
      }
      for version in try registry.versions(of: model) {
        let gate = try registry.gate(of: model, version: version.version)
        let verdict = gate.map { "  gate \($0.passed ? "passed" : "refused"): \($0.reason)" } ?? ""
        try Output.write(
          "version \(version.version)  \(ModelText.time(version.createdAt))  \(version.bytes) bytes"
            + verdict + "\n")
      }
      for job in try registry.jobs(of: model, limit: 20) {
        let stand = job.reason ?? (job.status == .inProgress ? job.step : nil)
        try Output.write(
          "job \(job.id)  \(ModelText.time(job.createdAt))  \(job.status.rawValue)"
            + (stand.map { "  \($0)" } ?? "") + "\n")
      }
    }
  }
}

struct ModelsPromoteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote",
    abstract: "Let a version serve an endpoint.",
    discussion: """
      With --from a folder that `cutbank train` has written becomes the model's next version first.
      """)

  @Argument(help: "The model.")
  var model: String

  @Argument(help: "The version; the newest when it is left out.")
  var version: Int?

  @Option(help: "A folder with model.bin, to become the next version.")
  var from: String?

  @Option(help: "The endpoint; it has the model's name when this is left out.")
  var endpoint: String?

  @Option(help: "The share of keys that it serves beside the present champion, 0.001 to 0.5.")
  var canary: Double?

  @Flag(help: "Only score along, beside the present champion.")
  var shadow = false

  @OptionGroup var options: RegistryOptions

  func validate() throws {
    if let canary, !(0.001...0.5).contains(canary) {
      throw ValidationError("--canary is a share from 0.001 to 0.5")
    }
    if canary != nil, shadow { throw ValidationError("choose one of --canary and --shadow") }
    if from != nil, version != nil { throw ValidationError("choose one of VERSION and --from") }
  }

  func run() throws {
    try RegistryOptions.guarded {
      let registry = try options.open(creates: from != nil)
      let chosen = try from.map { try register($0, in: registry) } ?? existing(in: registry)
      // A damaged artifact is refused here, not by the daemon.
      _ = try registry.artifacts.load(chosen.artifact)
      let name = endpoint ?? model
      let present = try registry.endpoint(name)
      var variants = [EndpointVariant(name: "champion", model: model, version: chosen.version)]
      var phase = Endpoint.Phase.inService
      if canary != nil || shadow {
        guard let champion = present?.champion else {
          throw RegistryError(
            "endpoint '\(name)' has no champion to serve beside", hint: "promote without the option"
          )
        }
        variants = [
          EndpointVariant(
            name: "champion", model: champion.model, version: champion.version,
            weight: 1 - (canary ?? 0)),
          EndpointVariant(
            name: "candidate", model: model, version: chosen.version, weight: canary ?? 1,
            isShadow: shadow),
        ]
        phase = shadow ? .shadow : .canary
      }
      let deployed = try registry.deploy(
        name, variants: variants, phase: phase, reason: "promoted by command",
        expected: present?.configuration, by: RegistryOptions.actor, at: SystemTime().now)
      try Output.write(ModelText.line(deployed))
    }
  }

  private func existing(in registry: Registry) throws -> ModelVersion {
    if let version { return try registry.version(version, of: model) }
    guard let newest = try registry.versions(of: model).first else {
      throw RegistryError(
        "model '\(model)' has no version", hint: "`cutbank models list` shows what there is")
    }
    return newest
  }

  private func register(_ folder: String, in registry: Registry) throws -> ModelVersion {
    let trained = try TrainedFolder(folder)
    let now = SystemTime().now
    let job = try registry.begin(
      trained.job(
        of: model, parent: try registry.endpoint(endpoint ?? model)?.champion?.version, at: now),
      by: RegistryOptions.actor)
    try registry.record(trained.metrics, of: job.id)
    return try registry.complete(job, artifact: trained.bytes, at: now)
  }
}

struct ModelsRollbackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Let an endpoint serve again what it served before.")

  @Argument(help: "The endpoint.")
  var endpoint: String

  @Option(help: "Goes into the audit trail.")
  var reason = "rolled back by command"

  @OptionGroup var options: RegistryOptions

  func run() throws {
    try RegistryOptions.guarded {
      let registry = try options.open()
      let back = try registry.rollBack(
        endpoint, reason: reason, by: RegistryOptions.actor, at: SystemTime().now)
      try Output.write(ModelText.line(back))
    }
  }
}

struct ModelsDiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Show in what two versions of a model differ.")

  @Argument(help: "The model.")
  var model: String

  @Argument(help: "A version.")
  var first: Int

  @Argument(help: "Another one.")
  var second: Int

  @OptionGroup var options: RegistryOptions

  func run() throws {
    try RegistryOptions.guarded {
      let registry = try options.open()
      let left = try ModelText.details(registry.version(first, of: model), registry)
      let right = try ModelText.details(registry.version(second, of: model), registry)
      var names = left.map(\.name)
      names += right.map(\.name).filter { !names.contains($0) }
      for name in names {
        let before = left.first { $0.name == name }?.value ?? "-"
        let after = right.first { $0.name == name }?.value ?? "-"
        if before != after { try Output.write("\(name): \(before) -> \(after)\n") }
      }
    }
  }
}
