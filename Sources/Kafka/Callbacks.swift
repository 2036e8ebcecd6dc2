internal import CRdKafka
internal import Logging
internal import Synchronization

/// What librdkafka's callbacks of one client write to.
///
/// librdkafka holds it unretained as its `opaque`; the client keeps it until after the handle is
/// gone.
class CallbackContext: @unchecked Sendable {
  // @unchecked: a class with subclasses cannot be checked; all of them have constants, mutexes and
  // atomics only.
  let logger: Logger

  init(logger: Logger) {
    self.logger = logger
  }

  /// Called while the client is polled, flushed or in a transaction's call.
  func receive(error: KafkaError, from client: OpaquePointer?) {}

  /// Called while the client is polled, flushed or in a transaction's call.
  func receive(statistics: String, from client: OpaquePointer?) {}

  var opaque: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

  static func of(_ opaque: UnsafeMutableRawPointer?) -> CallbackContext? {
    opaque.map { Unmanaged<CallbackContext>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Routes log lines, errors and statistics of `configuration`'s client to this context.
  func attach(to configuration: OpaquePointer) {
    rd_kafka_conf_set_opaque(configuration, opaque)
    rd_kafka_conf_set_log_cb(configuration) { client, level, facility, text in
      guard let client, let text else { return }
      CallbackContext.of(rd_kafka_opaque(client))?.log(
        level: level, facility: facility.map { String(cString: $0) } ?? "",
        text: String(cString: text))
    }
    rd_kafka_conf_set_error_cb(configuration) { client, error, reason, opaque in
      let code = KafkaError.Code(rawValue: error)
      let text = reason.map { String(cString: $0) } ?? code.summary
      CallbackContext.of(opaque)?.receive(
        error: KafkaError.reported(by: client, code: code, text: text), from: client)
    }
    rd_kafka_conf_set_stats_cb(configuration) { client, json, count, opaque in
      let bytes = UnsafeRawBufferPointer(start: json, count: json == nil ? 0 : count)
      CallbackContext.of(opaque)?.receive(
        statistics: String(decoding: bytes, as: UTF8.self), from: client)
      return 0
    }
  }

  private func log(level: Int32, facility: String, text: String) {
    // Consumers heed it, whatever versions up to 2.3 say.
    guard facility != "CONFWARN" || !text.contains("retry.backoff.ms is a producer") else { return }
    let severity: Logger.Level =
      switch level {
      case ...2: .critical
      case 3: .error
      case 4: .warning
      case 5: .notice
      case 6: .info
      default: .debug
      }
    logger.log(level: severity, "\(text)", metadata: ["facility": "\(facility)"])
  }
}

extension KafkaError {
  /// An error that concerns the whole client; its text begins with the broker, if one is concerned.
  fileprivate static func reported(
    by client: OpaquePointer?, code: Code, text: String
  ) -> KafkaError {
    guard code.rawValue != RD_KAFKA_RESP_ERR__FATAL.rawValue else {
      return KafkaError.fatal(of: client) ?? KafkaError(code, text, operation: "run", isFatal: true)
    }
    // A certificate that the broker refuses after the handshake comes as a connection that broke.
    let isTLS = code == .transport && text.contains("SSL routines")
    // `host:port/id: reason`, or `GroupCoordinator: host:port: reason`.
    let broker = text.split(separator: " ").prefix(2).first { word in
      word.last == ":" && word.dropLast().contains(":")
    }.map { String($0.dropLast()) }
    return KafkaError(
      isTLS ? .tls : code, text, operation: "run", broker: broker, isRetriable: true)
  }

  /// The error that made the client unusable, if there was one.
  static func fatal(of client: OpaquePointer?) -> KafkaError? {
    var reason = [CChar](repeating: 0, count: 512)
    let error = rd_kafka_fatal_error(client, &reason, reason.count)
    guard error != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
    return KafkaError(Code(error), reason.message, operation: "run", isFatal: true)
  }
}
