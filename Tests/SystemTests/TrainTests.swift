import Crypto
import Foundation
import RimSupport
import Testing

extension SystemTests {
  /// `cutbank train` and `cutbank score` from outside.
  @Suite(.timeLimit(.minutes(3))) struct Training {
    /// An algorithm, what it needs, the metrics that it prints and the members of its answers.
    private static let algorithms:
      [(name: String, texts: String, metrics: [String], answer: [String])] =
        [
          (
            "kmeans", "k=4,mini_batch_size=100", ["train:msd"],
            ["closest_cluster", "distance_to_cluster"]
          ),
          ("randomcutforest", "num_trees=50,num_samples_per_tree=64", [], ["score"]),
          ("pca", "num_components=2", ["train:explained_variance"], ["projection"]),
        ]

    @Test(arguments: 0..<3) func everyFormatGivesTheSameModelAndTheSameAnswers(index: Int)
      async throws
    {
      let (name, texts, metrics, answer) = Self.algorithms[index]
      let workshop = try Workshop()
      try TrainingRows(count: 400).write(to: workshop)
      var models: [[UInt8]] = []
      var answers: [String] = []
      for file in TrainingRows.files {
        let trained = try await workshop.run(
          "train --algorithm \(name) --data \(file) --hyperparameters \(texts) --output model")
        #expect(trained.code == 0, "\(file): \(trained.errors)")
        #expect(try trained.objects().map { $0["metric"] as? String } == metrics)
        #expect(trained.errors.contains("header line is skipped") == (file == "headed.csv"))
        let model = try workshop.folder.contents("model/model.bin")
        try check(try workshop.manifest("model"), name, file, model)
        models.append(model)
        let scored = try await workshop.run("score --model model --input \(file)")
        #expect(scored.code == 0, "\(file): \(scored.errors)")
        #expect(try scored.objects().allSatisfy { $0.keys.sorted() == answer })
        #expect(scored.lines.count == 400)
        answers.append(scored.output)
      }
      #expect(models.allSatisfy { $0 == models[0] })
      #expect(answers.allSatisfy { $0 == answers[0] })
      try await compareCSV(workshop, answers[0], answer)
    }

    private func check(
      _ manifest: [String: Any], _ name: String, _ file: String, _ model: [UInt8]
    ) throws {
      let hash = SHA256.hash(data: model).map { byte in
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }.joined()
      #expect(manifest["algorithm"] as? String == name)
      #expect(manifest["sha256"] as? String == hash)
      #expect(manifest["seed"] as? String == "0")
      let window = try #require(manifest["data_window"] as? [String: Any])
      #expect(window["rows"] as? Int == 400 && window["files"] as? [String] == [file])
    }

    /// The CSV answers hold the numbers of the JSON ones.
    private func compareCSV(_ workshop: Workshop, _ json: String, _ members: [String]) async throws
    {
      let scored = try await workshop.run("score --model model --input rows.csv --accept csv")
      #expect(scored.code == 0)
      let numbers = json.split(separator: "\n").map { line in
        line.split { "{}[]\":,".contains($0) }.filter { !members.contains(String($0)) }
          .joined(separator: ",")
      }
      #expect(scored.lines == numbers)
    }

    @Test func severalFilesAreOneDataSet() async throws {
      let workshop = try Workshop()
      let rows = TrainingRows(count: 400)
      try rows.write(to: workshop)
      let lines = rows.csv().split(separator: "\n")
      try workshop.write("a.csv", lines[..<150].joined(separator: "\n"))
      try workshop.write("b.csv", lines[150...].joined(separator: "\n") + "\n")
      var models: [[UInt8]] = []
      for data in ["rows.csv", "a.csv,b.csv"] {
        let trained = try await workshop.run(
          "train --algorithm pca --data \(data) --hyperparameters num_components=1 --output model")
        #expect(trained.code == 0, "\(trained.errors)")
        models.append(try workshop.folder.contents("model/model.bin"))
      }
      #expect(models[0] == models[1])
    }

    @Test func labelsAreLeftOutOfTrainingAndJudgeTests() async throws {
      let workshop = try Workshop()
      let rows = TrainingRows(count: 400)
      try rows.write(to: workshop)
      try workshop.write("labelled.csv", rows.csv { $0 % 2 })
      let plain = try await workshop.run(
        "train --algorithm kmeans --data rows.csv --hyperparameters k=4 --output plain")
      let labelled = try await workshop.run(
        "train --algorithm kmeans --data labelled.csv --label-size 1 --hyperparameters k=4 "
          + "--output labelled")
      #expect(plain.code == 0 && labelled.code == 0 && plain.output == labelled.output)
      let far = rows.csv { _ in 0 } + "1,90,-90,90\n1,-90,90,90\n"
      try workshop.write("test.csv", far)
      let forest = try await workshop.run(
        "train --algorithm randomcutforest --data rows.csv --test test.csv --label-size 1 "
          + "--output forest")
      #expect(forest.code == 0, "\(forest.errors)")
      let metrics = try forest.objects()
      #expect(
        metrics.map { $0["metric"] as? String }
          == ["test:accuracy", "test:precision", "test:recall", "test:f1"])
      #expect(metrics.map { $0["step"] as? Int } == [1, 1, 1, 1])
      #expect(metrics[2]["value"] as? Double == 1)
    }

