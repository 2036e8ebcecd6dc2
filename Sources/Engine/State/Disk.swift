package import Dataflow
import Glibc

/// The files of one machine, as far as state needs them; tests and simulations bring their own.
package protocol Disk: Sendable {
  /// Creates a folder and those above it.
  func createDirectory(_ path: String) throws
  /// The names in a folder in byte order; empty when there is no such folder.
  func list(_ path: String) throws -> [String]
  /// The bytes of a file, or nil when there is none.
  func read(_ path: String) throws -> [UInt8]?
  /// The bytes of a file from byte `offset` on, at most `count`, fewer only at its end; nil when there is no
  /// such file.
  func read(_ path: String, from offset: Int, count: Int) throws -> [UInt8]?
  /// Makes the whole file appear under `path` after it is on stable storage, or not at all.
  func replace(_ path: String, with bytes: [UInt8]) throws
  /// Makes a whole new file appear under `path` after it is on stable storage, or not at all.
  ///
  /// - Returns: False when there is a file already, which stays as it is: of two processes that create
  ///   the same one, one is told so.
  func create(_ path: String, with bytes: [UInt8]) throws -> Bool
  /// Cuts or extends nothing but appends after byte `offset`, dropping what lies beyond, and
  /// returns when it is on stable storage.
  func append(_ bytes: [UInt8], to path: String, at offset: Int) throws
  /// Writes a file in place; unless `isDurable` without waiting for stable storage: what it says then
  /// outlives the process, and perhaps not the machine.
  func note(_ bytes: [UInt8], in path: String, isDurable: Bool) throws
  /// Renames a file.
  func move(_ path: String, to target: String) throws
  /// Removes a file; no error when it is gone already.
  func remove(_ path: String) throws
  /// Opens a file, which is made if need be, for one holder alone; nil while another one has it.
  func lock(_ path: String) throws -> (any FileLock)?
  /// Room below a folder, which is created if need be, that is gone with the process.
  func makeScratch(in folder: String) throws -> any ModelScratch
}

/// A file that nobody else, in this process or another, can lock as long as this value lives.
///
/// It is free again when the value is gone, however the process ends.
package protocol FileLock: AnyObject, Sendable {}

/// A failed system call on a file.
package struct DiskError: Error, CustomStringConvertible {
  /// What was attempted.
  package let operation: String
  /// The file.
  package let path: String
  /// The system's error number.
  package let code: Int32
  /// The system's text for the code.
  package let text: String

  /// Creates an error.
  package init(operation: String, path: String, code: Int32, text: String) {
    self.operation = operation
    self.path = path
    self.code = code
    self.text = text
  }

  /// The error with what to do about the common ones.
  package var description: String {
    let hint =
      switch code {
      case EACCES, EPERM: "the user that runs cutbank must be able to read and write it"
      case ENOTDIR: "a folder must be there"
      case ENOLCK, EOPNOTSUPP:
        "the file system knows no locks: give each daemon a group.instance.id under kafka:"
      default: ""
      }
    return "cannot \(operation) \(path): \(text)" + (hint.isEmpty ? "" : "\n  hint: \(hint)")
  }

  /// Whether the same may succeed later without anybody changing the files: the disk is full, mounted
  /// read-only or has erred, or too many files are open.
  var isPassing: Bool {
    [ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ENFILE, ENOMEM].contains(code)
  }
}
