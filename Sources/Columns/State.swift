/// Why state could not be read.
public struct StateError: Error, Hashable, CustomStringConvertible {
  /// The section that was read.
  public let section: String
  /// The byte in the section at which reading stopped.
  public let offset: Int
  /// What is wrong, in lower case without a full stop.
  public let message: String

  /// Creates an error.
  public init(section: String, offset: Int, message: String) {
    self.section = section
    self.offset = offset
    self.message = message
  }

  /// The error as one line.
  public var description: String { "state section '\(section)', byte \(offset): \(message)" }
}

/// Collects the state of a task as named sections, each cut into slices.
///
/// A slice is the unit in which a section is copied and stored; small operators use slice 0 only.
public struct StateWriter: Sendable {
  /// One slice of one section.
  public struct Slice: Sendable {
    /// The section's name, for example `operator/3`.
    public let section: String
    /// The slice's number within the section.
    public let number: Int
    /// The bytes; none when an earlier snapshot has them.
    public let bytes: [UInt8]
    /// The snapshot that has the same slice with the same bytes, or nil when they are here.
    public let origin: Int64?
  }

  /// The slices in the order in which they were written.
  public private(set) var slices: [Slice] = []

  /// Creates a writer without sections.
  public init() {}

  /// Writes one slice of a section.
  public mutating func section<Failure: Error>(
    _ name: String, slice: Int = 0, _ body: (inout SectionWriter) throws(Failure) -> Void
  ) throws(Failure) {
    var writer = SectionWriter()
    try body(&writer)
    slices.append(Slice(section: name, number: slice, bytes: writer.bytes, origin: nil))
  }

  /// Adds one slice of a section whose bytes are there already.
  public mutating func section(_ name: String, slice: Int, bytes: [UInt8]) {
    slices.append(Slice(section: name, number: slice, bytes: bytes, origin: nil))
  }

  /// Says that a slice is the same as in an earlier snapshot.
  public mutating func reference(_ name: String, slice: Int, origin: Int64) {
    slices.append(Slice(section: name, number: slice, bytes: [], origin: origin))
  }

  /// Adds slices that were written elsewhere.
  public mutating func append(_ written: [Slice]) { slices += written }
}

/// Writes little-endian binary values.
public struct SectionWriter: Sendable {
  /// What was written.
  public internal(set) var bytes: [UInt8] = []

  /// Creates an empty writer.
  public init() {}

  /// Writes any fixed-width integer.
  ///
  /// Inlined, since other modules would call a generic function step by step through the type's witnesses.
  @inlinable
  public mutating func write<Value: FixedWidthInteger>(_ value: Value) {
    var rest = value
    var width = Value.bitWidth / 8
    while width > 8 {
      write(word: UInt64(truncatingIfNeeded: rest), width: 8)
      rest >>= 64
      width -= 8
    }
    write(word: UInt64(truncatingIfNeeded: rest), width: width)
  }

  /// Writes the bit pattern of a number.
  public mutating func write(_ value: Double) { write(value.bitPattern) }

  /// Writes one byte, 0 or 1.
  public mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

  /// Writes a count and the bytes.
  public mutating func write(_ value: [UInt8]) {
    write(Int64(value.count))
    bytes.append(contentsOf: value)
  }

  /// Writes a count and the UTF-8 bytes.
  public mutating func write(_ value: String) { write(Array(value.utf8)) }

  /// Writes bytes without a count.
  public mutating func append(raw value: [UInt8]) { bytes.append(contentsOf: value) }

  /// Writes the text of an id as bytes, so that another pool can read it.
  public mutating func write(_ id: StringID, in pool: borrowing StringPool) {
    let text = pool.bytes[pool.range(of: id)]
    write(Int64(text.count))
    bytes.append(contentsOf: text)
  }

  /// Writes a count and the values.
  public mutating func write(_ values: [Int64]) {
    write(Int64(values.count))
    append(words: values)
  }

  /// Writes a count and the values' bit patterns.
  public mutating func write(_ values: [Double]) {
    write(Int64(values.count))
    append(words: values)
  }

