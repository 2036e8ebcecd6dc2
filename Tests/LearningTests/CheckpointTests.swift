import LearnedModels
import Learning
import Testing

/// A training that is interrupted anywhere ends with the model of one that is not.
@Suite struct CheckpointTests {
  private static func data(_ level: Float = 10) -> TrainingData {
    .series(
      train: (0..<5).map { index in
        TimeSeries(
          start: 1_704_067_200_000,
          target: (0..<90).map { $0 % 13 == 4 ? .nan : level + Float(($0 * (index + 3)) % 24) },
          categories: [index % 2])
      }, test: [])
  }

  private static func request(
    epochs: Int = 9, seed: UInt64 = 5, more: [String: String] = [:]
  ) -> TrainingRequest {
    let texts = [
      "time_freq": "H", "context_length": "6", "prediction_length": "5", "epochs": "\(epochs)",
      "num_cells": "8", "embedding_dimension": "2", "mini_batch_size": "4",
      "num_batches_per_epoch": "3", "learning_rate": "0.02",
    ]
    return TrainingRequest(
      algorithm: .deepAR, hyperparameters: texts.merging(more) { $1 }, seed: seed)
  }

  /// The newest checkpoint of a training that is stopped before its n-th batch.
  private static func interrupted(
    before batch: Int, from start: [UInt8]? = nil, request: TrainingRequest = request()
  ) throws -> [UInt8] {
    var kept: [UInt8] = []
    var batches = 0
    do {
      _ = try train(
        request, on: data(),
        progress: TrainingProgress(isCancelled: {
          batches += 1
          return batches > batch
        }), checkpoints: TrainingCheckpoints(start: start, save: { kept = $0 }))
      Issue.record("the training was not stopped")
    } catch TrainingError.cancelled {
      return kept
    }
    return kept
  }

  private static func finished(
    from start: [UInt8], request: TrainingRequest = request()
  ) throws -> (result: TrainingResult, notes: [String]) {
    var notes: [String] = []
    let result = try train(
      request, on: data(), progress: TrainingProgress(noted: { notes.append($0) }),
      checkpoints: TrainingCheckpoints(start: start, save: { _ in }))
    return (result, notes)
  }

  @Test(arguments: [
    [:], ["scale_sampling_exponent": "0.5"], ["early_stopping_patience": "2"],
    ["likelihood": "gaussian", "dropout_rate": "0.3"],
  ])
  func theModelIsTheSameWhereverItIsInterrupted(more: [String: String]) throws {
    let request = Self.request(more: more)
    let whole = try train(request, on: Self.data())
    let epochs = whole.metrics.count { $0.name == "train:loss" }
    for batch in [3, 4, 8, 3 * epochs - 1] {
      let checkpoint = try Self.interrupted(before: batch, request: request)
      let found = try Self.finished(from: checkpoint, request: request)
      #expect(found.result.model.encode() == whole.model.encode(), "stopped before batch \(batch)")
      #expect(found.result.metrics == whole.metrics)
      #expect(found.notes == ["the training goes on after epoch \(batch / 3) of 9"])
    }
  }

  /// Interrupted twice, and then for longer than it was first meant to.
  @Test func aTrainingGoesOnFurther() throws {
    let first = try Self.interrupted(before: 7)
    let second = try Self.interrupted(before: 4, from: first)
    let longer = Self.request(epochs: 14)
    let found = try Self.finished(from: second, request: longer)
    #expect(found.notes == ["the training goes on after epoch 3 of 14"])
    #expect(try found.result.model.encode() == train(longer, on: Self.data()).model.encode())
  }

  @Test func aFinishedTrainingIsNotRepeated() throws {
    var kept: [UInt8] = []
    let whole = try train(
      Self.request(), on: Self.data(),
      checkpoints: TrainingCheckpoints(save: { kept = $0 }))
    var measured = 0
    let again = try train(
      Self.request(), on: Self.data(),
      progress: TrainingProgress(measured: { metric in
        if metric.name == "train:loss" { measured += 1 }
        return true
      }), checkpoints: TrainingCheckpoints(start: kept, save: { _ in }))
    #expect(measured == 0 && again.model.encode() == whole.model.encode())
  }

  @Test func theCheckpointOfAnotherTrainingIsRefused() throws {
    let checkpoint = try Self.interrupted(before: 13)
    func refusal(_ request: TrainingRequest, _ data: TrainingData = Self.data()) -> String {
      do {
        _ = try train(
          request, on: data,
          checkpoints: TrainingCheckpoints(start: checkpoint, save: { _ in }))
        return "taken"
      } catch {
        return "\(error)"
      }
    }
    #expect(refusal(Self.request(seed: 6)).contains("its seed is 5, not 6"))
    let cells = refusal(Self.request(more: ["num_cells": "9"]))
    #expect(cells.contains("num_cells=8 for num_cells=9"))
    #expect(refusal(Self.request(more: ["num_layers": "1"])).contains("nothing for num_layers=1"))
    #expect(refusal(Self.request(), Self.data(11)).contains("other data"))
    #expect(refusal(Self.request(epochs: 3)).contains("has 4 epochs behind it, and epochs is 3"))
    #expect(refusal(Self.request()) == "taken")
    let forest = TrainingRequest(algorithm: .kMeans, hyperparameters: ["k": "2"])
    #expect(refusal(forest).contains("kmeans has no checkpoints"))
  }

  /// Every byte may be damaged and the end missing: the training begins anew and says so.
  @Test func aDamagedCheckpointIsNotUsed() throws {
    let checkpoint = try Self.interrupted(before: 4)
    let whole = try train(Self.request(), on: Self.data()).model.encode()
    var damaged: [[UInt8]] = [[], Array(checkpoint.dropLast()), Array(checkpoint.prefix(100))]
    for place in stride(from: 0, to: checkpoint.count, by: max(1, checkpoint.count / 20)) {
      var bytes = checkpoint
      bytes[place] ^= 0x10
      damaged.append(bytes)
    }
    for bytes in damaged {
      let found = try Self.finished(from: bytes)
      #expect(found.result.model.encode() == whole)
      #expect(found.notes.count == 1 && found.notes[0].contains("begins anew"), "\(found.notes)")
    }
  }
}
