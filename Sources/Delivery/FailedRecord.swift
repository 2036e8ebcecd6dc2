import Transport

/// A record that was not processed or delivered: Firehose's envelope with the place in Kafka.
///
/// Source: Firehose developer guide, "Data delivery failure handling".
public struct FailedRecord: Hashable, Sendable {
  /// How often it was tried.
  public var attempts: Int
  /// The record's timestamp in milliseconds since 1970.
  public var arrivalTimestamp: Int64
  /// When the last attempt ended, in milliseconds since 1970.
  public var attemptEndingTimestamp: Int64
  /// A stable name of the reason, for example `Decode.InvalidJSON`.
  public var errorCode: String
  /// The reason in words.
  public var errorMessage: String
  /// The record as it was received.
  public var rawData: [UInt8]
  /// The record's key, when it has one.
  public var key: [UInt8]?
  /// Which row of the record it is, from 0.
  public var subsequenceNumber: Int
  /// What names the record for good: `topic-partition-offset-n` unless it is a delivered row.
  public var dataID: String
  /// The topic; nil for a row that was to be delivered.
  public var topic: String?
  /// The partition.
  public var partition: Int32?
  /// The offset.
  public var offset: Int64?
  /// The pipeline.
  public var pipeline: String
  /// Where it failed, for example `decode`, `deliver/DESTINATION_SQL_STREAM`.
  public var stage: String

  /// Creates a failed record of a topic.
  public init(
    attempts: Int = 1, arrivalTimestamp: Int64, attemptEndingTimestamp: Int64, errorCode: String,
    errorMessage: String, rawData: [UInt8], key: [UInt8]? = nil, subsequenceNumber: Int = 0,
    topic: String, partition: Int32, offset: Int64, pipeline: String, stage: String
  ) {
    self.attempts = attempts
    self.arrivalTimestamp = arrivalTimestamp
    self.attemptEndingTimestamp = attemptEndingTimestamp
    self.errorCode = errorCode
    self.errorMessage = errorMessage
    self.rawData = rawData
    self.key = key
    self.subsequenceNumber = subsequenceNumber
    dataID = "\(topic)-\(partition)-\(offset)-\(subsequenceNumber)"
    self.topic = topic
    self.partition = partition
    self.offset = offset
    self.pipeline = pipeline
    self.stage = stage
  }

  /// Creates a row that could not be delivered.
  public init(
    attempts: Int, arrivalTimestamp: Int64, attemptEndingTimestamp: Int64, error: DeliveryError,
    rawData: [UInt8], subsequenceNumber: Int, dataID: String, pipeline: String, stage: String
  ) {
    self.attempts = attempts
    self.arrivalTimestamp = arrivalTimestamp
    self.attemptEndingTimestamp = attemptEndingTimestamp
    errorCode = error.code
    errorMessage = error.message
    self.rawData = rawData
    self.subsequenceNumber = subsequenceNumber
    self.dataID = dataID
    self.pipeline = pipeline
    self.stage = stage
  }

  /// The envelope as one JSON line, line feed included.
  public var line: [UInt8] {
    var text = JSONText(capacity: 512 + rawData.count / 3 * 4)
    text.object { text in
      text.member("attemptsMade", attempts)
      text.member("arrivalTimestamp", arrivalTimestamp)
      text.member("errorCode", errorCode)
      text.member("errorMessage", errorMessage)
      text.member("attemptEndingTimestamp", attemptEndingTimestamp)
      text.name("rawData")
      text.base64(rawData)
      text.member("subsequenceNumber", subsequenceNumber)
      text.member("dataId", dataID)
      if let topic { text.member("topic", topic) }
      if let partition { text.member("partition", Int(partition)) }
      if let offset { text.member("offset", offset) }
      text.member("pipeline", pipeline)
      text.member("stage", stage)
      if let key {
        text.name("key")
        text.base64(key)
      }
    }
    return text.bytes + [UInt8(ascii: "\n")]
  }
}
