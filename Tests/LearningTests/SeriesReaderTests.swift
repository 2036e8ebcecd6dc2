import Foundation
import LearnedModels
import Learning
import Testing

@Suite struct SeriesReaderTests {
  private func files(_ texts: String...) throws -> [String] {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return try texts.enumerated().map { index, text in
      let url = folder.appendingPathComponent("\(index).jsonl")
      try Data(text.utf8).write(to: url)
      return url.path
    }
  }

  @Test func membersComeInAnyOrderAndFromSeveralFiles() throws {
    let paths = try files(
      """
      {"start":"2026-01-31 06:30:00","target":[4.3,null,"NaN",NaN,-5e-1],"cat":[0,12]}

      { "dynamic_feat" : [[1,2.5],[3,4]], "target":[ 1 , 2 ], "item_id":"a\\"b", "start":"1969-12-31"}\r
      """, "{\"target\":[],\"start\":\"2024-02-29T23:59\",\"cat\":[]}")
    let series = try SeriesReader(paths).all()
    #expect(series.count == 3)
    #expect(series[0].start == 1_769_841_000_000)
    #expect(series[0].target.map { $0.isNaN ? -99 : $0 } == [4.3, -99, -99, -99, -0.5])
    #expect(series[0].categories == [0, 12])
    #expect(series[0].place == paths[0] + ":1")
    #expect(series[1].start == -86_400_000)
    #expect(series[1].dynamicFeatures == [[1, 2.5], [3, 4]])
    #expect(series[1].place == paths[0] + ":3")
    #expect(series[2].start == 1_709_251_140_000 && series[2].target.isEmpty)
    #expect(series[2].place == paths[1] + ":1")
  }

  private static let bad: [(line: String, message: String)] = [
    (#"{"start":"2026-01-01"}"#, #":2: the member "target" is missing"#),
    (#"{"target":[1]}"#, #":2: the member "start" is missing"#),
    (
      #"{"start":"2026-01-01","target":[1],"dynamic_feats":[[1]]}"#,
      "\"dynamic_feats\" is not known"
    ),
    (#"{"start":"2026-02-29","target":[1]}"#, #":2: "start" is "2026-02-29""#),
    (#"{"start":"2026-01-01T00:00:00Z","target":[1]}"#, "without a time zone"),
    (#"{"start":"2026-1-1","target":[1]}"#, "yyyy-MM-dd"),
    (#"{"start":17,"target":[1]}"#, #":2:10: "yyyy-MM-dd HH:mm:ss" is expected, not '17,"#),
    (#"{"start":"2026-01-01","target":[1,"x"]}"#, ":2:35: a number, null or \"NaN\" is expected"),
    (#"{"start":"2026-01-01","target":[1 2]}"#, "',' or ']' is expected, not '2]}'"),
    (#"{"start":"2026-01-01","target":[1,1e30]}"#, ":2: value 2 of \"target\" is 1e+30"),
    (#"{"start":"2026-01-01","target":[1],"cat":[1.5]}"#, ":2: \"cat\" has a category of 1.5"),
    (#"{"start":"2026-01-01","target":[1],"cat":[-1]}"#, "number the categories"),
    (
      #"{"start":"2026-01-01","target":[1],"dynamic_feat":[[null]]}"#,
      ":2: value 1 of \"dynamic_feat\" is missing"
    ), (#"{"start":"2026-01-01","target":[1]} x"#, "the end of the line is expected, not 'x'"),
    (#"{"start":"2026-01-01","target":[1]"#, "not the end of the line"),
    ("[]", ":2:1: { is expected"),
  ]

  @Test(arguments: bad) func aBadLineIsNamed(line: String, message: String) throws {
    let good = "{\"start\":\"2026-01-01\",\"target\":[1]}\n"
    let reader = try SeriesReader(try files(good + line + "\n" + good))
    #expect(try reader.next() != nil)
    var text = ""
    do { _ = try reader.next() } catch { text = "\(error)" }
    #expect(text.contains(message), "\(text)")
  }

  @Test func filesWithoutSeriesAreRefused() throws {
    #expect(throws: DataError.self) { try SeriesReader(try files("\n", "")).all() }
    #expect(throws: DataError.self) { try SeriesReader(["series.parquet"]) }
    #expect(throws: DataError.self) { try SeriesReader(["no-such-file.jsonl"]) }
  }
}
