import Foundation
import RandomCutForest

/// Draws the pictures of docs/random-cut-forests.md from runs of the library.
@main struct Pictures {
  static func main() throws {
    guard CommandLine.arguments.count == 2 else {
      print("usage: pictures <directory>")
      exit(64)
    }
    let directory = URL(fileURLWithPath: CommandLine.arguments[1])
    for (name, chart) in [
      ("forest-shingles", try shingles()), ("forest-decay", try decay()),
      ("forest-grades", try grades()),
    ] {
      try Data(chart.svg.utf8).write(to: directory.appending(path: name + ".svg"))
    }
  }

  /// A noisy sine; `change` moves single values.
  static func series(_ count: Int, _ change: (Int) -> Double) -> [Float] {
    var random = SplitMix64(seed: 1)
    return (0..<count).map { t in
      // Twelve uniforms make a passable Gaussian.
      let noise = (0..<12).reduce(-6.0) { sum, _ in sum + random.uniform() }
      return Float(10 * sin(2 * .pi * Double(t) / 50) + noise + change(t))
    }
  }

  static func scores(_ input: [Float], _ configuration: ForestConfiguration) throws -> [Double] {
    var forest = try RandomCutForest(configuration)
    return try input.indices.map { t in
      try forest.scoreAndUpdate(input.span.extracting(t..<t + 1))
    }
  }

  /// A spike and a flat stretch under three shingle sizes.
  static func shingles() throws -> Chart {
    let input = series(1500) { t in
      if t == 1150 { return 14 }
      return (1300..<1330).contains(t) ? -10 * sin(2 * .pi * Double(t) / 50) : 0
    }
    let shown = 1100..<1500
    let marks = [50, 200, 230]
    var panels = [
      Chart.Panel(
        title: "series: a spike, then a stretch without its wave",
        values: input[shown].map(Double.init), color: "#555", marks: marks)
    ]
    for size in [1, 8, 32] {
      let scores = try scores(input, ForestConfiguration(dimensions: size, shingleSize: size))
      panels.append(
        Chart.Panel(
          title: "score, shingle size \(size)", values: Array(scores[shown]), marks: marks))
    }
    return Chart(panels: panels)
  }

  /// A new level under three decays.
  static func decay() throws -> Chart {
    let input = series(6000) { $0 >= 3000 ? 25 : 0 }
    func thinned(_ values: [Double]) -> [Double] {
      stride(from: 2800, to: 6000, by: 8).map { values[$0..<$0 + 8].reduce(0, +) / 8 }
    }
    var panels = [
      Chart.Panel(
        title: "series: a new level", values: thinned(input.map(Double.init)), color: "#555")
    ]
    for arrivals in [256.0, 2560, 25_600] {
      let scores = try scores(
        input, ForestConfiguration(dimensions: 8, shingleSize: 8, timeDecay: 1 / arrivals))
      panels.append(
        Chart.Panel(title: "mean score, time decay 1/\(Int(arrivals))", values: thinned(scores)))
    }
    return Chart(panels: panels)
  }

  /// Score, threshold and grade.
  static func grades() throws -> Chart {
    let input = series(1500) { t in
      t == 1150 ? 14 : t == 1154 ? -16 : t == 1350 ? 6 : 0
    }
    var forest = try ThresholdedForest(ThresholdedConfiguration())
    let detections = try input.enumerated().map { t, value in
      try forest.process([Double(value)].span, timestamp: Int64(t))
    }[1100...]
    return Chart(panels: [
      Chart.Panel(
        title: "series: two spikes close together, a small one",
        values: input[1100...].map(Double.init), color: "#555", marks: [50, 54, 250]),
      Chart.Panel(
        title: "score and threshold", values: detections.map(\.score),
        other: detections.map { max($0.threshold, 0.9) }),
      Chart.Panel(title: "grade", values: detections.map(\.grade), color: "#d1495b"),
    ])
  }
}
