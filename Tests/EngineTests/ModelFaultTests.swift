import Engine
import Foundation
import LearnedModels
import Registry
import Testing

/// What goes wrong with models never touches the stream.
@Suite("Fault 23: swaps under load, bad candidates, trainings that fail", .timeLimit(.minutes(10)))
struct Fault23 {
  /// A trainer that goes wrong, and the reason that its job is given.
  struct Failure: Sendable, CustomTestStringConvertible {
    let script: String
    let reason: String
    var more = ""

    var testDescription: String { reason }
  }

  static let figure = #"echo '{"metric":"holdout:msd","value":0.5,"step":0}'"#

  /// The folder that follows --output.
  static let output = """
    while [ "$1" != --output ]; do shift; done
    mkdir -p "$2"
    """

  @Test(arguments: [
    Failure(script: "kill -9 $$", reason: "it was killed, by somebody or by the system for lack"),
    Failure(script: "kill -11 $$", reason: "by signal 11, as when its memory is used up"),
    Failure(
      script: "echo 'the training diverged: the loss is nan' >&2; exit 1",
      reason: "exit code 1: the training diverged: the loss is nan"),
    Failure(
      script: "echo 'over its limit of 9 seconds' >&2; exit 75",
      reason: "it went over a limit: over its limit of 9 seconds"),
    Failure(
      script: "exec sleep 600", reason: "took longer than its limit of 1 s",
      more: "limits: {time: 1s}"),
    Failure(script: "exit 0", reason: "no figure on the rows that are held out"),
    Failure(script: "echo '{\"metric\":\"holdout:msd\",\"value\":nan}'", reason: "no figure"),
    Failure(script: figure, reason: "has left no model"),
    Failure(
      script: figure + "\n" + output + "\necho garbage > \"$2/model.bin\"",
      reason: "the model is corrupt"),
    Failure(script: "exit 0", reason: "cannot be started", more: "gone"),
  ])
  func aTrainingThatFailsLeavesTheChampionAndTheStream(failure: Failure) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try SwapTests.promote(bench, centres: [0])
    try bench.produceNumbers(0..<500)
    var program = try TrainingTests.script(bench, failure.script)
    if failure.more == "gone" { program += "-gone" }
    let daemon = try TrainingTests.daemon(
      bench, TrainingTests.models(more: failure.more == "gone" ? "" : failure.more),
      program: program)
    async let result = daemon.run()
    let registry = try TrainingTests.registry(bench)
    let job = try await TrainingTests.wait("a failed job") {
      try registry.jobs().first { $0.status == .failed }
    }
    try bench.produceNumbers(500..<1_000)
    try await SwapTests.taken(daemon, 1_000)
    daemon.stop()
    #expect(try await result)
    try bench.expectBalance()
    #expect(job.reason?.contains(failure.reason) == true, "\(job.reason ?? "")")
    let rows = try SwapTests.rows(bench)
    #expect(rows.map(\.n) == Array(0..<1_000))
    #expect(rows.allSatisfy { $0.version == "cells/1" && $0.status == "SCORED" })
    #expect(try registry.versions(of: "cells").count == 1)
    #expect(try registry.endpoint("cells")?.champion?.version == 1)
    #expect(try registry.audit().contains { $0.action == "Failed" })
  }

  @Test(arguments: [
    ("{k: 2000}", "kmeans", "", "k = 2000"),
    ("{k: 4, feature_dim: 1}", "kmeans", "data: {file: missing.csv}", "missing.csv"),
    (
      "{num_trees: 1000, num_samples_per_tree: 2048}", "randomcutforest",
      "limits: {memory: 64MiB}", "MiB of memory, over its limit of 64 MiB"
    ),
    ("{k: 4}", "kmeans", "limits: {time: 1s}", "limit of 1.0 seconds"),
  ])
  func theTrainerRefuses(
    parameters: String, algorithm: String, more: String, reason: String
  ) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<1_000)
    // As good as endless, unless it is stopped.
    let isEndless = more.contains("time")
    let text = """
      models:
          - name: cells
            algorithm: \(algorithm)
            hyperparameters: \(isEndless ? "{k: 4, epochs: 100000000}" : parameters)
            schedule: {every: 1h}
            \(more.hasPrefix("data") ? more : "data: {topic: NUMBERS, columns: [n]}")
            \(more.hasPrefix("data") ? "" : more)
      """
    let daemon = try TrainingTests.daemon(bench, text)
    async let result = daemon.run()
    let registry = try TrainingTests.registry(bench)
    let job = try #require(try await TrainingTests.ended(registry).first)
    try await SwapTests.taken(daemon, 1_000)
    daemon.stop()
    #expect(try await result)
    try bench.expectBalance()
    #expect(job.status == .failed && job.reason?.contains(reason) == true, "\(job.reason ?? "")")
    #expect(try SwapTests.rows(bench).map(\.status) == Array(repeating: "NO_MODEL", count: 1_000))
  }

  /// A damaged champion is no reason to train no successor.
  @Test func aDamagedChampionIsReplaced() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try SwapTests.promote(bench, centres: [0])
    let registry = try TrainingTests.registry(bench)
    let version = try #require(try registry.versions(of: "cells").first)
    try Data("rubbish".utf8).write(
      to: URL(fileURLWithPath: registry.artifacts.file(version.artifact)))
    try bench.produceNumbers(0..<1_000)
    let daemon = try TrainingTests.daemon(bench, TrainingTests.models())
    async let result = daemon.run()
    let activation = try await SwapTests.activation(daemon, 1)
    #expect(activation.variants == ["champion cells/2"])
    daemon.stop()
    #expect(try await result)
    try bench.expectBalance()
    #expect(try registry.audit().contains { $0.detail.contains("is damaged") })
  }

  @Test func tooFewRowsAreNotTrainedOn() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<50)
    let daemon = try TrainingTests.daemon(bench, TrainingTests.models())
    async let result = daemon.run()
    let job = try #require(try await TrainingTests.ended(TrainingTests.registry(bench)).first)
    daemon.stop()
    #expect(try await result)
    try bench.expectBalance()
    let reason = "topic numbers has 50 rows that can be trained on, data.minimum_rows asks for 100"
    #expect(job.reason == reason)
  }

  /// A stop does not wait for a training, and the job is no failure.
  @Test func aStopEndsTheTraining() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<500)
    let daemon = try TrainingTests.daemon(
      bench, TrainingTests.models(),
      program: try TrainingTests.script(bench, "echo '{\"progress\":\"pass\"}'; exec sleep 600"))
    async let result = daemon.run()
    let registry = try TrainingTests.registry(bench)
    _ = try await TrainingTests.wait("a training under way") {
      try registry.jobs().first { $0.step == "Training: pass" }
    }
    daemon.stop()
    #expect(try await result)
    try bench.expectBalance()
    #expect(try registry.jobs().map(\.status) == [.stopped])
  }

  /// Swaps again and again while records stream in: every row once, each by the version of its place.
  @Test func swapsUnderLoadLeaveNoRowUnscoredAndRepeatNone() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try SwapTests.promote(bench, centres: [0])
    let daemon = try bench.daemon(bench.plan(SwapTests.program, stream: "SCORED", records: 5_000))
    async let result = daemon.run()
    async let load: Void = Self.produce(bench, 100_000)
    for swap in 2...12 {
      _ = try await SwapTests.activation(daemon, swap - 1)
      try SwapTests.promote(bench, centres: [Float](repeating: 0, count: swap))
    }
    _ = try await SwapTests.activation(daemon, 12)
    try await load
    try await SwapTests.taken(daemon, 100_000)
    let places = daemon.activations.map(\.rowNumber)
    daemon.stop()
    #expect(try await result)
    try bench.expectBalance()
    let rows = try SwapTests.rows(bench)
    let isWhole = rows.map(\.n) == Array(0..<100_000)
    #expect(isWhole, "\(rows.count) rows")
    let areRight = rows.allSatisfy { row in
      row.status == "SCORED" && row.version == "cells/\(places.count { $0 <= Int64(row.n) })"
    }
    #expect(areRight && places.count == 12 && places[0] == 0, "\(places)")
  }

  private static func produce(_ bench: PipelineBench, _ count: Int) async throws {
    for start in stride(from: 0, to: count, by: 2_000) {
      try bench.produceNumbers(start..<start + 2_000)
      try await Task.sleep(for: .milliseconds(100))
    }
  }
}