  /// Writes a count and the values' bit patterns.
  public mutating func write(_ values: [Float]) {
    write(Int64(values.count))
    append(words: values)
  }

  /// Writes the rows of a batch, strings as bytes.
  public mutating func write(_ batch: borrowing Batch, in pool: borrowing StringPool) {
    write(batch.rowtimes)
    write(batch.causes)
    for column in batch.columns {
      for row in 0..<batch.count { write(column.nulls[row]) }
      switch column.type.storage {
      case .integer: write(column.integers)
      case .floating: write(column.doubles)
      case .text: for id in column.texts { write(id, in: pool) }
      }
    }
  }
}

/// Gives back the sections that a `StateWriter` collected, each slice once: what was read takes no memory here
/// any more.
public struct StateReader {
  /// The slices that no reader has taken; all copies share them.
  private final class Slices {
    var sections: [String: [[UInt8]?]] = [:]
  }

  private let slices = Slices()
  private var renaming: (from: String, to: String)?

  /// Creates a reader over slices, of which none refers to an earlier snapshot.
  public init(_ slices: [StateWriter.Slice]) {
    for slice in slices.sorted(by: { $0.number < $1.number }) {
      precondition(slice.origin == nil, "references are resolved before state is read")
      self.slices.sections[slice.section, default: []].append(slice.bytes)
    }
  }

  /// The same state, with a section and those below it, `name/…`, under another name.
  public func renaming(_ name: String, to other: String) -> StateReader {
    var renamed = self
    renamed.renaming = (name, other)
    return renamed
  }

  /// The name under which a section was written.
  private func written(_ name: String) -> String {
    guard let renaming, name == renaming.to || name.hasPrefix(renaming.to + "/") else {
      return name
    }
    return renaming.from + name.dropFirst(renaming.to.count)
  }

  /// Whether a section was written.
  public func has(_ name: String) -> Bool { slices.sections[written(name)] != nil }

  /// How many slices a section has.
  public func sliceCount(_ name: String) -> Int {
    slices.sections[written(name)]?.count ?? 0
  }

  /// A reader at the start of one slice, which is handed over with it.
  ///
  /// - Throws: `StateError` when the state has no such slice, or it was read before.
  public func section(_ name: String, slice: Int = 0) throws(StateError) -> SectionReader {
    let written = written(name)
    guard slice < sliceCount(name), let bytes = slices.sections[written]?[slice].take() else {
      throw StateError(section: name, offset: 0, message: "slice \(slice) is missing")
    }
    return SectionReader(section: name, bytes: bytes)
  }
}

/// Reads what a `SectionWriter` wrote.
public struct SectionReader: Sendable {
  private let name: String
  private let bytes: [UInt8]
  private var offset: Int
  private let end: Int

  /// Creates a reader at the start of `bytes`.
  public init(section: String, bytes: [UInt8]) {
    self.init(section: section, bytes: bytes, range: bytes.indices)
  }

