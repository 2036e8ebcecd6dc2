import Columns
import LearnedModels
import RandomCutForest

/// What tells one training from another: a checkpoint belongs to the same request and the same data.
///
/// The number of epochs is not part of it: a training goes on further than it was first meant to.
struct DeepARTrainingIdentity: Equatable {
  let hyperparameters: [String]
  let seed: UInt64
  /// Over all values, times, categories and features that are trained on.
  let data: UInt64

  init(_ request: TrainingRequest, _ data: DeepARDataset) {
    hyperparameters = request.hyperparameters.filter { $0.key != "epochs" }
      .sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    seed = request.seed
    var hash: UInt64 = 0
    for item in data.items {
      var section = SectionWriter()
      section.write(hash)
      section.write(item.series.start)
      section.write(item.series.target)
      section.write(item.series.categories.map { Int64($0) })
      for feature in item.series.dynamicFeatures { section.write(feature) }
      for isObserved in item.observed { section.write(isObserved) }
      hash = XXH64.hash(section.bytes.span)
    }
    self.data = hash
  }

  init(from section: inout SectionReader) throws(StateError) {
    var texts: [String] = []
    for _ in 0..<(try section.count(width: 8)) { texts.append(try section.text()) }
    hyperparameters = texts
    seed = try section.integer()
    data = try section.integer()
  }

  func write(into section: inout SectionWriter) {
    section.write(Int64(hyperparameters.count))
    for text in hyperparameters { section.write(text) }
    section.write(seed)
    section.write(data)
  }

  /// What is different from another one; nil when it is the same training.
  func difference(from other: DeepARTrainingIdentity) -> String? {
    if seed != other.seed { return "its seed is \(seed), not \(other.seed)" }
    if hyperparameters != other.hyperparameters {
      let own = hyperparameters.filter { !other.hyperparameters.contains($0) }
      let others = other.hyperparameters.filter { !hyperparameters.contains($0) }
      return "its hyperparameters have \(own.isEmpty ? "nothing" : own.joined(separator: ",")) for "
        + (others.isEmpty ? "nothing" : others.joined(separator: ","))
    }
    return data == other.data ? nil : "it was trained on other data"
  }
}

extension DeepARTrainer {
  /// All that the training needs to go on.
  borrowing func checkpoint(of identity: DeepARTrainingIdentity) -> [UInt8] {
    Artifact(.deepAR) { writer in
      writer.section("checkpoint") { identity.write(into: &$0) }
      writer.section("progress") { section in
        section.write(random.state)
        section.write([batches, stale, sinceHalving, data.next].map { Int64($0) })
        section.write([rate, bestLoss, optimizer.powers.first, optimizer.powers.second])
        section.write(data.order.map { Int64($0) })
        section.write(metrics.map(\.value))
      }
      writer.section("weights") { section in
        for values in [weights, averaged, best, optimizer.first, optimizer.second] {
          section.write(values)
        }
      }
    }.encode()
  }

  /// Takes up what an earlier process has left; one that is damaged is left alone, with a note.
  ///
  /// - Throws: `TrainingError.checkpoint` when it is of another training.
  mutating func goOn(
    from checkpoints: TrainingCheckpoints, _ identity: DeepARTrainingIdentity,
    note: (String) -> Void
  ) throws(TrainingError) {
    guard let bytes = checkpoints.start else { return }
    let found: (identity: DeepARTrainingIdentity, trainer: DeepARTrainer)
    do throws(ModelError) {
      found = try restored(from: bytes, identity)
    } catch {
      note("the checkpoint is not used, the training begins anew: \(error)")
      return
    }
    if let difference = found.identity.difference(from: identity) {
      throw .checkpoint(
        reason: "the checkpoint is of another training: \(difference)",
        hint: "name another directory for this one, or remove the checkpoint")
    }
    let epoch = found.trainer.metrics.count
    guard epoch <= parameters.epochs else {
      throw .checkpoint(
        reason: "the checkpoint has \(epoch) epochs behind it, and epochs is \(parameters.epochs)",
        hint: "raise epochs, or remove the checkpoint")
    }
    self = found.trainer
    note("the training goes on after epoch \(epoch) of \(parameters.epochs)")
  }

  private func restored(
    from bytes: [UInt8], _ expected: DeepARTrainingIdentity
  ) throws(ModelError) -> (DeepARTrainingIdentity, DeepARTrainer) {
    let artifact = try Artifact(decoding: bytes)
    do throws(StateError) {
      var section = try artifact.section("checkpoint")
      let identity = try DeepARTrainingIdentity(from: &section)
      try section.finish()
      // Of another training the numbers have other counts.
      guard identity == expected else { return (identity, self) }
      var trainer = self
      section = try artifact.section("progress")
      try trainer.readProgress(&section)
      section = try artifact.section("weights")
      var arrays: [[Float]] = []
      for _ in 0..<5 { arrays.append(try section.floats()) }
      guard arrays.allSatisfy({ $0.count == weights.count && $0.allSatisfy(\.isFinite) }) else {
        throw section.failure("there are other weights than the network has")
      }
      try section.finish()
      trainer.weights = arrays[0]
      trainer.averaged = arrays[1]
      trainer.best = arrays[2]
      trainer.optimizer.first = arrays[3]
      trainer.optimizer.second = arrays[4]
      return (identity, trainer)
    } catch {
      throw ModelError(error)
    }
  }

  private mutating func readProgress(_ section: inout SectionReader) throws(StateError) {
    random.state = try section.integer()
    let counts = try section.integers().map { Int($0) }
    let numbers = try section.doubles()
    let order = try section.integers().map { Int($0) }
    let losses = try section.doubles()
    guard counts.count == 4, counts.allSatisfy({ $0 >= 0 }), numbers.count == 4,
      order.sorted() == Array(data.items.indices), counts[3] <= order.count
    else { throw section.failure("the numbers of the training are out of their ranges") }
    (batches, stale, sinceHalving) = (counts[0], counts[1], counts[2])
    data.order = order
    data.next = counts[3]
    rate = numbers[0]
    bestLoss = numbers[1]
    optimizer.powers = (numbers[2], numbers[3])
    metrics = losses.enumerated().map { Metric("train:loss", $1, step: $0 + 1) }
    try section.finish()
  }
}
