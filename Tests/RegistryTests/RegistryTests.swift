import Foundation
import Registry
import Testing

/// A registry in a folder of its own.
struct Bench {
  let folder = FileManager.default.temporaryDirectory.path + "/registry-\(UUID().uuidString)"

  func open(isAlive: @escaping @Sendable (String) -> Bool = { _ in true }) throws -> Registry {
    try Registry(folder: folder, isAlive: isAlive)
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  static func job(_ model: String = "load", parent: Int? = nil) -> TrainingJob {
    TrainingJob(
      model: model, pipeline: "city", algorithm: "kmeans", hyperparameters: ["k": "3"],
      seed: .max, data: TrainingData(source: "topic rides", from: 10, to: 20, rows: 5),
      parent: parent, owner: "me", createdAt: 1_000)
  }

  /// A version of the model `load`.
  static func version(_ registry: Registry, _ bytes: [UInt8]) throws -> ModelVersion {
    try registry.complete(try registry.begin(job()), artifact: bytes, at: 2_000)
  }
}

@Suite struct RegistryTests {
  @Test func aJobIsKeptWithEverythingThatItWasGiven() throws {
    let bench = Bench()
    defer { bench.remove() }
    let job = try bench.open().begin(Bench.job())
    let again = try #require(try bench.open().job(job.id))
    #expect(again == job)
    #expect(again.seed == .max && again.hyperparameters == ["k": "3"])
    #expect(again.status == .inProgress && again.data.rows == 5)
  }

  @Test func aCompletedJobIsAVersionWithItsArtifact() throws {
    let bench = Bench()
    defer { bench.remove() }
    let registry = try bench.open()
    let first = try Bench.version(registry, [1, 2, 3])
    let second = try Bench.version(registry, [4])
    #expect((first.version, second.version) == (1, 2))
    #expect(try registry.artifacts.load(first.artifact) == [1, 2, 3])
    #expect(try registry.versions(of: "load").map(\.version) == [2, 1])
    #expect(try registry.job(first.job)?.status == .completed)
    #expect(throws: RegistryError.self) { try registry.version(3, of: "load") }
  }

  @Test func aJobWhoseProcessDiedIsFailedAndLeavesNoVersion() throws {
    let bench = Bench()
    defer { bench.remove() }
    let job = try bench.open().begin(Bench.job())
    let registry = try bench.open { _ in false }
    #expect(try registry.failAbandonedJobs(at: 3_000).map(\.id) == [job.id])
    let failed = try #require(try registry.job(job.id))
    #expect(failed.status == .failed && failed.endedAt == 3_000)
    #expect(failed.reason?.contains("ended before") == true)
    #expect(try registry.versions(of: "load").isEmpty)
    // What is failed stays so: a late child cannot bring half a model.
    #expect(throws: RegistryError.self) {
      try registry.complete(job, artifact: [1], at: 4_000)
    }
    #expect(try registry.versions(of: "load").isEmpty)
  }

  @Test func aJobOfALivingProcessStays() throws {
    let bench = Bench()
    defer { bench.remove() }
    let registry = try Registry(folder: bench.folder)
    let own = TrainingJob(
      model: "m", pipeline: "", algorithm: "pca", hyperparameters: [:], seed: 0,
      data: TrainingData(source: "f"), parent: nil, createdAt: 0)
    _ = try registry.begin(own)
    #expect(try registry.failAbandonedJobs(at: 1).isEmpty)
    #expect(!ProcessMark.isAlive("1@0@00000000") && !ProcessMark.isAlive("x"))
  }

  @Test func metricsAreKeptByNameAndStepWithoutWhatIsNoNumber() throws {
    let bench = Bench()
    defer { bench.remove() }
    let registry = try bench.open()
    let job = try registry.begin(Bench.job())
    try registry.record(
      [
        Metric(name: "loss", step: 2, value: 0.5), Metric(name: "loss", step: 1, value: 0.7),
        Metric(name: "loss", step: 3, value: .nan),
      ], of: job.id)
    try registry.record([Metric(name: "loss", step: 2, value: 0.4)], of: job.id)
    #expect(try registry.metrics(of: job.id).map(\.value) == [0.7, 0.4])
  }