    /// The window of the first rows is not whole; then each row is scored with those before it.
    @Test func aForestOfShinglesScoresConsecutiveRows() async throws {
      let workshop = try Workshop()
      let wave = (0..<600).map { $0 == 500 ? "5\n" : "\($0 % 6)\n" }.joined()
      try workshop.write("wave.csv", wave)
      let trained = try await workshop.run(
        "train --algorithm randomcutforest --data wave.csv --output model "
          + "--hyperparameters num_trees=50,num_samples_per_tree=32,shingle_size=6")
      #expect(trained.code == 0, "\(trained.errors)")
      let scored = try await workshop.run("score --model model --input wave.csv --accept csv")
      let scores = scored.lines.compactMap { Double($0) }
      #expect(scores.count == 600 && scores[..<5].allSatisfy { $0 == 0 } && scores[5] > 0)
      // The value at 500 is an ordinary one, but not there.
      #expect(
        scores.indices.max { scores[$0] < scores[$1] }.map { (500...505).contains($0) } == true)
      let wide = try await workshop.run(
        "train --algorithm randomcutforest --data wave.csv --output model "
          + "--hyperparameters shingle_size=10001")
      #expect(wide.code == 78 && wide.errors.contains("from 1 to 10000"), "\(wide.errors)")
    }

    /// Options of `train --output model` that are refused with exit code 78, and the words of the refusal.
    private static let refusals: [(String, [String])] = [
      ("--algorithm magic --data rows.csv", ["'magic'", "kmeans, randomcutforest, pca"]),
      ("--algorithm kmeans --data rows.csv", ["hyperparameter k is required"]),
      ("--algorithm kmeans --data rows.csv --hyperparameters k", ["'k' has no value"]),
      ("--algorithm kmeans --data rows.csv --hyperparameters k=0", ["'0'", "from 1 to 1000000"]),
      (
        "--algorithm kmeans --data rows.csv --hyperparameters k=4,centres=5",
        ["centres is '5'", "mini_batch_size"]
      ),
      (
        "--algorithm kmeans --data rows.csv --hyperparameters k=500",
        ["400 rows for k = 500", "k must be at most"]
      ),
      (
        "--algorithm kmeans --data rows.csv --hyperparameters k=4,feature_dim=7",
        ["feature_dim is '7'", "3, as the rows have"]
      ),
      ("--algorithm kmeans --data equal.csv --hyperparameters k=2", ["only 1 different places"]),
      (
        "--algorithm pca --data equal.csv --hyperparameters num_components=1",
        ["all rows are equal"]
      ),
      ("--algorithm pca --data one.csv --hyperparameters num_components=1", ["there is 1 row"]),
      (
        "--algorithm pca --data rows.csv --hyperparameters num_components=4",
        ["'4'", "from 1 to 3"]
      ),
      ("--algorithm randomcutforest --data one.csv", ["there are 1 rows", "at least 2"]),
      ("--algorithm randomcutforest --data equal.csv", ["all rows are equal"]),
      (
        "--algorithm randomcutforest --data rows.csv --hyperparameters num_trees=10",
        ["num_trees is '10'", "from 50 to 1000"]
      ),
      (
        "--algorithm pca --data nan.csv --hyperparameters num_components=1", ["nan.csv:2: column 2"]
      ),
      (
        "--algorithm pca --data text.csv --hyperparameters num_components=1",
        ["text.csv:2: column 1"]
      ),
      (
        "--algorithm pca --data short.csv --hyperparameters num_components=1",
        ["short.csv:2: the row"]
      ),
      (
        "--algorithm pca --data huge.csv --hyperparameters num_components=1",
        ["huge.csv:1: value 2"]
      ),
      ("--algorithm pca --data empty.csv --hyperparameters num_components=1", ["it has no rows"]),
      ("--algorithm pca --data absent.csv --hyperparameters num_components=1", ["No such file"]),
      ("--algorithm pca --data rows.txt --hyperparameters num_components=1", ["tells no format"]),
      ("--algorithm pca --data cut.f32 --hyperparameters num_components=1", ["it has 8 bytes"]),
      (
        "--algorithm pca --data vast.f32 --hyperparameters num_components=1",
        ["vast.json: it does not say n and d, or they cannot be right"]
      ),
      ("--algorithm pca --data cut.pbr --hyperparameters num_components=1", ["record 1"]),
      ("--algorithm pca --data bad.jsonl --hyperparameters num_components=1", ["bad.jsonl:1:"]),
      (
        "--algorithm kmeans --data rows.csv --hyperparameters k=2 --test short.csv",
        ["short.csv:2: the row has 1 values"]
      ),
    ]

    @Test func whatIsWrongIsNamedAndNothingIsWritten() async throws {
      let workshop = try Workshop()
      try TrainingRows(count: 400).write(to: workshop)
      for (name, text) in [
        ("equal.csv", String(repeating: "1,2,3\n", count: 50)), ("one.csv", "1,2,3\n"),
        ("nan.csv", "1,2\n3,NaN\n"), ("text.csv", "1,2\nx,3\n"), ("short.csv", "1,2,3\n4\n"),
        ("huge.csv", "1,1e300\n"), ("empty.csv", ""), ("rows.txt", "1\n"), ("cut.f32", "12345678"),
        ("cut.json", "{\"n\":5,\"d\":3}"), ("cut.pbr", "abc"), ("bad.jsonl", "{\"features\":5}\n"),
        ("vast.f32", "12345678"), ("vast.json", "{\"n\":\(Int.max),\"d\":16}"),
      ] { try workshop.write(name, text) }
      for (options, words) in Self.refusals {
        let refused = try await workshop.run("train --output model \(options)")
        #expect(refused.code == 78, "\(options): \(refused.code) \(refused.errors)")
        for word in words {
          #expect(refused.errors.contains(word), "\(options): \(refused.errors)")
        }
        // Figures that were known before the fault have been told.
        let lines = refused.output.split(separator: "\n")
        #expect(lines.allSatisfy { $0.hasPrefix("{\"metric\":\"train:") }, "\(options)")
      }
      #expect(!workshop.folder.files().contains { $0.hasPrefix("model/") })
    }

    @Test func limitsEndTheTrainingWith75() async throws {
      let workshop = try Workshop()
      try TrainingRows(count: 4_000).write(to: workshop)
      let command = "train --algorithm kmeans --data rows.csv --hyperparameters k=4,epochs=100000"
      let late = try await workshop.run(command + " --output model --time-limit 0.2")
      #expect(late.code == 75 && late.errors.contains("over its limit of 0.2 seconds"))
      let large = try await workshop.run(command + " --output model --memory-limit 1")
      #expect(large.code == 75 && large.errors.contains("over its limit of 1 MiB"))
      #expect(!workshop.folder.files().contains { $0.hasPrefix("model/") })
    }

    @Test func anUnwritableFolderIsAFailure() async throws {
      let workshop = try Workshop()
      try TrainingRows(count: 100).write(to: workshop)
      let failed = try await workshop.run(
        "train --algorithm pca --data rows.csv --hyperparameters num_components=1 --output rows.csv/x"
      )
      #expect(failed.code == 1 && failed.errors.contains("rows.csv/x cannot be written"))
      #expect(failed.errors.contains("rows.csv is no directory") && failed.output.isEmpty)
    }
  }
}
