import Foundation
import Hotspots
import Processes
import Testing

/// The final window beside an implementation of DBSCAN that is not ours.
@Suite(
  .enabled(if: ScikitLearn.isThere, "scikit-learn is not installed: pip install scikit-learn")
)
struct ScikitLearnTests {
  @Test(arguments: 1...3 as ClosedRange<UInt64>)
  func theFinalWindowHasTheSameClusters(seed: UInt64) throws {
    var state = seed
    func unit() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) * 0x1p-53
    }
    var detector = HotspotDetector(
      dimensions: 2, windowSize: 500, scanRadius: 0.25, minimumPoints: 12)
    var points: [[Double]] = []
    for number in 0..<2_000 {
      let center = Double(number % 4) * 2
      let spread = number % 3 == 0 ? 8.0 : 0.9
      let point = (0..<2).map { _ in center + (unit() - 0.5) * spread }
      detector.add(point)
      points.append(point)
    }
    let boxes = try ScikitLearn.boxes(
      of: Array(points.suffix(500)), radius: 0.25, minimumPoints: 12)
    // A border point between two clusters may belong to either: each region holds the core points of its
    // cluster, and nothing that is not near one of them.
    let regions = detector.hotspots()
    #expect(!boxes.isEmpty)
    #expect(regions.count == boxes.count)
    for box in boxes {
      let fitting = regions.filter { region in
        (0..<2).allSatisfy {
          box.outerMinimum[$0] <= region.minimum[$0] && region.minimum[$0] <= box.minimum[$0]
            && box.maximum[$0] <= region.maximum[$0] && region.maximum[$0] <= box.outerMaximum[$0]
        }
      }
      #expect(fitting.count == 1, "seed \(seed)")
    }
  }
}

/// Runs scikit-learn in a Python process.
private enum ScikitLearn {
  struct Box: Decodable {
    let minimum: [Double]
    let maximum: [Double]
    let outerMinimum: [Double]
    let outerMaximum: [Double]
  }

  static let isThere = {
    let answer = try? run("import sklearn; print('there')", input: Data())
    return answer?.isEmpty == false
  }()

  /// The bounds of each cluster's core points, and those of all points near one of them.
  static func boxes(of points: [[Double]], radius: Double, minimumPoints: Int) throws -> [Box] {
    let script = """
      import json, sys, numpy
      from sklearn.cluster import DBSCAN
      points = numpy.array(json.load(sys.stdin))
      found = DBSCAN(eps=\(radius), min_samples=\(minimumPoints)).fit(points)
      core = numpy.zeros(len(points), bool)
      core[found.core_sample_indices_] = True
      boxes = []
      for label in sorted(set(found.labels_.tolist()) - {-1}):
          members = points[core & (found.labels_ == label)]
          gaps = numpy.linalg.norm(points[:, None] - members[None, :], axis=2).min(axis=1)
          near = points[gaps <= \(radius)]
          boxes.append({"minimum": members.min(axis=0).tolist(),
                        "maximum": members.max(axis=0).tolist(),
                        "outerMinimum": near.min(axis=0).tolist(),
                        "outerMaximum": near.max(axis=0).tolist()})
      print(json.dumps(boxes))
      """
    return try JSONDecoder().decode(
      [Box].self, from: run(script, input: JSONEncoder().encode(points)))
  }

  private static func run(_ script: String, input: Data) throws -> Data {
    let process = try ChildProcess(
      ["/usr/bin/env", "python3", "-c", script], input: .pipe, output: .pipe)
    defer { process.waitForEnd() }
    process.send(Array(input))
    return Data(process.readToEnd())
  }
}
