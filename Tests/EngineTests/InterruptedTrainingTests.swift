import Engine
import Foundation
import Logging
import Registry
import Testing

/// A training that ends with its daemon, and the next daemon.
@Suite(.timeLimit(.minutes(5))) struct InterruptedTrainingTests {
  private static let models = """
    models:
        - name: load
          algorithm: deepar
          hyperparameters: {time_freq: min, context_length: 4, prediction_length: 4, epochs: 3}
          data: {topic: NUMBERS, columns: [n]}
          schedule: {every: 1h}
    """

  /// Trains for ever at first; once it finds a checkpoint, it tells of it and fails.
  private static let trainer = """
    while [ "$1" != --data ]; do shift; done; data=$2
    while [ "$1" != --checkpoint ]; do shift; done
    if [ -e "$2/kept" ]; then
      echo "goes on with $(grep -c target "$data") series, $(cat "$2/kept")" >&2; exit 3
    fi
    mkdir -p "$2"; echo 'a checkpoint' > "$2/kept"
    echo '{"progress":"epoch"}'; exec sleep 600
    """

  @Test func theNextDaemonGoesOnWithRowsAndCheckpoint() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<2_000)
    let program = try TrainingTests.script(bench, Self.trainer)
    let registry = try TrainingTests.registry(bench)
    let daemon = try TrainingTests.daemon(bench, Self.models, program: program)
    async let result = daemon.run()
    _ = try await TrainingTests.wait("a training under way") {
      try registry.jobs().first { $0.step == "Training: epoch" }
    }
    daemon.stop()
    #expect(try await result)
    let stopped = try #require(try registry.jobs().first)
    #expect(stopped.status == .stopped && stopped.data.rows == 2_000)

    // Rows that have come since are not what the checkpoint was trained on.
    try bench.produceNumbers(2_000..<3_000)
    let next = try TrainingTests.daemon(bench, Self.models, program: program)
    async let end = next.run()
    let jobs = try await TrainingTests.ended(registry, 2)
    next.stop()
    #expect(try await end)
    #expect(jobs[0].status == .failed && jobs[0].data == stopped.data)
    #expect(
      jobs[0].reason?.contains("goes on with 1 series, a checkpoint") == true,
      "\(jobs[0].reason ?? "")")
    let left = try FileManager.default.contentsOfDirectory(
      atPath: bench.folder + "/data/models/jobs")
    #expect(left.isEmpty)
  }

  /// Five windows where there is room for them; the training ends before the oldest.
  @Test(arguments: [("", 5), ("gate: {windows: 2}", 2), ("gate: {holdout: 5%}", 1)])
  func theGateHasAsManyWindowsAsTheDataAllow(gate: String, windows: Int) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    // A hundred minutes, two records in each.
    try bench.produceNumbers(stride(from: 40, to: 40 + 6_000, by: 30))
    let program = try TrainingTests.script(
      bench,
      """
      while [ "$1" != --data ]; do shift; done; data=$2
      while [ "$1" != --holdout ]; do shift; done
      echo "$(echo "$2" | tr , '\\n' | wc -l) windows, $(grep -c start "$data") series" >&2; exit 3
      """)
    let models = Self.models.replacing("schedule:", with: "\(gate)\n      schedule:")
    let daemon = try TrainingTests.daemon(bench, models, program: program)
    async let result = daemon.run()
    let jobs = try await TrainingTests.ended(TrainingTests.registry(bench))
    daemon.stop()
    #expect(try await result)
    #expect(
      jobs[0].reason?.contains("\(windows) windows, 1 series") == true, "\(jobs[0].reason ?? "")")
  }

  /// Other settings need other rows: they are collected anew, at once.
  @Test func otherSettingsBeginAnew() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<2_000)
    let program = try TrainingTests.script(bench, Self.trainer)
    let registry = try TrainingTests.registry(bench)
    for (count, context) in [(1, 4), (2, 5)] {
      let models = Self.models.replacing("context_length: 4", with: "context_length: \(context)")
      let daemon = try TrainingTests.daemon(bench, models, program: program)
      async let result = daemon.run()
      _ = try await TrainingTests.wait("training \(count)") {
        let jobs = try registry.jobs()
        return jobs.count == count && jobs[0].step == "Training: epoch" ? true : nil
      }
      daemon.stop()
      #expect(try await result)
    }
    #expect(try registry.jobs().map(\.status) == [.stopped, .stopped])
  }

  /// What an interrupted training has left is damaged: the next one says so and collects anew, at once.
  @Test(arguments: [
    ("half", "is damaged or of another version"), ("older", "is damaged or of another version"),
    ("missing", "names train.jsonl, which is not there"),
  ])
  func damagedRemainsAreTold(damage: String, reason: String) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<2_000)
    let program = try TrainingTests.script(bench, Self.trainer)
    let registry = try TrainingTests.registry(bench)
    let log = LastLines(from: .warning)
    for count in [1, 2] {
      let daemon = try TrainingTests.daemon(bench, Self.models, program: program, log: log)
      async let result = daemon.run()
      let job = try await TrainingTests.wait("training \(count)") {
        let jobs = try registry.jobs()
        return jobs.count == count && jobs[0].step == "Training: epoch" ? jobs[0] : nil
      }
      #expect(job.data.rows == Int64(count * 1_000 + 1_000))
      daemon.stop()
      #expect(try await result)
      guard count == 1 else { continue }
      #expect(!log.lines.contains { $0.contains(reason) })
      try Self.spoil(bench.folder + "/data/models/jobs/1", damage)
      try bench.produceNumbers(2_000..<3_000)
    }
    let told = log.lines.filter { $0.contains("the rows of job 1") }
    #expect(told.count == 1 && told[0].contains("jobs/1/rows.json \(reason)"), "\(log.lines)")
    let left = try FileManager.default.contentsOfDirectory(
      atPath: bench.folder + "/data/models/jobs")
    #expect(left == ["2"])
  }

  private static func spoil(_ folder: String, _ damage: String) throws {
    let path = folder + "/rows.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    switch damage {
    case "half": try Data(text.utf8.prefix(40)).write(to: URL(fileURLWithPath: path))
    case "older":
      let older = text.replacing(/"holdout":\[[^\]]*\]/, with: "\"holdout\":\"holdout.jsonl\"")
      try #require(older != text)
      try Data(older.utf8).write(to: URL(fileURLWithPath: path))
    default: try FileManager.default.removeItem(atPath: folder + "/train.jsonl")
    }
  }
}
