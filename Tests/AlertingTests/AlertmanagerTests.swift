import Alerting
import Foundation
import Logging
import Processes
import RimSupport
import Testing
import Transport

struct AlertmanagerTests {
  /// The names of all members of a JSON value, as paths.
  private func paths(_ value: Any, _ path: String = "") -> Set<String> {
    if let object = value as? [String: Any] {
      return object.reduce(into: []) { result, member in
        // Labels and annotations are the user's names.
        let isOpen = ["Labels", "labels", "nnotations"].contains { path.hasSuffix($0) }
        if !isOpen { result.insert("\(path).\(member.key)") }
        result.formUnion(paths(member.value, "\(path).\(member.key)"))
      }
    }
    if let list = value as? [Any] { return list.reduce(into: []) { $0.formUnion(paths($1, path)) } }
    return []
  }

  /// Starts an Alertmanager that tells every change at once.
  private func start(
    _ program: String, folder: TemporaryFolder, port: Int, webhook: String
  ) throws -> ChildProcess {
    let configuration = """
      route: {receiver: r, group_by: ['...'], group_wait: 0s, group_interval: 1s}
      receivers: [{name: r, webhook_configs: [{url: '\(webhook)'}]}]
      """
    try configuration.write(toFile: folder.path + "/c.yml", atomically: true, encoding: .utf8)
    return try ChildProcess([
      program, "--config.file=\(folder.path)/c.yml", "--storage.path=\(folder.path)/data",
      "--web.listen-address=127.0.0.1:\(port)", "--cluster.listen-address=",
    ])
  }

  /// A real Alertmanager takes our alerts, and its own webhook has the form of ours.
  @Test(
    .enabled(
      if: RealParts.alertmanager != nil, "there is no Alertmanager: \(RealParts.hint)"))
  func theRealOneSaysTheSame() async throws {
    let folder = try TemporaryFolder()
    let hostile = try await HostileReceiver()
    let port = freePorts(1)
    let process = try start(
      try #require(RealParts.alertmanager as String?), folder: folder, port: port,
      webhook: hostile.url())
    defer {
      process.signal(SIGKILL)
      process.waitForEnd()
    }

    let url = try #require(WebURL("http://127.0.0.1:\(port)/api/v2/alerts"))
    let connections = HTTPConnections(policy: .unrestricted) { _, _ in IPAddress("127.0.0.1")! }
    let outbox = try Outbox(path: folder.path + "/outbox.sqlite")
    let receiver = Receiver(name: "am", url: url, format: .alertmanagerAPI)
    var policy = RetryPolicy()
    policy.backoff = Backoff(firstMilliseconds: 100, capMilliseconds: 200)
    policy.failuresToOpen = 1_000
    let sender = Sender(
      outbox: outbox, receivers: [receiver], connections: connections, policy: policy, seed: 1,
      logger: Logger(label: "test"))
    let task = Task { try await sender.run() }
    let raised = alert("real")
    try outbox.append([raised], to: receiver, pipeline: "p", task: 0, commit: 1)
    try outbox.release(pipeline: "p", task: 0, upTo: 1)

    let theirs = await hostile.requests(1)[0].body
    let ours = AlertFormat.alertmanager(externalURL: "x").body(
      for: AlertGroup(raised), receiver: "r")
    let parsed = try [theirs, ours].map { body in
      try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
    }
    #expect(paths(parsed[0]) == paths(parsed[1]))
    #expect(
      parsed[0]["commonLabels"] as? [String: String] == parsed[1]["commonLabels"]
        as? [String: String])
    for name in ["fingerprint", "status", "startsAt", "generatorURL"] {
      let values = parsed.map { ($0["alerts"] as? [[String: Any]])?.first?[name] as? String }
      #expect(values[0] == values[1], "\(name)")
    }
    #expect(parsed[0]["groupKey"] as? String == parsed[1]["groupKey"] as? String)
    let ended = alert("real-end", status: .resolved)
    try outbox.append([ended], to: receiver, pipeline: "p", task: 0, commit: 2)
    try outbox.release(pipeline: "p", task: 0, upTo: 2)
    let last = await hostile.requests(2)[1]
    #expect(last.text.contains(#""status":"resolved""#))
    #expect(last.text.contains("2014-11-02T14:30:00.25Z"))
    task.cancel()
    try await task.value
    try await connections.shutdown()
    try await hostile.stop()
  }
}
