import Glibc

/// The disk of the machine.
public struct PosixFileSystem: FileSystem {
  /// Creates the file system.
  public init() {}

  /// Makes a folder whose parent exists; false when it was there.
  public func makeDirectory(_ path: String) throws(FileError) -> Bool {
    if mkdir(path, 0o777) == 0 { return true }
    guard errno == EEXIST else { throw Self.failure("make folder", path) }
    return false
  }

  /// Writes a new file, replacing what is there, and syncs it to the disk.
  public func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.failure("create", path) }
    var isOpen = true
    defer { if isOpen { close(descriptor) } }
    var offset = 0
    while offset < bytes.count {
      // The slice stays within the array: offset < count.
      let written = bytes.withUnsafeBytes { buffer in
        let rest = UnsafeRawBufferPointer(rebasing: buffer[offset...])
        return Glibc.write(descriptor, rest.baseAddress, rest.count)
      }
      if written < 0 && errno == EINTR { continue }
      guard written >= 0 else { throw Self.failure("write", path) }
      offset += written
    }
    guard fsync(descriptor) == 0 else { throw Self.failure("sync", path) }
    isOpen = false
    guard close(descriptor) == 0 else { throw Self.failure("close", path) }
  }

  /// Gives a file its final name without replacing another; false when the name is taken.
  public func publish(_ path: String, as name: String) throws(FileError) -> Bool {
    if link(path, name) == 0 {
      try remove(path)
      return true
    }
    guard errno == EEXIST else { throw Self.failure("publish", name) }
    try remove(path)
    return false
  }

  /// Removes a file; it may be gone already.
  public func remove(_ path: String) throws(FileError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw Self.failure("remove", path) }
  }

  /// Syncs the names in a folder to the disk.
  public func syncDirectory(_ path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failure("open folder", path) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw Self.failure("sync folder", path) }
  }

  /// The names in a folder in the order of their bytes.
  public func list(_ path: String) throws(FileError) -> [String] {
    guard let directory = opendir(path) else { throw Self.failure("list", path) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      // readdir ends every name with a zero byte.
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  private static func failure(_ operation: String, _ path: String) -> FileError {
    FileError(operation: operation, path: path, number: errno)
  }
}
