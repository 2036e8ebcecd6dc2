/// Where an interrupted training goes on, and who keeps the places.
///
/// A training that goes on from a checkpoint ends with the same model, bit for bit on one machine, as one
/// that was never interrupted.
public struct TrainingCheckpoints {
  /// The newest checkpoint of an earlier process; nil begins anew.
  public var start: [UInt8]?
  /// Asked after every epoch; true has `save` called.
  public var isDue: () -> Bool
  /// Takes a checkpoint.
  public var save: ([UInt8]) -> Void

  /// Checkpoints that somebody keeps.
  public init(
    start: [UInt8]? = nil, isDue: @escaping () -> Bool = { true },
    save: @escaping ([UInt8]) -> Void
  ) {
    self.start = start
    self.isDue = isDue
    self.save = save
  }
}
