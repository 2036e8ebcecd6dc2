import NIOCore
import NIOPosix
import Synchronization
import Transport

/// A TCP proxy on a loopback port that can hold back, cut and refuse what goes through it.
///
/// What is cut ends after a part of a chunk, in both directions, as when a line breaks.
public final class DisturbedProxy: Sendable {
  private struct State {
    var generator: SplitMix64
    /// How likely each chunk is the last of its connection.
    var cutRate = 0.0
    /// How long a chunk is held back at most, milliseconds.
    var delay = 0
    var isDown = false
    var connections: [Int: any Channel] = [:]
    var opened = 0
    var cuts = 0
  }

  /// What becomes of a chunk.
  fileprivate struct Fate {
    var length: Int
    var delay: Int
    var isLast: Bool
  }

  private let state: Mutex<State>
  private let target: Int
  private let channel = Mutex<(any Channel)?>(nil)

  /// Listens.
  ///
  /// - Parameters:
  ///   - port: Where to listen, on 127.0.0.1.
  ///   - target: The port of what stands behind.
  ///   - seed: Decides what happens to which chunk.
  /// - Throws: when the port cannot be had.
  public init(port: Int, target: Int, seed: UInt64) async throws {
    state = Mutex(State(generator: SplitMix64(seed: seed)))
    self.target = target
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { client in
        client.eventLoop.makeCompletedFuture {
          try client.pipeline.syncOperations.addHandler(Entrance(self))
        }
      }
    let bound = try await bootstrap.bind(host: "127.0.0.1", port: port).get()
    channel.withLock { $0 = bound }
  }

  /// From now on chunks are held back for up to `delay` milliseconds, and each is the last of its
  /// connection with the probability `cutRate`.
  public func disturb(cutRate: Double, delay: Int) {
    state.withLock {
      $0.cutRate = cutRate
      $0.delay = delay
    }
  }

  /// Cuts all connections, and refuses new ones while `isDown`.
  public func set(isDown: Bool) {
    let open = state.withLock { state in
      state.isDown = isDown
      state.cuts += state.connections.count
      return Array(state.connections.values)
    }
    for connection in open { connection.close(promise: nil) }
  }

  /// How many connections were cut.
  public var cuts: Int { state.withLock { $0.cuts } }

  /// Ends all connections and listens no more.
  public func stop() async throws {
    set(isDown: true)
    try await channel.withLock { $0 }?.close()
  }

  /// Connects a client that has come in to what stands behind.
  fileprivate func accept(_ client: any Channel) {
    let number = state.withLock { state -> Int? in
      guard !state.isDown else { return nil }
      state.opened += 1
      state.connections[state.opened] = client
      return state.opened
    }
    guard let number else { return client.close(promise: nil) }
    client.closeFuture.whenComplete { _ in
      self.state.withLock { _ = $0.connections.removeValue(forKey: number) }
    }
    // Both ends on one loop, so that each may speak to the other.
    ClientBootstrap(group: client.eventLoop).channelOption(.autoRead, value: false)
      .connect(host: "127.0.0.1", port: target)
      .flatMapThrowing { server in
        let (near, far) = (Relay(self, to: server), Relay(self, to: client))
        try client.pipeline.syncOperations.addHandler(near)
        try server.pipeline.syncOperations.addHandler(far)
        client.read()
        server.read()
      }
      .whenFailure { _ in client.close(promise: nil) }
  }

  fileprivate func fate(ofChunk length: Int) -> Fate {
    state.withLock { state in
      var fate = Fate(length: length, delay: 0, isLast: false)
      if state.delay > 0 { fate.delay = Int.random(in: 0...state.delay, using: &state.generator) }
      if state.cutRate > 0, Double.random(in: 0..<1, using: &state.generator) < state.cutRate {
        fate.isLast = true
        fate.length = Int.random(in: 0..<max(length, 1), using: &state.generator)
        state.cuts += 1
      }
      return fate
    }
  }
}

/// Waits until a client is there: only then can it be read from.
private final class Entrance: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let proxy: DisturbedProxy

  init(_ proxy: DisturbedProxy) { self.proxy = proxy }

  func channelActive(context: ChannelHandlerContext) {
    proxy.accept(context.channel)
    context.fireChannelActive()
  }
}

/// Hands what one end says to the other, chunk by chunk in their order.
private final class Relay: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let proxy: DisturbedProxy
  private let other: any Channel
  private var arrived = ByteBuffer()

  init(_ proxy: DisturbedProxy, to other: any Channel) {
    self.proxy = proxy
    self.other = other
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var part = unwrapInboundIn(data)
    arrived.writeBuffer(&part)
  }

  // One reading may come in several parts: together they are one chunk, which nothing overtakes.
  func channelReadComplete(context: ChannelHandlerContext) {
    var chunk = arrived
    guard chunk.readableBytes > 0 else { return context.read() }
    arrived = ByteBuffer()
    let fate = proxy.fate(ofChunk: chunk.readableBytes)
    let part = chunk.readSlice(length: fate.length) ?? chunk
    let channel = context.channel
    let other = other
    // The next chunk is read when this one has gone.
    context.eventLoop.scheduleTask(in: .milliseconds(Int64(fate.delay))) {
      other.writeAndFlush(part).whenComplete { _ in
        if fate.isLast {
          other.close(promise: nil)
          channel.close(promise: nil)
        } else {
          channel.read()
        }
      }
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    other.close(promise: nil)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
