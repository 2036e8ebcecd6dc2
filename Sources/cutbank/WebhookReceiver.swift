import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// A small HTTP server on a loopback port that hands posts to an inbox as long as the process lives.
struct WebhookReceiver {
  /// Where alerts are to be posted.
  let url: String

  /// Starts the server on a port that the system chooses.
  init(inbox: AlertInbox) async throws {
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(PostHandler(inbox: inbox))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    url = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/alerts"
  }
}

/// Collects one request at a time and answers it.
private final class PostHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  /// A larger body is cut, and thus refused by its signature.
  private static let bodyLimit = 1 << 20

  private let inbox: AlertInbox
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []

  init(inbox: AlertInbox) {
    self.inbox = inbox
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body = []
    case .body(let part):
      if body.count < Self.bodyLimit { body += part.readableBytesView }
    case .end:
      guard let head else { return }
      answer(status(of: head), context: context)
    }
  }

  private func status(of head: HTTPRequestHead) -> Int {
    guard head.method == .POST else { return 405 }
    return inbox.receive(
      AlertInbox.Post(
        id: head.headers.first(name: "webhook-id"),
        timestamp: head.headers.first(name: "webhook-timestamp"),
        signature: head.headers.first(name: "webhook-signature"), body: body),
      now: Int64(Date().timeIntervalSince1970))
  }

  private func answer(_ status: Int, context: ChannelHandlerContext) {
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: status),
      headers: ["content-length": "0"])
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}
