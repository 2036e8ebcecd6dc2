/// Decides which high scores are anomalies: takes an anomaly that is still in the shingle out of
/// the point, finds the step that stands out and what was to be expected there, and keeps quiet
/// where noise, neighbours or a settled drift explain it.
package struct PredictorCorrector: Equatable, Sendable {
  package var thresholder: Thresholder
  package var distanceThresholder: Thresholder
  /// The last step: its score and threshold.
  package var lastScore = 0.0
  package var lastCorrected = 0.0
  package var lastThreshold = 0.0
  /// Inputs processed.
  package var clock = 0
  package var significant: Significant?
  package var run = Run()
  private let configuration: ThresholdedConfiguration

  /// The last anomaly that was graded.
  package struct Significant: Equatable, Sendable {
    package var clock: Int
    package var score: Double
    /// The point as it was, and with the step that stood out as expected.
    package var point: [Float]
    package var expected: [Float]
    /// Change of each coordinate's shift that the anomaly caused.
    package var shiftChange: [Double]
  }

  /// A run of high scores, with the statistics that tell drift from anomaly.
  package struct Run: Equatable, Sendable {
    package var length = 0
    package var actual: [Deviation] = []
    package var expected: [Deviation] = []
  }

  /// What a step looks like to the corrector.
  package struct Step {
    package var point: [Float]
    package var scales: [InputScale]
    /// Deviation of the steps between inputs, per coordinate.
    package var stepDeviations: [Double]
  }

  private static let triggerShare = 0.3
  private static let mostAttributors = 5
  private static let samplingSupport = 0.05

  package init(_ configuration: ThresholdedConfiguration) {
    self.configuration = configuration
    let decay = configuration.forest.timeDecay
    thresholder = Thresholder(
      discount: decay, anomalyRate: configuration.anomalyRate, zFactor: configuration.zFactor,
      absoluteThreshold: configuration.absoluteThreshold ?? 0.8,
      isAutomatic: configuration.autoAdjust && configuration.absoluteThreshold == nil)
    distanceThresholder = Thresholder(
      discount: decay, anomalyRate: configuration.anomalyRate, zFactor: configuration.zFactor)
  }

  private var block: Int { configuration.blockSize }
  private var shingle: Int { configuration.forest.shingleSize }
  private var setting: Thresholder.Setting {
    Thresholder.Setting(
      isShingled: shingle > 1, isDifferenced: configuration.transform.isDifferenced,
      isTransformed: configuration.transform != .none)
  }

  package var pointLength: Int { configuration.forest.dimensions }
  package var threshold: Double { thresholder.grade(0, setting).threshold }

  /// Grades a step; the forest has not learned it yet.
  package mutating func detect(_ step: Step, _ forest: inout RandomCutForest) -> Detection {
    var detection = Detection()
    clock += 1
    detection.score = forest.score(of: step.point)
    guard detection.score > 0 else { return detection }
    var distance = 0.0
    if configuration.scoring != .score { distance = forest.distanceScore(of: step.point) }
    gradeFirst(&detection, distance: distance)
    let isCandidate = isCandidate(detection)
    var corrected = detection.score
    if detection.grade > 0 {
      corrected = correct(&detection, step, &forest)
      if isCandidate { judgeRun(&detection, step) }
    }
    finish(&detection, corrected: corrected, distance: distance, isCandidate: isCandidate)
    return detection
  }

  private func gradeFirst(_ detection: inout Detection, distance: Double) {
    let byScore = thresholder.grade(detection.score, setting)
    let byDistance = distanceThresholder.primaryGrade(distance)
    switch configuration.scoring {
    case .score: (detection.threshold, detection.grade) = byScore
    case .distance: (detection.threshold, detection.grade) = byDistance
    case .precision:
      (detection.threshold, detection.grade) = byScore
      if detection.grade > 0, distanceThresholder.isReady, byDistance.grade == 0 {
        detection.grade = 0
        detection.correction = .multiMode
      }
    case .recall:
      (detection.threshold, detection.grade) = byScore
      if detection.grade == 0, run.length == 0 { detection.grade = byDistance.grade }
    }
  }

  /// Whether the score rises, or stays, above what went before: a step of a run.
  private func isCandidate(_ detection: Detection) -> Bool {
    guard detection.grade > 0 else { return false }
    let score = detection.score
    let slack = 1 + max(0.2, Double(run.length) / (2 * Double(max(10, shingle))))
    return score > lastScore
      || lastScore - lastThreshold > score - max(detection.threshold, lastThreshold) * slack
  }

  /// Steps since the last anomaly, at most the shingle; the whole shingle when there was none.
  private var sinceAnomaly: Int {
    guard let significant else { return shingle }
    return min(shingle, clock - significant.clock)
  }

  /// Returns the score of the point with earlier anomalies taken out; settles the grade.
  private func correct(
    _ detection: inout Detection, _ step: Step, _ forest: inout RandomCutForest
  ) -> Double {
    if isNoise(step) {
      detection.grade = 0
      detection.correction = .noise
      return detection.score
    }
    let point = withoutPast(step)
    let attribution = forest.attribution(of: point)
    let corrected = point == step.point ? detection.score : attribution.total
    guard corrected > detection.threshold || point == step.point else {
      detection.grade = 0
      detection.correction = .anomalyInShingle
      return corrected
    }
    let gap = sinceAnomaly
    let standing = strongestBlock(attribution, among: gap)
    let index = standing - (shingle - 1)
    detection.relativeIndex = index
    let expected = expectation(point, attribution, standing, &forest)
    if gap < shingle, !isTriggered(detection, attribution, expected, gap: gap, &forest) {
      detection.grade = 0
      detection.correction = .anomalyInShingle
      return corrected
    }
    explain(&detection, step, point, attribution, standing, expected, &forest)
    return corrected
  }

  /// Whether all values of the shingle are too small to mean anything.
  private func isNoise(_ step: Step) -> Bool {
    for i in step.point.indices {
      let coordinate = i % block
      guard coordinate < step.scales.count else { continue }
      let scale = step.scales[coordinate]
      let value = (Double(step.point[i]) * scale.scale).magnitude
      if value > 1e-3 * (1 + scale.shift.magnitude) { return false }
    }
    return true
  }

  /// The point with the last anomaly's step as it was expected.
  private func withoutPast(_ step: Step) -> [Float] {
    guard let significant else { return step.point }
    let gap = clock - significant.clock
    var point = step.point
    if gap < shingle {
      let moved = gap * block
      for i in 0..<point.count - moved { point[i] = significant.expected[i + moved] }
      if configuration.transform.isDifferenced {
        // The step back from an anomaly is as large as the step to it.
        let last = point.count - block
        for j in 0..<block {
          point[last - moved + block + j] +=
            significant.point[last + j] - significant.expected[last + j]
        }
      }
    }
    let shifts =
      configuration.transform == .normalize || configuration.transform == .subtractMovingAverage
    if shifts, gap < 2 * shingle {
      let fading = exponential(-Double(gap) * configuration.transformDecay)
      let start = point.count - min(gap, shingle) * block
      for i in start..<point.count where i % block < significant.shiftChange.count {
        let coordinate = i % block
        point[i] += Float(
          significant.shiftChange[coordinate] * fading / step.scales[coordinate].scale)
      }
    }
    return point
  }

  /// The block with the largest attribution among the last so many.
  private func strongestBlock(_ attribution: Attribution, among count: Int) -> Int {
    var best = shingle - 1
    var most = -1.0
    for candidate in max(0, shingle - max(1, count))..<shingle {
      var sum = 0.0
      for i in candidate * block..<(candidate + 1) * block {
        sum += attribution.high[i] + attribution.low[i]
      }
      if sum > most {
        most = sum
        best = candidate
      }
    }
    return best
  }

  /// The point with the coordinates that stand out in a block as expected, and which they are; none
  /// when no few of them explain the score.
  private func expectation(
    _ point: [Float], _ attribution: Attribution, _ standing: Int, _ forest: inout RandomCutForest
  ) -> (point: [Float], missing: [Int]) {
    let start = standing * block
    let missing = block == 1 ? [start] : main(attribution, from: start)
    guard !missing.isEmpty else { return (point, []) }
    return (forest.imputed(point, missing: missing), missing)
  }

  private func main(_ attribution: Attribution, from start: Int) -> [Int] {
    let shares = attribution.sums
    let sorted = (start..<start + block).sorted { a, b in
      shares[a] != shares[b] ? shares[a] > shares[b] : a < b
    }
    let total = sorted.reduce(0) { $0 + shares[$1] }
    guard let first = sorted.first, shares[first] >= 0.1 * total else { return [] }
    let chosen = sorted.filter { shares[$0] >= min(0.1 * total, 0.1) }
    guard chosen.count <= Self.mostAttributors else { return [] }
    return Array(chosen.prefix(max(1, point(half: shares.count))))
  }

  private func point(half dimensions: Int) -> Int { dimensions / 2 }

  /// Whether the steps since the last anomaly bear a score of their own.
  private func isTriggered(
    _ detection: Detection, _ attribution: Attribution,
    _ expected: (point: [Float], missing: [Int]), gap: Int, _ forest: inout RandomCutForest
  ) -> Bool {
    guard let significant, gap > 0 else { return true }
    let other = forest.attribution(of: expected.point)
    let count = gap * block
    var difference = 0.0
    for i in attribution.high.count - count..<attribution.high.count {
      difference +=
        (attribution.high[i] + attribution.low[i] - other.high[i] - other.low[i]).magnitude
    }
    let density = difference * Double(attribution.high.count) / Double(count)
    return difference > Self.triggerShare * significant.score
      && density > 1.2 * detection.threshold
  }

  /// Keeps the grade only if the step differs from its expectation by more than noise would.
  private func explain(
    _ detection: inout Detection, _ step: Step, _ point: [Float], _ attribution: Attribution,
    _ standing: Int, _ expected: (point: [Float], missing: [Int]), _ forest: inout RandomCutForest
  ) {
    let box = UncertaintyBox(
      step: step, point: point, standing: standing, block: block, configuration: configuration)
    if configuration.autoAdjust {
      let near = forest.neighbours(of: point)
      if supports(near, box) {
        detection.grade = 0
        detection.correction = .conditionalForecast
        return
      }
    }
    guard !expected.missing.isEmpty else { return }
    detection.expectedValues = box.inputs(expected.point)
    detection.actualValues = box.inputs(point)
    if box.contains(expected.point) {
      detection.grade = 0
      detection.correction = .forecast
    }
  }

  /// Whether enough near neighbours continued as this point does.
  private func supports(_ neighbours: [NearNeighbour], _ box: UncertaintyBox) -> Bool {
    var trees = 0
    var distances = 0.0
    for neighbour in neighbours {
      trees += neighbour.count
      distances += Double(neighbour.count) * neighbour.distance
    }
    guard trees > 0 else { return false }
    let limit = 1.1 * distances / Double(trees)
    var supporting = 0
    for neighbour in neighbours where neighbour.distance <= limit && box.contains(neighbour.point) {
      supporting += neighbour.count
    }
    return Double(supporting)
      >= Self.samplingSupport * Double(configuration.forest.numberOfTrees)
  }

  /// Tells drift from anomaly in a run of high scores.
  private mutating func judgeRun(_ detection: inout Detection, _ step: Step) {
    guard detection.grade > 0 else { return }
    let last = step.point.count - block
    let coordinates = configuration.inputDimensions
    if run.length == 0 {
      run.actual = [Deviation](repeating: Deviation(discount: 0), count: coordinates)
      run.expected = run.actual
    }
    let actual = (0..<coordinates).map { step.scales[$0].invert(step.point[last + $0]) }
    if configuration.autoAdjust, run.length > 2, hasSettled(actual, step) {
      detection.grade = 0
      detection.correction = .dataDrift
    } else if configuration.alertOnce, run.length > 0, sinceAnomaly < shingle {
      detection.grade = 0
      detection.correction = .alertOnce
    }
    for i in 0..<coordinates {
      run.actual[i].update(actual[i])
      if i < detection.expectedValues.count { run.expected[i].update(detection.expectedValues[i]) }
    }
  }

  private func hasSettled(_ actual: [Double], _ step: Step) -> Bool {
    for i in actual.indices {
      let spread = run.actual[i].deviation
      let distance = (run.actual[i].mean - actual[i]).magnitude
      guard distance < max(2 * spread, step.stepDeviations[i]) else { return false }
      guard run.expected[i].count > 0 else { continue }
      let between = (run.actual[i].mean - run.expected[i].mean).magnitude
      let bound = 2 * max(spread, run.expected[i].deviation) + 0.1 * between
      guard run.expected[i].deviation <= bound else { return false }
    }
    return true
  }

  private mutating func finish(
    _ detection: inout Detection, corrected: Double, distance: Double, isCandidate: Bool
  ) {
    detection.startsAnomaly = detection.grade > 0 && run.length == 0
    if detection.grade > 0 || detection.correction == .dataDrift
      || detection.correction == .alertOnce
    {
      run.length += 1
    } else if detection.correction == .none {
      run = Run()
    }
    let isShingled = shingle > 1
    thresholder.update(
      detection.score, corrected: corrected, previous: isShingled ? lastCorrected : 0)
    if configuration.scoring != .score {
      distanceThresholder.update(distance, corrected: distance, previous: 0)
    }
    lastScore = detection.score
    lastCorrected = corrected
    lastThreshold = detection.threshold
  }

  /// The shingle that ends with the last step, with the last anomaly's step as it was expected.
  package func corrected(_ shingleValues: [Float]) -> [Float] {
    guard let significant, clock - significant.clock < shingle else { return shingleValues }
    var result = shingleValues
    let moved = (clock - significant.clock) * block
    for i in 0..<result.count - moved { result[i] = significant.expected[i + moved] }
    return result
  }

  /// Remembers a graded anomaly, once the statistics have taken it in.
  package mutating func remember(
    _ detection: Detection, _ step: Step, shiftChange: [Double]
  ) {
    guard detection.grade > 0 else { return }
    var expected = step.point
    if !detection.expectedValues.isEmpty {
      let start = (shingle - 1 + detection.relativeIndex) * block
      for (j, value) in detection.expectedValues.enumerated() {
        expected[start + j] = step.scales[j].transform(value)
      }
    }
    significant = Significant(
      clock: clock, score: detection.score, point: step.point, expected: expected,
      shiftChange: shiftChange)
  }
}
