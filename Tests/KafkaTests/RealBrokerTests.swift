import Foundation
import Kafka
import Testing

/// What the embedded broker cannot do, on a broker named by the environment.
@Suite(
  .enabled(
    if: RealBroker.bootstrap != nil,
    "set CUTBANK_TEST_BROKERS=host:port to test transactions, fencing and times on a real broker"),
  .serialized)
struct RealBrokerTests {
  private let topic = "cutbank-test-\(UInt64.random(in: 0...UInt64.max))"
}

enum RealBroker {
  static let bootstrap = ProcessInfo.processInfo.environment["CUTBANK_TEST_BROKERS"]
}
