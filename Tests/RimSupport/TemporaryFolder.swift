import Foundation
import Processes

/// A folder that is gone with the value that holds it.
public final class TemporaryFolder: Sendable {
  public let path: String

  public init() throws {
    path = FileManager.default.temporaryDirectory.path + "/cutbank-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    do { try FileManager.default.removeItem(atPath: path) } catch { print("left over: \(path)") }
  }

  /// The paths of all files below the folder, in order.
  public func files() -> [String] {
    let all = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    return all.filter { name in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: path + "/" + name, isDirectory: &isFolder)
        && !isFolder.boolValue
    }.sorted()
  }

  public func contents(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
  }
}

/// What a program prints when it is given a file.
public func output(of program: String, _ arguments: [String]) throws -> [UInt8] {
  let process = try ChildProcess([program] + arguments, output: .pipe, errors: .inherited)
  defer { process.waitForEnd() }
  return process.readToEnd()
}
