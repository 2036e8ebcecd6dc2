import Engine
import Foundation
import LearnedModels
import Logging
import Registry
import RimSupport
import Testing

/// Training in the daemon, with the real trainer or one that goes wrong.
@Suite(.timeLimit(.minutes(5))) struct TrainingTests {
  /// The trainer stands beside the test runner.
  static let cutbank =
    URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().appendingPathComponent("cutbank").path

  static func models(
    k: Int = 4, every: String = "1h", data: String = "{topic: NUMBERS, columns: [n]}",
    more: String = ""
  ) -> String {
    """
    models:
        - name: cells
          algorithm: kmeans
          hyperparameters: {k: \(k)}
          data: \(data)
          schedule: {every: \(every)}
          \(more)
    """
  }

  /// A daemon over a bench whose trainer is a program of ours.
  static func daemon(
    _ bench: PipelineBench, _ models: String, program: String = cutbank,
    log: LastLines? = nil
  ) throws -> Daemon {
    let plan = try bench.plan(SwapTests.program, stream: "SCORED", extra: models)
    var configuration = DaemonConfiguration()
    configuration.dataDirectory = bench.folder + "/data"
    configuration.shutdownTimeout = 20_000
    configuration.program = program
    let logger = log.map { log in Logger(label: bench.folder) { _ in log } }
    return Daemon(
      plans: [plan], configuration: configuration, logger: logger ?? PipelineBench.logger, seed: 1)
  }

  /// A shell script that takes the trainer's place.
  static func script(_ bench: PipelineBench, _ body: String) throws -> String {
    let path = bench.folder + "/trainer"
    // Another process writes it: what this one has open for writing, a child of another test may
    // still hold for a moment, and then it cannot be run.
    _ = try output(
      of: "/bin/sh",
      ["-c", "printf '%s' \"$1\" > \"$0\" && chmod 755 \"$0\"", path, "#!/bin/sh\n\(body)\n"])
    return path
  }

  static func registry(_ bench: PipelineBench) throws -> Registry {
    try Registry(folder: bench.folder + "/data/models")
  }

  /// Looks again and again, since a registry tells of no change.
  static func wait<Value>(_ what: String, _ value: () throws -> Value?) async throws -> Value {
    let end = ContinuousClock.now + .seconds(240)
    while ContinuousClock.now < end {
      if let found = try value() { return found }
      try await Task.sleep(for: .milliseconds(10))
    }
    throw Missing(what: what)
  }

  struct Missing: Error {
    let what: String
  }

  static func ended(_ registry: Registry, _ count: Int = 1) async throws -> [TrainingJob] {
    try await wait("\(count) jobs that have ended") {
      let jobs = try registry.jobs().filter { $0.status != .inProgress }
      return jobs.count >= count ? jobs : nil
    }
  }

  @Test func aModelIsTrainedOnTheTopicAndServes() async throws {
    let bench = try PipelineBench(partitions: 2)
    defer { #expect(throws: Never.self) { try bench.remove() } }
    for partition in 0..<2 {
      try bench.produceNumbers(
        stride(from: partition, to: 2_000, by: 2), partition: Int32(partition))
    }
    let daemon = try Self.daemon(bench, Self.models())
    async let result = daemon.run()
    try await SwapTests.taken(daemon, 2_000)
    let activation = try await SwapTests.activation(daemon, 1)
    #expect(activation.variants == ["champion cells/1"])
    try bench.produceNumbers(2_000..<2_100)
    try await SwapTests.taken(daemon, 2_100)
    daemon.stop()
    #expect(try await result)
    let rows = try SwapTests.rows(bench)
    #expect(rows.map(\.n).sorted() == Array(0..<2_100))
    #expect(rows.filter { $0.n >= 2_000 }.allSatisfy { $0.version == "cells/1" })
    let registry = try Self.registry(bench)
    let job = try #require(try registry.jobs().first)
    #expect(job.status == .completed && job.pipeline == "numbers" && job.parent == nil)
    #expect(job.data.source == "topic numbers" && job.data.rows == 2_000)
    #expect(job.data.from == 1_600_000_000_000 && job.data.to == 1_600_001_999_001)
    #expect((job.cpuMilliseconds ?? 0) > 0)
    let names = Set(try registry.metrics(of: job.id).map(\.name))
    #expect(names.isSuperset(of: ["train:msd", "holdout:msd"]))
    let gate = try #require(try registry.gate(of: "cells", version: 1))
    #expect(gate.passed && gate.champion == nil && gate.metric == "holdout:msd")
    // The held-out rows are the newest: numbers from 1600 on, none of which was trained on.
    #expect(gate.candidate > 1_000)
    #expect(try registry.endpoint("cells")?.phase == .inService)
    let left = try FileManager.default.contentsOfDirectory(
      atPath: bench.folder + "/data/models/jobs")
    #expect(left.isEmpty)
  }

  /// The second training is compared with the first on the same rows, and rolled out by stages.
  @Test func aBetterCandidateGoesThroughShadowAndCanary() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try SwapTests.promote(bench, centres: [-5_000])
    try bench.produceNumbers(0..<3_000)
    let daemon = try Self.daemon(
      bench,
      Self.models(
        more: """
          rollout: {shadow: {for: 0s, records: 100}, canary: {weight: 0.5, for: 0s, records: 100}}
          """))
    async let result = daemon.run()
    let registry = try Self.registry(bench)
    var next = 3_000
    let promoted = try await Self.wait("a promotion") { () -> Endpoint? in
      try bench.produceNumbers(next..<next + 20)
      next += 20
      let endpoint = try registry.endpoint("cells")
      return endpoint?.phase == .inService && endpoint?.champion?.version == 2 ? endpoint : nil
    }
    #expect(promoted.variants.count == 1)
    _ = try await SwapTests.activation(daemon, 4)
    try bench.produceNumbers(next..<next + 100)
    try await SwapTests.taken(daemon, Int64(next + 100))
    daemon.stop()
    #expect(try await result)
    let rows = try SwapTests.rows(bench)
    #expect(rows.map(\.n) == Array(0..<next + 100))
    #expect(rows.allSatisfy { $0.status == "SCORED" } && rows.last?.version == "cells/2")
    let gate = try #require(try registry.gate(of: "cells", version: 2))
    #expect(gate.passed && gate.championVersion == 1)
    #expect(try #require(gate.champion) > gate.candidate)
    let phases = try registry.audit().filter { $0.subject == "endpoint cells" }.map(\.action)
    let steps = phases.filter { $0 != "activate" }
    #expect(steps == ["InService", "Shadow", "Canary", "InService"], "\(phases)")
  }

  @Test func aWorseCandidateIsRefusedWithTheFigures() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    // The champion knows where the newest rows lie, the candidate has one centre for all before.
    try SwapTests.promote(bench, centres: (160..<200).map { Float($0 * 10 + 5) })
    try bench.produceNumbers(0..<2_000)
    let daemon = try Self.daemon(bench, Self.models(k: 1))
    async let result = daemon.run()
    let registry = try Self.registry(bench)
    let gate = try await Self.wait("a gate") { try registry.gate(of: "cells", version: 2) }
    try await SwapTests.taken(daemon, 2_000)
    daemon.stop()
    #expect(try await result)
    #expect(!gate.passed && gate.reason.contains("above the 8."))
    #expect(gate.reason.contains("version 1"))
    #expect(try registry.endpoint("cells")?.champion?.version == 1)
    #expect(try registry.audit().contains { $0.action == "gate refused" })
    #expect(try SwapTests.rows(bench).allSatisfy { $0.version == "cells/1" })
  }

  /// A guard trips: half of the rows lie beyond the threshold of the candidate.
  @Test func aCandidateThatAlarmsTooOftenIsTakenBack() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try SwapTests.promote(bench, centres: [-50_000])
    try bench.produceNumbers(0..<1_000)
    let daemon = try Self.daemon(
      bench,
      Self.models(
        k: 1,
        more: """
          rollout: {canary: {weight: 0.5, for: 1h}}
                guards: {alert_above: 2000, alert_rate: 10%, minimum_records: 50}
          """))
    async let result = daemon.run()
    let registry = try Self.registry(bench)
    _ = try await Self.wait("the canary") {
      daemon.activations.contains { $0.variants.contains("candidate cells/2") } ? true : nil
    }
    try bench.produceNumbers(20_000..<20_500)
    let back = try await Self.wait("the way back") { () -> Endpoint? in
      let endpoint = try registry.endpoint("cells")
      return endpoint?.phase == .rolledBack ? endpoint : nil
    }
    #expect(back.champion?.version == 1 && back.variants.count == 1)
    daemon.stop()
    #expect(try await result)
    let note = try registry.audit().last { $0.action == "RolledBack" }
    #expect(note?.detail.contains("guards.alert_rate allows 10.0 %") == true, "\(note as Any)")
  }
}
