/// A setting that is refused.
public struct SettingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The setting's name, for example `prefix` or `buffer.size`.
  public let setting: String
  /// The column in the setting's text, from 1; nil when the whole value is meant.
  public let column: Int?
  /// What is wrong, in lower case without a full stop.
  public let message: String
  /// How to put it right.
  public let hint: String

  /// Creates an error.
  public init(setting: String, column: Int? = nil, message: String, hint: String) {
    self.setting = setting
    self.column = column
    self.message = message
    self.hint = hint
  }

  /// The error as one line.
  public var description: String {
    let place = column.map { "\(setting), column \($0)" } ?? setting
    return "\(place): \(message) (hint: \(hint))"
  }
}

/// All errors of a group of settings.
public struct SettingErrors: Error, Hashable, Sendable, CustomStringConvertible {
  /// The errors in the order of the text.
  public let errors: [SettingError]

  /// Creates a group of errors.
  public init(_ errors: [SettingError]) { self.errors = errors }

  /// One line per error.
  public var description: String {
    errors.map(\.description).joined(separator: "\n")
  }
}
