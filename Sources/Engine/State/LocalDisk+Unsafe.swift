package import Dataflow
import Glibc

/// The file system of this machine.
///
/// The only unsafe code of this module: buffers are handed to `read`, `write` and `readdir` for the
/// duration of the call, with the count of the array that owns them.
package struct LocalDisk: Disk {
  /// Creates a disk.
  package init() {}

  package func createDirectory(_ path: String) throws {
    var prefix = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      prefix += (prefix.isEmpty || prefix.hasSuffix("/") ? "" : "/") + part
      if mkdir(prefix, 0o755) != 0, errno != EEXIST { throw failure("create folder", prefix) }
    }
    var found = stat()
    guard stat(path, &found) == 0 else { throw failure("open folder", path) }
    guard found.st_mode & S_IFMT == S_IFDIR else {
      throw DiskError(
        operation: "open folder", path: path, code: ENOTDIR,
        text: String(cString: strerror(ENOTDIR)))
    }
  }

  package func list(_ path: String) throws -> [String] {
    guard let folder = opendir(path) else {
      if errno == ENOENT { return [] }
      throw failure("list", path)
    }
    defer { closedir(folder) }
    var names: [String] = []
    while true {
      // What could not be listed is there nevertheless.
      errno = 0
      guard let entry = readdir(folder) else {
        guard errno == 0 else { throw failure("list", path) }
        break
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
  }

  package func read(_ path: String) throws -> [UInt8]? { try read(path, from: 0, count: .max) }

  package func read(_ path: String, from start: Int, count limit: Int) throws -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw failure("open", path)
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw failure("stat", path) }
    let size = min(limit, max(0, Int(status.st_size) - start))
    var bytes = [UInt8](repeating: 0, count: size)
    var offset = 0
    while offset < size {
      let count = bytes.withUnsafeMutableBytes { buffer in
        pread(
          file, buffer.baseAddress.map { $0 + offset }, size - offset, off_t(start + offset))
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure("read", path) }
      if count == 0 { break }
      offset += count
    }
    bytes.removeLast(size - offset)
    return bytes
  }

  package func replace(_ path: String, with bytes: [UInt8]) throws {
    let temporary = path + ".tmp"
    do {
      try write(bytes, to: temporary, flags: O_WRONLY | O_CREAT | O_TRUNC, at: 0)
    } catch {
      // A full disk has its space back; what is left in spite of it the next start removes.
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else { throw failure("rename", temporary) }
    try syncFolder(of: path)
  }

  package func create(_ path: String, with bytes: [UInt8]) throws -> Bool {
    // Another process may be creating the same file.
    let temporary = "\(path).\(getpid()).tmp"
    defer { unlink(temporary) }
    try write(bytes, to: temporary, flags: O_WRONLY | O_CREAT | O_TRUNC, at: 0)
    guard link(temporary, path) == 0 else {
      if errno == EEXIST { return false }
      throw failure("create", path)
    }
    try syncFolder(of: path)
    return true
  }

  package func append(_ bytes: [UInt8], to path: String, at offset: Int) throws {
    let isNew = access(path, F_OK) != 0
    try write(bytes, to: path, flags: O_WRONLY | O_CREAT, at: offset)
    if isNew { try syncFolder(of: path) }
  }

  package func note(_ bytes: [UInt8], in path: String, isDurable: Bool) throws {
    if isDurable { return try append(bytes, to: path, at: 0) }
    try write(bytes, to: path, flags: O_WRONLY | O_CREAT, at: 0, isSynced: false)
  }

  package func move(_ path: String, to target: String) throws {
    guard rename(path, target) == 0 else { throw failure("rename", path) }
    try syncFolder(of: target)
  }

  package func remove(_ path: String) throws {
    if unlink(path) != 0, errno != ENOENT { throw failure("remove", path) }
  }

  package func lock(_ path: String) throws -> (any FileLock)? {
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure("open", path) }
    var code = flock(file, LOCK_EX | LOCK_NB)
    while code != 0, errno == EINTR { code = flock(file, LOCK_EX | LOCK_NB) }
    if code == 0 { return LocalLock(file: file) }
    let refused = failure("lock", path)
    close(file)
    guard refused.code == EWOULDBLOCK else { throw refused }
    return nil
  }

  package func makeScratch(in folder: String) throws -> any ModelScratch {
    try createDirectory(folder)
    let path = folder + "/models.tmp"
    let file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure("create", path) }
    // Without a name its room is free again however the process ends.
    guard unlink(path) == 0 else {
      let refused = failure("remove", path)
      close(file)
      throw refused
    }
    return LocalScratch(file: file, path: path)
  }

  private func write(
    _ bytes: [UInt8], to path: String, flags: Int32, at start: Int, isSynced: Bool = true
  ) throws {
    let file = open(path, flags | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure("open", path) }
    defer { close(file) }
    guard ftruncate(file, off_t(start)) == 0 else { throw failure("cut", path) }
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        pwrite(
          file, buffer.baseAddress.map { $0 + offset }, buffer.count - offset,
          off_t(start + offset))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write", path) }
      offset += count
    }
    guard !isSynced || fdatasync(file) == 0 else { throw failure("sync", path) }
  }

  private func syncFolder(of path: String) throws {
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let file = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw failure("open", folder) }
    defer { close(file) }
    guard fsync(file) == 0 else { throw failure("sync", folder) }
  }

  private func failure(_ operation: String, _ path: String) -> DiskError {
    .last(operation, path)
  }
}

extension DiskError {
  /// What the last system call of this thread said.
  fileprivate static func last(_ operation: String, _ path: String) -> DiskError {
    let code = errno
    return DiskError(
      operation: operation, path: path, code: code, text: String(cString: strerror(code)))
  }
}

/// An open file with a lock, which the system gives up when it is closed.
private final class LocalLock: FileLock {
  private let file: Int32

  init(file: Int32) { self.file = file }

  deinit { close(file) }
}

/// A file without a name.
private final class LocalScratch: ModelScratch {
  private let file: Int32
  private let path: String

  init(file: Int32, path: String) {
    self.file = file
    self.path = path
  }

  deinit { close(file) }

  func write(_ bytes: [UInt8], at offset: Int64) throws {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        pwrite(
          file, buffer.baseAddress.map { $0 + done }, buffer.count - done,
          off_t(offset) + off_t(done))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw DiskError.last("write", path) }
      done += count
    }
  }

  func read(_ count: Int, at offset: Int64) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let part = bytes.withUnsafeMutableBytes { buffer in
        pread(
          file, buffer.baseAddress.map { $0 + done }, count - done, off_t(offset) + off_t(done))
      }
      if part < 0, errno == EINTR { continue }
      guard part >= 0 else { throw DiskError.last("read", path) }
      guard part > 0 else {
        throw DiskError(operation: "read", path: path, code: EIO, text: "it ends too early")
      }
      done += part
    }
    return bytes
  }
}
