import Columns

/// Ingest mapping of spec "Kinesis Data Analytics: mapping JSON data types to SQL data types".
///
/// A value that does not fit is noted as a failure of its row and column, not raised: the rest of the
/// record is still checked, and a later member of the same name may replace it.
extension RecordDecoder {
  @inline(__always)
  mutating func set(_ bits: UInt64, slot: Int) {
    rows.set(bits, row: row, slot: slot)
    if hasFailures { forgive(slot) }
  }

  @inline(__always)
  private mutating func set(_ bits: UInt64, _ sink: ColumnSink) { set(bits, slot: sink.slot) }

  mutating func setNull(_ slot: Int) {
    rows.setNull(row: row, slot: slot)
    if hasFailures { forgive(slot) }
  }

  @inline(never)
  private mutating func forgive(_ slot: Int) {
    let row = row
    failures.removeAll { $0.row == row && $0.slot == slot }
  }

  mutating func fail(_ reason: Fault.Reason, _ sink: ColumnSink, at position: Int) {
    setNull(sink.slot)
    failures.append(
      Failure(
        row: row, slot: sink.slot, fault: Fault(reason, at: position, column: sink.slot)))
  }

  /// Stores `true` or `false`.
  mutating func store(
    _ value: Bool, _ sink: ColumnSink, at position: Int, pool: inout StringPool
  ) {
    switch sink.kind {
    case .boolean: set(value ? 1 : 0, sink)
    case .integer: set(value ? 1 : 0, sink)
    case .decimal:
      let one = Int64(powerOfTen(sink.scale))
      guard !value || one <= sink.maximum else { return fail(.outOfRange, sink, at: position) }
      set(value ? UInt64(one) : 0, sink)
    case .real, .double: set((value ? 1.0 : 0.0).bitPattern, sink)
    case .text:
      let word: [UInt8] = value ? Self.trueBytes : Self.falseBytes
      storeCharacters(word.span, sink, pool: &pool)
    case .binary:
      var bytes: [UInt8] = []
      swap(&bytes, &paddingScratch)
      bytes.removeAll(keepingCapacity: true)
      if sink.isPadded, sink.limit > 1 {
        bytes.append(contentsOf: repeatElement(0, count: sink.limit - 1))
      }
      bytes.append(value ? 1 : 0)
      set(UInt64(pool.intern(bytes.span).raw), sink)
      swap(&bytes, &paddingScratch)
    case .date, .time, .timestamp: fail(.wrongKind, sink, at: position)
    }
  }

  private static var trueBytes: [UInt8] { Array("true".utf8) }
  private static var falseBytes: [UInt8] { Array("false".utf8) }

  /// Stores a JSON number, whose text lies at `range`.
  @inline(__always)
  mutating func store(
    _ number: DecimalNumber, text bytes: Span<UInt8>, range: Range<Int>, _ sink: ColumnSink,
    pool: inout StringPool
  ) {
    switch sink.kind {
    case .integer, .decimal, .real, .double:
      storeNumber(number, text: bytes, range: range, sink, at: range.lowerBound)
    case .boolean: set(number.isZero ? 0 : 1, sink)
    case .text: storeCharacters(bytes.extracting(range), sink, pool: &pool)
    case .binary, .date, .time, .timestamp: fail(.wrongKind, sink, at: range.lowerBound)
    }
  }

  /// Stores a number in a numeric column; `position` is where the value lies in the record.
  @inline(__always)
  private mutating func storeNumber(
    _ number: DecimalNumber, text bytes: Span<UInt8>, range: Range<Int>, _ sink: ColumnSink,
    at position: Int
  ) {
    if sink.kind == .double {
      let value = number.double(powersOfFive, text: bytes, range: range)
      guard value.isFinite else { return fail(.outOfRange, sink, at: position) }
      return set(value.bitPattern, sink)
    }
    if sink.kind == .real {
      let value = number.float(powersOfFive, text: bytes, range: range)
      guard value.isFinite else { return fail(.outOfRange, sink, at: position) }
      return set(Double(value).bitPattern, sink)
    }
    do throws(NumberFailure) {
      let value = try number.integer(
        scale: sink.scale, minimum: sink.minimum, maximum: sink.maximum)
      set(UInt64(bitPattern: value), sink)
    } catch {
      fail(error == .inexact ? .inexact : .outOfRange, sink, at: position)
    }
  }

  /// Stores well-formed text: a JSON string or a field of a line.
  @inline(__always)
  mutating func store(
    _ characters: Span<UInt8>, _ sink: ColumnSink, at position: Int, pool: inout StringPool
  ) {
    if sink.kind == .text {
      storeCharacters(characters, sink, pool: &pool)
    } else {
      convert(characters, sink, at: position, pool: &pool)
    }
  }

