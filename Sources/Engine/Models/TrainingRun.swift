import Foundation
import LearnedModels
import Logging
import Registry
import Transport

/// One training of a model, from its data to a candidate that serves or is refused.
struct TrainingRun {
  let registry: Registry
  let plan: PipelinePlan
  let model: ModelPlan
  /// The program whose `train` command does it.
  let program: String
  /// Where job folders lie.
  let folder: String
  let time: any TimeSource
  let logger: Logger
  /// The interrupted job whose rows this one takes over; nil for none.
  let interrupted: Int64?
  let isCancelled: () -> Bool

  private var settings: ModelConfiguration { model.configuration }

  /// Trains, judges and rolls out; what goes wrong ends the job and nothing else.
  ///
  /// - Throws: only what the registry cannot write down.
  func execute() throws {
    let champion = try registry.endpoint(settings.endpoint)?.champion
    var job = try registry.begin(
      TrainingJob(
        model: settings.name, pipeline: plan.configuration.name,
        algorithm: settings.algorithm.rawValue, hyperparameters: settings.hyperparameters,
        seed: settings.seed, data: TrainingData(source: model.source.description),
        parent: champion?.model == settings.name ? champion?.version : nil, createdAt: time.now))
    logger.notice("model \(settings.name): training job \(job.id) begins")
    let own = "\(folder)/\(job.id)"
    // What is interrupted goes on later; a process that is killed comes to nothing below.
    var isInterrupted = false
    defer { if !isInterrupted { remove(own) } }
    do {
      let candidate = try train(&job, champion: champion, in: own)
      try rollOut(candidate, champion)
    } catch is CancellationError {
      isInterrupted = TrainingRemains.exist(in: own)
      try end(
        job, as: .stopped,
        "the daemon ended, task 0 went to another one, or its pipeline has changed")
    } catch let error as TrainingFailure {
      try end(job, as: .failed, error.description)
    } catch {
      try end(job, as: .failed, "\(error)")
    }
  }

  private func end(_ job: TrainingJob, as status: TrainingJob.Status, _ reason: String) throws {
    logger.warning("model \(settings.name): training job \(job.id) \(status.rawValue): \(reason)")
    guard try registry.job(job.id)?.status == .inProgress else { return }
    try registry.end(job, as: status, reason: reason, at: time.now)
  }

  private func remove(_ folder: String) {
    do {
      try FileManager.default.removeItem(atPath: folder)
    } catch CocoaError.fileNoSuchFile {
      return
    } catch {
      logger.warning("\(folder) stays behind: \(error.localizedDescription)")
    }
  }

  // MARK: Training

  /// A candidate with what the gate says of it.
  private struct Candidate {
    let version: ModelVersion
    let gate: GateResult
  }

  private func train(
    _ job: inout TrainingJob, champion: EndpointVariant?, in folder: String
  ) throws -> Candidate {
    try enter("Downloading", &job)
    let files = try takeOver(into: folder) ?? collect(in: folder)
    job.data = files.data
    try enter("Training", &job)
    let other = champion.flatMap(artifact)
    let metrics = try runProcess(&job, files, champion: other, in: folder)
    try enter("Uploading", &job)
    guard let figures = HoldoutFigures(metrics) else {
      throw TrainingFailure("the training has reported no figure on the rows that are held out")
    }
    guard let bytes = FileManager.default.contents(atPath: folder + "/out/model.bin") else {
      throw TrainingFailure("the training has left no model")
    }
    _ = try LearnedModel(decoding: Array(bytes))
    let version = try registry.complete(job, artifact: Array(bytes), at: time.now)
    let gate = settings.gate.judge(figures, champion: champion?.version)
    try registry.record(gate, of: version, at: time.now)
    return Candidate(version: version, gate: gate)
  }

  private func enter(_ step: String, _ job: inout TrainingJob) throws {
    if isCancelled() { throw CancellationError() }
    job.step = step
    try registry.update(job)
  }

  /// The rows of the interrupted job, and its checkpoint.
  private func takeOver(into own: String) throws -> TrainingFiles? {
    guard let interrupted, case let old = "\(folder)/\(interrupted)" else { return nil }
    var remains: TrainingRemains
    do {
      remains = try TrainingRemains(in: old)
    } catch {
      logger.warning(
        "model \(settings.name): the rows of job \(interrupted), which was interrupted, are collected anew: \(error)"
      )
      remove(old)
      return nil
    }
    guard remains.fits(model) else {
      remove(old)
      return nil
    }
    remains.attempts += 1
    try remains.write(in: old)
    try LocalDisk().move(old, to: own)
    logger.notice(
      "model \(settings.name): it goes on with the rows of job \(interrupted), which was interrupted"
    )
    return remains.files(in: own)
  }

