internal import CRdKafka

// Transactions: the flags of a thrown error say what comes next. `isRetriable`: the same call
// again; `requiresAbort`: `abortTransaction` and begin anew; `isFatal`: a new producer.
extension Producer {
  /// Fences older producers of the same transactional id and waits for what they left behind.
  public func initTransactions(timeout: Duration) throws(KafkaError) {
    try KafkaError.check(
      rd_kafka_init_transactions(client.handle, timeout.milliseconds),
      operation: "initialize transactions")
  }

  /// Begins a transaction; what is produced from here on belongs to it.
  public func beginTransaction() throws(KafkaError) {
    try KafkaError.check(
      rd_kafka_begin_transaction(client.handle), operation: "begin transaction")
  }

  /// Makes the group's offsets part of the transaction.
  ///
  /// - Parameters:
  ///   - offsets: The next offset to read of each partition.
  ///   - group: Taken from the consumer after its last assignment.
  ///   - timeout: How long to wait for the coordinators.
  /// - Throws: `KafkaError`; its flags say what comes next.
  public func sendOffsets(
    _ offsets: [PartitionOffset], group: GroupMetadata, timeout: Duration
  ) throws(KafkaError) {
    let list = TopicPartitionList(offsets)
    try KafkaError.check(
      rd_kafka_send_offsets_to_transaction(
        client.handle, list.pointer, group.pointer, timeout.milliseconds),
      operation: "send offsets to transaction")
  }

  /// Delivers what waits and commits; after a timeout the same call goes on waiting.
  public func commitTransaction(timeout: Duration) throws(KafkaError) {
    // As part of the commit it would take 10 ms at least.
    try flush(timeout: timeout)
    try KafkaError.check(
      rd_kafka_commit_transaction(client.handle, timeout.milliseconds),
      operation: "commit transaction")
  }

  /// Drops what waits and aborts; after a timeout the same call goes on waiting.
  public func abortTransaction(timeout: Duration) throws(KafkaError) {
    try KafkaError.check(
      rd_kafka_abort_transaction(client.handle, timeout.milliseconds),
      operation: "abort transaction")
  }
}
