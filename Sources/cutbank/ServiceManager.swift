import Glibc

/// Tells systemd how the daemon does, as services of `Type=notify` do; silent without one.
///
/// Source: sd_notify(3), systemd.service(5).
struct ServiceManager: Sendable {
  private let socket: String?
  /// How often the watchdog wants to hear of us: half of what it allows, milliseconds.
  let watchdogInterval: Int64?

  /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
  init(environment: [String: String]) {
    socket = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
    let isForUs = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
    let allowed = environment["WATCHDOG_USEC"].flatMap { Int64($0) }
    watchdogInterval = isForUs ? allowed.flatMap { $0 > 0 ? max(1, $0 / 2_000) : nil } : nil
  }

  /// Everything is open and the pipelines run.
  func ready(_ status: String) { notify("READY=1\nSTATUS=\(status)") }

  /// A reload begins; `ready` ends it.
  func reloading() {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    notify("RELOADING=1\nMONOTONIC_USEC=\(time.tv_sec * 1_000_000 + time.tv_nsec / 1_000)")
  }

  /// The daemon delivers what it has taken and ends.
  func stopping() { notify("STOPPING=1\nSTATUS=delivering what was taken") }

  /// The workers go on.
  func alive() { notify("WATCHDOG=1") }

  private func notify(_ state: String) {
    guard let socket else { return }
    if !Datagram.send(state, to: socket) {
      Output.note("warning: the service manager's socket \(socket) does not take messages")
    }
  }
}
