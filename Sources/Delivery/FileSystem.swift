/// What the directory destination asks of a disk; every call blocks.
///
/// A protocol so that tests can make the n-th call fail.
public protocol FileSystem: Sendable {
  /// Makes a folder whose parent exists; false when it was there.
  func makeDirectory(_ path: String) throws(FileError) -> Bool
  /// Writes a new file, replacing what is there, and syncs it to the disk.
  func write(_ bytes: [UInt8], to path: String) throws(FileError)
  /// Gives a file its final name without replacing another; false when the name is taken.
  func publish(_ path: String, as name: String) throws(FileError) -> Bool
  /// Removes a file; it may be gone already.
  func remove(_ path: String) throws(FileError)
  /// Syncs the names in a folder to the disk.
  func syncDirectory(_ path: String) throws(FileError)
  /// The names in a folder in the order of their bytes.
  func list(_ path: String) throws(FileError) -> [String]
}

/// A failed call to the operating system.
public struct FileError: Error, Hashable, Sendable {
  /// What was tried, for example `write`.
  public let operation: String
  /// The path.
  public let path: String
  /// The number of the error, as in `errno.h`.
  public let number: Int32

  /// Creates an error.
  public init(operation: String, path: String, number: Int32) {
    self.operation = operation
    self.path = path
    self.number = number
  }
}
