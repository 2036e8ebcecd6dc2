import CSpawn
import Glibc

/// A process of another program, which holds its standard streams open and no other file.
///
/// Every file that a child inherits is open until the child ends: whoever reads the end of a pipe, or
/// waits that a connection closes, waits for that child too. Libraries open pipes and sockets that
/// children inherit, and what marks its own may be too late for a child that another thread starts at
/// the same moment. Hence the child itself closes everything but its streams, before it becomes the
/// program.
///
/// The only unsafe code of this target: C strings and buffers live for the duration of the call that
/// takes them.
package struct ChildProcess: Sendable {
  /// What a standard stream of the child is.
  package enum Stream: Hashable, Sendable {
    /// A pipe, the other end of which is ours.
    case pipe
    /// Empty for reading; takes everything and keeps nothing.
    case nothing
    /// What the stream of this process is.
    case inherited
    /// A file that is made if it is not there, and written from its beginning.
    case file(String)
  }

  /// How a process ended.
  package struct End: Hashable, Sendable {
    /// The exit code; -1 after a signal.
    package let exitCode: Int32
    /// The signal that ended it; 0 for none.
    package let signal: Int32
    /// Processor time, milliseconds.
    package let cpuMilliseconds: Int64
  }

  /// The number of the process.
  package let id: Int32
  /// Our end of the child's standard input, which we close; -1 when it is no pipe.
  package let input: Int32
  /// Our end of the child's standard output, which we close; -1 when it is no pipe.
  package let output: Int32
  /// Our end of the child's standard error, which we close; -1 when it is no pipe.
  package let errors: Int32

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - arguments: The program's path, or its name if it lies in the `PATH` of this process, and its
  ///     arguments.
  ///   - environment: Its variables; nil for those of this process.
  ///   - folder: Where it begins; nil for where this process is.
  ///   - input: Its standard input.
  ///   - output: Its standard output.
  ///   - errors: Its standard error.
  /// - Throws: `ChildProcessFailure` when there are no pipes for it, or the program cannot be run.
  package init(
    _ arguments: [String], environment: [String: String]? = nil, folder: String? = nil,
    input: Stream = .nothing, output: Stream = .nothing, errors: Stream = .nothing
  ) throws(ChildProcessFailure) {
    Self.keepEnds()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var ends: [(ours: Int32, theirs: Int32)] = []
    for (stream, number) in zip([input, output, errors], STDIN_FILENO...STDERR_FILENO) {
      guard let pair = Self.prepare(stream, as: number, &actions) else {
        let code = errno
        for end in ends { Self.close([end.ours, end.theirs]) }
        throw ChildProcessFailure(program: arguments[0], code: code)
      }
      ends.append(pair)
    }
    var code = cutbank_spawn_close_from(&actions, STDERR_FILENO + 1)
    if let folder, code == 0 { code = cutbank_spawn_change_folder(&actions, folder) }
    var words = arguments.map { strdup($0) } + [nil]
    var variables = (environment ?? [:]).map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + variables { free(text) } }
    var process: pid_t = 0
    if code == 0 {
      code =
        if environment == nil {
          posix_spawnp(&process, arguments[0], &actions, nil, &words, environ)
        } else {
          posix_spawnp(&process, arguments[0], &actions, nil, &words, &variables)
        }
    }
    Self.close(ends.map(\.theirs))
    guard code == 0 else {
      Self.close(ends.map(\.ours))
      throw ChildProcessFailure(program: arguments[0], code: code)
    }
    id = process
    self.input = ends[0].ours
    self.output = ends[1].ours
    self.errors = ends[2].ours
  }

  /// Lets the system keep how children end: whoever started this process may have let it ignore that, and
  /// every end would then look like a success.
  private static func keepEnds() {
    var action = sigaction()
    sigaction(SIGCHLD, nil, &action)
    let handler = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
    if handler == unsafeBitCast(SIG_IGN, to: Int.self) { Glibc.signal(SIGCHLD, SIG_DFL) }
  }

  /// Says what a stream of the child will be; returns the ends of its pipe, -1 for none, or nil with
  /// `errno` when there is none to be had.
  private static func prepare(
    _ stream: Stream, as number: Int32, _ actions: inout posix_spawn_file_actions_t
  ) -> (ours: Int32, theirs: Int32)? {
    switch stream {
    case .pipe:
      var files: [Int32] = [0, 0]
      guard pipe(&files) == 0 else { return nil }
      let (ours, theirs) =
        number == STDIN_FILENO ? (files[1], files[0]) : (files[0], files[1])
      posix_spawn_file_actions_adddup2(&actions, theirs, number)
      return (ours, theirs)
    case .nothing:
      posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
    case .inherited: break
    case .file(let path):
      posix_spawn_file_actions_addopen(
        &actions, number, path, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
    }
    return (-1, -1)
  }

  private static func close(_ files: [Int32]) {
    for file in files where file >= 0 { Glibc.close(file) }
  }

  /// Whether it has not ended; false, too, after `waitForEnd`.
  package var isRunning: Bool {
    var found = siginfo_t()
    let options = WEXITED | WNOHANG | WNOWAIT
    return waitid(P_PID, id_t(id), &found, options) == 0 && found.si_signo == 0
  }

  /// Sends a signal; nobody may have waited for the end.
  package func signal(_ number: Int32) { _ = kill(id, number) }

  /// Waits for the end, once.
  @discardableResult
  package func waitForEnd() -> End {
    var status: Int32 = 0
    var usage = rusage()
    while wait4(id, &status, 0, &usage) < 0, errno == EINTR {}
    let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
    let microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
    let signal = status & 0x7F
    return End(
      exitCode: signal == 0 ? status >> 8 & 0xFF : -1, signal: signal,
      cpuMilliseconds: Int64(seconds * 1_000 + microseconds / 1_000))
  }

  /// The next bytes of our end of a pipe; nil at its end, when it is closed.
  package static func read(_ file: Int32) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var count = Glibc.read(file, &buffer, buffer.count)
    while count < 0, errno == EINTR { count = Glibc.read(file, &buffer, buffer.count) }
    guard count > 0 else {
      Glibc.close(file)
      return nil
    }
    return Array(buffer[..<count])
  }

  /// Everything that it writes to its standard output from now on, until nobody holds that any more.
  package func readToEnd() -> [UInt8] {
    var bytes: [UInt8] = []
    while let more = Self.read(output) { bytes += more }
    return bytes
  }

  /// Writes to its standard input and closes it.
  ///
  /// What a child that has ended does not take is lost, with a SIGPIPE where that is not ignored.
  package func send(_ bytes: [UInt8] = []) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      rest.removeFirst(count)
    }
    Glibc.close(input)
  }
}

/// Why a program is not running.
package struct ChildProcessFailure: Error, Hashable, CustomStringConvertible {
  /// The path of the program.
  package let program: String
  /// What the system said, an `errno`.
  package let code: Int32

  package var description: String {
    "\(program) cannot be started: \(String(cString: strerror(code)))"
  }
}
