import Foundation
import Glibc
import Processes
import Testing

@Suite struct ChildProcessTests {
  /// The end of a pipe is reached when our own writing end is closed, whoever was started meanwhile.
  @Test func aChildHoldsNoneOfOurPipes() throws {
    // As libraries make them: a child would inherit both ends.
    var files: [Int32] = [0, 0]
    try #require(pipe(&files) == 0)
    let child = try ChildProcess(["/bin/cat"], input: .pipe, output: .pipe)
    close(files[1])
    var end = pollfd(fd: files[0], events: Int16(POLLIN), revents: 0)
    #expect(poll(&end, 1, 0) == 1 && Int32(end.revents) & POLLHUP != 0)
    close(files[0])
    child.send(Array("lives".utf8))
    #expect(child.readToEnd() == Array("lives".utf8))
    #expect(child.waitForEnd().exitCode == 0)
  }

  /// Many threads start processes at the same time; none waits for the long-lived ones of the others.
  @Test func nobodyWaitsForTheChildrenOfOthers() async throws {
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<6 {
        group.addTask {
          await onThread {
            var living: [ChildProcess] = []
            defer { for child in living { end(child) } }
            for _ in 0..<10 {
              guard let long = try? ChildProcess(["/bin/cat"], input: .pipe),
                let short = try? ChildProcess(["/bin/true"], output: .pipe)
              else {
                Issue.record("no process could be started")
                return
              }
              living.append(long)
              #expect(seesTheEnd(of: short))
            }
          }
        }
      }
    }
  }

  @Test func aProgramWithoutAFolderIsLookedUp() throws {
    #expect(try ChildProcess(["true"]).waitForEnd().exitCode == 0)
    #expect(throws: ChildProcessFailure.self) { try ChildProcess(["no-such-program"]) }
  }

  @Test func streamsAreWhatTheyAreSaidToBe() throws {
    let folder = FileManager.default.temporaryDirectory.path + "/cutbank-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let script = "cat; echo \"$A and $PATH in $(pwd -P)\"; echo told >&2; exit 3"
    let child = try ChildProcess(
      ["/bin/sh", "-c", script], environment: ["A": "a", "PATH": "/usr/bin:/bin"],
      folder: folder, output: .pipe, errors: .file(folder + "/errors"))
    let place = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
    #expect(
      String(decoding: child.readToEnd(), as: UTF8.self)
        == "a and /usr/bin:/bin in \(place)\n")
    #expect(child.waitForEnd().exitCode == 3)
    #expect(!child.isRunning)
    #expect(try String(contentsOfFile: folder + "/errors", encoding: .utf8) == "told\n")
  }

  @Test func anEndIsTold() throws {
    let child = try ChildProcess(["/bin/cat"], input: .pipe)
    #expect(child.isRunning)
    child.signal(SIGKILL)
    let end = child.waitForEnd()
    #expect(end.signal == SIGKILL && end.exitCode == -1)
    child.send()
  }

  /// A process that was started so that it ignores the ends of children sees how they end nevertheless.
  @Test func anEndIsToldToThoseWhoIgnoreThem() async {
    await #expect(processExitsWith: .success) {
      signal(SIGCHLD, SIG_IGN)
      let child = try ChildProcess(["/bin/sh", "-c", "exit 3"])
      exit(child.waitForEnd().exitCode == 3 ? EXIT_SUCCESS : EXIT_FAILURE)
    }
  }

  @Test(arguments: [("/no/such/program", ENOENT), ("/etc/passwd", EACCES)])
  func aProgramThatCannotBeRunIsTold(path: String, code: Int32) {
    let failure = #expect(throws: ChildProcessFailure.self) {
      try ChildProcess([path], input: .pipe, output: .pipe, errors: .pipe)
    }
    #expect(failure?.code == code)
    #expect(failure?.description.hasPrefix("\(path) cannot be started: ") == true)
  }
}

/// Whether a process closes its output; what another one held would stay open, so the wait is bounded.
private func seesTheEnd(of child: ChildProcess) -> Bool {
  var end = pollfd(fd: child.output, events: Int16(POLLIN), revents: 0)
  let isClosed = poll(&end, 1, 30_000) == 1 && ChildProcess.read(child.output) == nil
  child.waitForEnd()
  return isClosed
}

private func end(_ child: ChildProcess) {
  child.send()
  child.waitForEnd()
}

private func onThread(_ body: @escaping @Sendable () -> Void) async {
  await withCheckedContinuation { continuation in
    Thread.detachNewThread {
      body()
      continuation.resume()
    }
  }
}
