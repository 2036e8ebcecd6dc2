import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// Sends HTTP requests to addresses that were checked beforehand.
///
/// A name is resolved once per request, its address is checked, and the connection goes to that
/// address, with the name in `Host` and in TLS. Redirects are not followed.
public final class HTTPConnections: Sendable {
  /// Finds the address of a host; throws when it has none.
  public typealias Resolver = @Sendable (_ host: String, _ port: Int) async throws -> IPAddress

  fileprivate struct Pin: Hashable {
    let host: String
    let address: IPAddress
  }

  fileprivate struct Clients {
    var byPin: [Pin: HTTPClient] = [:]
    /// The pins from the one used longest ago to the latest.
    var order: [Pin] = []
  }

  private static let clientLimit = 64
  private let policy: AddressPolicy
  private let resolver: Resolver
  private let clients = Mutex(Clients())

  /// Creates connections.
  ///
  /// - Parameters:
  ///   - policy: Which addresses are allowed.
  ///   - resolver: How names are resolved.
  public init(policy: AddressPolicy, resolver: @escaping Resolver) {
    self.policy = policy
    self.resolver = resolver
  }

  /// Creates connections that ask the operating system for addresses.
  public convenience init(policy: AddressPolicy, threads: BlockingThreads) {
    self.init(policy: policy) { host, port in
      let found = try await threads.run {
        try SocketAddress.makeAddressResolvingHost(host, port: port)
      }
      guard let address = found.ipAddress.flatMap({ IPAddress($0) }) else {
        throw HTTPExchangeFailure(kind: .unknownHost, message: "\(host) has no address")
      }
      return address
    }
  }

  /// Sends a request and reads the response up to its limit.
  ///
  /// - Throws: `HTTPExchangeFailure`, or `CancellationError` when the task is cancelled.
  public func send(_ request: HTTPExchangeRequest) async throws -> HTTPExchangeResponse {
    try await withThrowingTaskGroup(of: HTTPExchangeResponse.self) { group in
      group.addTask { try await self.exchange(request) }
      group.addTask {
        try await Task.sleep(for: .milliseconds(request.timeoutMilliseconds))
        throw HTTPExchangeFailure(
          kind: .timeout,
          message: "\(request.url) did not answer within \(request.timeoutMilliseconds) ms")
      }
      defer { group.cancelAll() }
      guard let first = try await group.next() else { throw CancellationError() }
      return first
    }
  }

  private func exchange(_ request: HTTPExchangeRequest) async throws -> HTTPExchangeResponse {
    let client = try await client(for: request.url)
    var message = HTTPClientRequest(url: request.url.text)
    message.method = HTTPMethod(rawValue: request.method)
    for (name, value) in request.headers { message.headers.add(name: name, value: value) }
    if !request.body.isEmpty { message.body = .bytes(request.body) }
    do {
      let response = try await client.execute(
        message, timeout: .milliseconds(request.timeoutMilliseconds))
      return try await read(response, limit: request.responseLimit)
    } catch {
      throw try Self.failure(for: error, url: request.url)
    }
  }

  private func read(
    _ response: HTTPClientResponse, limit: Int
  ) async throws -> HTTPExchangeResponse {
    var body: [UInt8] = []
    var isComplete = true
    do {
      for try await part in response.body {
        body += part.readableBytesView.prefix(limit - body.count)
        guard body.count < limit else {
          isComplete = false
          break
        }
      }
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      isComplete = false
    }
    return HTTPExchangeResponse(
      status: Int(response.status.code),
      headers: response.headers.map { (name: $0.name.lowercased(), value: $0.value) },
      body: body, isComplete: isComplete)
  }

  private func client(for url: WebURL) async throws -> HTTPClient {
    let address: IPAddress
    do {
      address = try await resolver(url.host, url.port)
    } catch let error as HTTPExchangeFailure {
      throw error
    } catch let error as CancellationError {
      throw error
    } catch {
      throw HTTPExchangeFailure(kind: .unknownHost, message: "\(url.host) has no address")
    }
    guard policy.allows(address) else {
      throw HTTPExchangeFailure(
        kind: .blockedAddress,
        message: "\(url.host) leads to \(address), which is not public: "
          + "list its block under allow_cidrs to permit it")
    }
    let pin = Pin(host: url.host, address: address)
    let (client, retired) = clients.withLock { $0.client(for: pin, limit: Self.clientLimit) }
    if let retired { try await retired.shutdown() }
    return client
  }

  /// Closes all connections.
  public func shutdown() async throws {
    let all = clients.withLock { clients in
      let all = clients.order.compactMap { clients.byPin[$0] }
      clients = Clients()
      return all
    }
    for client in all { try await client.shutdown() }
  }

  private static func failure(for error: any Error, url: WebURL) throws -> HTTPExchangeFailure {
    if error is CancellationError { throw error }
    guard let error = error as? HTTPClientError else {
      guard "\(type(of: error))".contains("SSL") else {
        return HTTPExchangeFailure(
          kind: .connection, message: "no connection to \(url.hostHeader)")
      }
      let text = "\(error)"
      let reason =
        text.contains("CERTIFICATE_VERIFY_FAILED")
        ? "the certificate of \(url.hostHeader) has expired, is for another name, or comes from "
          + "an authority that this machine does not know"
        : "\(url) was refused by TLS: \(text)"
      return HTTPExchangeFailure(kind: .security, message: reason)
    }
    switch error {
    case .cancelled where Task.isCancelled: throw CancellationError()
    case .connectTimeout, .readTimeout, .writeTimeout, .deadlineExceeded,
      .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
      return HTTPExchangeFailure(kind: .timeout, message: "\(url.hostHeader) is too slow")
    default:
      return HTTPExchangeFailure(
        kind: .connection, message: "\(url.hostHeader): \(error.shortDescription)")
    }
  }
}

extension HTTPConnections.Clients {
  fileprivate mutating func client(
    for pin: HTTPConnections.Pin, limit: Int
  ) -> (client: HTTPClient, retired: HTTPClient?) {
    order.removeAll { $0 == pin }
    order.append(pin)
    if let client = byPin[pin] { return (client, nil) }
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.timeout.connect = .seconds(10)
    configuration.httpVersion = .http1Only
    // Attempts are counted and spaced by whoever sends; AsyncHTTPClient would hide the reason.
    configuration.connectionPool.retryConnectionEstablishment = false
    if IPAddress(pin.host) == nil { configuration.dnsOverride = [pin.host: "\(pin.address)"] }
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    byPin[pin] = client
    guard order.count > limit else { return (client, nil) }
    return (client, byPin.removeValue(forKey: order.removeFirst()))
  }
}
