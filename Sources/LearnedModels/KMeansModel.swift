import Columns

/// k centres, and the projection that rows go through first, if there is one.
public struct KMeansModel: Sendable, Equatable {
  /// Where rows are projected to before distances are taken.
  public let projection: PCAModel?
  /// Number of centres.
  public let k: Int
  /// Values of a centre.
  public let dimensions: Int
  /// `k` × `dimensions` values, centre after centre.
  public let centres: [Float]

  /// A model of centres that lie one after the other.
  public init(centres: [Float], dimensions: Int, projection: PCAModel? = nil) {
    precondition(dimensions > 0 && !centres.isEmpty && centres.count % dimensions == 0)
    precondition(projection.map { $0.componentCount == dimensions } ?? true)
    self.centres = centres
    self.dimensions = dimensions
    self.projection = projection
    k = centres.count / dimensions
  }

  /// Values in a row to be scored.
  public var featureCount: Int { projection?.featureCount ?? dimensions }

  /// The closest centre, the first of several, and the Euclidean distance to it.
  ///
  /// The distance is in the space of the centres, that is after the projection if there is one.
  ///
  /// - Throws: When the row has the wrong length or a value that cannot be used.
  /// - Complexity: O(k × dimensions).
  public func closest(to row: Span<Float>) throws(ModelError) -> (cluster: Int, distance: Float) {
    try ModelError.check(row, count: featureCount)
    guard let projection else { return closest(checked: row) }
    let projected = try projection.project(row)
    return closest(checked: projected.span)
  }

  private func closest(checked row: Span<Float>) -> (cluster: Int, distance: Float) {
    var best = 0
    var least = Double.infinity
    let centres = centres.span
    for centre in 0..<k {
      let distance = squaredDistance(row, centres, from: centre * dimensions)
      if distance < least {
        best = centre
        least = distance
      }
    }
    return (best, Float(least.squareRoot()))
  }

  package var artifact: Artifact {
    Artifact(.kMeans) { writer in
      writer.section("centres") {
        $0.write(Int64(dimensions))
        $0.write(centres)
      }
      if let projection { projection.write(to: &writer, section: "projection") }
    }
  }

  package init(_ artifact: Artifact) throws(ModelError) {
    do throws(StateError) {
      var reader = try artifact.section("centres")
      let dimensions = Int(try reader.integer(Int64.self))
      let centres = try reader.floats()
      try reader.finish()
      guard dimensions > 0, !centres.isEmpty, centres.count % dimensions == 0,
        centres.allSatisfy(\.isFinite)
      else { throw reader.failure("\(centres.count) values for \(dimensions) dimensions") }
      var projection: PCAModel?
      if artifact.has("projection") {
        projection = try PCAModel(artifact, section: "projection")
        guard projection?.componentCount == dimensions else {
          throw reader.failure("the projection does not lead to \(dimensions) dimensions")
        }
      }
      self.init(centres: centres, dimensions: dimensions, projection: projection)
    } catch {
      throw ModelError(error)
    }
  }
}

extension ModelError {
  static let largestMagnitude: Float = 1e18

  /// Throws when a row has the wrong length or a value that cannot be computed with.
  package static func check(_ row: Span<Float>, count: Int) throws(ModelError) {
    guard row.count == count else {
      throw .wrongFeatureCount(found: row.count, expected: count)
    }
    for index in 0..<row.count where !(row[index].magnitude <= largestMagnitude) {
      throw .valueOutOfRange(feature: index, value: row[index])
    }
  }
}

/// The squared Euclidean distance, summed in 16 lanes in one order on every machine.
@inline(__always)
func squaredDistance(_ row: Span<Float>, _ centres: Span<Float>, from start: Int) -> Double {
  precondition(start >= 0 && start + row.count <= centres.count)
  var lanes = SIMD16<Float>.zero
  var index = 0
  while index + 16 <= row.count {
    var difference = SIMD16<Float>.zero
    for lane in 0..<16 { difference[lane] = row[index + lane] - centres[start + index + lane] }
    lanes += difference * difference
    index += 16
  }
  var lane = 0
  while index < row.count {
    let difference = row[index] - centres[start + index]
    lanes[lane] += difference * difference
    index += 1
    lane += 1
  }
  var sum = 0.0
  for lane in 0..<16 { sum += Double(lanes[lane]) }
  return sum
}
