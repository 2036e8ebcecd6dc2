import Dataflow
import Glibc
import Synchronization
import Transport

/// A reference table in a file of this machine, read again when size or time of change differ.
final class FileTableSource: TableSource {
  /// What tells that a file was changed without reading it.
  private struct Mark: Equatable {
    let inode: UInt64
    let size: Int64
    let seconds: Int64
    let nanoseconds: Int64
  }

  private let path: String
  private let decoder: TableDecoder
  private let disk: any Disk
  private let threads: BlockingThreads
  private let seen = Mutex<Mark?>(nil)

  init(_ plan: TablePlan, path: String, disk: any Disk, threads: BlockingThreads) {
    self.path = path
    self.disk = disk
    self.threads = threads
    decoder = TableDecoder(plan: plan)
  }

  func load() async throws -> TableContent? {
    try await threads.run { try self.loadNow() }
  }

  private func loadNow() throws -> TableContent? {
    let before = try mark()
    guard seen.withLock({ $0 }) != before else { return nil }
    let content = try Self.content(of: path, decoder: decoder, disk: disk) {
      // What cannot be read as a table is looked at again only when it was changed.
      self.seen.withLock { $0 = before }
    }
    // A file that was written meanwhile is read at the next look.
    guard try mark() == before else { return nil }
    seen.withLock { $0 = before }
    return content
  }

  /// The rows of a file.
  ///
  /// - Throws: `TableProblem` with the line; `whenRead` is called before anything is decoded.
  static func content(
    of path: String, decoder: TableDecoder, disk: any Disk, whenRead: () -> Void = {}
  ) throws(TableProblem) -> TableContent {
    let bytes: [UInt8]
    do {
      guard let read = try disk.read(path) else {
        throw TableProblem(place: path, message: "no such file")
      }
      bytes = read
    } catch let problem as TableProblem {
      throw problem
    } catch let error as DiskError {
      throw TableProblem(place: path, message: error.text.lowercased())
    } catch {
      throw TableProblem(place: path, message: "\(error)")
    }
    whenRead()
    return try decoder.decode(file: bytes, name: path)
  }

  private func mark() throws(TableProblem) -> Mark {
    var status = stat()
    guard stat(path, &status) == 0 else {
      let text = errno == ENOENT ? "no such file" : String(cString: strerror(errno)).lowercased()
      throw TableProblem(place: path, message: text)
    }
    return Mark(
      inode: UInt64(status.st_ino), size: Int64(status.st_size),
      seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
  }
}
