import LearnedModels
import Learning
import RandomCutForest
import Testing

/// Small series with categories, dynamic features and gaps.
private func series(_ count: Int, likelihood: DeepARLikelihood) -> [TimeSeries] {
  var random = SplitMix64(seed: 7)
  return (0..<count).map { index in
    let target = (0..<120).map { hour -> Float in
      if hour % 17 == 5 { return .nan }
      let level = 0.5 + 0.3 * Float(hour % 24) / 24 + 0.1 * Float(random.uniform())
      switch likelihood {
      case .beta: return level
      case .negativeBinomial: return Float(Int(level * 20))
      case .studentT, .gaussian, .deterministicL1: return level * Float(index + 1) * 10
      }
    }
    return TimeSeries(
      start: 1_704_067_200_000, target: target, categories: [index % 3, index % 2],
      dynamicFeatures: [(0..<144).map { Float($0 % 5) / 5 }])
  }
}

private func texts(_ likelihood: DeepARLikelihood) -> [String: String] {
  [
    "time_freq": "H", "context_length": "6", "prediction_length": "5", "epochs": "2",
    "num_cells": "12", "embedding_dimension": "3", "mini_batch_size": "8",
    "likelihood": likelihood.rawValue, "num_batches_per_epoch": "5", "num_eval_samples": "20",
  ]
}

@Suite struct DeepARTests {
  @Test(arguments: DeepARLikelihood.allCases)
  func slopesOfTheLossAreItsDifferences(_ likelihood: DeepARLikelihood) {
    let value = likelihood == .beta ? 0.3 : 4.0
    for outputs in [(0.3, 0.7, -0.2), (-1.5, 0.1, 1.2), (2.5, -0.8, 0.4)] {
      func loss(_ at: (Double, Double, Double)) -> Double {
        DeepARLoss(likelihood, outputs: at, value: value, scale: 2.5).value
      }
      let slopes = DeepARLoss(likelihood, outputs: outputs, value: value, scale: 2.5).slopes
      let step = 1e-5
      let (a, b, c) = outputs
      let first = (loss((a + step, b, c)) - loss((a - step, b, c))) / (2 * step)
      let second = (loss((a, b + step, c)) - loss((a, b - step, c))) / (2 * step)
      let third = (loss((a, b, c + step)) - loss((a, b, c - step))) / (2 * step)
      #expect((first - slopes.0).magnitude < 1e-6 * (1 + first.magnitude))
      #expect((second - slopes.1).magnitude < 1e-6 * (1 + second.magnitude))
      #expect((third - slopes.2).magnitude < 1e-6 * (1 + third.magnitude))
    }
  }

  /// The gradient of every part of the weights against differences of the loss along random directions.
  @Test(arguments: DeepARLikelihood.allCases)
  func gradientsOfEveryLayerAreDifferences(_ likelihood: DeepARLikelihood) throws {
    let parameters = try DeepARHyperparameters(texts(likelihood))
    var data = try DeepARDataset(series(6, likelihood: likelihood), parameters)
    var random = SplitMix64(seed: 3)
    let tape = DeepARTape(data.configuration, windows: 8)
    for slot in 0..<8 { tape.load(data.draw(&random), at: slot, from: data) }
    let layout = tape.layout
    let weights = DeepARTrainer.initialWeights(layout, data.configuration, &random)
    var gradient = weights
    _ = tape.run(weights, dropout: 0, random: &random, gradient: &gradient)
    var borders = [0, layout.layers[0].input]
    for layer in layout.layers { borders += [layer.recurrent, layer.bias] }
    borders += [layout.layers[1].input, layout.head, layout.headBias, layout.weightCount]
    borders.sort()
    for (from, to) in zip(borders, borders.dropFirst()) where from < to {
      var size = 0.0
      for at in from..<to { size += Double(gradient[at]) * Double(gradient[at]) }
      #expect(size > 0)
      // Along the gradient itself the difference is greatest, and rounding matters least.
      let step = 2e-2 / max(1, size.squareRoot())
      func loss(_ sign: Double) -> Double {
        var moved = weights
        for at in from..<to { moved[at] += Float(sign * step * Double(gradient[at])) }
        var unused = gradient
        return tape.run(moved, dropout: 0, random: &random, gradient: &unused)
      }
      let difference = (loss(1) - loss(-1)) / (2 * step)
      #expect(
        (difference - size).magnitude < 0.02 * size + 2e-6, "\(likelihood) \(from)..<\(to)")
    }
  }

  @Test(arguments: DeepARLikelihood.allCases)
  func trainingIsReproducibleAndItsModelSurvivesEncoding(
    _ likelihood: DeepARLikelihood
  ) throws {
    let data = series(6, likelihood: likelihood)
    let request = TrainingRequest(
      algorithm: .deepAR, hyperparameters: texts(likelihood), seed: 11)
    let results = try (0..<2).map { _ in
      try train(request, on: .series(train: data, test: data))
    }
    #expect(results[0].metrics == results[1].metrics)
    let bytes = results[0].model.encode()
    #expect(bytes == results[1].model.encode())
    #expect(try LearnedModel(decoding: bytes).encode() == bytes)
    #expect(results[0].metrics.map(\.name).contains("test:mean_wQuantileLoss"))
  }

  @Test func badInputIsRefusedWithValueAndWayOut() {
    func message(
      _ change: [String: String], _ data: [TimeSeries]? = nil
    ) -> String {
      do {
        _ = try train(
          TrainingRequest(
            algorithm: .deepAR,
            hyperparameters: texts(.gaussian).merging(change) { $1 }),
          on: .series(train: data ?? series(6, likelihood: .gaussian), test: []))
        return "trained"
      } catch {
        return "\(error)"
      }
    }
    var negative = series(6, likelihood: .negativeBinomial)
    negative[1].target[4] = -3
    #expect(message(["likelihood": "negative-binomial"], negative).contains("is -3.0"))
    #expect(message(["time_freq": "7x"]).contains("'7x'"))
    #expect(message(["num_cells": "0"]).contains("from 1 to 200"))
    #expect(message(["cells": "40"]).contains("context_length"))
    #expect(message(["likelihood": "beta"]).contains("from 0 to 1"))
    #expect(message(["cardinality": "[2,2]"]).contains("category 2 of field 0"))
    #expect(message(["cardinality": "[3]"]).contains("2 categories where the model has 1"))
    #expect(message([:], Array(series(1, likelihood: .gaussian))).contains("at least 300"))
    #expect(message(["prediction_length": "500"]).contains("prediction length, 500"))
    var infinite = series(6, likelihood: .gaussian)
    infinite[0].target[0] = .infinity
    #expect(message([:], infinite).contains("not finite"))
    #expect(message([:]) == "trained")
  }
}
