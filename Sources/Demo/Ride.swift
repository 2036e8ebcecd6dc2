import Columns

/// One record of the city-taxi series: how many passengers got in within half an hour.
public struct Ride: Hashable, Sendable {
  /// Start of the half hour, milliseconds since 1970 UTC.
  public let pickupTime: Int64
  /// Passengers of the half hour.
  public let passengers: Int

  /// Milliseconds between two records.
  public static let interval: Int64 = 1_800_000

  /// Creates a record.
  public init(pickupTime: Int64, passengers: Int) {
    self.pickupTime = pickupTime
    self.passengers = passengers
  }

  /// The pickup time as `yyyy-MM-dd HH:mm:ss`.
  public var timestamp: String { RideTime.text(of: pickupTime) }

  /// The record as a line of CSV, `timestamp,value`, without the end of line.
  public var csv: String { "\(timestamp),\(passengers)" }

  /// The record as a JSON object.
  public var json: String { "{\"timestamp\":\"\(timestamp)\",\"value\":\(passengers)}" }
}

/// Reads and writes times as they stand in the series, in UTC.
public enum RideTime {
  /// The time as `yyyy-MM-dd HH:mm:ss`.
  public static func text(of milliseconds: Int64) -> String {
    let time = CivilTime(milliseconds: milliseconds)
    var bytes: [UInt8] = []
    time.appendDate(to: &bytes)
    bytes.append(UInt8(ascii: " "))
    time.appendTime(to: &bytes, fraction: false)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The time as `yyyy-MM-dd HH:mm`, for people.
  public static func minuteText(of milliseconds: Int64) -> String {
    String(text(of: milliseconds).dropLast(3))
  }

  /// Milliseconds since 1970 of `yyyy-MM-dd HH:mm:ss`, a `T` between and a fraction allowed; nil if
  /// it is no such time.
  public static func milliseconds(of text: some StringProtocol) -> Int64? {
    let bytes = Array(text.utf8)
    guard bytes.count >= 19, bytes[10] == UInt8(ascii: " ") || bytes[10] == UInt8(ascii: "T") else {
      return nil
    }
    func number(_ range: Range<Int>) -> Int? {
      Int(String(decoding: bytes[range], as: UTF8.self))
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
      let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19)
    else { return nil }
    let time = CivilTime(
      year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    return time.isValid ? time.milliseconds : nil
  }
}

/// A line of a series file that is no record.
public struct RideFileError: Error, Equatable, CustomStringConvertible {
  /// Counted from 1.
  public let line: Int
  /// What is wrong.
  public let message: String

  /// Creates an error.
  public init(line: Int, message: String) {
    self.line = line
    self.message = message
  }

  public var description: String { "line \(line): \(message)" }
}

extension Ride {
  /// Reads a series of CSV lines `timestamp,value` below a line of headings.
  ///
  /// - Throws: `RideFileError` for the first line that is no record.
  public static func parse(csv: String) throws(RideFileError) -> [Ride] {
    var rides: [Ride] = []
    let lines = csv.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      if line.isEmpty || index == 0 && line.hasPrefix("timestamp") { continue }
      let fields = line.split(separator: ",", omittingEmptySubsequences: false)
      guard fields.count == 2, let time = RideTime.milliseconds(of: fields[0]),
        let passengers = Int(fields[1])
      else {
        throw RideFileError(
          line: index + 1, message: "'\(line)' is not 'yyyy-MM-dd HH:mm:ss,passengers'")
      }
      rides.append(Ride(pickupTime: time, passengers: passengers))
    }
    return rides
  }
}