  /// Creates a reader of a part of `bytes`, which is not copied.
  public init(section: String, bytes: [UInt8], range: Range<Int>) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= bytes.count, "the part lies within the bytes")
    name = section
    self.bytes = bytes
    offset = range.lowerBound
    end = range.upperBound
  }

  /// Whether everything was read.
  public var isAtEnd: Bool { offset == end }

  /// The bytes that were not read.
  public var remaining: [UInt8] {
    offset == 0 && end == bytes.count ? bytes : Array(bytes[offset..<end])
  }

  /// An error at the present position.
  public func failure(_ message: String) -> StateError {
    StateError(section: name, offset: offset, message: message)
  }

  /// Ends reading.
  ///
  /// - Throws: `StateError` when bytes are left over.
  public func finish() throws(StateError) {
    guard isAtEnd else { throw failure("\(end - offset) bytes are left over") }
  }

  private mutating func need(_ count: Int) throws(StateError) {
    guard count >= 0, end - offset >= count else {
      throw failure("\(count) bytes are needed, \(end - offset) are left")
    }
  }

  /// Reads any fixed-width integer.
  @inlinable
  public mutating func integer<Value: FixedWidthInteger>(
    _ type: Value.Type = Value.self
  ) throws(StateError) -> Value {
    let width = Value.bitWidth / 8
    var value = Value(truncatingIfNeeded: try word(width: min(8, width)))
    var done = 8
    while done < width {
      value |= Value(truncatingIfNeeded: try word(width: min(8, width - done))) << (8 * done)
      done += 8
    }
    return value
  }

  /// Reads the low `width` bytes of a word, 1 to 8; the others are 0.
  public mutating func word(width: Int) throws(StateError) -> UInt64 {
    try need(width)
    var word: UInt64 = 0
    for index in (0..<width).reversed() { word = word << 8 | UInt64(bytes[offset + index]) }
    offset += width
    return word
  }

  /// Reads a number.
  public mutating func double() throws(StateError) -> Double {
    Double(bitPattern: try integer(UInt64.self))
  }

  /// Reads a truth value.
  public mutating func boolean() throws(StateError) -> Bool { try integer(UInt8.self) != 0 }

  /// Reads a count that at least `width` bytes each must follow.
  public mutating func count(width: Int = 1) throws(StateError) -> Int {
    let value = try integer(Int64.self)
    guard value >= 0, value <= Int64(end - offset) / Int64(max(1, width)) else {
      throw failure("the count \(value) does not fit the section")
    }
    return Int(value)
  }

  /// Reads a counted run of bytes.
  public mutating func byteArray() throws(StateError) -> [UInt8] {
    let length = try count()
    defer { offset += length }
    return Array(bytes[offset..<(offset + length)])
  }

  /// Reads a counted text.
  public mutating func text() throws(StateError) -> String {
    let raw = try byteArray()
    guard let text = String(validating: raw, as: UTF8.self) else {
      throw failure("text is not UTF-8")
    }
    return text
  }

  /// Reads a counted string into `pool`.
  public mutating func stringID(into pool: inout StringPool) throws(StateError) -> StringID {
    let length = try count()
    defer { offset += length }
    return pool.intern(bytes.span.extracting(offset..<(offset + length)))
  }

  /// Reads a counted run of integers.
  public mutating func integers() throws(StateError) -> [Int64] {
    let length = try count(width: 8)
    var values: [Int64] = []
    values.reserveCapacity(length)
    for _ in 0..<length { values.append(try integer()) }
    return values
  }

  /// Reads a counted run of numbers.
  public mutating func doubles() throws(StateError) -> [Double] {
    let length = try count(width: 8)
    var values: [Double] = []
    values.reserveCapacity(length)
    for _ in 0..<length { values.append(try double()) }
    return values
  }

  /// Reads a counted run of single-precision numbers.
  public mutating func floats() throws(StateError) -> [Float] {
    let length = try count(width: 4)
    var values: [Float] = []
    values.reserveCapacity(length)
    for _ in 0..<length { values.append(Float(bitPattern: try integer())) }
    return values
  }

  /// Reads the rows of a batch of this schema.
  public mutating func batch(
    schema: Schema, into pool: inout StringPool
  ) throws(StateError) -> Batch {
    var batch = Batch(schema: schema)
    batch.rowtimes = try integers()
    batch.causes = try integers()
    let rows = batch.rowtimes.count
    guard batch.causes.count == rows else { throw failure("row counts differ") }
    for index in batch.columns.indices {
      var nulls = Bitmap()
      for _ in 0..<rows { nulls.append(try boolean()) }
      switch batch.columns[index].type.storage {
      case .integer: batch.columns[index].integers = try integers()
      case .floating: batch.columns[index].doubles = try doubles()
      case .text:
        for _ in 0..<rows { batch.columns[index].texts.append(try stringID(into: &pool)) }
      }
      batch.columns[index].nulls = nulls
    }
    guard batch.isConsistent else { throw failure("a column's length differs from the rows'") }
    return batch
  }
}
