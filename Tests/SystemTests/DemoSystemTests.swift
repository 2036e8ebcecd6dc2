import Demo
import Foundation
import RimSupport
import Testing

extension SystemTests {
  @Suite(.timeLimit(.minutes(5))) struct TheDemo {
    private func run(_ arguments: [String], folder: TemporaryFolder) async throws -> Program {
      let demo = try Program(nil, ["demo"] + arguments, folder: folder.path)
      let code = await demo.exitCode()
      #expect(code == 0, "\(demo.text)")
      return demo
    }

    /// What every good run says.
    private func expectSuccess(_ demo: Program) {
      #expect(demo.text.contains("10,320 rows delivered in "))
      #expect(demo.text.contains("every signature verified"))
      for event in CityEvent.all {
        #expect(
          demo.text.split(separator: "\n").contains {
            $0.contains(event.name) && $0.contains(" yes ")
          },
          "\(event.name) in \(demo.text)")
      }
    }

    @Test func findsTheEventsOfTheSimulatedSeries() async throws {
      let folder = try TemporaryFolder()
      expectSuccess(try await run([], folder: folder))
      let objects = folder.files().filter { $0.hasSuffix(".gz") }
      #expect(objects.count > 1)
      #expect(
        objects.allSatisfy {
          $0.wholeMatch(of: /out\/city-taxi\/201[45]\/\d\d\/\d\d\/\d\d\/[^\/]+\.gz/) != nil
        }, "\(objects)")
      // Again into the same folder: the objects of the demo before make room.
      expectSuccess(try await run(["--seed", "2"], folder: folder))
    }

    @Test(
      .enabled(if: Places.realTaxi != nil, "there is no shared/data/taxi beside the repository"),
      arguments: 1...8
    ) func findsTheLabelledEventsOfTheRealSeries(seed: Int) async throws {
      let folder = try TemporaryFolder()
      let file = try #require(Places.realTaxi)
      let demo = try await run(["--data", file, "--seed", "\(seed)"], folder: folder)
      expectSuccess(demo)
      let others = demo.text.split(separator: "\n").first { $0.contains("other alert") }
      let count = try #require(others?.split(separator: " ").first.flatMap { Int($0) })
      #expect(count <= 10, "seed \(seed): \(others ?? "")")
    }

    @Test func retrainsOnWhatItHasDelivered() async throws {
      let folder = try TemporaryFolder()
      let demo = try await run(["--retrain"], folder: folder)
      let text = demo.text
      for part in [
        "day-shape/1 (kmeans) from 6,192 rows", "rides-forecast/1 (deepar) from 6,192 rows",
        "gate passed: holdout:msd", "and there is no champion to compare with",
        "swap: day-shape serves champion day-shape/1 from record 6,192 on (city-taxi",
        "swap: rides-forecast serves champion rides-forecast/1 from record 6,192 on",
        "day-shape/2 (kmeans) from 8,772 rows", "of version 1",
        "swap: day-shape serves champion day-shape/2 from record 8,772 on",
        "10,320 records, each scored once",
      ] {
        #expect(text.contains(part), "\(part) in \(text)")
      }
    }

    @Test func touchesNoFolderThatIsNotItsOwn() async throws {
      let folder = try TemporaryFolder()
      try FileManager.default.createDirectory(
        atPath: folder.path + "/out/city-taxi", withIntermediateDirectories: true)
      try Data("mine".utf8).write(to: URL(fileURLWithPath: folder.path + "/out/city-taxi/a"))
      let demo = try Program(nil, ["demo"], folder: folder.path)
      #expect(await demo.exitCode() == 1)
      #expect(demo.text.contains("out/city-taxi exists and was not made by a demo"))
      #expect(try folder.contents("out/city-taxi/a") == Array("mine".utf8))
    }

    @Test func aBadSeriesIsNamedByItsLine() async throws {
      let folder = try TemporaryFolder()
      let file = folder.path + "/series.csv"
      try Data("timestamp,value\n2014-07-01 00:00:00,1\nnonsense\n".utf8).write(
        to: URL(fileURLWithPath: file))
      let demo = try Program(nil, ["demo", "--data", file], folder: folder.path)
      #expect(await demo.exitCode() == 1)
      #expect(demo.text.contains("series.csv: line 3: 'nonsense'"))
    }
  }
}