  private mutating func convert(
    _ characters: Span<UInt8>, _ sink: ColumnSink, at position: Int, pool: inout StringPool
  ) {
    switch sink.kind {
    case .text: storeCharacters(characters, sink, pool: &pool)
    case .integer, .decimal, .real, .double:
      var start = 0
      while characters.byte(at: start) == 0x20 { start += 1 }
      var cursor = start
      guard let number = characters.number(.sql, at: &cursor) else {
        return fail(.notANumber, sink, at: position)
      }
      let range = start..<cursor
      while characters.byte(at: cursor) == 0x20 { cursor += 1 }
      guard cursor == characters.count else { return fail(.notANumber, sink, at: position) }
      storeNumber(number, text: characters, range: range, sink, at: position)
    case .boolean: set(isTrue(characters) ? 1 : 0, sink)
    case .binary: storeHexadecimal(characters, sink, at: position, pool: &pool)
    case .date, .time, .timestamp:
      guard let moment = DatetimeText(characters), let bits = moment.bits(of: sink.kind) else {
        return fail(.notADatetime, sink, at: position)
      }
      set(UInt64(bitPattern: bits), sink)
    }
  }

  private func isTrue(_ characters: Span<UInt8>) -> Bool {
    characters.count == 4 && characters.word(at: 0) | 0x2020_2020 == 0x6575_7274
  }

  @inline(__always)
  private mutating func storeCharacters(
    _ characters: Span<UInt8>, _ sink: ColumnSink, pool: inout StringPool
  ) {
    if characters.count <= sink.limit, !sink.isPadded {
      set(UInt64(pool.intern(characters).raw), sink)
    } else {
      storeFitted(characters, sink, pool: &pool)
    }
  }

  /// Cuts text silently at a character, or fills it up with blanks.
  private mutating func storeFitted(
    _ characters: Span<UInt8>, _ sink: ColumnSink, pool: inout StringPool
  ) {
    let length = characters.prefixLength(upTo: sink.limit)
    guard sink.isPadded, length < sink.limit else {
      set(UInt64(pool.intern(characters.extracting(first: length)).raw), sink)
      return
    }
    var padded: [UInt8] = []
    swap(&padded, &paddingScratch)
    padded.removeAll(keepingCapacity: true)
    for index in 0..<length { padded.append(characters[index]) }
    padded.append(contentsOf: repeatElement(0x20, count: sink.limit - length))
    set(UInt64(pool.intern(padded.span).raw), sink)
    swap(&padded, &paddingScratch)
  }

  /// Stores the bytes of `X'0A1B'`.
  private mutating func storeHexadecimal(
    _ characters: Span<UInt8>, _ sink: ColumnSink, at position: Int, pool: inout StringPool
  ) {
    let count = characters.count
    guard count >= 3, count % 2 == 1, characters[0] | 0x20 == UInt8(ascii: "x"),
      characters[1] == UInt8(ascii: "'"), characters[count - 1] == UInt8(ascii: "'")
    else { return fail(.notBinary, sink, at: position) }
    guard (count - 3) / 2 <= sink.limit else { return fail(.outOfRange, sink, at: position) }
    var bytes: [UInt8] = []
    swap(&bytes, &paddingScratch)
    bytes.removeAll(keepingCapacity: true)
    defer { swap(&bytes, &paddingScratch) }
    for index in stride(from: 2, to: count - 1, by: 2) {
      guard let high = hexadecimalDigit(characters[index]),
        let low = hexadecimalDigit(characters[index + 1])
      else { return fail(.notBinary, sink, at: position) }
      bytes.append(high << 4 | low)
    }
    if sink.isPadded {
      bytes.append(contentsOf: repeatElement(0, count: sink.limit - bytes.count))
    }
    set(UInt64(pool.intern(bytes.span).raw), sink)
  }

  /// Stores an array or object, whose source text lies at `range`, or notes that it does not fit.
  mutating func storeSource(
    _ bytes: Span<UInt8>, _ range: Range<Int>, _ sink: ColumnSink, pool: inout StringPool
  ) {
    guard sink.kind == .text else { return fail(.wrongKind, sink, at: range.lowerBound) }
    storeCharacters(bytes.extracting(range), sink, pool: &pool)
  }
}

extension DatetimeText {
  /// The column's value, or nil when the text lacks the part that it needs.
  func bits(of kind: ColumnSink.Kind) -> Int64? {
    switch kind {
    case .date: days
    case .time: milliseconds
    default: days.map { $0 * CivilTime.millisecondsPerDay + (milliseconds ?? 0) }
    }
  }
}
