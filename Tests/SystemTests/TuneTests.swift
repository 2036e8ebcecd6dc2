import Foundation
import RimSupport
import Testing

extension SystemTests {
  /// `cutbank train --tune` from outside.
  @Suite(.timeLimit(.minutes(3))) struct Tuning {
    private func workshop() throws -> Workshop {
      let workshop = try Workshop()
      try TrainingRows(count: 400).write(to: workshop)
      return workshop
    }

    @Test func theBestOfAGridIsWrittenAndCanBeTrainedAgain() async throws {
      let workshop = try workshop()
      let tuned = try await workshop.run(
        "train --algorithm kmeans --data rows.csv --test rows.pbr --output best --seed 3 "
          + "--hyperparameters mini_batch_size=100 --tune grid --ranges 'k=2|4,init_method=random|kmeans++'"
      )
      #expect(tuned.code == 0, "\(tuned.errors)")
      let lines = try tuned.objects()
      #expect(lines.compactMap { $0["trial"] as? Int } == [1, 1, 2, 2, 3, 3, 4, 4])
      #expect(lines.count == 8 && lines.allSatisfy { $0["step"] as? Int == 1 })
      let table = tuned.errors.split(separator: "\n").map {
        $0.split(separator: " ").map(String.init)
      }
      #expect(table[0] == ["trial", "status", "test:msd", "k", "init_method"])
      #expect(table[1...4].map { $0[0] } == ["1", "2", "3", "4"])
      let manifest = try workshop.manifest("best")
      let tuning = try #require(manifest["tuning"] as? [String: Any])
      let trials = try #require(tuning["trials"] as? [[String: Any]])
      let values = trials.compactMap { $0["objective"] as? Double }
      let best = try #require(tuning["best_trial"] as? Int)
      #expect(values.count == 4 && values[best - 1] == values.min())
      #expect(tuning["strategy"] as? String == "grid")
      // The hyperparameters of the manifest train the same model.
      let texts = try #require(manifest["hyperparameters"] as? [String: String])
      let again = try await workshop.run(
        "train --algorithm kmeans --data rows.csv --output again --seed 3 --hyperparameters "
          + texts.map { "\($0)=\($1)" }.joined(separator: ","))
      #expect(again.code == 0, "\(again.errors)")
      #expect(
        try workshop.folder.contents("again/model.bin")
          == workshop.folder.contents("best/model.bin"))
    }

    @Test(arguments: ["random", "bayesian"])
    func theSeedDeterminesWhatIsTried(strategy: String) async throws {
      let workshop = try workshop()
      let command =
        "train --algorithm kmeans --data rows.csv --output best --tune \(strategy) "
        + "--ranges k=2:12,mini_batch_size=20:400:log --trials 8 --seed "
      let one = try await workshop.run(command + "1")
      let same = try await workshop.run(command + "1")
      let other = try await workshop.run(command + "2")
      #expect(one.code == 0 && one.output == same.output && one.errors == same.errors)
      #expect(one.output != other.output)
      #expect(one.errors.contains("best of 8: trial "))
    }

    private static let refusals: [(String, Int32, String)] = [
      ("--tune grid --ranges k=0:5", 78, "k in the ranges is '0', it must be an integer from 1"),
      ("--tune grid --ranges centres=1:5", 78, "centres is '1:5'"),
      ("--tune grid --ranges k=2:9 --trials 3", 78, "trials is '3', it must be at least 8"),
      (
        "--tune bayesian --ranges k=2:9 --trials 2", 78,
        "trials is '2', it must be an integer from 4"
      ),
      ("--tune random --ranges k=2:9", 78, "trials is required"),
      ("--tune random --ranges k=2:9 --trials 3 --objective test:msd", 78, "name some with --test"),
      ("--tune grid --ranges k=2:9 --early-stop", 78, "measures nothing before its end"),
      ("--tune magic --ranges k=2:9", 64, "'magic' is none of grid, random, bayesian"),
      ("--tune grid", 64, "--tune needs --ranges"),
      ("--ranges k=2:9", 64, "belong to --tune"),
    ]

    @Test func whatIsWrongIsNamed() async throws {
      let workshop = try workshop()
      for (options, code, words) in Self.refusals {
        let refused = try await workshop.run(
          "train --algorithm kmeans --data rows.csv --output best \(options)")
        #expect(refused.code == code, "\(options): \(refused.code)")
        #expect(refused.errors.contains(words), "\(options): \(refused.errors)")
      }
      #expect(!workshop.folder.files().contains { $0.hasPrefix("best/") })
    }

    @Test func aForecasterIsTunedAndItsHopelessTrialEndsEarly() async throws {
      let workshop = try workshop()
      let series = (1...4).map { scale in
        let values = (0..<100).map { "\(Double(scale) * (2 + Double($0 % 24) / 12))" }
        return "{\"start\":\"2024-01-01 00:00:00\",\"target\":[\(values.joined(separator: ","))]}\n"
      }
      try workshop.write("series.jsonl", series.joined())
      let tuned = try await workshop.run(
        "train --algorithm deepar --data series.jsonl --test series.jsonl --output best --hyperparameters "
          + "time_freq=H,context_length=6,prediction_length=4,epochs=4,num_cells=8,mini_batch_size=8,"
          + "num_batches_per_epoch=5,num_eval_samples=10 --tune grid --early-stop "
          + "--ranges 'learning_rate=0.05|0.02|0.01|0.00001'")
      #expect(tuned.code == 0, "\(tuned.errors)")
      let tuning = try #require(try workshop.manifest("best")["tuning"] as? [String: Any])
      let trials = try #require(tuning["trials"] as? [[String: Any]])
      #expect(trials.compactMap { $0["status"] as? String }.last == "stopped", "\(trials)")
      let values = trials.compactMap { $0["objective"] as? Double }
      let best = try #require(tuning["best_trial"] as? Int)
      #expect(values.count == 4 && values[best - 1] == values.min())
      let scored = try await workshop.run("score --model best --input series.jsonl")
      let forecasts = try scored.objects().compactMap { $0["mean"] as? [Double] }
      #expect(forecasts.count == 4 && forecasts.allSatisfy { $0.count == 4 }, "\(scored.errors)")
    }

    @Test func overTheLimitTheBestModelSoFarIsWritten() async throws {
      let workshop = try workshop()
      let cut = try await workshop.run(
        "train --algorithm kmeans --data rows.csv --output best --tune grid --time-limit 1 "
          + "--ranges 'k=2|3,epochs=1|100000000'")
      #expect(cut.code == 75 && cut.errors.contains("was written"), "\(cut.errors)")
      let tuning = try #require(try workshop.manifest("best")["tuning"] as? [String: Any])
      #expect((tuning["trials"] as? [Any])?.count == 1)
    }
  }
}
