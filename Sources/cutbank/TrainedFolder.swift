import Foundation
import LearnedModels
import Registry

/// A folder that `cutbank train` has written: the model, and what its manifest says of the training.
struct TrainedFolder {
  /// The artifact.
  let bytes: [UInt8]
  let algorithm: Algorithm
  private let folder: String
  /// Nil when the folder has none: a model alone serves as well.
  private let manifest: Manifest?

  private struct Manifest: Decodable {
    struct Window: Decodable {
      let files: [String]
      let rows: Int64?
      let from: String?
      let to: String?
    }
    struct Figure: Decodable {
      let metric: String
      let value: Double
      let step: Int
    }
    let hyperparameters: [String: String]
    let seed: String
    let metrics: [Figure]
    let sha256: String
    let window: Window

    enum CodingKeys: String, CodingKey {
      case hyperparameters, seed, metrics, sha256
      case window = "data_window"
    }
  }

  /// Reads a folder.
  ///
  /// - Throws: `Failure` when the model is missing or damaged, or the manifest is that of another one.
  init(_ folder: String) throws {
    self.folder = folder
    let file = folder + "/model.bin"
    do {
      bytes = try Array(Data(contentsOf: URL(fileURLWithPath: file)))
    } catch {
      throw Failure(
        message: "\(file) cannot be read: \(error.localizedDescription)",
        hint: "name a folder that `cutbank train --output` has written",
        code: Outcome.configuration)
    }
    do {
      algorithm = try LearnedModel(decoding: bytes).algorithm
    } catch {
      throw Failure(message: "\(file): \(error)", code: Outcome.configuration)
    }
    manifest = try Self.manifest(folder + "/manifest.json", of: bytes)
  }

  private static func manifest(_ path: String, of bytes: [UInt8]) throws -> Manifest? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    let hint = "train again, or remove the manifest to go on without what it says"
    guard let manifest = try? JSONDecoder().decode(Manifest.self, from: data) else {
      throw Failure(
        message: "\(path) is no manifest of `cutbank train`", hint: hint,
        code: Outcome.configuration)
    }
    guard manifest.sha256 == ArtifactFolder.name(of: bytes) else {
      throw Failure(
        message: "\(path) belongs to another model.bin: its SHA-256 is \(manifest.sha256)",
        hint: hint, code: Outcome.configuration)
    }
    return manifest
  }

  /// A job that stands for the training.
  func job(of model: String, parent: Int?, at now: Int64) -> TrainingJob {
    let window = manifest?.window
    let source = window.map { $0.files.joined(separator: ", ") } ?? folder
    return TrainingJob(
      model: model, pipeline: "", algorithm: algorithm.rawValue,
      hyperparameters: manifest?.hyperparameters ?? [:],
      seed: manifest.flatMap { UInt64($0.seed) } ?? 0,
      data: TrainingData(
        source: source, from: Self.time(window?.from), to: Self.time(window?.to),
        rows: window?.rows), parent: parent, createdAt: now)
  }

  /// What the training has measured.
  var metrics: [Metric] {
    manifest?.metrics.map { Metric(name: $0.metric, step: $0.step, value: $0.value) } ?? []
  }

  private static func time(_ text: String?) -> Int64? {
    guard let text, let date = try? Date(text, strategy: .iso8601) else { return nil }
    return Int64(date.timeIntervalSince1970 * 1_000)
  }
}
