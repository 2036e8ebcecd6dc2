import Engine
import Testing

/// What names a pipeline in its state.
@Suite struct FingerprintTests {
  private static func plan(
    to place: String = "file:///srv/out", data: String = "/srv/data", extra: String = ""
  ) throws -> PipelinePlan {
    try PassingPipeline.plan(
      "p", to: "delivery: {to: \"\(place)\", buffer: {interval: 60s}}", extra: extra, data: data)
  }

  private static func snapshot(_ fingerprint: String) -> Snapshot {
    Snapshot(
      number: 0, commit: 0, fingerprint: fingerprint, pipelineText: "", applicationText: "",
      slices: [])
  }

  @Test func foldersOfAMachineDoNotCount() throws {
    let plan = try Self.plan()
    for other in try [
      Self.plan(data: "elsewhere"), Self.plan(to: "file://./out"),
      Self.plan(extra: "dead_letter: {to: file:///srv/dead, buffer: {interval: 10s}}"),
    ] {
      #expect(other.fingerprint == plan.fingerprint)
      #expect(other.formerFingerprint != plan.formerFingerprint)
    }
  }

  @Test func whatRowsDependOnCounts() throws {
    let plan = try Self.plan()
    for other in try [
      Self.plan(to: "s3://bucket/out"), Self.plan(extra: "seed: 7"),
      Self.plan(extra: "dead_letter: {to: kafka://dead}"),
      Self.plan(extra: "dead_letter: {to: s3://bucket/dead}"),
    ] {
      #expect(other.fingerprint != plan.fingerprint)
      #expect(!other.hasMade(Self.snapshot(plan.fingerprint)))
    }
  }

  /// States of earlier versions are taken up as they are: this is what theirs say.
  @Test func theNameInEarlierStatesIsKnown() throws {
    let plan = try Self.plan()
    #expect(plan.formerFingerprint == Self.former)
    #expect(plan.hasMade(Self.snapshot(plan.formerFingerprint)))
    #expect(plan.hasMade(Self.snapshot(plan.fingerprint)))
    #expect(try !Self.plan(extra: "seed: 7").hasMade(Self.snapshot(plan.formerFingerprint)))
  }

  private static let former = "67a7de9844ea30d7b14e6fe25c94d1accee972c440f81b735b37f15c3924d1a1"
}
