import Foundation
import Glibc

/// A text that tells a process apart from every other of this machine, also from a later one that was
/// given the same number.
public enum ProcessMark {
  /// The mark of this process.
  public static var current: String { mark(of: getpid()) ?? "\(getpid())" }

  /// Whether the process of a mark still runs.
  public static func isAlive(_ mark: String) -> Bool {
    guard let number = mark.split(separator: "@").first.flatMap({ Int32($0) }) else { return false }
    return self.mark(of: number) == mark
  }

  /// `number@start`: the start is in clock ticks since the machine's boot, with the boot's id.
  private static func mark(of process: Int32) -> String? {
    guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
      let boot = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8),
      let end = status.lastIndex(of: ")")
    else { return nil }
    // The name in brackets may hold spaces; the start is the 22nd field, the state after it the 3rd.
    let fields = status[status.index(after: end)...].split(separator: " ")
    guard fields.count > 19, fields[0] != "Z" else { return nil }
    return "\(process)@\(fields[19])@\(boot.prefix(8))"
  }
}
