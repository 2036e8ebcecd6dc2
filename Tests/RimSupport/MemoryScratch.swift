public import Dataflow

/// Room for models in memory, which can be made to refuse.
public final class MemoryScratch: ModelScratch {
  /// What a scratch says that refuses.
  public struct Refusal: Error, CustomStringConvertible {
    public let description = "no room"

    /// A refusal.
    public init() {}
  }

  /// Everything written.
  public private(set) var bytes: [UInt8] = []
  /// Whether writes fail.
  public var refusesWrites = false
  /// Whether reads fail.
  public var refusesReads = false
  /// Whether a bit is another one in what is read.
  public var damagesReads = false

  /// An empty scratch.
  public init() {}

  public func write(_ written: [UInt8], at offset: Int64) throws {
    if refusesWrites { throw Refusal() }
    let end = Int(offset) + written.count
    if bytes.count < end { bytes += [UInt8](repeating: 0xEE, count: end - bytes.count) }
    bytes.replaceSubrange(Int(offset)..<end, with: written)
  }

  public func read(_ count: Int, at offset: Int64) throws -> [UInt8] {
    if refusesReads { throw Refusal() }
    var read = Array(bytes[Int(offset)..<Int(offset) + count])
    if damagesReads { read[count / 2] ^= 1 }
    return read
  }
}
