import Foundation
import Testing

extension SystemTests {
  /// Reloads that concern one pipeline of several.
  @Suite(.timeLimit(.minutes(3))) struct Reloads {
    private static func pipeline(_ name: String, interval: String = "1s", to place: String? = nil)
      -> String
    {
      // On a loaded machine the embedded broker may forget members with shorter sessions, which come back
      // after a minute.
      Faults.pipeline(
        Faults.counts, name: name, topic: name, to: place ?? "file://./\(name)",
        delivery: "buffer: {size: 1MiB, interval: \(interval)}"
      ).replacing("session.timeout.ms: 4000", with: "session.timeout.ms: 6000")
    }

    private static func rows(_ numbers: Range<Int>) -> [String] {
      numbers.map { "{\"n\":\($0),\"seen\":\($0 + 1)}" }
    }

    /// A daemon of two pipelines in a folder; `steady` is left as it is.
    private struct Pair {
      let stage: Stage
      let daemon: Program
      var other: String { stage.path + "/pipelines/other.yaml" }

      init() throws {
        stage = try Stage(topics: ["steady": 1, "other": 1])
        try FileManager.default.createDirectory(
          atPath: stage.path + "/pipelines", withIntermediateDirectories: false)
        for name in ["steady", "other"] {
          try stage.write(Reloads.pipeline(name), to: "pipelines/\(name).yaml")
        }
        daemon = try stage.daemon(stage.path + "/pipelines")
      }

      /// How often the daemon has said something.
      func count(_ text: String) -> Int {
        daemon.text.split(separator: "\n").count { $0.contains(text) }
      }

      /// Reloads and waits until the daemon has said what it does.
      func reload(expecting text: String) async throws {
        let before = count(text)
        daemon.signal(SIGHUP)
        let (said, daemon) = (text, daemon)
        let isSaid = await daemon.waits {
          daemon.text.split(separator: "\n").count { $0.contains(said) } > before
        }
        try #require(isSaid)
      }

      /// Whether the unchanged one was given its partition once and has kept it.
      func expectSteady() {
        #expect(count("pipeline steady: the group gives") == 1, "\(daemon.text)")
        #expect(count("pipeline steady: the group takes back") == 0, "\(daemon.text)")
        #expect(count("task steady/0 has ended") == 0, "\(daemon.text)")
      }
    }

    /// The other one is changed, goes and comes again while the unchanged one is under load.
    @Test func anUnchangedPipelineNoticesNothing() async throws {
      let pair = try Pair()
      let (stage, daemon) = (pair.stage, pair.daemon)
      let load = Task { try await stage.load("steady", partitions: 1, perSecond: 200) }
      try stage.produce((0..<5).map { Faults.record($0) }, to: "other")
      try await stage.expectRows(1, below: "steady", of: daemon)
      try await stage.expectRows(5, below: "other", of: daemon)

      try stage.write(Self.pipeline("other", interval: "2s"), to: "pipelines/other.yaml")
      try await pair.reload(expecting: "changed: other; unchanged: steady")
      try stage.produce((5..<10).map { Faults.record($0) }, to: "other")
      try await stage.expectRows(10, below: "other", of: daemon)

      try FileManager.default.removeItem(atPath: pair.other)
      try await pair.reload(expecting: "gone: other; unchanged: steady")
      try stage.write(Self.pipeline("other"), to: "pipelines/other.yaml")
      try await pair.reload(expecting: "new: other; unchanged: steady")
      try stage.produce((10..<15).map { Faults.record($0) }, to: "other")
      try await stage.expectRows(15, below: "other", of: daemon)

      load.cancel()
      let count = try await load.value
      try await stage.expectRows(count, below: "steady", of: daemon)
      pair.expectSteady()
      await stage.end(daemon)
      #expect(stage.rows("steady") == Self.rows(0..<count))
      #expect(stage.rows("other") == Self.rows(0..<15))
      try await stage.expectBalance(of: "steady", delivered: .below("steady"))
      try await stage.expectBalance(of: "other", delivered: .below("other"))
    }

    /// Nothing that is refused stops anything: neither the other one, nor the one that was to change.
    @Test func whatIsRefusedDisturbsNobody() async throws {
      let pair = try Pair()
      let (stage, daemon) = (pair.stage, pair.daemon)
      for name in ["steady", "other"] {
        try stage.produce((0..<5).map { Faults.record($0) }, to: name)
        try await stage.expectRows(5, below: name, of: daemon)
      }
      let refusals = [
        (Self.pipeline("other").replacing("COUNT(*)", with: "COUNTT(*)"), "COUNTT"),
        (Self.pipeline("other", to: "file://./pipelines/other.yaml/out"), "the folder of output"),
        (Self.pipeline("other").replacing("topic: other", with: "topic: steady"), "the inputs, or"),
        (Self.pipeline("other") + "\ngroup: elsewhere\n", "the consumer group of"),
        (Self.pipeline("other") + "\nstate: {store: topics}\n", "the store of the state of"),
      ]
      for (text, reason) in refusals {
        try stage.write(text, to: "pipelines/other.yaml")
        try await pair.reload(expecting: reason)
      }
      #expect(pair.count("the daemon goes on as before") == refusals.count, "\(daemon.text)")
      for name in ["steady", "other"] {
        try stage.produce((5..<10).map { Faults.record($0) }, to: name)
        try await stage.expectRows(10, below: name, of: daemon)
      }
      pair.expectSteady()
      #expect(pair.count("pipeline other: the group gives") == 1, "\(daemon.text)")
      #expect(pair.count("pipeline other: the group takes back") == 0, "\(daemon.text)")
      await stage.end(daemon)
      #expect(stage.rows("steady") == Self.rows(0..<10))
      #expect(stage.rows("other") == Self.rows(0..<10))
    }

    /// Another log level is that of every part of the daemon, all of which have loggers of their own.
    @Test(arguments: [("warning", "info"), ("info", "error")])
    func theLogLevelChanges(before: String, after: String) async throws {
      let stage = try Stage(topics: ["numbers": 1])
      try stage.write("log: {level: \(before)}\n", to: "cutbank.yaml")
      let file = try stage.write(Faults.pipeline(), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce([Faults.record(0)], to: "numbers")
      try await stage.expectRows(1, of: daemon)
      try stage.write("log: {level: \(after)}\n", to: "cutbank.yaml")
      daemon.signal(SIGHUP)
      let told = await daemon.line(
        containing: "reload: the log level is \(after), it was \(before)")
      try #require(told != nil)
      // What cannot change is refused with its name, and the level with it; by then the first has ended.
      try stage.write("log: {level: critical}\ndata_directory: ./elsewhere\n", to: "cutbank.yaml")
      daemon.signal(SIGHUP)
      let refusal = try #require(await daemon.line(containing: "reload refused"))
      #expect(refusal.contains("data_directory cannot change while the daemon runs"), "\(refusal)")
      #expect(refusal.contains("it is ./data, and would be ./elsewhere"), "\(refusal)")
      await stage.end(daemon)
      // The pipeline says one when it begins, its control the other when it ends.
      #expect(
        daemon.text.contains("reads numbers as group") == (before == "info"), "\(daemon.text)")
      #expect(
        daemon.text.contains("task numbers/0 has ended") == (after == "info"), "\(daemon.text)")
    }

    /// One that has failed begins anew with a reload; the daemon goes on as long as another one runs.
    @Test func aPipelineThatHasFailedBeginsAnew() async throws {
      let pair = try Pair()
      let (stage, daemon) = (pair.stage, pair.daemon)
      try stage.produce([Faults.record(0)], to: "steady")
      try await stage.expectRows(1, below: "steady", of: daemon)
      try stage.write(
        Self.pipeline("third").replacing("topic: third", with: "topic: other").replacing(
          "start: trim_horizon", with: "start: {offsets: {0: 1}}"), to: "pipelines/third.yaml")
      try await pair.reload(expecting: "new: third; unchanged: other, steady")
      try #require(await daemon.line(containing: "pipeline third has stopped") != nil)
      // Now the topic has the offset that was asked for.
      try stage.produce([Faults.record(0), Faults.record(1)], to: "other")
      try await pair.reload(expecting: "changed: third; unchanged: other, steady")
      try await stage.expectRows(1, below: "third", of: daemon)
      pair.expectSteady()
      await stage.end(daemon)
      #expect(stage.rows("third") == ["{\"n\":1,\"seen\":1}"])
    }
  }
}
