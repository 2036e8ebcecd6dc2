public import Transport

extension SplitMix64 {
  /// A number from zero up to, but not including, `limit`.
  public mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
}
