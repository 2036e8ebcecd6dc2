import Crypto
import Foundation
import Glibc

/// Model files under their SHA-256: written once, whole or not at all.
public struct ArtifactFolder: Sendable {
  /// The folder.
  public let path: String

  /// Opens a folder, making it when it is not there, and removes what a crash left half written.
  init(path: String) throws {
    self.path = path
    let files = FileManager.default
    try files.createDirectory(atPath: path, withIntermediateDirectories: true)
    let old = Date(timeIntervalSinceNow: -3_600)
    for name in try files.contentsOfDirectory(atPath: path) where name.hasSuffix(".tmp") {
      let file = path + "/" + name
      do {
        // A younger one may be another process's that is writing it now.
        guard let made = try files.attributesOfItem(atPath: file)[.modificationDate] as? Date,
          made < old
        else { continue }
        try files.removeItem(atPath: file)
      } catch let error as CocoaError
        where [.fileReadNoSuchFile, .fileNoSuchFile].contains(error.code)
      {
        // Another process has put it in place, or removed it, meanwhile.
      }
    }
  }

  /// The name of bytes: their SHA-256 in hexadecimal digits.
  public static func name(of bytes: [UInt8]) -> String {
    SHA256.hash(data: bytes).map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  /// Where an artifact lies.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Stores bytes; they are on stable storage when it returns.
  ///
  /// - Returns: Their name.
  public func store(_ bytes: [UInt8]) throws -> String {
    let name = Self.name(of: bytes)
    let target = file(name)
    if FileManager.default.fileExists(atPath: target), try load(name) == bytes { return name }
    let temporary = "\(target).\(getpid()).tmp"
    try Data(bytes).write(to: URL(fileURLWithPath: temporary))
    try Self.synchronize(temporary)
    guard rename(temporary, target) == 0 else {
      throw RegistryError("\(target) cannot be put in place: \(String(cString: strerror(errno)))")
    }
    try Self.synchronize(path)
    return name
  }

  /// The bytes of an artifact.
  ///
  /// - Throws: `RegistryError` when it is not there or its SHA-256 is another.
  public func load(_ name: String) throws -> [UInt8] {
    let bytes: [UInt8]
    do {
      bytes = try Array(Data(contentsOf: URL(fileURLWithPath: file(name))))
    } catch {
      throw RegistryError(
        "the artifact \(file(name)) cannot be read: \(error.localizedDescription)",
        hint: "bring the file back from a copy, or roll back to another version")
    }
    guard Self.name(of: bytes) == name else {
      throw RegistryError(
        "the artifact \(file(name)) is damaged: its SHA-256 is \(Self.name(of: bytes))",
        hint: "bring the file back from a copy, or roll back to another version")
    }
    return bytes
  }

  private static func synchronize(_ path: String) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      throw RegistryError("\(path) cannot be opened: \(String(cString: strerror(errno)))")
    }
    defer { close(file) }
    guard fsync(file) == 0 else {
      throw RegistryError("\(path) cannot be synced: \(String(cString: strerror(errno)))")
    }
  }
}
