import Foundation
import RimSupport
import Testing

extension SystemTests {
  /// DeepAR by command: series in, a model, forecasts out.
  @Suite(.timeLimit(.minutes(3))) struct Forecasts {
    private let folder: TemporaryFolder
    private static let shape =
      "time_freq=H,context_length=12,prediction_length=6,epochs=30,num_batches_per_epoch=20,"
      + "mini_batch_size=32,learning_rate=0.01,test_quantiles=[0.1,0.5,0.9]"

    init() throws { folder = try TemporaryFolder() }

    private func run(_ arguments: [String]) async throws -> (code: Int32, text: String) {
      let program = try Program(nil, arguments, folder: folder.path)
      return (await program.exitCode(), program.text)
    }

    private func write(_ lines: [String], to name: String) throws {
      let text = lines.map { $0 + "\n" }.joined()
      try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path + "/" + name))
    }

    /// A daily wave whose height is the series' number, with a gap, and its last values cut off.
    private func wave(_ number: Int, hours: Int) -> String {
      let values = (0..<hours).map { hour -> String in
        if hour == 30 { return hour % 2 == number % 2 ? "null" : "\"NaN\"" }
        let angle = Double(hour % 24) / 24 * 2 * Double.pi
        return "\(Float(Double(number) * (10 + 5 * sin(angle) + 0.1 * Double(hour * 7 % 5))))"
      }
      return "{\"start\":\"2026-01-05 00:00:00\",\"target\":[\(values.joined(separator: ","))],"
        + "\"cat\":[\(number % 2)]}"
    }

    private func train(
      _ data: String, _ more: [String] = [], shape: String = Forecasts.shape
    ) async throws -> (code: Int32, text: String) {
      try await run(
        ["train", "--algorithm", "deepar", "--data", data, "--output", "model"]
          + ["--hyperparameters", shape] + more)
    }

    @Test func aWaveIsLearnedAndContinued() async throws {
      try write((1...4).map { wave($0, hours: 150) }, to: "a.jsonl")
      try write((5...6).map { wave($0, hours: 150) }, to: "b.jsonl")
      try write((1...6).map { wave($0, hours: 156) }, to: "whole.jsonl")
      let trained = try await train("a.jsonl,b.jsonl", ["--test", "whole.jsonl", "--seed", "3"])
      #expect(trained.code == 0, "\(trained.text)")
      let metrics = try metrics(trained.text)
      #expect(metrics["train:loss"]?.count == 30)
      for name in ["RMSE", "ND", "mean_wQuantileLoss", "wQuantileLoss[0.1]", "wQuantileLoss[0.9]"] {
        #expect(metrics["test:" + name]?.count == 1, "\(name)")
      }
      #expect(try #require(metrics["test:ND"]?.first) < 0.1)
      let manifest = try String(
        contentsOfFile: folder.path + "/model/manifest.json", encoding: .utf8)
      #expect(manifest.contains("\"from\" : \"2026-01-05T00:00:00Z\""))
      #expect(manifest.contains("\"to\" : \"2026-01-11T05:00:00Z\""))

      let options = ["score", "--model", "model", "--num-samples", "50", "--quantiles", "0.1,0.9"]
      let forecast = try await run(options + ["--input", "a.jsonl", "--seed", "7"])
      #expect(forecast.code == 0, "\(forecast.text)")
      let lines = forecast.text.split(separator: "\n").map(String.init)
      #expect(lines.count == 4)
      for (index, line) in lines.enumerated() {
        let answer = try JSONDecoder().decode(Answer.self, from: Data(line.utf8))
        #expect(answer.mean.count == 6 && answer.quantiles.keys.sorted() == ["0.1", "0.9"])
        let height = Double(index + 1)
        for (period, mean) in answer.mean.enumerated() {
          let angle = Double((150 + period) % 24) / 24 * 2 * Double.pi
          #expect((mean / height - 10.2 - 5 * sin(angle)).magnitude < 2.5)
        }
        let low = try #require(answer.quantiles["0.1"])
        let high = try #require(answer.quantiles["0.9"])
        #expect(zip(low, high).allSatisfy { $0 < $1 })
      }
      let again = try await run(options + ["--input", "a.jsonl", "--seed", "7"])
      #expect(again.text == forecast.text)
      let other = try await run(options + ["--input", "a.jsonl", "--seed", "8"])
      #expect(other.text != forecast.text)

      try write([wave(1, hours: 150), "{\"target\":[1]}", wave(2, hours: 150)], to: "bad.jsonl")
      let bad = try await run(options + ["--input", "bad.jsonl"])
      #expect(bad.code == 1 && bad.text.contains("bad.jsonl:2: the member \"start\" is missing"))
      #expect(bad.text.split(separator: "\n").count { $0.hasPrefix("{\"mean\"") } == 1)
      let csv = try await run(options + ["--input", "a.jsonl", "--accept", "csv"])
      #expect(csv.code == 1 && csv.text.contains("no form as CSV"))
    }

    /// Values that lie further apart than the numbers of a gradient reach.
    @Test func aTrainingThatDivergesSaysSoAndLeavesNoModel() async throws {
      let values = (0..<400).map { $0 % 19 == 5 ? "1e18" : "1e-18" }.joined(separator: ",")
      try write(["{\"start\":\"2026-01-05\",\"target\":[\(values)]}"], to: "wild.jsonl")
      let diverged = try await train("wild.jsonl", shape: Self.shape + ",likelihood=gaussian")
      #expect(diverged.code == 1, "\(diverged.text)")
      #expect(diverged.text.contains("the training diverged: in epoch 1 the loss is "))
      #expect(diverged.text.contains("lower learning_rate, now 0.01, or look for extreme values"))
      #expect(!FileManager.default.fileExists(atPath: folder.path + "/model"))
    }

    @Test func badInputIsRefusedWithItsPlaceAndLeavesNoModel() async throws {
      let good = (1...4).map { wave($0, hours: 150) }
      try write(good, to: "good.jsonl")
      try write([#"{"start":"2026-01-05","target":[1,-2,4]}"#], to: "negative.jsonl")
      try write(good + [#"{"start":"2026-01-05","target":[1,2],"cat":[0]"#], to: "cut.jsonl")
      try write([wave(1, hours: 100)], to: "few.jsonl")
      let cases: [(data: String, shape: String, message: String)] = [
        ("good.jsonl", Self.shape + ",time_freq=7Q", "time_freq is '7Q'"),
        (
          "good.jsonl", Self.shape + ",num_cells=0",
          "num_cells is '0', it must be an integer from 1"
        ),
        ("good.jsonl", Self.shape + ",cells=4", "hyperparameter cells"),
        ("good.jsonl", "context_length=3", "time_freq is required"),
        (
          "good.jsonl", Self.shape + ",likelihood=beta", "good.jsonl:1: value 1 of 'target' is 10.0"
        ),
        ("good.jsonl", Self.shape + ",cardinality=[1]", "good.jsonl:1: category 1"),
        ("good.jsonl", Self.shape + ",prediction_length=900", "no series is longer"),
        (
          "negative.jsonl", Self.shape + ",likelihood=negative-binomial",
          "negative.jsonl:1: value 2 of 'target' is -2.0"
        ),
        ("cut.jsonl", Self.shape, "cut.jsonl:5:"), ("few.jsonl", Self.shape, "at least 300"),
        ("none.jsonl", Self.shape, "none.jsonl: it cannot be opened"),
      ]
      for (data, shape, message) in cases {
        let refused = try await train(data, shape: shape)
        #expect(refused.code == 78 && refused.text.contains(message), "\(refused.text)")
      }
      let slow = try await train(
        "good.jsonl", ["--time-limit", "0.5"], shape: Self.shape + ",epochs=100000")
      #expect(slow.code == 75, "\(slow.text)")
      #expect(!FileManager.default.fileExists(atPath: folder.path + "/model"))
    }

    @Test func aKilledTrainingLeavesNoModelAndTheOldOneStays() async throws {
      try write((1...4).map { wave($0, hours: 150) }, to: "a.jsonl")
      let arguments = [
        "train", "--algorithm", "deepar", "--data", "a.jsonl", "--output", "model",
        "--hyperparameters",
      ]
      for hasModel in [false, true] {
        if hasModel {
          #expect(try await train("a.jsonl", shape: Self.shape + ",epochs=1").code == 0)
        }
        let before = FileManager.default.contents(atPath: folder.path + "/model/model.bin")
        let training = try Program(
          nil, arguments + [Self.shape + ",epochs=100000"], folder: folder.path)
        // Figures come while it trains.
        #expect(await training.line(containing: "\"step\":2}") != nil)
        training.signal(SIGKILL)
        #expect(await training.exitCode() != 0)
        #expect(FileManager.default.contents(atPath: folder.path + "/model/model.bin") == before)
        #expect(
          FileManager.default.fileExists(atPath: folder.path + "/model/manifest.json") == hasModel)
      }
    }

    @Test func trainingEndsEarlyWithoutProgress() async throws {
      try write((1...4).map { wave($0, hours: 150) }, to: "a.jsonl")
      let ended = try await train(
        "a.jsonl",
        shape: Self.shape + ",epochs=5000,early_stopping_patience=2,num_batches_per_epoch=1")
      #expect(ended.code == 0, "\(ended.text)")
      #expect(try #require(metrics(ended.text)["train:loss"]).count < 5_000)
    }

    private struct Answer: Decodable {
      let mean: [Double]
      let quantiles: [String: [Double]]
    }

    private struct Line: Decodable {
      let metric: String
      let value: Double
      let step: Int
    }

    private func metrics(_ text: String) throws -> [String: [Double]] {
      var found: [String: [Double]] = [:]
      for line in text.split(separator: "\n") where line.hasPrefix("{\"metric\"") {
        let one = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
        found[one.metric, default: []].append(one.value)
      }
      return found
    }
  }
}
