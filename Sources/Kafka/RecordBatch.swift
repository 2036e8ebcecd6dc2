internal import CRdKafka

/// What can stand in a partition's queue besides records.
public enum QueueEvent: Sendable, Equatable {
  /// Everything before this offset was read; comes with `reportsPartitionEnd` only.
  case partitionEnd(offset: Int64)
  /// The broker does not have the offset to read from; reading stands still until a `restart`.
  case offsetOutOfRange(offset: Int64?, KafkaError)
  /// Anything else, such as a damaged batch of records.
  case error(KafkaError)
}

/// The header of a record.
public struct RecordHeader: Hashable, Sendable {
  public var name: String
  /// Nil is a null value, which differs from an empty one.
  public var value: [UInt8]?

  public init(name: String, value: [UInt8]?) {
    self.name = name
    self.value = value
  }
}

/// Who stamped a record.
public enum TimestampKind: UInt8, Sendable {
  case none, createTime, logAppendTime
}

/// A record whose bytes are in arrays.
public struct StoredRecord: Hashable, Sendable {
  public var offset: Int64
  /// Milliseconds since 1970; -1 without one.
  public var timestamp: Int64
  /// Nil is no key, which differs from an empty one.
  public var key: [UInt8]?
  /// Nil is a tombstone, which differs from an empty value.
  public var value: [UInt8]?

  public init(offset: Int64, timestamp: Int64, key: [UInt8]?, value: [UInt8]?) {
    self.offset = offset
    self.timestamp = timestamp
    self.key = key
    self.value = value
  }
}

/// Records of one partition in the order of their offsets, in librdkafka's own memory.
///
/// Nothing is copied: keys and values are borrowed from the batch and thus cannot outlive its next
/// `poll`, `reset` or end. Reused, it does not allocate. It keeps the client alive.
/// Given stored records it has messages of its own, which look the same to whoever reads them.
public struct RecordBatch: ~Copyable, @unchecked Sendable {
  // @unchecked: the only owner of its pointers; librdkafka's messages may be read and destroyed on
  // any thread.

  /// Most records in one poll.
  public let capacity: Int
  /// Number of records.
  public private(set) var count = 0
  /// What else stood in the queue at the last poll, in order.
  public private(set) var events: [QueueEvent] = []
  private var client: Client?
  /// Whether the messages and their bytes were made by `append(_:events:)`.
  private var ownsMessages = false
  private let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
  private let offsetColumn: UnsafeMutablePointer<Int64>
  private let timestampColumn: UnsafeMutablePointer<Int64>

  /// An empty batch with room for `capacity` records.
  public init(capacity: Int = 1_024) {
    precondition(capacity > 0)
    self.capacity = capacity
    messages = .allocate(capacity: capacity)
    offsetColumn = .allocate(capacity: capacity)
    timestampColumn = .allocate(capacity: capacity)
  }

  deinit {
    destroyMessages()
    messages.deallocate()
    offsetColumn.deallocate()
    timestampColumn.deallocate()
  }

  /// Gives the records back to librdkafka.
  public mutating func reset() {
    destroyMessages()
    count = 0
    client = nil
    if !events.isEmpty { events.removeAll() }
  }

  /// The offset of each record.
  public var offsets: Span<Int64> {
    @_lifetime(borrow self)
    get {
      _overrideLifetime(Span(_unsafeStart: offsetColumn, count: count), borrowing: self)
    }
  }

  /// The timestamp of each record in milliseconds since 1970; -1 without one.
  public var timestamps: Span<Int64> {
    @_lifetime(borrow self)
    get {
      _overrideLifetime(Span(_unsafeStart: timestampColumn, count: count), borrowing: self)
    }
  }

  /// Who stamped the record.
  public func timestampKind(at index: Int) -> TimestampKind {
    if ownsMessages { return timestampColumn[index] < 0 ? .none : .createTime }
    var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    _ = rd_kafka_message_timestamp(message(index), &kind)
    return switch kind {
    case RD_KAFKA_TIMESTAMP_CREATE_TIME: .createTime
    case RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME: .logAppendTime
    default: .none
    }
  }

  /// Whether the record has a key, which may be empty.
  public func hasKey(at index: Int) -> Bool {
    message(index).pointee.key != nil
  }

  /// Whether the record's value is null, which differs from an empty one.
  public func isTombstone(at index: Int) -> Bool {
    message(index).pointee.payload == nil
  }

  /// The bytes of the record's key; none when it has no key.
  @_lifetime(borrow self)
  public func key(at index: Int) -> Span<UInt8> {
    let record = message(index).pointee
    return span(record.key, record.key_len)
  }

  /// The bytes of the record's value; none when it is a tombstone.
  @_lifetime(borrow self)
  public func value(at index: Int) -> Span<UInt8> {
    let record = message(index).pointee
    return span(record.payload, record.len)
  }

