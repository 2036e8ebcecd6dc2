import Engine
import Foundation
import Migration
import Testing

@Suite struct GoldenTests {
  @Test(arguments: Fixture.all) func everyFormGivesThePipelines(_ fixture: Fixture) throws {
    let applications = try fixture.imported()
    for application in applications {
      #expect(application.pipeline == (try fixture.read("expected/\(application.name).yaml")))
      #expect(application.program == (try fixture.read("expected/\(application.name).sql")))
    }
    let remarks = applications.flatMap(\.remarks).map { "\($0)\n" }.joined()
    #expect(remarks == (try fixture.read("expected/remarks.txt")))
    let files = try FileManager.default.contentsOfDirectory(
      atPath: fixture.folder.appendingPathComponent("expected").path)
    #expect(files.count == applications.count * 2 + 1)
  }

  /// What is imported runs: the engine reads it and makes a plan of it.
  @Test(arguments: Fixture.all) func everyPipelineIsValid(_ fixture: Fixture) throws {
    for application in try fixture.imported() {
      let (configuration, warnings) = try PipelineConfiguration.read(
        file: "\(application.name).yaml", text: application.pipeline, environment: [:],
        daemon: KafkaSettings(brokers: "localhost:9092"),
        readFile: { path in
          #expect(path == "\(application.name).sql")
          return application.program
        })
      #expect(warnings.isEmpty)
      #expect(configuration.name == application.name)
      _ = try PipelinePlan.make(configuration, dataDirectory: "data")
    }
  }
}
