/// Text files of the user.
public enum TextFile {
  /// Why a file is no text.
  public struct Problem: Error, CustomStringConvertible {
    /// The reason, in lower case.
    public let description: String
  }

  /// The whole text of a UTF-8 file.
  ///
  /// - Throws: `Problem` when there is no such file, it cannot be read, or it is not UTF-8.
  public static func read(_ path: String) throws -> String {
    let bytes: [UInt8]?
    do {
      bytes = try LocalDisk().read(path)
    } catch let error as DiskError {
      throw Problem(description: error.text.lowercased())
    }
    guard let bytes else { throw Problem(description: "no such file") }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Problem(description: "it is not UTF-8 text")
    }
    return text
  }
}
