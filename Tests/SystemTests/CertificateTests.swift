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

    private func openssl(_ stage: Stage, _ arguments: [String]) async throws {
      let program = try Program(
        try #require(Places.openssl as String?), arguments, folder: stage.path)
      #expect(await program.exitCode() == 0, "\(program.text)")
    }

    private static let key = [
      "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    ]

    /// Makes an authority and a certificate of it for 127.0.0.1.
    private func makeCertificate(_ stage: Stage, days: Int) async throws {
      try await openssl(
        stage,
        ["req", "-x509"] + Self.key + [
          "-days", "3", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem",
        ])
      try await openssl(
        stage,
        ["req"] + Self.key + ["-subj", "/CN=endpoint", "-keyout", "key.pem", "-out", "request.pem"])
      try stage.write("subjectAltName=IP:127.0.0.1\n", to: "names")
      try await openssl(
        stage,
        [
          "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial",
          "1", "-days", "\(days)", "-extfile", "names", "-out", "cert.pem",
        ])
    }

    /// What the daemon says of an endpoint with the certificate of the stage.
    private func complaint(_ stage: Stage, through: [String]) async throws -> String {
      let server = try Program(
        try #require(Places.openssl as String?),
        ["s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem", "-www"],
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
          """), to: "numbers.yaml")
      let daemon = try stage.daemon(file, through: through)
      try stage.produce(SystemTests.numbers(0..<10), to: "numbers")
      let fails = try #require(await daemon.line(containing: "fails and is tried again"))
      await stage.kill(daemon)
      server.signal(SIGKILL)
      return fails
    }

    @Test func oneThatNobodyVouchesForIsRefused() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      try await makeCertificate(stage, days: 2)
      let complaint = try await complaint(stage, through: [])
      #expect(complaint.contains("tls: "), "\(complaint)")
      #expect(complaint.contains("certificate"), "\(complaint)")
    }

    /// The authority is known, and only the expiry is wrong: the other endpoint gets further.
    @Test(
      .enabled(if: SmallVolume.isPossible, "an authority of its own needs an administrator"),
      arguments: [(-1, true), (2, false)])
    func oneThatHasExpiredIsRefused(days: Int, isRefused: Bool) async throws {
      try #require(FileManager.default.fileExists(atPath: Self.authorities))
      let stage = try Stage(topics: ["numbers": 1])
      try await makeCertificate(stage, days: days)
      let complaint = try await complaint(
        stage, through: PrivateFiles.prefix(stage.path + "/ca.pem", as: Self.authorities))
      #expect(complaint.contains("tls: ") == isRefused, "\(complaint)")
    }
  }
}
