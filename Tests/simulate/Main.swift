import ArgumentParser
import Simulation

/// Runs seeds of the simulation: `make simulate SEEDS=…`.
@main struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Run the engine over a simulated broker, disk, clock and receivers.")

  @Option(help: "The first seed.")
  var first: UInt64 = 1

  @Option(help: "How many seeds.")
  var seeds: UInt64 = 2_000

  @Flag(help: "Print everything that happens.")
  var trace = false

  func run() throws {
    let simulator = Simulator()
    var digest: UInt64 = 0
    var failed = 0
    for seed in first..<(first + seeds) {
      let result = try simulator.run(seed: seed, keepsLines: trace)
      digest = Simulator.combine(digest, result.digest)
      if trace { for line in result.lines { print(line) } }
      guard !result.violations.isEmpty else { continue }
      failed += 1
      print("seed \(seed) fails: \(result.violations.joined(separator: "\n"))")
      print("  again: make simulate FIRST=\(seed) SEEDS=1 TRACE=1")
    }
    print("\(seeds) seeds from \(first), \(failed) failed, digest \(String(digest, radix: 16))")
    if failed > 0 { throw ExitCode.failure }
  }
}
