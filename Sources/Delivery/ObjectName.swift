import Crypto
import Foundation
import Transport

/// What an object holds, said so that a replay says the same.
public struct ObjectIdentity: Hashable, Sendable {
  /// The pipeline's name.
  public var pipeline: String
  /// The life of the task, as the engine's journal names it.
  public var life: String
  /// The task's number.
  public var task: Int
  /// The output's name: its stream, made unique by the pipeline.
  public var output: String
  /// The values of the partition keys in the order of the prefix.
  public var partitionValues: [String]
  /// The number of the first row in the output of the task.
  public var firstRow: Int64
  /// The number of the last row in the output of the task.
  public var lastRow: Int64

  /// Creates an identity.
  public init(
    pipeline: String, life: String, task: Int, output: String, partitionValues: [String] = [],
    firstRow: Int64, lastRow: Int64
  ) {
    self.pipeline = pipeline
    self.life = life
    self.task = task
    self.output = output
    self.partitionValues = partitionValues
    self.firstRow = firstRow
    self.lastRow = lastRow
  }

  /// SHA-256 over all fields, each preceded by its length.
  public var digest: [UInt8] {
    let fields =
      [pipeline, life, String(task), output] + partitionValues + ["\(firstRow)", "\(lastRow)"]
    var bytes: [UInt8] = []
    for field in fields {
      bytes += "\(field.utf8.count):".utf8
      bytes += field.utf8
    }
    return Array(SHA256.hash(data: bytes))
  }

  /// The first half of the digest in the shape of a UUID (version 8, RFC 9562).
  public var uuid: String {
    var bytes = Array(digest.prefix(16))
    bytes[6] = bytes[6] & 0x0F | 0x80
    bytes[8] = bytes[8] & 0x3F | 0x80
    let text = Array(Hexadecimal.encode(bytes))
    let groups = [text[0..<8], text[8..<12], text[12..<16], text[16..<20], text[20..<32]]
    return groups.map { String($0) }.joined(separator: "-")
  }
}

/// How the objects of an output are named.
public struct ObjectNaming: Hashable, Sendable {
  /// The delivery stream's name within object names.
  public let stream: String
  /// Counted up by every change of the configuration, from 1.
  public let version: Int
  /// The prefix.
  public let prefix: Prefix
  /// What ends a name, for example `.jsonl.gz`.
  public let fileExtension: String

  /// Creates a naming; characters of `stream` that a name cannot hold become `_`.
  public init(stream: String, version: Int, prefix: Prefix, fileExtension: String) {
    self.stream = String(
      stream.map { character in
        let isSafe = character.isLetter || character.isNumber || "-_.".contains(character)
        return isSafe ? character : "_"
      })
    self.version = version
    self.prefix = prefix
    self.fileExtension = fileExtension
  }

  /// The name `<prefix><stream>-<version>-yyyy-MM-dd-HH-mm-ss-<uuid><extension>` of an object.
  ///
  /// - Parameters:
  ///   - identity: What the object holds.
  ///   - rowTime: ROWTIME of its oldest record in milliseconds since 1970.
  ///   - errorOutputType: The kind of an error object.
  /// - Returns: The name below the destination's root.
  /// - Throws: `DeliveryError` with code `Partitioning.*` when the prefix cannot be evaluated.
  public func name(
    of identity: ObjectIdentity, rowTime: Int64, errorOutputType: ErrorOutputType? = nil
  ) throws(DeliveryError) -> String {
    let keys = prefix.partitionKeys
    var values: [String: String] = [:]
    var position = 0
    for key in keys where values[key] == nil && position < identity.partitionValues.count {
      values[key] = identity.partitionValues[position]
      position += 1
    }
    let evaluated = try prefix.evaluate(
      Prefix.Context(
        rowTime: rowTime, seed: identity.digest, errorOutputType: errorOutputType,
        partitionValues: values))
    let time = TimestampPattern.objectSuffix.text(at: rowTime)
    return "\(evaluated)\(stream)-\(version)-\(time)-\(identity.uuid)\(fileExtension)"
  }
}
