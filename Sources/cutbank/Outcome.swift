import ArgumentParser
import Engine
import Glibc
import Kafka

/// An error that ends the command: what happened, what to do, and the exit code.
struct Failure: Error, CustomStringConvertible {
  let message: String
  var hint: String?
  var code = Outcome.failed

  var description: String {
    "error: " + message + (hint.map { "\n  hint: \($0)" } ?? "")
  }
}

/// What the exit code says.
enum Outcome {
  /// Something failed; the message says what.
  static let failed = ExitCode(1)
  /// A broker or destination is away; trying again later may help.
  static let temporary = ExitCode(75)
  /// The configuration or the SQL program is refused.
  static let configuration = ExitCode(78)

  /// Ends the process with what the error asks for.
  static func exit(with error: any Error) -> Never {
    switch error {
    case let failure as Failure: end(failure.description, failure.code)
    case let refused as ConfigurationRefused: end(refused.description, configuration)
    case let error as KafkaError: end("error: \(error)", code(of: error))
    case is ExitCode, is CleanExit, is ValidationError: Cutbank.exit(withError: error)
    case let error as WriteError where error.isReaderGone: Cutbank.exit(withError: failed)
    default: Cutbank.exit(withError: error)
    }
  }

  /// A broker that is away is temporary, a property that librdkafka refuses is configuration.
  static func code(of error: KafkaError) -> ExitCode {
    switch error.code {
    case .transport, .allBrokersDown, .resolve, .timedOut, .messageTimedOut, .requestTimedOut:
      temporary
    case .invalidArgument: configuration
    default: failed
    }
  }

  private static func end(_ text: String, _ code: ExitCode) -> Never {
    Output.note(text)
    Cutbank.exit(withError: code)
  }
}