  /// A copy of the record's key; nil when it has none.
  public func copyOfKey(at index: Int) -> [UInt8]? {
    let record = message(index).pointee
    return record.key.map { Array(UnsafeRawBufferPointer(start: $0, count: record.key_len)) }
  }

  /// A copy of the record's value; nil when it is a tombstone.
  public func copyOfValue(at index: Int) -> [UInt8]? {
    let record = message(index).pointee
    return record.payload.map { Array(UnsafeRawBufferPointer(start: $0, count: record.len)) }
  }

  /// The headers of a record in order; allocates.
  public func headers(at index: Int) -> [RecordHeader] {
    if ownsMessages { return [] }
    var list: OpaquePointer?
    guard rd_kafka_message_headers(message(index), &list) == RD_KAFKA_RESP_ERR_NO_ERROR,
      let list
    else { return [] }
    return (0..<rd_kafka_header_cnt(list)).map { header in
      var name: UnsafePointer<CChar>?
      var value: UnsafeRawPointer?
      var size = 0
      let error = rd_kafka_header_get_all(list, header, &name, &value, &size)
      guard error == RD_KAFKA_RESP_ERR_NO_ERROR, let name else {
        preconditionFailure("a header below the count exists")
      }
      return RecordHeader(
        name: String(cString: name),
        value: value.map { Array(UnsafeRawBufferPointer(start: $0, count: size)) })
    }
  }

  /// Adds copies of stored records, as many as there is room for at most, and replaces the events.
  public mutating func append(_ records: [StoredRecord], events told: [QueueEvent] = []) {
    precondition(records.count <= capacity - count, "a batch holds at most its capacity")
    precondition(count == 0 || ownsMessages, "a batch holds messages of one kind")
    ownsMessages = true
    events = told
    for record in records {
      let message = UnsafeMutablePointer<rd_kafka_message_t>.allocate(capacity: 1)
      message.initialize(to: rd_kafka_message_t())
      message.pointee.offset = record.offset
      (message.pointee.key, message.pointee.key_len) = Self.copy(record.key)
      (message.pointee.payload, message.pointee.len) = Self.copy(record.value)
      messages[count] = message
      offsetColumn[count] = record.offset
      timestampColumn[count] = record.timestamp
      count += 1
    }
  }

  /// Copies bytes into memory of their own; an empty array has an address too.
  private static func copy(_ bytes: [UInt8]?) -> (UnsafeMutableRawPointer?, Int) {
    guard let bytes else { return (nil, 0) }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
    bytes.withUnsafeBytes {
      memory.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(memory), byteCount: $0.count)
    }
    return (memory, bytes.count)
  }

  private func destroyMessages() {
    guard ownsMessages else {
      for index in 0..<count { rd_kafka_message_destroy(messages[index]) }
      return
    }
    for index in 0..<count {
      messages[index]?.pointee.key?.deallocate()
      messages[index]?.pointee.payload?.deallocate()
      messages[index]?.deallocate()
    }
  }

  /// Adds what waits in the queue, as far as there is room; returns whether the queue was emptied.
  mutating func append(from queue: OpaquePointer, of client: Client) -> Bool {
    precondition(count == 0 || !ownsMessages, "a batch holds messages of one kind")
    ownsMessages = false
    if !events.isEmpty { events.removeAll() }
    let (first, room) = (count, capacity - count)
    guard room > 0 else { return false }
    let polled = rd_kafka_consume_batch_queue(queue, 0, messages + first, room)
    // -1 is a failed argument check, which cannot be: everything was made by us.
    precondition(polled >= 0, "a partition queue can be polled")
    if polled > 0 { self.client = client }
    for index in first..<(first + polled) {
      guard let message = messages[index] else { preconditionFailure("librdkafka fills in order") }
      guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
        events.append(QueueEvent(message.pointee))
        rd_kafka_message_destroy(message)
        continue
      }
      messages[count] = message
      offsetColumn[count] = message.pointee.offset
      timestampColumn[count] = rd_kafka_message_timestamp(message, nil)
      count += 1
    }
    return polled < room
  }

  private func message(_ index: Int) -> UnsafeMutablePointer<rd_kafka_message_t> {
    precondition(index >= 0 && index < count, "index out of range")
    guard let message = messages[index] else { preconditionFailure("a record is a message") }
    return message
  }

  @_lifetime(borrow self)
  private func span(_ start: UnsafeMutableRawPointer?, _ count: Int) -> Span<UInt8> {
    let bytes = UnsafeBufferPointer(
      start: start?.assumingMemoryBound(to: UInt8.self), count: start == nil ? 0 : count)
    return _overrideLifetime(Span(_unsafeElements: bytes), borrowing: self)
  }
}

extension QueueEvent {
  fileprivate init(_ message: rd_kafka_message_t) {
    let error = KafkaError(message: message, operation: "consume")
    self =
      switch error.code {
      case .partitionEnd: .partitionEnd(offset: message.offset)
      case .autoOffsetReset, .offsetOutOfRange: .offsetOutOfRange(offset: error.offset, error)
      default: .error(error)
      }
  }
}
