/// A line that says how far the work is.
public struct ProgressLine: Equatable, Sendable {
  /// What is counted, in the plural.
  public var unit: String
  /// How many are done.
  public var done: Int
  /// How many there will be.
  public var total: Int
  /// How many were done when the clock began.
  public var untimed: Int
  /// Since the clock began.
  public var elapsed: Duration

  /// Creates a line.
  public init(unit: String, done: Int, total: Int, untimed: Int = 0, elapsed: Duration) {
    self.unit = unit
    self.done = done
    self.total = total
    self.untimed = untimed
    self.elapsed = elapsed
  }

  /// Units per second since the clock began, rounded; 0 before any time has passed.
  public var rate: Int {
    let seconds = elapsed / .seconds(1)
    return seconds > 0 ? Int((Double(done - untimed) / seconds).rounded()) : 0
  }

  /// The line with a bar of `width` characters.
  public func text(width: Int, unicode: Bool) -> String {
    let share = total > 0 ? min(1, Double(done) / Double(total)) : 1
    let filled = Int((share * Double(width)).rounded(.down))
    let bar =
      String(repeating: unicode ? "█" : "#", count: filled)
      + String(repeating: unicode ? "░" : ".", count: width - filled)
    return "\(bar) \(done.grouped) of \(total.grouped) \(unit), \(rate.grouped)/s"
  }
}

extension Int {
  /// The number with a comma between thousands.
  public var grouped: String {
    let digits = Array(magnitude.description)
    var text = self < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
      text.append(digit)
    }
    return text
  }
}
