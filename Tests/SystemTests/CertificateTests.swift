import Foundation
import RimSupport
import Testing

extension SystemTests {
  /// Fault 20: an authority of the test's own signs what endpoints show.
  @Suite(
    "Fault 20: certificates", .timeLimit(.minutes(4)),
    .enabled(if: Places.openssl != nil, "openssl is not installed"))
  struct Fault20Certificates {
    private static let authorities = "/etc/ssl/certs/ca-certificates.crt"

    /// Makes an authority and a certificate of it for 127.0.0.1.
    private func makeCertificate(_ stage: Stage, days: Int) async throws {
      try await Authority(folder: stage.path).sign("endpoint", days: days)
    }

    /// Runs a daemon against an endpoint with the certificate of the stage.
    private func run(
      _ stage: Stage, through: [String],
      look: (_ server: Program, _ daemon: Program) async throws
        -> Void
    ) async throws {
      let server = try Program(
        try #require(Places.openssl as String?),
        ["s_server", "-accept", "127.0.0.1:0", "-cert", "endpoint.pem", "-key", "endpoint.key"],
        folder: stage.path)
      let line = try #require(await server.line(containing: "ACCEPT 127.0.0.1:"))
      let port = line.split(separator: ":").last.map(String.init) ?? ""
      let file = try stage.write(
        SystemTests.pipeline(
          """
            - stream: OUT
              delivery:
                to: 'https://127.0.0.1:\(port)/in'
                http: {allow: [127.0.0.0/8]}
                buffer: {size: 1MiB, records: 10}
          """) + "\nsnapshot: {interval: 1s, records: 10}", to: "numbers.yaml")
      try stage.write("shutdown_timeout: 1s", to: "cutbank.yaml")
      let daemon = try stage.daemon(
        file, arguments: ["--config", "cutbank.yaml"], through: through)
      try stage.produce(SystemTests.numbers(0..<10), to: "numbers")
      try await look(server, daemon)
      let isStored = await daemon.waits {
        stage.files.contains { $0.contains("/task-0/snapshot-") && !$0.hasSuffix(".tmp") }
      }
      try #require(isStored)
      await stage.end(daemon)
      server.signal(SIGKILL)
      // The endpoint has taken nothing, and the rows are still there.
      let balance = try await stage.expectBalance(delivered: .asCounted)
      #expect(balance.polled > 0 && balance.outputs[0].inFlight == balance.polled, "\(balance)")
    }

    private func expectRefusal(_ daemon: Program) async throws {
      let fails = try #require(await daemon.line(containing: "fails and is tried again"))
      #expect(fails.contains("tls: the certificate of 127.0.0.1:"), "\(fails)")
      #expect(fails.contains("has expired, is for another name, or"), "\(fails)")
    }

    @Test func oneThatNobodyVouchesForIsRefused() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      try await makeCertificate(stage, days: 2)
      try await run(stage, through: []) { try await expectRefusal($1) }
    }

    /// Where the authority is known, only the expiry is wrong: the other endpoint gets the request.
    @Test(
      .enabled(if: SmallVolume.isPossible, "an authority of its own needs an administrator"),
      .enabled(if: Faults.areLong, Faults.tooLong),
      arguments: [-1, 2])
    func oneThatHasExpiredIsRefused(days: Int) async throws {
      try #require(FileManager.default.fileExists(atPath: Self.authorities))
      let stage = try Stage(topics: ["numbers": 1])
      try await makeCertificate(stage, days: days)
      let prefix = PrivateFiles.prefix(stage.path + "/ca.pem", as: Self.authorities)
      try await run(stage, through: prefix) { server, daemon in
        guard days > 0 else { return try await expectRefusal(daemon) }
        #expect(await server.line(containing: "POST /in HTTP/1.1") != nil)
      }
    }
  }
}
