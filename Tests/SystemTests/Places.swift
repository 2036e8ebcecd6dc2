import Foundation

/// Files that the tests use.
enum Places {
  /// The root of the repository.
  static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  /// The folder with real series beside the repository, where there is one.
  static let shared: String? = [
    ProcessInfo.processInfo.environment["CUTBANK_SHARED"], root + "/../shared",
  ].compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0 + "/data/taxi") }

  /// The real New York taxi series.
  static let realTaxi = shared.map { $0 + "/data/taxi/nyc_taxi.csv" }

  /// kcat, a Kafka client that is not ours.
  static let kcat = ["/usr/bin/kcat", "/usr/local/bin/kcat"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// strace, which kills at a chosen system call.
  static let strace = ["/usr/bin/strace", "/usr/local/bin/strace"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// openssl, whose server has a certificate that nobody vouches for.
  static let openssl = ["/usr/bin/openssl", "/usr/local/bin/openssl"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }
}