  private func collect(in folder: String) throws -> TrainingFiles {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let files = try collectAnew(in: folder)
    try TrainingRemains(files, of: model).write(in: folder)
    return files
  }

  private func collectAnew(in folder: String) throws -> TrainingFiles {
    let from = settings.data.window.map { time.now - $0 }
    let reader = TrainingReader(
      plan: model, kafka: plan.configuration.kafka, from: from, logger: logger,
      isCancelled: isCancelled)
    let source = model.source.description
    if settings.algorithm == .deepAR {
      var spool = try SeriesSpool(folder: folder, settings: settings)
      try reader.read(into: &spool)
      return try spool.finish(source: source)
    }
    var spool = try TrainingSpool(folder: folder, settings: settings)
    try reader.read(into: &spool)
    return try spool.finish(source: source, isCancelled: isCancelled)
  }

  /// The file of what serves; nil, with a warning, when it is damaged.
  private func artifact(of champion: EndpointVariant) -> String? {
    do {
      let version = try registry.version(champion.version, of: champion.model)
      _ = try registry.artifacts.load(version.artifact)
      return registry.artifacts.file(version.artifact)
    } catch {
      logger.warning("model \(settings.name): the champion is not compared: \(error)")
      return nil
    }
  }

  private func runProcess(
    _ job: inout TrainingJob, _ files: TrainingFiles, champion: String?, in folder: String
  ) throws -> [Metric] {
    let parameters = settings.hyperparameters.sorted { $0.key < $1.key }
      .map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    var arguments = [
      program, "train", "--algorithm", settings.algorithm.rawValue, "--data", files.train,
      "--holdout", files.holdout.joined(separator: ","), "--output", folder + "/out", "--seed",
      "\(settings.seed)",
      "--time-limit", "\(Double(settings.timeLimit) / 1_000)", "--memory-limit",
      "\(settings.memoryLimit >> 20)", "--supervised",
    ]
    if !parameters.isEmpty { arguments += ["--hyperparameters", parameters] }
    if let champion { arguments += ["--champion", champion] }
    if settings.algorithm == .deepAR { arguments += ["--checkpoint", folder + "/checkpoint"] }
    let process = TrainingProcess(arguments: arguments, timeLimit: settings.timeLimit)
    var metrics: [Metric] = []
    var problem: (any Error)?
    let report = try process.run(isCancelled: { isCancelled() || problem != nil }) { line in
      do {
        switch TrainingLine(line) {
        case .metric(let metric)?:
          metrics.append(metric)
          try registry.record([metric], of: job.id)
        case .progress(let text)?:
          job.step = "Training: \(text)"
          try registry.update(job)
        case nil: break
        }
      } catch {
        problem = error
      }
    }
    job.cpuMilliseconds = report.cpuMilliseconds
    if let problem { throw problem }
    switch report.outcome {
    case .finished: return metrics
    case .cancelled: throw CancellationError()
    case .failed(let reason): throw TrainingFailure(reason)
    }
  }

  // MARK: Rollout

  private func rollOut(_ candidate: Candidate, _ champion: EndpointVariant?) throws {
    let name = candidate.version.name
    logger.notice(
      """
      model \(settings.name): the gate has \(candidate.gate.passed ? "passed" : "refused") \(name): \
      \(candidate.gate.reason)
      """)
    guard candidate.gate.passed else { return }
    guard settings.rollout.isAutomatic else {
      logger.notice("model \(settings.name): \(name) waits for cutbank models promote")
      return
    }
    let present = try registry.endpoint(settings.endpoint)
    let stage = settings.rollout.firstPhase(hasChampion: champion != nil)
    let variants = settings.variants(
      champion: champion, candidate: (settings.name, candidate.version.version), in: stage)
    try registry.deploy(
      settings.endpoint, variants: variants, phase: stage, reason: candidate.gate.reason,
      expected: present?.configuration, by: "daemon", at: time.now)
  }
}

/// What a training process prints: a metric or how far it is.
enum TrainingLine: Equatable {
  case metric(Metric)
  case progress(String)

  private struct Document: Decodable {
    let metric: String?
    let value: Double?
    let step: Int?
    let progress: String?
    let fraction: Double?
  }

  /// Reads a line; nil for anything else.
  init?(_ line: String) {
    guard let document = try? JSONDecoder().decode(Document.self, from: Data(line.utf8)) else {
      return nil
    }
    if let name = document.metric, let value = document.value {
      self = .metric(Metric(name: name, step: document.step ?? 0, value: value))
    } else if let stage = document.progress {
      self = .progress(
        stage + (document.fraction.map { ", \(Int(($0 * 100).rounded())) %" } ?? ""))
    } else {
      return nil
    }
  }
}
