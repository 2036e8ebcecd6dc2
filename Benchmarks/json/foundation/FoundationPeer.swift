import Foundation

/// The peer in Swift: Foundation's `JSONDecoder` makes a struct of each line of a file.
///
/// Prints one line of JSON; CPU time of one thread, best round. Nothing is written to columns.
@main
struct FoundationPeer {
  private struct Reading: Decodable {
    let ts: Int64
    let device: String
    let site: String
    let temperature: Double
    let pressure: Double
    let vibration: Double
    let rpm: Int32
    let ok: Bool
    let seq: Int64
  }

  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 4, let rounds = Int(arguments[2]), let most = Int(arguments[3]) else {
      throw PeerError(message: "usage: \(arguments[0]) FILE ROUNDS RECORDS")
    }
    let lines = try Data(contentsOf: URL(fileURLWithPath: arguments[1]))
      .split(separator: 0x0A).prefix(most).map { Data($0) }
    let decoder = JSONDecoder()
    var best = Double.infinity
    var sum = 0.0
    for _ in 0..<rounds {
      let start = threadSeconds()
      sum = 0
      for line in lines { sum += try decoder.decode(Reading.self, from: line).temperature }
      best = min(best, threadSeconds() - start)
    }
    let rate = Double(lines.count) / best
    print(
      "{\"peer\":\"Foundation JSONDecoder, Swift\",\"records_per_second\":\(Int(rate)),"
        + "\"checksum\":\(sum)}")
  }

  private static func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

private struct PeerError: Error, CustomStringConvertible {
  let message: String
  var description: String { message }
}
