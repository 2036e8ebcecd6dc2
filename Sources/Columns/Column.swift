/// The values of one column of a batch.
///
/// Exactly one of the three arrays is in use, as `type.storage` says; it and `nulls` have one entry
/// per row. Where `nulls` is set the entry is 0, 0.0 or the empty string and means NULL.
public struct Column: Sendable {
  /// The SQL type of the values.
  public let type: ColumnType
  /// The values when `type.storage` is `.integer`.
  public var integers: [Int64] = []
  /// The values when `type.storage` is `.floating`.
  public var doubles: [Double] = []
  /// The values when `type.storage` is `.text`.
  public var texts: [StringID] = []
  /// Which values are NULL.
  public var nulls = Bitmap()

  /// Creates an empty column.
  public init(type: ColumnType, capacity: Int = 0) {
    self.type = type
    guard capacity > 0 else { return }
    switch type.storage {
    case .integer: integers.reserveCapacity(capacity)
    case .floating: doubles.reserveCapacity(capacity)
    case .text: texts.reserveCapacity(capacity)
    }
  }

  /// How many values there are.
  public var count: Int { nulls.count }

  /// Adds an integer, or whatever the type stores as one.
  public mutating func append(_ value: Int64) {
    integers.append(value)
    nulls.append(false)
  }

  /// Adds a floating-point value.
  public mutating func append(_ value: Double) {
    doubles.append(value)
    nulls.append(false)
  }

  /// Adds a string of the batch's pool.
  public mutating func append(_ value: StringID) {
    texts.append(value)
    nulls.append(false)
  }

  /// Adds a NULL.
  public mutating func appendNull() {
    switch type.storage {
    case .integer: integers.append(0)
    case .floating: doubles.append(0)
    case .text: texts.append(.empty)
    }
    nulls.append(true)
  }

  /// Adds the value at `row` of `other`, a column with the same storage.
  public mutating func append(from other: borrowing Column, row: Int) {
    switch type.storage {
    case .integer: integers.append(other.integers[row])
    case .floating: doubles.append(other.doubles[row])
    case .text: texts.append(other.texts[row])
    }
    nulls.append(other.nulls.hasSetBits && other.nulls[row])
  }

  /// Adds the values at `rows` of `other`, a column with the same storage.
  public mutating func append(from other: borrowing Column, rows: [Int32]) {
    switch type.storage {
    case .integer: for row in rows { integers.append(other.integers[Int(row)]) }
    case .floating: for row in rows { doubles.append(other.doubles[Int(row)]) }
    case .text: for row in rows { texts.append(other.texts[Int(row)]) }
    }
    if other.nulls.hasSetBits {
      for row in rows { nulls.append(other.nulls[Int(row)]) }
    } else {
      nulls.appendClear(rows.count)
    }
  }

  /// Forgets the values and keeps the memory.
  public mutating func removeAll() {
    integers.removeAll(keepingCapacity: true)
    doubles.removeAll(keepingCapacity: true)
    texts.removeAll(keepingCapacity: true)
    nulls.removeAll()
  }

  /// Asks `remap` for the new id of every string.
  public mutating func remapStrings(_ remap: inout StringRemapper) {
    for index in texts.indices { texts[index] = remap(texts[index]) }
  }
}
