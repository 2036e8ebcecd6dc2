import Glibc

/// Standard output could not be written.
struct WriteError: Error, CustomStringConvertible {
  let code: Int32

  /// The reader closed the pipe, as `head` does; nobody is left to be told.
  var isReaderGone: Bool { code == EPIPE }

  var description: String {
    "standard output cannot be written: \(String(cString: strerror(code)))"
  }
}

/// The two streams of text that a command writes.
enum Output {
  /// Writes results to standard output, all of the text or an error.
  static func write(_ text: String) throws(WriteError) {
    try write(text, to: STDOUT_FILENO)
  }

  /// Writes bytes to standard output, all of them or an error.
  static func write(bytes: [UInt8]) throws(WriteError) {
    try write(bytes, to: STDOUT_FILENO)
  }

  /// Writes a remark to standard error; a remark that nobody reads is no error.
  static func note(_ text: String) {
    remark(text + "\n")
  }

  /// Writes part of a line to standard error.
  static func remark(_ text: String) {
    try? write(text, to: STDERR_FILENO)
  }

  private static func write(_ text: String, to file: Int32) throws(WriteError) {
    try write(Array(text.utf8), to: file)
  }

  private static func write(_ bytes: [UInt8], to file: Int32) throws(WriteError) {
    var start = 0
    while start < bytes.count {
      let written = Glibc.write(file, Array(bytes[start...]), bytes.count - start)
      if written < 0 {
        if errno == EINTR { continue }
        throw WriteError(code: errno)
      }
      start += written
    }
  }
}

/// What the terminal can show.
struct Terminal {
  /// Whether standard output is one; lines may be overwritten there.
  let isInteractive: Bool
  /// Characters in a line.
  let width: Int
  /// Whether it shows more than ASCII.
  let unicode: Bool

  /// The terminal of this process.
  static func current(environment: [String: String]) -> Terminal {
    var size = winsize()
    let known = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    let locale =
      ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }
      .first { !$0.isEmpty }?.uppercased() ?? ""
    return Terminal(
      isInteractive: isatty(STDOUT_FILENO) == 1 && environment["TERM"] != "dumb",
      width: known ? min(120, Int(size.ws_col)) : 100,
      unicode: locale.contains("UTF-8") || locale.contains("UTF8"))
  }
}
