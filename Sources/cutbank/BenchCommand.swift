import ArgumentParser

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure one part of Cutbank on this machine.",
    subcommands: [
      BenchDelivery.self, BenchForest.self, BenchJSON.self, BenchModels.self, BenchPipeline.self,
      BenchReceiver.self, BenchSnapshot.self, BenchSoak.self, BenchSQL.self, BenchStart.self,
      BenchSwap.self,
    ])
}
