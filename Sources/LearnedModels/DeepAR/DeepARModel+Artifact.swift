import Columns

extension DeepARModel {
  /// The model as an artifact.
  package var artifact: Artifact {
    let shape = configuration
    return Artifact(.deepAR) { writer in
      writer.section("network") { section in
        section.write(shape.frequency.text)
        section.write(shape.likelihood.rawValue)
        section.write(
          [
            shape.contextLength, shape.predictionLength, shape.layerCount, shape.cellCount,
            shape.embeddingDimension, shape.dynamicFeatureCount, shape.maximumAge,
          ].map { Int64($0) })
        section.write(shape.cardinalities.map { Int64($0) })
        section.write([shape.logScaleMean, shape.logScaleDeviation])
      }
      writer.section("weights") { section in
        section.write(Int64(weights.count))
        for weight in weights { section.write(weight.bitPattern) }
      }
    }
  }

  /// Reads what `artifact` wrote.
  ///
  /// - Throws: `corruptArtifact` when something is damaged or out of its range.
  package init(_ artifact: Artifact) throws(ModelError) {
    do throws(StateError) {
      var reader = try artifact.section("network")
      let configuration = try DeepARConfiguration(&reader)
      reader = try artifact.section("weights")
      let count = try reader.count(width: 4)
      var weights: [Float] = []
      weights.reserveCapacity(count)
      for _ in 0..<count { weights.append(Float(bitPattern: try reader.integer(UInt32.self))) }
      try reader.finish()
      do throws(DeepARError) {
        try self.init(configuration: configuration, weights: weights)
      } catch {
        throw reader.failure(error.description)
      }
    } catch {
      throw ModelError(error)
    }
  }
}

extension DeepARConfiguration {
  fileprivate init(_ reader: inout SectionReader) throws(StateError) {
    let spacing = try reader.text()
    guard let frequency = DeepARFrequency(spacing) else {
      throw reader.failure("the frequency '\(spacing)' is not known")
    }
    let law = try reader.text()
    guard let likelihood = DeepARLikelihood(rawValue: law) else {
      throw reader.failure("the likelihood '\(law)' is not known")
    }
    let sizes = try reader.integers()
    let cardinalities = try reader.integers()
    let scales = try reader.doubles()
    try reader.finish()
    guard sizes.count == 7, scales.count == 2, sizes.allSatisfy({ (0...1_000_000).contains($0) }),
      sizes[0] > 0, sizes[1] > 0, (1...8).contains(sizes[2]), (1...200).contains(sizes[3]),
      cardinalities.count <= 1_000, cardinalities.allSatisfy({ (1...10_000_000).contains($0) }),
      sizes[4] <= 1_000, sizes[5] <= 10_000, scales[0].isFinite, scales[1].isFinite,
      scales[1] > 0
    else { throw reader.failure("a size is out of its range") }
    self.init(
      frequency: frequency, contextLength: Int(sizes[0]), predictionLength: Int(sizes[1]),
      likelihood: likelihood, layerCount: Int(sizes[2]), cellCount: Int(sizes[3]),
      cardinalities: cardinalities.map { Int($0) }, embeddingDimension: Int(sizes[4]),
      dynamicFeatureCount: Int(sizes[5]), logScaleMean: scales[0], logScaleDeviation: scales[1],
      maximumAge: Int(sizes[6]))
  }
}
