import StreamSQL
import Testing

@Suite struct ConformanceTests {
  @Test func everyCaseCompilesOrIsRefusedAsExpected() throws {
    let cases = try ConformanceCorpus.cases()
    if cases.isEmpty { print("skipped: no conformance corpus beside the repository") }
    for test in cases {
      let result = test.compiled()
      let text = result.diagnostics.map(\.description).joined(separator: "\n")
      #expect((result.plan == nil) == test.isRejected, "\(test.name)\n\(text)")
      if test.isRejected {
        #expect(result.diagnostics.contains { $0.severity == .error }, "\(test.name)")
      } else {
        let warnings = result.diagnostics.filter { $0.severity == .warning }
        if !warnings.isEmpty { print("\(test.name): \(text)") }
      }
    }
  }
}
