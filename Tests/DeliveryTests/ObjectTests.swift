import Columns
import Delivery
import RimSupport
import Testing
import Transport

private let noon = CivilTime(year: 2018, month: 8, day: 27, hour: 12, second: 9).milliseconds

private func naming(_ prefix: String? = nil) throws -> ObjectNaming {
  ObjectNaming(
    stream: "DESTINATION_SQL_STREAM", version: 3, prefix: try Prefix(parsing: prefix),
    fileExtension: ".jsonl.gz")
}

func object(_ text: String, row: Int64 = 1, rowTime: Int64 = noon) throws -> ClosedObject {
  var open = OpenObject(keepsRecordEnds: true)
  open.append(row: row, rowTime: rowTime, now: 0) { $0 += text.utf8 }
  return try open.closed(
    pipeline: "p", life: "l1", task: 0, output: "out", naming: try naming())
}

struct ObjectNameTests {
  @Test func nameHasFirehoseShape() throws {
    let name = try object("x").name
    let pattern =
      #/2018/08/27/12/DESTINATION_SQL_STREAM-3-2018-08-27-12-00-09-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.jsonl\.gz/#
    #expect(try pattern.wholeMatch(in: name) != nil)
    #expect(try object("other content").name == name)
  }

  @Test func everyFieldOfTheIdentityCounts() {
    let base = ObjectIdentity(
      pipeline: "p", life: "l", task: 1, output: "o", partitionValues: ["a", "b"], firstRow: 1,
      lastRow: 9)
    var others = Array(repeating: base, count: 8)
    others[0].pipeline = "q"
    others[1].life = "m"
    others[2].task = 2
    others[3].output = "x"
    others[4].partitionValues = ["a", "c"]
    others[5].partitionValues = ["ab", ""]
    others[6].firstRow = 2
    others[7].lastRow = 10
    #expect(Set(others.map(\.uuid) + [base.uuid]).count == 9)
    #expect(base.digest.count == 32)
  }

  @Test func streamNamesBecomeSafe() throws {
    let odd = ObjectNaming(
      stream: "a/b c", version: 1, prefix: try Prefix(parsing: nil), fileExtension: "")
    let identity = try object("x").identity
    #expect(try odd.name(of: identity, rowTime: noon).contains("/a_b_c-1-"))
  }

  @Test func partitionValuesAreTakenInOrder() throws {
    let prefix = "!{partitionKeyFromQuery:b}/!{partitionKeyFromQuery:a}/!{partitionKeyFromQuery:b}/"
    var open = OpenObject(partitionValues: ["1", "2"])
    open.append(row: 5, rowTime: noon, now: 0) { $0.append(1) }
    let closed = try open.closed(
      pipeline: "p", life: "l", task: 0, output: "o", naming: try naming(prefix))
    #expect(closed.name.hasPrefix("1/2/1/2018/08/27/12/"))
  }
}

struct OpenObjectTests {
  @Test func closesBySizeOrRecords() throws {
    let bySize = try BufferingHints(sizeBytes: 1_048_576)
    let byRecords = try BufferingHints(records: 2)
    var open = OpenObject()
    #expect(!open.isFull(bySize) && open.dueAt(bySize) == nil)
    open.append(row: 1, rowTime: 50, now: 1_000) { $0 += [UInt8](repeating: 1, count: 1_048_575) }
    #expect(!open.isFull(bySize) && !open.isFull(byRecords))
    #expect(open.dueAt(bySize) == 61_000)
    open.append(row: 2, rowTime: 40, now: 2_000) { $0.append(2) }
    #expect(open.isFull(bySize) && open.isFull(byRecords))
    #expect(open.oldestRowTime == 40 && open.firstRow == 1 && open.lastRow == 2)
    #expect(open.dueAt(bySize) == 61_000)
  }