  @Test func aDamagedArtifactIsRefusedByItsName() throws {
    let bench = Bench()
    defer { bench.remove() }
    let registry = try bench.open()
    let version = try Bench.version(registry, [1, 2, 3])
    let file = registry.artifacts.file(version.artifact)
    try Data([1, 2, 4]).write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: RegistryError.self) {
      try registry.artifacts.load(version.artifact)
    }
    #expect(error?.message.contains("damaged") == true)
    try FileManager.default.removeItem(atPath: file)
    #expect(throws: RegistryError.self) { try registry.artifacts.load(version.artifact) }
  }

  @Test func theGateIsKept() throws {
    let bench = Bench()
    defer { bench.remove() }
    let registry = try bench.open()
    let version = try Bench.version(registry, [1])
    let result = GateResult(
      metric: "test:msd", candidate: 1.5, champion: 1.25, championVersion: 4, passed: false,
      reason: "worse than the champion")
    try registry.record(result, of: version, at: 5)
    #expect(try registry.gate(of: "load", version: 1) == result)
    #expect(try registry.gate(of: "load", version: 2) == nil)
  }

  @Test func anEndpointGoesBackToWhatServedBeforeTheRollout() throws {
    let bench = Bench()
    defer { bench.remove() }
    let registry = try bench.open()
    _ = try Bench.version(registry, [1])
    _ = try Bench.version(registry, [2])
    let first = EndpointVariant(name: "champion", model: "load", version: 1)
    try registry.deploy(
      "cells", variants: [first], phase: .inService, reason: "first", by: "test", at: 1)
    let canary = [
      EndpointVariant(name: "champion", model: "load", version: 1, weight: 0.9),
      EndpointVariant(name: "canary", model: "load", version: 2, weight: 0.1),
    ]
    try registry.deploy("cells", variants: canary, phase: .canary, reason: "", by: "test", at: 2)
    let wider = try registry.deploy(
      "cells", variants: canary.reversed(), phase: .canary, reason: "", by: "test", at: 3)
    #expect(wider.champion?.version == 1)
    let back = try registry.rollBack("cells", reason: "guard", by: "test", at: 4)
    #expect(back.variants == [first] && back.phase == .rolledBack)
    #expect(try registry.endpoints().map(\.name) == ["cells"])
    #expect(throws: RegistryError.self) {
      try registry.rollBack("other", reason: "", by: "test", at: 5)
    }
  }

  @Test func anEndpointNeedsAVariantThatServesAndKnownVersions() throws {
    let bench = Bench()
    defer { bench.remove() }
    let registry = try bench.open()
    _ = try Bench.version(registry, [1])
    func deploy(_ variants: [EndpointVariant]) throws {
      try registry.deploy("e", variants: variants, phase: .inService, reason: "", by: "", at: 0)
    }
    #expect(throws: RegistryError.self) { try deploy([]) }
    #expect(throws: RegistryError.self) {
      try deploy([EndpointVariant(name: "a", model: "load", version: 1, weight: 0)])
    }
    #expect(throws: RegistryError.self) {
      try deploy([EndpointVariant(name: "a", model: "load", version: 1, isShadow: true)])
    }
    #expect(throws: (any Error).self) {
      try deploy([EndpointVariant(name: "a", model: "load", version: 9)])
    }
    #expect(try registry.endpoint("e") == nil)
  }

  @Test func ofTwoWhoChangeAnEndpointOneIsRefused() throws {
    let bench = Bench()
    defer { bench.remove() }
    let daemon = try bench.open()
    let command = try bench.open()
    _ = try Bench.version(daemon, [1])
    let variant = EndpointVariant(name: "a", model: "load", version: 1)
    let seen = try daemon.deploy(
      "e", variants: [variant], phase: .inService, reason: "", by: "daemon", at: 1)
    try command.deploy("e", variants: [variant], phase: .inService, reason: "", by: "user", at: 2)
    #expect(throws: RegistryError.self) {
      try daemon.deploy(
        "e", variants: [variant], phase: .canary, reason: "", expected: seen.configuration,
        by: "daemon", at: 3)
    }
    #expect(try daemon.audit().map(\.actor).contains("user"))
  }

  @Test func manyOpenItAtOnce() async throws {
    let bench = Bench()
    defer { bench.remove() }
    _ = try bench.open()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<8 {
        group.addTask {
          let registry = try bench.open()
          for turn in 0..<10 {
            _ = try Bench.version(registry, [UInt8(number), UInt8(turn)])
          }
        }
      }
      try await group.waitForAll()
    }
    let versions = try bench.open().versions(of: "load").map(\.version)
    #expect(versions == Array((1...80).reversed()))
  }
}
