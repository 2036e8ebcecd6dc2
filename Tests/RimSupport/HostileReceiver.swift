import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP/1 server on a loopback port that answers by a script and remembers what it got.
public final class HostileReceiver: Sendable {
  /// One answer.
  public enum Reply: Sendable {
    case status(Int, headers: [(String, String)] = [], body: String = "")
    /// The connection closes without an answer.
    case reset
    /// The connection breaks after half of the announced body.
    case cutBody
    /// There is never an answer.
    case silence
    /// One byte of the body comes at a time, without end.
    case drip
    /// What a closure makes of the request.
    case computed(@Sendable (Request) -> Reply)

    /// An answer of type JSON.
    public static func json(_ status: Int, _ body: String) -> Reply {
      .status(status, headers: [("content-type", "application/json")], body: body)
    }
  }

  /// A request as it was received.
  public struct Request: Sendable {
    public let method: String
    public let uri: String
    public let headers: [(name: String, value: String)]
    public let body: [UInt8]

    public func header(_ name: String) -> String? {
      headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    public var text: String { String(decoding: body, as: UTF8.self) }
  }

  private struct State {
    var script: [Reply]
    var rest: Reply
    var requests: [Request] = []
    var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let state: Mutex<State>
  private let channel: Mutex<(any Channel)?> = Mutex(nil)

  /// Starts a server.
  ///
  /// - Parameters:
  ///   - script: The first answers.
  ///   - rest: All further answers.
  /// - Throws: when no port can be had.
  public init(_ script: [Reply] = [], then rest: Reply = .status(200)) async throws {
    state = Mutex(State(script: script, rest: rest))
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(Handler(receiver: self))
        }
      }
    let bound = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
    channel.withLock { $0 = bound }
  }

  public var port: Int { channel.withLock { $0?.localAddress?.port ?? 0 } }

  public func url(_ path: String = "/hook") -> String { "http://127.0.0.1:\(port)\(path)" }

  /// The requests so far.
  public var requests: [Request] { state.withLock { $0.requests } }

  /// Waits until there were `count` requests.
  @discardableResult
  public func requests(_ count: Int) async -> [Request] {
    await withCheckedContinuation { continuation in
      let isReady = state.withLock { state in
        if state.requests.count < count { state.watchers.append((count, continuation)) }
        return state.requests.count >= count
      }
      if isReady { continuation.resume() }
    }
    return requests
  }

  public func stop() async throws { try await channel.withLock { $0 }?.close() }

  fileprivate func reply(to request: Request) -> Reply {
    let (reply, ready) = state.withLock { state in
      state.requests.append(request)
      let count = state.requests.count
      let ready = state.watchers.filter { $0.count <= count }
      state.watchers.removeAll { $0.count <= count }
      return (state.script.isEmpty ? state.rest : state.script.removeFirst(), ready)
    }
    for watcher in ready { watcher.continuation.resume() }
    return reply
  }
}

private final class Handler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let receiver: HostileReceiver
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []

  init(receiver: HostileReceiver) { self.receiver = receiver }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body = []
    case .body(let part): body += part.readableBytesView
    case .end:
      guard let head else { return }
      let request = HostileReceiver.Request(
        method: head.method.rawValue, uri: head.uri,
        headers: head.headers.map { (name: $0.name, value: $0.value) }, body: body)
      answer(receiver.reply(to: request), to: request, context: context)
    }
  }

  private func answer(
    _ reply: HostileReceiver.Reply, to request: HostileReceiver.Request,
    context: ChannelHandlerContext
  ) {
    switch reply {
    case .status(let status, let headers, let body):
      write(status, headers, body, announced: body.utf8.count, context)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    case .computed(let compute): answer(compute(request), to: request, context: context)
    case .reset: context.close(promise: nil)
    case .cutBody:
      write(200, [], "half", announced: 8, context)
      context.flush()
      context.close(promise: nil)
    case .silence: break
    case .drip:
      write(200, [], "", announced: 1_000_000, context)
      context.flush()
      let loop = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) { _ in
        let (handler, context) = loop.value
        let byte = ByteBuffer(string: "x")
        context.writeAndFlush(handler.wrapOutboundOut(.body(.byteBuffer(byte))), promise: nil)
      }
    }
  }

  private func write(
    _ status: Int, _ headers: [(String, String)], _ body: String, announced: Int,
    _ context: ChannelHandlerContext
  ) {
    var fields = HTTPHeaders(headers)
    fields.replaceOrAdd(name: "content-length", value: String(announced))
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: fields)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
  }
}
