import ArgumentParser
import CMemory
import Glibc

/// The program: one command with all others below it.
@main struct Main {
  static func main() async {
    // A reader that went away is an error of the write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    // Where memory is limited, a thread that cannot be made holds up those that wait for it: Dispatch tries
    // again for ever. The default of 8 MiB each is more than anything here needs.
    let error = cutbank_set_stack_size(4 << 20)
    precondition(error == 0, "a stack may have 4 MiB")
    // Until the daemon listens to it: it reads its files after this anyway.
    if CommandLine.arguments.dropFirst().first == RunCommand.configuration.commandName {
      signal(SIGHUP, SIG_IGN)
    }
    do {
      var command = try Cutbank.parseAsRoot()
      if var waiting = command as? any AsyncParsableCommand {
        try await waiting.run()
      } else {
        try command.run()
      }
    } catch {
      Outcome.exit(with: error)
    }
  }
}

struct Cutbank: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cutbank",
    abstract: "Streaming anomaly detection: a Kafka topic in, scored records and alerts out.",
    version: Version.text,
    subcommands: [
      RunCommand.self, DemoCommand.self, ValidateCommand.self, ExplainCommand.self,
      BrokerCommand.self, GenerateCommand.self, SQLCommand.self, TestCommand.self,
      ImportCommand.self, TrainCommand.self, ScoreCommand.self, ModelsCommand.self,
      DeadLetterCommand.self, AlertsCommand.self, BenchCommand.self, StateCommand.self,
      VersionCommand.self,
    ])
}

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Print the version.")

  func run() throws {
    try Output.write("cutbank \(Version.text)\n")
  }
}

enum Version {
  static let text = "0.1.0"
}
