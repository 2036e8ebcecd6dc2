import Foundation
import RandomCutForest

/// The fixtures that lie beside the repository, where they are there.
enum Fixtures {
  static let directory: URL? = {
    let manager = FileManager.default
    if let shared = ProcessInfo.processInfo.environment["CUTBANK_SHARED"] {
      return URL(fileURLWithPath: shared).appending(path: "data/rcf-fixtures")
    }
    var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    while folder.path != "/" {
      folder = folder.deletingLastPathComponent()
      let candidate = folder.appending(path: "shared/data/rcf-fixtures")
      if manager.fileExists(atPath: candidate.path) { return candidate }
    }
    return nil
  }()

  /// Whether a test can run; says so once when it cannot.
  static let isPresent: Bool = {
    let found = directory.map { FileManager.default.fileExists(atPath: $0.path) } ?? false
    if !found { print("skipped: no shared/data/rcf-fixtures beside the repository") }
    return found
  }()

  static func text(_ name: String) throws -> String {
    guard let directory else { return "" }
    return try String(contentsOf: directory.appending(path: name), encoding: .utf8)
  }

  /// The rows of a CSV file without its header.
  static func rows(_ name: String) throws -> [[String]] {
    try text(name).split(separator: "\n").dropFirst().map { line in
      line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
  }

  /// Mean and standard deviation over 20 seeds of AWS's implementation.
  static func statistic(_ experiment: String, _ metric: String) throws -> (mean: Double, sd: Double)
  {
    for row in try rows("statistics.csv") where row[0] == experiment && row[1] == metric {
      return (Double(row[3])!, Double(row[4])!)
    }
    throw CocoaError(.fileReadCorruptFile)
  }
}

/// A tree of AWS's with queries and their exact answers.
struct TreeFixture: Decodable, Sendable {
  let name: String
  let dimensions: Int
  let tree: Node
  let queries: [Query]

  final class Node: Decodable, Sendable {
    let dim: Int?
    let cut: Float?
    let mass: Int
    let min: [Float]?
    let max: [Float]?
    let left: Node?
    let right: Node?
    let pointIndex: Int?
    let point: [Float]?

    var description: TreeDescription {
      if let point { return .leaf(point: point, mass: mass) }
      return .node(dimension: dim!, cut: cut!, left: left!.description, right: right!.description)
    }
  }

  struct Query: Decodable, Sendable {
    let q: [Float]
    let score: Double
    let scoreRaw_ignoreMass1: Double
    let displacementRaw: Double
    let attrHigh, attrLow: [Double]
    let measureHigh, measureLow, distHigh, distLow, probMassHigh, probMassLow: [Double]
    let missing: [Int]
    let imputeLeafPointIndex: Int
    let imputeL1: Double
    let imputePoint: [Float]
  }

  static func all() throws -> [TreeFixture] {
    guard Fixtures.isPresent else { return [] }
    return try JSONDecoder().decode(
      [TreeFixture].self, from: Data(try Fixtures.text("tree_fixtures.json").utf8))
  }
}

/// Largest difference, relative where values exceed `floor`.
func worstDifference(_ a: [Double], _ b: [Double], floor: Double = 1e-3) -> Double {
  zip(a, b).map { abs($0 - $1) / max(floor, abs($1)) }.max() ?? (a.count == b.count ? 0 : .infinity)
}
