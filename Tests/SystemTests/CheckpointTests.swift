import Foundation
import RimSupport
import Testing

extension SystemTests {
  /// `cutbank train --checkpoint`: killed and started again.
  @Suite(.timeLimit(.minutes(3))) struct Checkpoints {
    private let workshop: Workshop
    private static let shape =
      "time_freq=H,context_length=8,prediction_length=4,num_cells=10,mini_batch_size=8,"
      + "num_batches_per_epoch=4"

    init() throws {
      workshop = try Workshop()
      let line = (0..<200).map { "\(10 + $0 * 7 % 24)" }.joined(separator: ",")
      try workshop.write(
        "a.jsonl",
        (0..<3).map { "{\"start\":\"2026-01-0\($0 + 1) 00:00:00\",\"target\":[\(line)]}\n" }
          .joined())
    }

    private func command(_ epochs: Int, to output: String, _ more: String = "") -> String {
      "train --algorithm deepar --data a.jsonl --seed 4 --hyperparameters \(Self.shape),"
        + "epochs=\(epochs) --output \(output) \(more)"
    }

    @Test func aKilledTrainingGoesOnToTheSameModel() async throws {
      let kept = "--checkpoint kept --checkpoint-interval 0"
      let killed = try Program(
        nil, command(100_000, to: "model", kept).split(separator: " ").map(String.init),
        folder: workshop.folder.path)
      #expect(await killed.line(containing: "\"step\":20") != nil)
      killed.signal(SIGKILL)
      _ = await killed.exitCode()
      let folder = workshop.folder.path
      #expect(!FileManager.default.fileExists(atPath: folder + "/model"))
      // How far it has come is known from the refusal.
      let refused = try await workshop.run(command(1, to: "model", kept))
      #expect(refused.code == 78)
      let found = try #require(refused.errors.firstMatch(of: /has (\d+) epochs behind it/))
      let epochs = try #require(Int(found.1)) + 5
      let resumed = try await workshop.run(command(epochs, to: "model", kept))
      #expect(resumed.code == 0, "\(resumed.errors)")
      #expect(resumed.errors.contains("goes on after epoch \(epochs - 5) of \(epochs)"))
      let losses = try resumed.objects().count { $0["metric"] as? String == "train:loss" }
      #expect(losses == 5)
      let whole = try await workshop.run(command(epochs, to: "whole"))
      #expect(whole.code == 0)
      #expect(
        try workshop.folder.contents("model/model.bin")
          == workshop.folder.contents("whole/model.bin"))
      #expect(
        try workshop.folder.contents("model/manifest.json")
          == workshop.folder.contents("whole/manifest.json"))
    }

    @Test func whatCannotBeKeptIsRefused() async throws {
      let tuned = try await workshop.run(
        command(3, to: "model", "--checkpoint kept --tune random --ranges num_cells=4:8"))
      #expect(tuned.code == 64 && tuned.errors.contains("--tune makes many"))
      try workshop.write("file", "")
      let blocked = try await workshop.run(command(3, to: "model", "--checkpoint file/kept"))
      #expect(blocked.code == 1 && blocked.errors.contains("checkpoint cannot be read"))
      let other = try await workshop.run(
        "train --algorithm pca --data a.jsonl --hyperparameters num_components=1 --output model "
          + "--checkpoint kept")
      #expect(other.code == 78)
    }
  }
}
