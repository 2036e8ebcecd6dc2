import Foundation
import RimSupport
import Testing

extension SystemTests {
  /// What `cutbank score` does with bad rows and damaged models, and `cutbank models` with versions.
  @Suite(.timeLimit(.minutes(3))) struct Models {
    /// A k-means model, `model`, of rows of three values.
    private func workshop() async throws -> Workshop {
      let workshop = try Workshop()
      try TrainingRows(count: 200).write(to: workshop)
      let trained = try await workshop.run(
        "train --algorithm kmeans --data rows.csv --hyperparameters k=4 --output model")
      try #require(trained.code == 0, "\(trained.errors)")
      return workshop
    }

    @Test func theFirstBadRowEndsTheOutput() async throws {
      let workshop = try await workshop()
      let cases = [
        ("a.csv", "1,2,3\n4,5,6\n7,x,9\n1,2,3\n", "a.csv:3: column 2 is not a number"),
        ("b.csv", "1,2,3\n4,5,6\n7,8\n1,2,3\n", "b.csv:3: the row has 2 values"),
        (
          "c.jsonl", "{\"features\":[1,2,3]}\n{\"features\":[4,5,6]}\n{\"features\":[1,2\n",
          "c.jsonl:3:"
        ),
      ]
      for (name, text, words) in cases {
        try workshop.write(name, text)
        let scored = try await workshop.run("score --model model --input \(name)")
        #expect(scored.code == 1 && scored.lines.count == 2, "\(scored.output)")
        #expect(scored.errors.contains(words), "\(scored.errors)")
      }
    }

    @Test func rowsOfAnotherWidthAreRefused() async throws {
      let workshop = try await workshop()
      try workshop.write("wide.csv", "1,2,3,4\n")
      let scored = try await workshop.run("score --model model --input wide.csv")
      #expect(scored.code == 1 && scored.output.isEmpty)
      #expect(
        scored.errors.contains("the rows have 4 features, the model was trained on 3"),
        "\(scored.errors)")
    }

    @Test func aDamagedModelIsRefused() async throws {
      let workshop = try await workshop()
      let model = try workshop.folder.contents("model/model.bin")
      var damaged = Array(stride(from: 0, to: model.count, by: 7)).map { place in
        var bytes = model
        bytes[place] ^= 0x10
        return bytes
      }
      damaged += [[], Array(model.dropLast()), model + [0]]
      for bytes in damaged {
        try workshop.write("model/model.bin", bytes)
        let scored = try await workshop.run("score --model model --input rows.csv")
        #expect(scored.code == 1 && scored.output.isEmpty)
        #expect(scored.errors.contains("the model is corrupt"), "\(scored.errors)")
      }
      let absent = try await workshop.run("score --model nowhere --input rows.csv")
      #expect(absent.code == 1 && absent.errors.contains("nowhere/model.bin cannot be read"))
      let usage = try await workshop.run("score --model model --input rows.csv --accept xml")
      #expect(usage.code == 64)
    }

    @Test func versionsArePromotedComparedAndRolledBack() async throws {
      let workshop = try await workshop()
      let absent = try await workshop.run("models list --data-directory data")
      #expect(absent.code == 1 && absent.errors.contains("there is no model registry"))
      let first = try await workshop.run("models promote load --from model --data-directory data")
      #expect(first.code == 0 && first.output.contains("champion load/1 weight 1.0"), "\(first)")
      let trained = try await workshop.run(
        "train --algorithm kmeans --data rows.csv --hyperparameters k=5 --output model")
      #expect(trained.code == 0)
      let second = try await workshop.run(
        "models promote load --from model --canary 0.25 --data-directory data")
      #expect(
        second.code == 0 && second.output.contains("candidate load/2 weight 0.25"), "\(second)")
      let list = try await workshop.run("models list --data-directory data")
      #expect(list.output.contains("load  kmeans, 2 versions") && list.code == 0, "\(list)")
      let whole = try await workshop.run("models promote load 2 --data-directory data")
      #expect(whole.output.contains("champion load/2 weight 1.0"), "\(whole)")
      let back = try await workshop.run("models rollback load --data-directory data")
      #expect(back.code == 0 && back.output.contains("champion load/1"), "\(back)")
      let show = try await workshop.run("models show load 2 --data-directory data")
      #expect(show.code == 0 && show.output.contains("algorithm: kmeans"), "\(show)")
      // What the manifest says of the training.
      for line in ["data: rows.csv", "hyperparameter k: 5", "metric train:msd: "] {
        #expect(show.output.contains(line), "\(line)\n\(show.output)")
      }
      let difference = try await workshop.run("models diff load 1 2 --data-directory data")
      #expect(difference.code == 0 && difference.output.contains("artifact: "), "\(difference)")
    }

    @Test func whatTheRegistryDoesNotKnowIsNamed() async throws {
      let workshop = try await workshop()
      _ = try await workshop.run("models promote load --from model --data-directory data")
      for (command, words) in [
        ("show other", "there is no model 'other'"), ("show load 9", "9"),
        ("diff load 1 9", "9"), ("rollback other", "other"), ("promote other", "other"),
        ("promote load 9", "9"),
        ("promote other --from nowhere", "nowhere/model.bin cannot be read"),
      ] {
        let refused = try await workshop.run("models \(command) --data-directory data")
        #expect(refused.code == 1 || refused.code == 78, "\(command): \(refused.code)")
        #expect(refused.errors.contains(words), "\(command): \(refused.errors)")
      }
      try FileManager.default.createDirectory(
        atPath: workshop.folder.path + "/mixed", withIntermediateDirectories: true)
      let own = String(
        decoding: try workshop.folder.contents("model/manifest.json"), as: UTF8.self)
      let other = own.replacing(/"sha256" : "[0-9a-f]{4}/, with: "\"sha256\" : \"none")
      try workshop.write("mixed/model.bin", try workshop.folder.contents("model/model.bin"))
      for (manifest, words) in [
        (#"{"seed":"1"}"#, "is no manifest"), (other, "belongs to another model.bin"),
      ] {
        try workshop.write("mixed/manifest.json", manifest)
        let refused = try await workshop.run(
          "models promote load --from mixed --data-directory data")
        #expect(refused.code == 78 && refused.errors.contains(words), "\(refused.errors)")
      }
      try workshop.write("model/model.bin", "no model")
      let damaged = try await workshop.run(
        "models promote load --from model --data-directory data")
      #expect(damaged.code == 78 && damaged.errors.contains("corrupt"), "\(damaged)")
    }
  }
}
