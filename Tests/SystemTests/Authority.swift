import Foundation
import Testing

/// A certificate authority of a test's own, in a folder: `ca.pem`, and what it signs.
struct Authority {
  private let folder: String

  private static let key = [
    "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
  ]

  /// Makes the authority.
  init(folder: String) async throws {
    self.folder = folder
    try await openssl(
      ["req", "-x509"] + Self.key + [
        "-days", "3", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem",
      ])
  }

  /// Makes `NAME.key` and `NAME.pem`, a certificate for 127.0.0.1 that ends after so many days.
  func sign(_ name: String, days: Int = 2) async throws {
    try await openssl(
      ["req"] + Self.key + [
        "-subj", "/CN=\(name)", "-keyout", "\(name).key", "-out", "request.pem",
      ])
    try Data("subjectAltName=IP:127.0.0.1\n".utf8).write(
      to: URL(fileURLWithPath: folder + "/names"))
    try await openssl(
      [
        "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial",
        "1", "-days", "\(days)", "-extfile", "names", "-out", "\(name).pem",
      ])
  }

  private func openssl(_ arguments: [String]) async throws {
    let program = try Program(try #require(Places.openssl as String?), arguments, folder: folder)
    try #require(await program.exitCode() == 0, "\(program.text)")
  }
}
