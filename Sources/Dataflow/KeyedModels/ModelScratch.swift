/// Room outside memory in which models wait that are not in use: a cache of state, empty at every start.
///
/// Whatever is written is read back at most once per model, on the thread of the dataflow, which waits.
public protocol ModelScratch: AnyObject {
  /// Writes bytes over what lies at an offset, or behind the end.
  ///
  /// - Throws: When there is no room; the dataflow then keeps the model in memory and says so.
  func write(_ bytes: [UInt8], at offset: Int64) throws
  /// Reads bytes that were written.
  ///
  /// - Throws: When they cannot be had; the dataflow then cannot go on.
  func read(_ count: Int, at offset: Int64) throws -> [UInt8]
}

/// Where in the scratch some bytes lie.
package struct ScratchPlace: Hashable {
  /// The first page.
  package let page: Int64
  /// How many bytes.
  package let count: Int
  /// The checksum of what was written there.
  package var checksum: UInt64 = 0
}

/// Gives out places in the scratch, and their room again once they are released.
///
/// Room is given out in pages, in sizes that grow by an eighth, so that places of models that have grown
/// or shrunk a little are of use to others.
package struct ScratchLayout {
  /// Bytes of a page.
  package static let pageSize = 4_096
  private static let sizes: [Int64] = {
    var sizes: [Int64] = [1]
    while let last = sizes.last, last < 1 << 40 { sizes.append(max(last + 1, last + last / 8)) }
    return sizes
  }()

  private var free: [[Int64]] = []
  /// The pages in use or released: as long is the scratch.
  package private(set) var end: Int64 = 0
  /// The pages in use.
  package private(set) var used: Int64 = 0

  /// An empty scratch.
  package init() {}

  /// A place for so many bytes.
  package mutating func place(count: Int) -> ScratchPlace {
    let size = Self.sizeClass(of: count)
    used += Self.sizes[size]
    if size < free.count, let page = free[size].popLast() {
      return ScratchPlace(page: page, count: count)
    }
    defer { end += Self.sizes[size] }
    return ScratchPlace(page: end, count: count)
  }

  /// Takes a place back.
  package mutating func release(_ place: ScratchPlace) {
    let size = Self.sizeClass(of: place.count)
    while free.count <= size { free.append([]) }
    free[size].append(place.page)
    used -= Self.sizes[size]
  }

  /// The least size that has room for so many bytes.
  private static func sizeClass(of count: Int) -> Int {
    let pages = Int64(max(1, (count + pageSize - 1) / pageSize))
    var low = 0
    var high = sizes.count - 1
    while low < high {
      let middle = (low + high) / 2
      if sizes[middle] < pages { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// The scratch of a dataflow, shared by its operators.
final class ScratchSpace {
  private let open: () throws -> any ModelScratch
  private var scratch: (any ModelScratch)?
  private var layout = ScratchLayout()
  /// Why models that should not be in memory are there: what the scratch said when it last refused one.
  private(set) var problem: String?
  /// Why the dataflow cannot go on: bytes that were written cannot be had.
  private(set) var failure: String?

  /// Creates a space; `open` is called when the first model leaves memory.
  init(open: @escaping () throws -> any ModelScratch) { self.open = open }

  /// Bytes of the pages in use.
  var byteCount: Int64 { layout.used * Int64(ScratchLayout.pageSize) }

  /// Stores bytes; nil when the scratch refuses them.
  func store(_ bytes: [UInt8]) -> ScratchPlace? {
    var place = layout.place(count: bytes.count)
    place.checksum = bytes.checksum
    do {
      let scratch = try self.scratch ?? open()
      self.scratch = scratch
      try scratch.write(bytes, at: place.page * Int64(ScratchLayout.pageSize))
      problem = nil
      return place
    } catch {
      layout.release(place)
      problem = "\(error)"
      return nil
    }
  }

  /// The bytes at a place; nil when they cannot be had, after which the dataflow cannot go on.
  func load(_ place: ScratchPlace) -> [UInt8]? {
    do {
      let bytes = try scratch?.read(place.count, at: place.page * Int64(ScratchLayout.pageSize))
      guard bytes?.checksum == place.checksum else {
        fail("the disk has given back other bytes than were written")
        return nil
      }
      return bytes
    } catch {
      fail("\(error)")
      return nil
    }
  }

  /// Gives up a place.
  func release(_ place: ScratchPlace) { layout.release(place) }

  /// Forgets that the scratch has refused something, before it is tried again.
  func forgetProblem() { problem = nil }

  /// Notes that what was read is of no use.
  func fail(_ reason: String) { failure = failure ?? "a model cannot be read back: \(reason)" }
}
