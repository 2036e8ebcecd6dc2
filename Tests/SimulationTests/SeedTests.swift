import Foundation
import Processes
import Simulation
import Testing

/// The whole engine over simulated brokers, disks, clocks and receivers, from seeds.
@Suite struct SeedTests {
  static let seeds: UInt64 = 2_000

  /// Runs the seeds here, and in a process whose hash seed is fixed; here it is another one each time.
  @Test func everySeedBringsForthWhatAnUndisturbedRunDoesUnderTwoHashSeeds() throws {
    let other = try Self.startOther()
    let simulator = Simulator()
    var digest: UInt64 = 0
    for seed in 1...Self.seeds {
      let result = try simulator.run(seed: seed)
      digest = Simulator.combine(digest, result.digest)
      #expect(
        result.violations.isEmpty,
        "make simulate FIRST=\(seed) SEEDS=1 TRACE=1: \(result.violations)")
    }
    let output = String(decoding: other.readToEnd(), as: UTF8.self)
    #expect(other.waitForEnd().exitCode == 0, "\(output)")
    #expect(
      output.contains("digest \(String(digest, radix: 16))\n"),
      "two processes did not do the same: here \(String(digest, radix: 16)), there \(output)")
  }

  private static func startOther() throws -> ChildProcess {
    let build = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    let folders = [build, URL(fileURLWithPath: ".build/release")]
    let program = folders.map { $0.appendingPathComponent("simulate").path }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
    return try ChildProcess(
      [try #require(program), "--first", "1", "--seeds", "\(seeds)"],
      environment: ProcessInfo.processInfo.environment.merging(
        ["SWIFT_DETERMINISTIC_HASHING": "1"]) { $1 },
      output: .pipe, errors: .inherited)
  }

  /// A member that was forgotten while it gave up a part; a pipeline that has stopped and is given more; a
  /// commit of a member that has joined again as another one.
  @Test(arguments: [53_287, 52_847, 8_883] as [UInt64]) func aSeedThatOnceFailed(seed: UInt64)
    throws
  {
    let result = try Simulator().run(seed: seed)
    #expect(result.violations.isEmpty, "\(result.violations)")
  }

  @Test func aSeedDoesTheSameTwice() throws {
    for seed in [UInt64(3), 44, 101] {
      let first = try Simulator().run(seed: seed, keepsLines: true)
      let second = try Simulator().run(seed: seed, keepsLines: true)
      #expect(first.digest == second.digest)
      #expect(first.lines == second.lines)
    }
  }
}
