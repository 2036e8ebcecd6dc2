import Demo

/// Shows progress: one line that is overwritten on a terminal, a line for each quarter elsewhere.
struct ProgressDisplay {
  private let terminal: Terminal
  private var quarter = 0

  init(terminal: Terminal) {
    self.terminal = terminal
  }

  mutating func show(_ progress: ProgressLine) throws {
    if terminal.isInteractive {
      // Back to the start of the line, and clear it.
      try Output.write("\r\u{1B}[K" + progress.text(width: 24, unicode: terminal.unicode))
    } else if progress.total > 0, progress.done * 4 / progress.total > quarter {
      quarter = progress.done * 4 / progress.total
      try Output.write("progress: " + progress.text(width: 0, unicode: false).dropFirst() + "\n")
    }
  }

  func finish() throws {
    if terminal.isInteractive { try Output.write("\n") }
  }
}
