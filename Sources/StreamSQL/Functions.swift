/// The scalar functions of the library, as the binder hands them to the executor.
///
/// The binder has checked the number of arguments and converted their types: "text" is CHAR or VARCHAR,
/// "number" any numeric type, "double" DOUBLE, "bigint" BIGINT. Any NULL argument gives NULL, unless said
/// otherwise. Where a pattern is a literal it was checked while binding. Positions in text count from 1
/// in characters (Unicode scalars).
public enum FunctionID: Hashable, Sendable {
  /// `ABS(number)`; the result has the argument's type.
  case absolute
  /// `FLOOR(number)`: toward minus infinity; the result has the argument's type (decimals keep their
  /// scale).
  case floor
  /// `CEIL(number)`: toward plus infinity; the result has the argument's type.
  case ceiling
  /// `EXP(double)`.
  case exponential
  /// `LN(double)`; zero and less fail the row.
  case naturalLogarithm
  /// `LOG10(double)`; zero and less fail the row.
  case decimalLogarithm
  /// `POWER(double, double)`.
  case power
  /// `SQRT(double)`; negative numbers fail the row.
  case squareRoot
  /// `STEP(integer BY integer)`: the largest multiple of the second that is not above the first; also
  /// for decimals of one scale. A step of zero or less fails the row.
  case stepNumber

  /// `FLOOR(t TO unit)` of a TIMESTAMP, DATE, TIME or day-time interval; the type stays.
  case floorTo(DatetimeUnit)
  /// `CEIL(t TO unit)`.
  case ceilingTo(DatetimeUnit)
  /// `STEP(timestamp BY interval)` for a day-time interval: `floor(t / i) * i` since 1970.
  case stepMilliseconds(Int64)
  /// `STEP(timestamp BY interval)` for months counted since 1970-01.
  case stepMonths(Int64)
  /// `EXTRACT(unit FROM TIMESTAMP, DATE, TIME or interval)`: BIGINT; for SECOND DECIMAL(5, 3). The
  /// fields of an interval are taken with its sign.
  case extract(DatetimeUnit)
  /// `UNIX_TIMESTAMP(TIMESTAMP)`: BIGINT milliseconds.
  case unixTimestamp
  /// `TO_TIMESTAMP(bigint)`: TIMESTAMP from milliseconds.
  case toTimestamp
  /// `TSDIFF(a, b)` of two TIMESTAMPs: the absolute difference in milliseconds, BIGINT.
  case timestampDifference
  /// `(a - b) MONTH` of two TIMESTAMPs: whole calendar months from b to a, an interval in months.
  case monthsBetween
  /// `CHAR_TO_TIMESTAMP(pattern, text)`: TIMESTAMP by a Java SimpleDateFormat pattern.
  case charToTimestamp
  /// `CHAR_TO_DATE(pattern, text)`.
  case charToDate
  /// `CHAR_TO_TIME(pattern, text)`.
  case charToTime
  /// `TIMESTAMP_TO_CHAR(pattern, t)`, `DATE_TO_CHAR`, `TIME_TO_CHAR`: VARCHAR; the second argument's type
  /// tells which.
  case datetimeToChar
  /// `CURRENT_TIMESTAMP`, `LOCALTIMESTAMP`: the time at which the application began; no arguments.
  case queryStartTimestamp
  /// `CURRENT_ROW_TIMESTAMP`: the time of the last tick when the row is processed, its ROWTIME where there
  /// are no ticks; no arguments.
  case currentRowTimestamp

  /// `a || b`: NULL if one is.
  case concatenate
  /// `CHAR_LENGTH(text)`: INTEGER, in characters.
  case characterLength
  /// `LOWER(text)`.
  case lower
  /// `UPPER(text)`.
  case upper
  /// `INITCAP(text)`: the first letter of each word is a capital, the others are not.
  case initialCapitals
  /// `OVERLAY(text PLACING text FROM integer FOR integer)`; always four arguments.
  case overlay
  /// `POSITION(needle IN haystack)`: INTEGER from 1, 0 if absent, 1 for an empty needle.
  case position
  /// `TRIM(side characters FROM text)`: arguments are the text and the one character to remove.
  case trim(TrimSide)
  /// `SUBSTRING(text FROM start [FOR length])`: text, integer[, integer]; past the end `''`.
  case substringFrom
  /// `SUBSTRING(text, start [, length])`: text, integer[, integer]; past the end NULL.
  case substringComma
  /// `SUBSTRING(text FROM 'regex')`: text, pattern; the first match, or NULL.
  case substringRegex
  /// `SUBSTRING(text SIMILAR pattern ESCAPE escape)`: text, pattern, escape; what lies between the two
  /// `escape"` marks, or NULL.
  case substringSimilar
  /// `REGEX_REPLACE(text, regex, replacement, start, occurrence)`: occurrence 0 is all; a start below 1 or
  /// a negative occurrence fails the row; a start beyond the end leaves the text; `$1` names a group.
  case regexReplace
  /// `text LIKE pattern [ESCAPE escape]`: BOOLEAN; text, pattern[, escape].
  case like
  /// `text SIMILAR TO pattern [ESCAPE escape]`: BOOLEAN; text, pattern[, escape].
  case similarTo
  /// `JSON_VALUE(text, path)`: the scalar at a path as a value of the result's type. Nothing there is
  /// "empty"; malformed JSON, an object, an array, or a text that cannot be converted is an "error". Values
  /// for the two follow as arguments, in this order, where asked for.
  case jsonValue(onEmpty: JSONFallback, onError: JSONFallback)

  /// What `JSON_VALUE` gives where it finds nothing.
  public enum JSONFallback: Hashable, Sendable {
    case null
    /// The row fails.
    case failure
    /// An argument of the call.
    case value
  }

  /// Which ends `TRIM` shortens.
  public enum TrimSide: Hashable, Sendable {
    case both
    case leading
    case trailing
  }
}

/// The functions that cut a line of text into a record of columns.
public enum RecordFunction: Hashable, Sendable {
  /// `REGEX_LOG_PARSE(text, regex)`: the groups of a pattern that must match the whole text.
  case regex
  /// `FAST_REGEX_LOG_PARSE(text, pattern)`: the groups of a pattern without backtracking.
  case fastRegex
  /// `W3C_LOG_PARSE(text, format)`: the fields of a web server's log line.
  case w3c
  /// `VARIABLE_COLUMN_LOG_PARSE(text, columns, delimiter [, escape, quote])`.
  case variableColumn
  /// `FIXED_COLUMN_LOG_PARSE(text, columns)`: columns by start and length.
  case fixedColumn
  /// `SYS_LOG_PARSE(text)`: the time as TIMESTAMP, in the year of the row's ROWTIME, and the text behind
  /// it.
  case sysLog
}
