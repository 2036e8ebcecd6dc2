import Dataflow
import Engine
import RimSupport

/// The files of one machine.
final class DiskImage: @unchecked Sendable {
  private(set) var files: [String: [UInt8]] = [:]
  /// Removals that no sync of a folder has made durable yet.
  private var unsynced: [(path: String, bytes: [UInt8])] = []

  func write(_ bytes: [UInt8], to path: String) { files[path] = bytes }

  func remove(_ path: String) {
    if let bytes = files.removeValue(forKey: path) { unsynced.append((path, bytes)) }
  }

  func sync() { unsynced = [] }

  /// The machine ends: some removals never happened.
  func crash(_ survives: () -> Bool) {
    for (path, bytes) in unsynced where files[path] == nil && survives() { files[path] = bytes }
    unsynced = []
  }

  func names(in folder: String) -> [String] {
    let prefix = folder + "/"
    var names: Set<String> = []
    for path in files.keys where path.hasPrefix(prefix) {
      let rest = path.utf8.dropFirst(prefix.utf8.count)
      names.insert(String(Substring(rest.prefix { $0 != UInt8(ascii: "/") })))
    }
    return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
  }
}

/// A machine's disk as one process sees it: writes can fail, be torn, or be the last thing it does.
struct SimulatedDisk: Disk {
  let image: DiskImage
  let world: World
  let process: ProcessState

  /// What the engine waits for, or what ends the pipeline.
  private func failure(_ operation: String, _ path: String) -> DiskError {
    world.generator.chance(0.5)
      ? DiskError(operation: operation, path: path, code: 5, text: "input/output error")
      : DiskError(operation: operation, path: path, code: 13, text: "permission denied")
  }

  private func outcome(
    _ operation: String, _ path: String, _ kind: EffectKind = .diskWrite
  ) throws -> Outcome {
    guard !process.isDead else { throw failure(operation, path) }
    return world.outcome(of: "\(operation) \(path)", kind, by: process)
  }

  private func read<Value>(
    _ operation: String, _ path: String, _ value: () -> Value
  ) throws -> Value {
    guard case .done = try outcome(operation, path, .diskRead) else {
      throw failure(operation, path)
    }
    return value()
  }

  func createDirectory(_ path: String) throws { _ = try read("create folder", path) {} }

  // Each simulated process has a disk of its own.
  func lock(_ path: String) throws -> (any FileLock)? { HeldFile() }

  func list(_ path: String) throws -> [String] {
    try read("list", path) { image.names(in: path) }
  }

  func read(_ path: String) throws -> [UInt8]? { try read("read", path) { image.files[path] } }

  func read(_ path: String, from offset: Int, count: Int) throws -> [UInt8]? {
    try read("read", path) {
      image.files[path].map { Array($0.dropFirst(offset).prefix(count)) }
    }
  }
  func replace(_ path: String, with bytes: [UInt8]) throws {
    try change("replace", path) {
      image.write(bytes, to: path)
      image.sync()
    } torn: {
      image.write(Array(bytes.prefix(world.generator.below(bytes.count + 1))), to: path + ".tmp")
    }
  }

  func create(_ path: String, with bytes: [UInt8]) throws -> Bool {
    var isNew = true
    try change("create", path) {
      isNew = image.files[path] == nil
      guard isNew else { return }
      image.write(bytes, to: path)
      image.sync()
    } torn: {
      image.write(Array(bytes.prefix(world.generator.below(bytes.count + 1))), to: path + ".tmp")
    }
    return isNew
  }

  func append(_ bytes: [UInt8], to path: String, at offset: Int) throws {
    var kept = Array((image.files[path] ?? []).prefix(offset))
    kept += Array(repeating: 0, count: offset - kept.count)
    try change("append", path) {
      image.write(kept + bytes, to: path)
    } torn: {
      let whole = world.generator.below(bytes.count + 1)
      let lost = world.generator.below(bytes.count - whole + 1)
      // What was written and not synced may read as zeros.
      image.write(
        kept + Array(bytes.prefix(whole)) + Array(repeating: 0, count: lost), to: path)
    }
  }

  func note(_ bytes: [UInt8], in path: String, isDurable: Bool) throws {
    try change("note", path) {
      image.write(bytes, to: path)
      noteSuspicion(of: path, isDurable)
      if world.poison?.isPresent(in: bytes) ?? false { process.isDoomed = true }
    } torn: {
      image.write(Array(bytes.prefix(world.generator.below(bytes.count + 1))), to: path)
    }
  }

  /// Whoever processes a record under suspicion does it alone, and notes it durably: of two, the wrong
  /// one could be blamed.
  private func noteSuspicion(of path: String, _ isDurable: Bool) {
    guard isDurable else { return _ = process.suspicions.remove(path) }
    process.suspicions.insert(path)
    if process.suspicions.count > 1 { world.violate("two under suspicion: \(process.suspicions)") }
  }

  func move(_ path: String, to target: String) throws {
    try change("move", path) {
      if let bytes = image.files[path] { image.write(bytes, to: target) }
      image.remove(path)
      image.sync()
    } torn: {
    }
  }

  // It is gone with the process, and what it refuses is tried elsewhere.
  func makeScratch(in folder: String) throws -> any ModelScratch { MemoryScratch() }

  func remove(_ path: String) throws {
    try change("remove", path) {
      image.remove(path)
    } torn: {
    }
  }

  private func change(
    _ operation: String, _ path: String, done: () -> Void, torn: () -> Void
  ) throws {
    switch try outcome(operation, path) {
    case .done, .standsStill, .delays, .repeats: return done()
    case .fails, .tears: torn()
    case .lies: done()
    case .dies(let moment):
      if moment == .during { torn() }
      if moment == .after { done() }
      image.crash { world.generator.chance(0.5) }
    }
    throw failure(operation, path)
  }
}

/// A file that nobody else asks for.
private final class HeldFile: FileLock {}
