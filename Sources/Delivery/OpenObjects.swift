public import Columns

/// The open objects of an output, one per combination of partition values.
///
/// A value of the task: which object is closed when depends on rows and ticks only.
public struct OpenObjects: Sendable {
  /// The most partitions that may be open at once, as in Firehose: 500.
  public static let standardPartitionLimit = 500

  private let hints: BufferingHints
  private let keepsRecordEnds: Bool
  private let partitionLimit: Int
  /// In the order in which they were opened.
  private var objects: [OpenObject] = []
  private var places: [[String]: Int] = [:]
  /// Where the last record went.
  private var lastPlace = 0

  /// Creates an empty set.
  ///
  /// - Parameters:
  ///   - hints: When an object is closed.
  ///   - keepsRecordEnds: Whether the end of every record is kept, for HTTP endpoints.
  ///   - partitionLimit: The most partitions that may be open at once, 1 to 5,000.
  public init(
    hints: BufferingHints, keepsRecordEnds: Bool = false,
    partitionLimit: Int = OpenObjects.standardPartitionLimit
  ) {
    self.hints = hints
    self.keepsRecordEnds = keepsRecordEnds
    self.partitionLimit = partitionLimit
  }

  /// How many partitions are open.
  public var count: Int { objects.count }

  /// The records of all open objects.
  public var recordCount: Int { objects.reduce(0) { $0 + $1.recordCount } }

  /// The bytes of all open objects.
  public private(set) var byteCount = 0

  /// The most bytes of all open objects, 256 MiB; beyond it the one opened first is closed.
  public static let byteLimit = 268_435_456

  /// The numbers of the first rows of all open objects, in the order in which they were opened.
  public var firstRows: [Int64] { objects.map(\.firstRow) }

  /// Whether there is an open object of a partition.
  public func contains(_ partitionValues: [String]) -> Bool { places[partitionValues] != nil }

  /// The least ROWTIME of all open objects in milliseconds since 1970; nil while empty.
  public var oldestRowTime: Int64? { objects.map(\.oldestRowTime).min() }

  /// The first row of the object that was opened first, when its interval is over.
  ///
  /// - Parameter now: The clock in milliseconds since 1970.
  /// - Returns: The row's number, or nil when nothing is due.
  public func due(now: Int64) -> Int64? {
    guard let first = objects.first, let dueAt = first.dueAt(hints), dueAt <= now else {
      return nil
    }
    return first.firstRow
  }

  /// Adds one record.
  ///
  /// - Parameters:
  ///   - partitionValues: The values of the partition keys in the order of the prefix.
  ///   - row: The row's number in the output of the task.
  ///   - rowTime: Its ROWTIME in milliseconds since 1970.
  ///   - now: The task's clock.
  ///   - encode: Appends the record's bytes, delimiter included.
  /// - Returns: The object that is full now, taken out; nil otherwise.
  /// - Throws: `DeliveryError` with code `Partitioning.TooManyPartitions`: the row belongs to the
  ///   error output, and nothing was added.
  public mutating func append(
    partitionValues: [String] = [], row: Int64, rowTime: Int64, now: Int64,
    encode: (inout [UInt8]) -> Void
  ) throws(DeliveryError) -> OpenObject? {
    let place: Int
    if lastPlace < objects.count, objects[lastPlace].partitionValues == partitionValues {
      place = lastPlace
    } else if let found = places[partitionValues] {
      place = found
    } else {
      guard objects.count < partitionLimit else {
        throw DeliveryError(
          code: "Partitioning.TooManyPartitions",
          message: "\(partitionLimit) partitions are open already",
          hint: "partition by fewer values, shorten the interval or raise max_partitions",
          remedy: .none)
      }
      place = objects.count
      objects.append(
        OpenObject(partitionValues: partitionValues, keepsRecordEnds: keepsRecordEnds))
      places[partitionValues] = place
    }
    lastPlace = place
    let before = objects[place].bytes.count
    objects[place].append(row: row, rowTime: rowTime, now: now, encode: encode)
    byteCount += objects[place].bytes.count - before
    if objects[place].isFull(hints) { return take(place) }
    return byteCount > Self.byteLimit ? take(0) : nil
  }

  /// Takes out the object that begins with `firstRow`; nil if there is none.
  public mutating func take(firstRow: Int64) -> OpenObject? {
    objects.firstIndex { $0.firstRow == firstRow }.map { take($0) }
  }

  /// Takes out all objects in the order in which they were opened.
  public mutating func takeAll() -> [OpenObject] {
    defer {
      objects = []
      places = [:]
      byteCount = 0
    }
    return objects
  }

  private mutating func take(_ place: Int) -> OpenObject {
    let object = objects.remove(at: place)
    byteCount -= object.bytes.count
    places[object.partitionValues] = nil
    for index in place..<objects.count { places[objects[index].partitionValues] = index }
    return object
  }

  /// The objects in the order in which they were opened, to be saved one by one.
  public var contents: [OpenObject] { objects }

  /// Takes over objects that were saved into a set made with the same settings.
  ///
  /// - Throws: `StateError` when they cannot have been in one set; `reader` stands where they were read.
  public mutating func restore(
    _ saved: [OpenObject], from reader: SectionReader
  ) throws(StateError) {
    _ = takeAll()
    for object in saved {
      guard places[object.partitionValues] == nil else {
        throw reader.failure("two open objects have the same partition values")
      }
      places[object.partitionValues] = objects.count
      objects.append(object)
      byteCount += object.bytes.count
    }
  }
}
