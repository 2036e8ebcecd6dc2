import Foundation
import Glibc
import Processes
import RimSupport
import Testing
import Transport

struct SecurityTests {
  @Test func certificatesThatNobodyVouchesForAreRefused() async throws {
    let openssl = "/usr/bin/openssl"
    let folder = try TemporaryFolder()
    _ = try output(
      of: openssl,
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", folder.path + "/key", "-out", folder.path + "/cert", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1",
      ])
    let port = Int.random(in: 30_000...39_000)
    let server = try ChildProcess(
      [
        openssl, "s_server", "-accept", "127.0.0.1:\(port)", "-cert", folder.path + "/cert", "-key",
        folder.path + "/key", "-www",
      ], output: .pipe)
    defer {
      server.signal(SIGKILL)
      server.waitForEnd()
      close(server.output)
    }
    // It prints ACCEPT when it listens.
    var text = ""
    while !text.contains("ACCEPT"), let part = ChildProcess.read(server.output) {
      text += String(decoding: part, as: UTF8.self)
    }
    let threads = BlockingThreads(count: 1)
    let connections = HTTPConnections(policy: .unrestricted, threads: threads)
    let url = try #require(WebURL("https://127.0.0.1:\(port)/?secret"))
    let failure = await #expect(throws: HTTPExchangeFailure.self) {
      try await connections.send(HTTPExchangeRequest(method: "GET", url: url))
    }
    #expect(failure?.kind == .security, "\(String(describing: failure))")
    #expect(failure?.message.contains("secret") == false)
    try await connections.shutdown()
    try await threads.stop()
  }

  @Test func unknownHostsAndClosedPortsAreTold() async throws {
    let threads = BlockingThreads(count: 1)
    let connections = HTTPConnections(policy: .unrestricted, threads: threads)
    for (text, kind) in [
      ("http://no-such-host.invalid/", HTTPExchangeFailure.Kind.unknownHost),
      ("http://127.0.0.1:1/", .connection),
    ] {
      let url = try #require(WebURL(text))
      let failure = await #expect(throws: HTTPExchangeFailure.self) {
        try await connections.send(HTTPExchangeRequest(method: "GET", url: url))
      }
      #expect(failure?.kind == kind)
    }
    try await connections.shutdown()
    try await threads.stop()
  }
}
