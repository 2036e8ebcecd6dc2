import Foundation

/// What tests tell the table that `make faults` prints.
public enum FaultTable {
  /// Tells something of the fault whose number stands in the name of a test, such as
  /// `SystemTests/Faults/Fault07/…`; nothing of other tests.
  public static func tell(_ text: String, test: String?) {
    guard let found = test?.firstMatch(of: /Fault(\d+)/) else { return }
    // At once and as a whole, so that no line of another test comes in between.
    FileHandle.standardError.write(Data("Fault \(found.output.1) \(text)\n".utf8))
  }
}