  @Test func aFailedRecordLeavesNothing() {
    struct Refused: Error {}
    var open = OpenObject(keepsRecordEnds: true)
    open.append(row: 1, rowTime: 1, now: 1) { $0 += [1, 2] }
    let before = open
    #expect(throws: Refused.self) {
      try open.append(row: 2, rowTime: 0, now: 1) { bytes throws(Refused) in
        bytes += [3, 4, 5]
        throw Refused()
      }
    }
    #expect(open == before)
  }

  @Test func stateRoundTrips() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix64(seed: seed)
    for _ in 0..<200 {
      var open = OpenObject(
        partitionValues: (0..<random.below(3)).map { "v\($0)" },
        keepsRecordEnds: random.below(2) == 0)
      for row in 0..<random.below(20) {
        let rowTime = Int64(random.below(1_000)) - 500
        let count = random.below(40)
        open.append(row: Int64(row), rowTime: rowTime, now: 7) {
          $0 += [UInt8](repeating: 9, count: count)
        }
      }
      var writer = SectionWriter()
      open.saveHead(into: &writer)
      var reader = SectionReader(section: "open", bytes: writer.bytes)
      let restored = try OpenObject(restoring: &reader, records: open.records)
      #expect(restored == open, "seed \(seed)")
      #expect(reader.isAtEnd)
      let earlier = inOnePiece(writer.bytes, open.records, numbersBehind: 5)
      reader = SectionReader(section: "open", bytes: earlier)
      #expect(try OpenObject(restoring: &reader) == open, "seed \(seed)")
      #expect(reader.isAtEnd)
      for cut in 0..<min(60, earlier.count) {
        var broken = SectionReader(section: "open", bytes: Array(earlier.prefix(cut)))
        #expect(throws: StateError.self) { try OpenObject(restoring: &broken) }
      }
    }
  }

  /// An object as earlier versions wrote it: the records stand before the last numbers.
  private func inOnePiece(
    _ head: [UInt8], _ records: ObjectRecords, numbersBehind count: Int
  ) -> [UInt8] {
    var writer = SectionWriter()
    writer.append(raw: Array(head.dropLast(8 * count)))
    writer.write(records.bytes)
    writer.write(records.ends)
    writer.append(raw: Array(head.suffix(8 * count)))
    return writer.bytes
  }

  @Test func closedStateRoundTrips() throws {
    let closed = try object("some bytes")
    var writer = SectionWriter()
    closed.saveHead(into: &writer)
    var reader = SectionReader(section: "closed", bytes: writer.bytes)
    #expect(try ClosedObject(restoring: &reader, records: closed.records) == closed)
    reader = SectionReader(
      section: "closed", bytes: inOnePiece(writer.bytes, closed.records, numbersBehind: 2))
    #expect(try ClosedObject(restoring: &reader) == closed)
    #expect(Array(closed.record(0)) == Array("some bytes".utf8))
  }
}

struct SettingTests {
  @Test func bufferingRanges() throws {
    #expect(BufferingHints.standard == (try BufferingHints()))
    let error = try #require(throws: SettingErrors.self) {
      try BufferingHints(sizeBytes: 1_000, intervalMilliseconds: 900_001, records: 0)
    }
    #expect(error.errors.map(\.setting) == ["buffer.size", "buffer.interval", "buffer.records"])
    _ = try BufferingHints(sizeBytes: 128 << 20, intervalMilliseconds: 0, records: 10_000)
  }

  @Test(arguments: [
    ("file:///var/out/", DestinationURL.directory(path: "/var/out")),
    ("file://./out/city", .directory(path: "./out/city")),
    ("file://../out", .directory(path: "../out")), ("file:///", .directory(path: "/")),
    ("s3://bucket", .objectStore(bucket: "bucket", prefix: "")),
    ("s3://my-bucket/a/b", .objectStore(bucket: "my-bucket", prefix: "a/b/")),
    ("https://h:8443/x?y", .httpEndpoint(url: "https://h:8443/x?y")),
    ("kafka://scores.v1", .topic(name: "scores.v1")),
  ])
  func urls(_ text: String, _ expected: DestinationURL) throws {
    #expect(try DestinationURL(parsing: text) == expected)
  }

  @Test(arguments: [
    ("out", 1), ("file://out", 8), ("s3://B/x", 6), ("ftp://h", 1), ("https:///x", 9),
    ("file:///a b", 10), ("kafka://a/b", 9),
  ])
  func refusedURLs(_ text: String, _ column: Int) throws {
    let error = try #require(throws: SettingError.self) { try DestinationURL(parsing: text) }
    #expect(error.column == column)
  }
}

struct FailedRecordTests {
  @Test func envelopeIsFirehoses() {
    let record = FailedRecord(
      attempts: 5, arrivalTimestamp: 1_594_265_943_615,
      attemptEndingTimestamp: 1_594_266_081_318, errorCode: "Decode.InvalidJSON",
      errorMessage: "expected '}'\n", rawData: Array("{\"a\":1".utf8), key: Array("k".utf8),
      topic: "city-taxi", partition: 3, offset: 99, pipeline: "p", stage: "decode")
    let line = #"""
      {"attemptsMade":5,"arrivalTimestamp":1594265943615,"errorCode":"Decode.InvalidJSON",\#
      "errorMessage":"expected '}'\n","attemptEndingTimestamp":1594266081318,\#
      "rawData":"eyJhIjox","subsequenceNumber":0,"dataId":"city-taxi-3-99-0",\#
      "topic":"city-taxi","partition":3,"offset":99,"pipeline":"p","stage":"decode","key":"aw=="}

      """#
    #expect(String(decoding: record.line, as: UTF8.self) == line)
  }
}
