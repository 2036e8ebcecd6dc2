/// What the language allows beyond, or short of, the original's documentation.
public struct CompileOptions: Hashable, Sendable {
  /// Whether COUNT(DISTINCT), percentiles and window spellings of other systems are accepted.
  ///
  /// A program that starts with `-- cutbank: extensions` turns them on itself.
  public var extensions: Bool
  /// Whether what the original documents as illegal is refused even where it accepted it.
  public var strict: Bool

  /// Creates options; the defaults accept every program that ran on the original.
  public init(extensions: Bool = false, strict: Bool = false) {
    self.extensions = extensions
    self.strict = strict
  }
}

/// What the compiler found.
public struct CompileResult: Equatable, Sendable {
  /// The plan; nil if a diagnostic is an error.
  public let plan: Plan?
  /// All findings in the order of their places.
  public let diagnostics: [Diagnostic]
  /// What the program's DESCRIBE and SHOW statements answer.
  public let answers: [String]

  /// Creates a result.
  public init(plan: Plan?, diagnostics: [Diagnostic], answers: [String] = []) {
    self.plan = plan
    self.diagnostics = diagnostics
    self.answers = answers
  }
}
