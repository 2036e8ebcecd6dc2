import Crypto
import Foundation
import Glibc
public import Transport

/// Objects as files below a folder.
///
/// A file is written under `.tmp`, synced, and given its name by a hard link, so that a name always
/// stands for a whole object.
public struct DirectoryDestination: Destination {
  private let root: String
  private let owner: String
  private let compression: Compression
  private let parquet: ParquetFormat?
  private let files: any FileSystem
  private let threads: BlockingThreads

  /// Opens the folder and, unless the same owner still writes, removes what it left unfinished.
  ///
  /// - Parameters:
  ///   - path: The folder, made when needed.
  ///   - owner: Who writes, so that left-over files of others are not touched: pipeline and output.
  ///   - compression: How objects are compressed.
  ///   - parquet: The format of objects whose rows are for Parquet, in place of `compression`.
  ///   - files: The disk.
  ///   - threads: Threads for compression and blocking calls.
  ///   - removesUnfinished: Whether what is unfinished was left by an earlier run.
  /// - Throws: `DeliveryError` when the folder cannot be written.
  public init(
    path: String, owner: String, compression: Compression, parquet: ParquetFormat? = nil,
    files: any FileSystem = PosixFileSystem(), threads: BlockingThreads,
    removesUnfinished: Bool = true
  ) async throws {
    root = path == "/" ? "" : path
    self.owner = Hexadecimal.encode(SHA256.hash(data: Array(owner.utf8)).prefix(8))
    self.compression = compression
    self.parquet = parquet
    self.files = files
    self.threads = threads
    let destination = self
    try await threads.run { try destination.prepare(removesUnfinished) }
  }

  private var temporaryFolder: String { root + "/.tmp" }

  private func prepare(_ removesUnfinished: Bool) throws(DeliveryError) {
    do {
      try makeFolder(temporaryFolder)
      guard removesUnfinished else { return }
      for name in try files.list(temporaryFolder) where name.hasPrefix(owner + "-") {
        try files.remove(temporaryFolder + "/" + name)
      }
    } catch {
      throw Self.deliveryError(for: error)
    }
  }

  /// Stores an object as a file; when there is one of its name, it was stored before.
  public func put(_ object: ClosedObject) async throws -> PutResult {
    try Task.checkCancellation()
    return try await threads.run { try store(object) }
  }

  private func store(_ object: ClosedObject) throws(DeliveryError) -> PutResult {
    let folders = object.name.split(separator: "/").dropLast()
    let isInside = folders.allSatisfy { $0 != ".." && $0 != "." } && !object.name.hasSuffix("/")
    guard isInside, !object.name.utf8.contains(0) else {
      throw DeliveryError(
        code: "Directory.InvalidName", message: "'\(object.name)' is no name below the folder",
        hint: "check the prefix and the partition keys", remedy: .none)
    }
    let bytes = try object.encoded(compression, parquet)
    let temporary = "\(temporaryFolder)/\(owner)-\(object.identity.uuid)"
    do {
      try makeFolder(temporaryFolder)
      try files.write(bytes, to: temporary)
      return try publish(temporary, as: object.name)
    } catch {
      throw discard(temporary, after: error)
    }
  }

  private func publish(_ temporary: String, as name: String) throws(FileError) -> PutResult {
    let path = root + "/" + name
    let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    try makeFolder(folder)
    let isNew = try files.publish(temporary, as: path)
    // Also when it existed: the crash that hid the first attempt may have come before its sync.
    try files.syncDirectory(folder.isEmpty ? "/" : folder)
    return isNew ? .stored : .existed
  }

  /// Makes a folder and what is missing above it, and syncs the names.
  private func makeFolder(_ path: String) throws(FileError) {
    guard !path.isEmpty, path != ".", path != ".." else { return }
    let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    do {
      guard try files.makeDirectory(path) else { return }
    } catch {
      guard error.number == ENOENT, parent != path else { throw error }
      try makeFolder(parent)
      guard try files.makeDirectory(path) else { return }
    }
    try files.syncDirectory(parent.isEmpty ? "/" : parent)
  }

  /// Removes an unfinished file; when that fails too, the next start removes it.
  private func discard(_ temporary: String, after error: FileError) -> DeliveryError {
    do {
      try files.remove(temporary)
      return Self.deliveryError(for: error)
    } catch {
      return Self.deliveryError(for: error)
    }
  }

  private static func deliveryError(for error: FileError) -> DeliveryError {
    let (code, hint, remedy): (String, String, DeliveryError.Remedy) =
      switch error.number {
      case ENOSPC, EDQUOT: ("DiskFull", "free some space: delivery goes on by itself", .retry)
      case EACCES, EPERM:
        ("PermissionDenied", "let this user write there", .operatorAction)
      case EOPNOTSUPP, EMLINK:
        ("NoHardLinks", "use a file system with hard links", .operatorAction)
      case EROFS: ("ReadOnly", "mount the file system for writing", .operatorAction)
      case ENOTDIR: ("NotAFolder", "remove the file that is in the way", .operatorAction)
      case ENAMETOOLONG: ("NameTooLong", "shorten the prefix", .none)
      case EMFILE, ENFILE: ("TooManyFiles", "raise the limit of open files", .retry)
      case EIO: ("InputOutput", "look at the disk: the kernel log says more", .retry)
      default: ("SystemError", "delivery is tried again", .retry)
      }
    return DeliveryError(
      code: "Directory.\(code)",
      message: "could not \(error.operation) '\(error.path)': \(text(of: error.number))",
      hint: hint, remedy: remedy)
  }

  private static func text(of number: Int32) -> String {
    String(cString: strerror(number)).lowercased()
  }
}
