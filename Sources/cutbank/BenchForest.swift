import ArgumentParser
import CAllocationCounter
import Dispatch
import Foundation
import RandomCutForest
import Synchronization

/// `cutbank bench forest`: speed, memory and snapshots of one forest on one core.
struct BenchForest: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forest",
    abstract: "Measure a random cut forest: points per CPU second, bytes, snapshots.",
    discussion: """
      10,000 points warm a forest up, then the given number of points is timed three times and the best \
      counts. sine is 10·sin(2πt/50) plus Gaussian noise, shingled; gauss is independent Gaussian vectors.
      """)

  enum Stream: String, ExpressibleByArgument, CaseIterable { case sine, gauss }

  @Option(help: "The stream: sine or gauss.") var stream = Stream.sine
  @Option(help: "Dimensions of a point.") var dimensions = 8
  @Option(help: "Number of trees.") var trees = 50
  @Option(help: "Points timed in each of the three runs.") var points = 20_000
  @Option(help: "Fraction of the trees that keep their boxes.") var boxes = 1.0
  @Flag(help: "Print one line of JSON.") var json = false

  func validate() throws {
    guard points > 0 else { throw ValidationError("--points must be positive") }
    try forestConfiguration.validate()
  }

  private static let warmUp = 10_000

  private var forestConfiguration: ForestConfiguration {
    ForestConfiguration(
      dimensions: dimensions, shingleSize: stream == .sine ? dimensions : 1,
      numberOfTrees: trees, timeDecay: 1 / 2560, seed: 1, boundingBoxCacheFraction: boxes)
  }

  func run() throws {
    let input = makeInput()
    var figures: [(name: String, value: Double)] = []
    try measurePointAPI(input, into: &figures)
    try measureBatchAPI(input, into: &figures)
    try measureHalves(input, into: &figures)
    try measureThreads(input, into: &figures)
    show(figures)
  }

  private func show(_ figures: [(name: String, value: Double)]) {
    guard json else {
      for (name, value) in figures { print("\(name): \(value)") }
      return
    }
    var fields = [
      "\"stream\":\"\(stream.rawValue)\"", "\"dimensions\":\(dimensions)", "\"trees\":\(trees)",
      "\"points\":\(points)",
    ]
    for (name, value) in figures { fields.append("\"\(name)\":\(value)") }
    print("{\(fields.joined(separator: ","))}")
  }

  private func makeInput() -> [Float] {
    var random = SplitMix64(seed: 1)
    func gaussian() -> Double {
      let a = 1 - random.uniform()
      let b = random.uniform()
      return (-2 * log(a)).squareRoot() * cos(2 * .pi * b)
    }
    let count = Self.warmUp + 3 * points
    if stream == .gauss { return (0..<count * dimensions).map { _ in Float(gaussian()) } }
    return (0..<count).map { t in Float(10 * sin(2 * .pi * Double(t) / 50) + gaussian()) }
  }

  /// A forest that has learned the warm-up points.
  private func warmForest(_ input: [Float]) throws -> RandomCutForest {
    var forest = try RandomCutForest(forestConfiguration)
    let length = forestConfiguration.pointLength
    for t in 0..<Self.warmUp {
      try forest.update(input.span.extracting(t * length..<(t + 1) * length))
    }
    return forest
  }

  private func measurePointAPI(
    _ input: [Float], into figures: inout [(name: String, value: Double)]
  ) throws {
    let heapBefore = cutbank_live_bytes()
    var forest = try warmForest(input)
    let heapAfter = cutbank_live_bytes()
    let length = forestConfiguration.pointLength
    let allocationsBefore = cutbank_allocations()
    var sum = 0.0
    let best = try bestOfThree { run in
      let first = Self.warmUp + run * points
      for t in first..<first + points {
        sum += try forest.scoreAndUpdate(input.span.extracting(t * length..<(t + 1) * length))
      }
    }
    let allocations = cutbank_allocations() - allocationsBefore
    figures.append(("score_update_points_per_cpu_second", best))
    figures.append(("allocations_per_point", Double(allocations) / Double(3 * points)))
    figures.append(("bytes_per_forest", Double(heapAfter - heapBefore)))
    figures.append(("mean_score", sum / Double(3 * points)))
    try measureSnapshots(&forest, into: &figures)
    try measureExplanation(&forest, input, into: &figures)
  }

  private func measureSnapshots(
    _ forest: inout RandomCutForest, into figures: inout [(name: String, value: Double)]
  ) throws {
    var writing = Double.infinity
    var reading = Double.infinity
    var bytes: [UInt8] = []
    for _ in 0..<5 {
      let start = Self.threadSeconds()
      bytes = forest.snapshot()
      let middle = Self.threadSeconds()
      let restored = try RandomCutForest(snapshot: bytes.span)
      reading = min(reading, Self.threadSeconds() - middle)
      writing = min(writing, middle - start)
      guard restored.totalUpdates == forest.totalUpdates else {
        throw ValidationError("a restored forest differs")
      }
    }
    figures.append(("snapshot_bytes", Double(bytes.count)))
    figures.append(("snapshot_milliseconds", writing * 1000))
    figures.append(("restore_milliseconds", reading * 1000))
    figures.append(("idle_bytes", Double(forest.idleForm().count)))
  }

  /// Score, grade and attribution of one point: the median.
  private func measureExplanation(
    _ forest: inout RandomCutForest, _ input: [Float],
    into figures: inout [(name: String, value: Double)]
  ) throws {
    let length = forestConfiguration.pointLength
    var thresholder = Thresholder(discount: forestConfiguration.timeDecay)
    let setting = Thresholder.Setting(isShingled: stream == .sine)
    var high = [Double](repeating: 0, count: dimensions)
    var low = high
    var times: [Double] = []
    var previous = 0.0
    for t in Self.warmUp..<Self.warmUp + min(points, 5000) {
      let start = Self.threadSeconds()
      let point = input.span.extracting(t * length..<(t + 1) * length)
      var highSpan = high.mutableSpan
      var lowSpan = low.mutableSpan
      let score = try forest.attribution(point, high: &highSpan, low: &lowSpan)
      _ = thresholder.grade(score, setting)
      thresholder.update(score, corrected: score, previous: previous)
      previous = score
      times.append(Self.threadSeconds() - start)
    }
    times.sort()
    figures.append(("score_grade_attribution_median_microseconds", times[times.count / 2] * 1e6))
  }

  private func measureBatchAPI(
    _ input: [Float], into figures: inout [(name: String, value: Double)]
  ) throws {
    var forest = try warmForest(input)
    let length = forestConfiguration.pointLength
    var scores = [Double](repeating: 0, count: 64)
    let best = try bestOfThree { run in
      var t = Self.warmUp + run * points
      let end = t + points
      while t < end {
        let count = min(64, end - t)
        var target = scores.mutableSpan
        try forest.scoreAndUpdate(
          points: input.span.extracting(t * length..<(t + count) * length), count: count,
          into: &target)
        t += count
      }
    }
    figures.append(("batch_score_update_points_per_cpu_second", best))
  }

  private func measureHalves(
    _ input: [Float], into figures: inout [(name: String, value: Double)]
  ) throws {
    var forest = try warmForest(input)
    let length = forestConfiguration.pointLength
    var sum = 0.0
    let scoring = try bestOfThree { run in
      let first = Self.warmUp + run * points
      for t in first..<first + points {
        sum += try forest.score(input.span.extracting(t * length..<(t + 1) * length))
      }
    }
    let updating = try bestOfThree { run in
      let first = Self.warmUp + run * points
      for t in first..<first + points {
        try forest.update(input.span.extracting(t * length..<(t + 1) * length))
      }
    }
    figures.append(("score_points_per_cpu_second", scoring))
    figures.append(("update_points_per_cpu_second", updating))
  }

  /// Two threads, each with a keyed forest of its own: the sum of their rates over that of one
  /// alone.
  private func measureThreads(
    _ input: [Float], into figures: inout [(name: String, value: Double)]
  ) throws {
    let configuration = forestConfiguration
    let points = points
    let rates = Mutex<[Double]>([])
    let failures = Mutex<[String]>([])
    let work: @Sendable (Int) -> Void = { thread in
      do {
        let shard = try ForestShard(configuration)
        let length = configuration.pointLength
        var best = Double.infinity
        for run in 0..<4 {
          let start = Self.threadSeconds()
          for t in run * points..<(run + 1) * points {
            let at = (t % (input.count / length)) * length
            _ = try shard.scoreAndUpdate(
              key: UInt64(thread), input.span.extracting(at..<at + length))
          }
          if run > 0 { best = min(best, Self.threadSeconds() - start) }
        }
        rates.withLock { $0.append(Double(points) / best) }
      } catch {
        failures.withLock { $0.append("\(error)") }
      }
    }
    work(0)
    DispatchQueue.concurrentPerform(iterations: 2, execute: work)
    if let failure = failures.withLock({ $0.first }) { throw ValidationError(failure) }
    let measured = rates.withLock { $0 }
    figures.append(("two_threads_over_one", (measured[1] + measured[2]) / measured[0]))
  }

  /// Points per second of this thread's CPU time in the fastest of three runs.
  private func bestOfThree(_ body: (Int) throws -> Void) rethrows -> Double {
    var best = Double.infinity
    for run in 0..<3 {
      let start = Self.threadSeconds()
      try body(run)
      best = min(best, Self.threadSeconds() - start)
    }
    return Double(points) / best
  }

  private static func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
