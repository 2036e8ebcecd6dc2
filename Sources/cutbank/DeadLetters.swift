import Delivery
import Engine
import Foundation

/// One record of a dead-letter object, as `FailedRecord` writes it.
struct DeadLetter: Decodable {
  let arrivalTimestamp: Int64
  let errorCode: String
  let errorMessage: String
  let rawData: String
  let dataId: String
  let topic: String?
  let partition: Int32?
  let offset: Int64?
  let pipeline: String
  let stage: String
  let key: String?

  /// The record's bytes.
  var bytes: [UInt8]? { Data(base64Encoded: rawData).map(Array.init) }

  /// The record's key, decoded.
  var keyBytes: [UInt8]? { key.flatMap { Data(base64Encoded: $0) }.map(Array.init) }

  /// What was wrong, its code first.
  var reason: String {
    errorMessage.hasPrefix(errorCode) ? errorMessage : "\(errorCode): \(errorMessage)"
  }

  /// Where it stood, or what names it.
  var place: String {
    guard let topic, let partition, let offset else { return dataId }
    return "\(topic)/\(partition) offset \(offset)"
  }
}

/// The dead letters of a pipeline that lie in a folder of this machine.
struct DeadLetterFolder {
  let path: String

  /// The folder of a pipeline.
  ///
  /// - Throws: `Failure` when its dead letters are delivered elsewhere.
  init(_ plan: PipelinePlan) throws {
    let destination = plan.deadLetterDestination
    guard destination.hasPrefix("file://") else {
      throw Failure(
        message: "the dead letters of pipeline \(plan.configuration.name) go to \(destination)",
        hint: "copy the objects to a folder and name it with --folder")
    }
    path = String(destination.dropFirst("file://".count))
  }

  init(path: String) { self.path = path }

  /// Every letter in the order of the objects' names.
  ///
  /// - Throws: `Failure` that names the object and line that cannot be read.
  func letters() throws -> [DeadLetter] {
    let manager = FileManager.default
    guard manager.fileExists(atPath: path) else { return [] }
    guard let walk = manager.enumerator(atPath: path) else {
      throw Failure(message: "\(path) cannot be read", hint: "check its permissions")
    }
    let names = walk.compactMap { $0 as? String }.filter { name in
      !name.split(separator: "/").contains { $0.hasPrefix(".") }
    }
    return try names.sorted().flatMap { try read(path + "/" + $0) }
  }

  private func read(_ file: String) throws -> [DeadLetter] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), !isFolder.boolValue
    else { return [] }
    guard let data = FileManager.default.contents(atPath: file) else {
      throw Failure(message: "\(file) cannot be read", hint: "check its permissions")
    }
    let compression =
      Compression.allCases.first {
        !$0.fileExtension.isEmpty && file.hasSuffix($0.fileExtension)
      } ?? .none
    guard let bytes = compression.decompress(Array(data), limit: 1 << 30) else {
      throw Failure(message: "\(file) is not a whole \(compression.rawValue) object")
    }
    let decoder = JSONDecoder()
    return try bytes.split(separator: UInt8(ascii: "\n")).enumerated().map { index, line in
      do {
        return try decoder.decode(DeadLetter.self, from: Data(line))
      } catch {
        throw Failure(
          message: "\(file):\(index + 1): this is no dead letter: \(error)",
          hint: "only objects that Cutbank wrote belong in this folder")
      }
    }
  }
}
