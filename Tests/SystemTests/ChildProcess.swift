import Foundation
import Glibc

/// A process with pipes, by the system's own calls: Foundation's `Process` now and then forgets to
/// tell of an end.
struct ChildProcess: Sendable {
  /// Its number.
  let id: pid_t
  /// Its standard output and standard error.
  let outputs: [Int32]
  /// Its standard input.
  let input: FileHandle

  /// Starts the program that the first argument names.
  init(_ arguments: [String], folder: String?) throws {
    let pipes = try (0..<3).map { _ in try Self.makePipe() }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, pipes[0].read, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, pipes[1].write, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, pipes[2].write, STDERR_FILENO)
    // env changes the folder and then becomes the program.
    let command = folder.map { ["/usr/bin/env", "--chdir=\($0)"] + arguments } ?? arguments
    var words = command.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, command[0], &actions, nil, &words, environ)
    for file in [pipes[0].read, pipes[1].write, pipes[2].write] { close(file) }
    guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EINVAL) }
    id = process
    outputs = [pipes[1].read, pipes[2].read]
    input = FileHandle(fileDescriptor: pipes[0].write, closeOnDealloc: true)
  }

  /// Waits for the end and returns the exit code, or -1 after a signal that was not handled.
  func waitForEnd() -> Int32 {
    var status: Int32 = 0
    while waitpid(id, &status, 0) < 0, errno == EINTR {}
    return status & 0x7F == 0 ? status >> 8 & 0xFF : -1
  }

  func signal(_ number: Int32) {
    kill(id, number)
  }

  /// The next bytes of a pipe; nil at its end, which is closed then.
  static func read(_ file: Int32) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var count = Glibc.read(file, &buffer, buffer.count)
    while count < 0, errno == EINTR { count = Glibc.read(file, &buffer, buffer.count) }
    guard count > 0 else {
      close(file)
      return nil
    }
    return Array(buffer[..<count])
  }

  /// A pipe that no other child inherits.
  private static func makePipe() throws -> (read: Int32, write: Int32) {
    var files: [Int32] = [0, 0]
    guard pipe(&files) == 0 else {
      throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EMFILE)
    }
    for file in files { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
    return (files[0], files[1])
  }
}
