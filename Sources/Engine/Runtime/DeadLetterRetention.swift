import Foundation
import Glibc
import Logging
import Transport

/// Removes old dead letters of a pipeline from the data directory, so that they do not fill it.
///
/// Only what lies where dead letters go by default: folders and stores that somebody has named are
/// theirs to look after.
public struct DeadLetterRetention: Sendable {
  /// How much is kept.
  public struct Limits: Hashable, Sendable {
    /// How old an object may become, milliseconds; 0 is no limit.
    public var age: Int64 = 30 * 86_400_000
    /// How many bytes a pipeline's objects may have together; 0 is no limit.
    public var bytes: Int64 = 1 << 30

    /// Creates the defaults.
    public init() {}
  }

  /// One object.
  package struct Object: Hashable, Sendable {
    package let path: String
    package let bytes: Int64
    /// When it was written, milliseconds since 1970.
    package let time: Int64

    /// Creates an object.
    package init(path: String, bytes: Int64, time: Int64) {
      self.path = path
      self.bytes = bytes
      self.time = time
    }
  }

  let folder: String
  /// May change.
  let limits: @Sendable () -> Limits
  let time: any TimeSource
  let threads: BlockingThreads
  let logger: Logger

  /// How long to wait between two looks, milliseconds.
  private static let interval: Int64 = 600_000
  /// Younger ones stay, whatever the limits say: their task may be about to note their arrival.
  package static let minimalAge: Int64 = 3_600_000

  /// Looks now and from time to time until it is cancelled.
  ///
  /// - Throws: `CancellationError`.
  func run() async throws {
    while true {
      await look(limits())
      try await time.sleep(milliseconds: Self.interval)
    }
  }

  private func look(_ limits: Limits) async {
    guard limits.age > 0 || limits.bytes > 0 else { return }
    let (folder, now) = (folder, time.now)
    do {
      let removed = try await threads.run {
        try Self.removeOld(below: folder, limits, now: now)
      }
      guard !removed.isEmpty else { return }
      logger.notice(
        "\(removed.count) old objects with dead letters were removed from \(folder)",
        metadata: ["bytes": "\(removed.reduce(0) { $0 + $1.bytes })"])
    } catch {
      logger.warning("old dead letters in \(folder) could not be removed: \(error)")
    }
  }

  /// Removes what is too old or too much, and the folders that have been empty for long; returns the objects.
  package static func removeOld(
    below folder: String, _ limits: Limits, now: Int64
  ) throws -> [Object] {
    let (objects, folders) = try contents(below: folder)
    let found = superfluous(objects, limits, now: now)
    for object in found {
      do {
        try FileManager.default.removeItem(atPath: object.path)
      } catch CocoaError.fileNoSuchFile {
        // Another daemon that uses this data directory was faster.
        continue
      }
    }
    // The deepest first; a folder with something in it stays.
    for empty in folders.sorted(by: { $0.path > $1.path }) where now - empty.time >= minimalAge {
      rmdir(empty.path)
    }
    return found
  }

  /// The objects that are too old or, oldest first, too many.
  package static func superfluous(_ objects: [Object], _ limits: Limits, now: Int64) -> [Object] {
    var total = objects.reduce(0) { $0 + $1.bytes }
    return objects.sorted { ($0.time, $0.path) < ($1.time, $1.path) }.filter { object in
      let age = now - object.time
      guard age >= minimalAge else { return false }
      let isTooOld = limits.age > 0 && age > limits.age
      guard isTooOld || (limits.bytes > 0 && total > limits.bytes) else { return false }
      total -= object.bytes
      return true
    }
  }

  /// The finished objects below a folder, and the folders there.
  package static func contents(
    below folder: String
  ) throws -> (objects: [Object], folders: [Object]) {
    guard let walk = FileManager.default.enumerator(atPath: folder) else { return ([], []) }
    var (objects, folders): ([Object], [Object]) = ([], [])
    for case let name as String in walk where !name.split(separator: "/").contains(where: isHidden)
    {
      let path = folder + "/" + name
      var attributes: [FileAttributeKey: Any] = [:]
      do {
        attributes = try FileManager.default.attributesOfItem(atPath: path)
      } catch CocoaError.fileReadNoSuchFile {
        continue
      }
      guard let size = attributes[.size] as? Int64 ?? (attributes[.size] as? Int).map(Int64.init),
        let time = attributes[.modificationDate] as? Date
      else { continue }
      let found = Object(
        path: path, bytes: size, time: Int64(time.timeIntervalSince1970 * 1_000))
      switch attributes[.type] as? FileAttributeType {
      case .typeRegular: objects.append(found)
      case .typeDirectory: folders.append(found)
      default: continue
      }
    }
    return (objects, folders)
  }

  /// Whether an object is still being written.
  private static func isHidden(_ part: Substring) -> Bool { part.hasPrefix(".") }
}
