import Dispatch
import Glibc
import Learning

/// One line on standard error that is overwritten on a terminal; nothing elsewhere.
struct TrainingDisplay {
  private let isInteractive = isatty(STDERR_FILENO) == 1
  private var shown = ""

  mutating func show(_ stage: TrainingStage, prefix: String = "") {
    guard isInteractive else { return }
    let width = 24
    let bar = stage.fraction.map { fraction in
      let full = Int(fraction * Double(width))
      return "[" + String(repeating: "#", count: full)
        + String(repeating: ".", count: width - full) + "] \(Int(fraction * 100)) % "
    }
    let line = prefix + (bar ?? "") + stage.name
    guard line != shown else { return }
    shown = line
    Output.remark("\r\u{1B}[K\(line)")
  }

  mutating func finish() {
    if isInteractive, !shown.isEmpty { Output.remark("\r\u{1B}[K") }
    shown = ""
  }
}

/// The time and memory that a training may take.
final class TrainingLimits {
  private let seconds: Double?
  private let mebibytes: Int?
  private let started = DispatchTime.now().uptimeNanoseconds
  private(set) var reason = "the training was cancelled"
  private(set) var hint: String?

  init(seconds: Double?, mebibytes: Int?) {
    self.seconds = seconds
    self.mebibytes = mebibytes
  }

  /// Whether one of them is exceeded; `reason` and `hint` then say which.
  func isExceeded() -> Bool {
    if let seconds, Double(DispatchTime.now().uptimeNanoseconds - started) > seconds * 1e9 {
      reason = "the training is over its limit of \(seconds) seconds"
      hint = "raise --time-limit or train on less data"
      return true
    }
    if let mebibytes, case let held = ResidentMemory.bytes >> 20, held > mebibytes {
      reason = "the training holds \(held) MiB of memory, over its limit of \(mebibytes) MiB"
      hint = "raise --memory-limit, or lower k, mini_batch_size or num_samples_per_tree"
      return true
    }
    return false
  }
}

extension Metric {
  /// One JSON line; with the number of its trial in a tuning.
  func line(trial: Int? = nil) -> String {
    "{\"metric\":\"\(name)\",\"value\":\(value),\"step\":\(step)"
      + (trial.map { ",\"trial\":\($0)" } ?? "") + "}\n"
  }
}
