import Synchronization

/// An object store in memory that speaks as much of S3 as deliveries use, for faults that a real one
/// cannot be brought to.
public final class StoreDouble: Sendable {
  fileprivate struct Upload {
    let key: String
    var parts: [Int: [UInt8]] = [:]
  }

  fileprivate struct State {
    var objects: [String: [UInt8]] = [:]
    var uploads: [String: Upload] = [:]
    var uploadCount = 0
    var aborted: [String] = []
    var withheld = 0
  }

  private let state: Mutex<State>
  private let withholds: @Sendable (HostileReceiver.Request, Int) -> Bool
  private let server: Mutex<HostileReceiver?> = Mutex(nil)

  /// Starts a store.
  ///
  /// - Parameter withholds: Whether a request is never answered, by how many were not before.
  /// - Throws: when no port can be had.
  public init(
    withholding withholds: @escaping @Sendable (HostileReceiver.Request, Int) -> Bool = {
      _, _ in false
    }
  ) async throws {
    state = Mutex(State())
    self.withholds = withholds
    let receiver = try await HostileReceiver(
      then: .computed { [weak self] in self?.answer($0) ?? .reset })
    server.withLock { $0 = receiver }
  }

  /// Where requests are sent.
  public var url: String { server.withLock { $0?.url("") } ?? "" }

  /// The requests so far.
  public var requests: [HostileReceiver.Request] { server.withLock { $0?.requests } ?? [] }

  /// The objects by their keys.
  public var objects: [String: [UInt8]] { state.withLock { $0.objects } }

  /// The keys of uploads that are neither complete nor aborted.
  public var uploads: [String] { state.withLock { $0.uploads.values.map(\.key) } }

  /// The keys of uploads that were aborted.
  public var aborted: [String] { state.withLock { $0.aborted } }

  /// How many requests were not answered.
  public var withheld: Int { state.withLock { $0.withheld } }

  public func stop() async throws { try await server.withLock { $0 }?.stop() }

  private func answer(_ request: HostileReceiver.Request) -> HostileReceiver.Reply {
    state.withLock { state in
      guard !withholds(request, state.withheld) else {
        state.withheld += 1
        return .silence
      }
      let parts = request.uri.split(separator: "?", maxSplits: 1).map(String.init)
      let key = String(parts[0].split(separator: "/", maxSplits: 1).last ?? "")
      var query: [String: String] = [:]
      for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
        let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
        query[sides[0]] = sides.count > 1 ? sides[1] : ""
      }
      if let upload = query["uploadId"] {
        return state.answer(request, upload: upload, part: query["partNumber"].flatMap { Int($0) })
      }
      if query["uploads"] != nil { return state.uploads(request, key: key) }
      return state.object(request, key: key)
    }
  }
}

extension StoreDouble.State {
  fileprivate mutating func answer(
    _ request: HostileReceiver.Request, upload id: String, part: Int?
  ) -> HostileReceiver.Reply {
    guard let upload = uploads[id] else { return .status(404, body: "<Code>NoSuchUpload</Code>") }
    switch (request.method, part) {
    case ("PUT", let part?):
      uploads[id]?.parts[part] = request.body
      return .status(200, headers: [("etag", "\"\(part)\"")])
    case ("DELETE", _):
      uploads[id] = nil
      aborted.append(upload.key)
      return .status(204)
    default:
      guard objects[upload.key] == nil else { return .status(412) }
      objects[upload.key] = upload.parts.sorted { $0.key < $1.key }.flatMap(\.value)
      uploads[id] = nil
      return .status(200, body: "<ETag>\"whole\"</ETag>")
    }
  }

  fileprivate mutating func uploads(
    _ request: HostileReceiver.Request, key: String
  ) -> HostileReceiver.Reply {
    guard request.method == "POST" else {
      let all = uploads.map { "<Key>\($1.key)</Key><UploadId>\($0)</UploadId>" }.joined()
      return .status(200, body: "<R>\(all)</R>")
    }
    uploadCount += 1
    uploads["u\(uploadCount)"] = StoreDouble.Upload(key: key)
    return .status(200, body: "<UploadId>u\(uploadCount)</UploadId>")
  }

  fileprivate mutating func object(
    _ request: HostileReceiver.Request, key: String
  ) -> HostileReceiver.Reply {
    let isThere = objects[key] != nil
    guard request.method == "PUT" else { return .status(isThere ? 200 : 404) }
    guard !isThere else { return .status(412) }
    objects[key] = request.body
    return .status(200)
  }
}
