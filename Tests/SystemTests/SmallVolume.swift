import Foundation
import Processes
import Testing

/// A small file system in memory that only one daemon sees, to be filled up.
final class SmallVolume: Sendable {
  /// Where the daemon sees it.
  let path: String
  private let holder: Program
  private let process: String

  /// Whether this process may mount: it needs the rights of an administrator.
  static let isPossible: Bool = {
    let attempt = ["unshare", "-m", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"]
    let child = try? ChildProcess(["/usr/bin/env"] + attempt)
    return child?.waitForEnd().exitCode == 0
  }()

  /// Mounts `bytes` on a folder, which is made, in a mount namespace of its own.
  init(path: String, kibibytes: Int) async throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    // The namespace lives as long as this shell.
    let script =
      "mount -t tmpfs -o size=\(kibibytes)k tmpfs \"$0\" && echo \"mounted by $$\" && read end"
    holder = try Program("/usr/bin/env", ["unshare", "-m", "sh", "-c", script, path])
    let line = try #require(await holder.line(containing: "mounted by "), "\(holder.text)")
    process = String(line.split(separator: " ").last ?? "")
  }

  /// What runs a command in `folder` where the volume is mounted.
  func prefix(in folder: String) -> [String] {
    ["/usr/bin/env", "nsenter", "-t", process, "-m", "--", "env", "--chdir=\(folder)"]
  }

  /// Where this process sees what the daemon sees.
  var visible: String { "/proc/\(process)/root\(path)" }

  /// The files below the volume, hidden ones too.
  var files: [String] {
    let found = FileManager.default.enumerator(atPath: visible)?.compactMap { $0 as? String } ?? []
    return found.sorted().filter { name in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: "\(visible)/\(name)", isDirectory: &isFolder)
        && !isFolder.boolValue
    }
  }

  /// The lines of a file of the volume.
  func lines(_ name: String) -> [String] {
    let data = FileManager.default.contents(atPath: "\(visible)/\(name)") ?? Data()
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// Takes all the space that is left.
  func fill() throws {
    let file = "\(visible)/filler"
    #expect(FileManager.default.createFile(atPath: file, contents: nil))
    let handle = try #require(FileHandle(forWritingAtPath: file))
    for size in [65_536, 4_096] {
      do {
        while true { try handle.write(contentsOf: Data(count: size)) }
      } catch {
        // It is full, down to this size.
      }
    }
    try handle.close()
  }

  /// Gives the space back.
  func free() throws { try FileManager.default.removeItem(atPath: "\(visible)/filler") }

  /// Mounts the volume again, for reading only or for writing.
  func remount(_ mode: String) async throws {
    let arguments = prefix(in: "/") + ["mount", "-o", "remount,\(mode)", path]
    let mount = try Program(arguments[0], Array(arguments.dropFirst()))
    #expect(await mount.exitCode() == 0, "\(mount.text)")
  }
}

/// Files of the system that only one daemon sees in place of the real ones.
enum PrivateFiles {
  /// What runs a command that sees `file` as the system's `path`.
  static func prefix(_ file: String, as path: String) -> [String] {
    let script = "mount --bind \"$0\" \"$1\" && shift && exec \"$@\""
    return ["/usr/bin/env", "unshare", "-m", "sh", "-c", script, file, path]
  }
}
