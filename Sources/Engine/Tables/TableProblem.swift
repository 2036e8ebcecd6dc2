/// Why the rows of a reference table cannot be had.
package struct TableProblem: Error, Hashable, CustomStringConvertible {
  /// The file, object or record.
  package let place: String
  /// The line in it, from 1; 0 when the whole is at fault.
  package var line = 0
  /// What is wrong.
  package let message: String

  /// `sites.csv:17: what is wrong`.
  package var description: String { "\(place)\(line > 0 ? ":\(line)" : ""): \(message)" }
}
