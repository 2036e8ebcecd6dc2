/// A broken rule and where.
struct Violation: CustomStringConvertible, Equatable {
  let path: String
  let line: Int
  let message: String

  var description: String { "\(path):\(line): \(message)" }
}

/// A word that must not stand in some files, and what to write in its place.
struct BannedWord {
  let word: String
  let instead: String
  /// Comments and strings count too.
  var everywhere = false
  let applies: @Sendable (SourceFile) -> Bool

  func violations(in file: SourceFile) -> [Violation] {
    guard applies(file) else { return [] }
    return (everywhere ? file.lines : file.code).enumerated().compactMap { index, line in
      guard line.containsWord(word) else { return nil }
      return Violation(path: file.path, line: index + 1, message: "'\(word)': \(instead)")
    }
  }
}

extension String {
  /// Whether `word` occurs with no letter, digit or `_` right before or after it, as far as its
  /// own ends are such characters.
  func containsWord(_ word: String) -> Bool {
    func isWordByte(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
    let text = Array(utf8)
    let sought = Array(word.utf8)
    guard let first = sought.first, let last = sought.last, text.count >= sought.count else {
      return false
    }
    return (0...text.count - sought.count).contains { start in
      let end = start + sought.count
      return text[start..<end].elementsEqual(sought)
        && !(isWordByte(first) && start > 0 && isWordByte(text[start - 1]))
        && !(isWordByte(last) && end < text.count && isWordByte(text[end]))
    }
  }
}

/// The rules of the code base that neither compiler nor formatter checks.
enum Rules {
  static let fileLineLimit = 500
  static let functionLineLimit = 60

  /// Modules that compute: plain functions over batches.
  static let core: Set = [
    "Columns", "RandomCutForest", "Hotspots", "LearnedModels", "StreamSQL", "Codecs", "Dataflow",
  ]

  /// What each target may import of the package; of a core target everything that it may import.
  static let arrows: [String: Set<String>] = [
    "Columns": [],
    "RandomCutForest": ["CKernels"],
    "Hotspots": ["CKernels"],
    "LearnedModels": ["CKernels", "Columns", "RandomCutForest"],
    "StreamSQL": ["Columns", "CPCRE2"],
    "Codecs": ["Columns"],
    "Dataflow": [
      "CPCRE2", "Columns", "StreamSQL", "RandomCutForest", "Hotspots", "LearnedModels",
    ],
    "SQLCases": ["Codecs", "Columns", "Dataflow", "StreamSQL"],
    "Migration": ["Codecs"],
    "Learning": ["CKernels", "COpenBLAS", "Columns", "LearnedModels", "RandomCutForest"],
    "Kafka": ["CEmbeddedBroker", "CRdKafka"],
    "Transport": ["Columns"],
    "Delivery": ["Columns", "Transport", "CDeflate", "CZstd"],
    "Alerting": ["Columns", "Transport"],
    "Processes": ["CSpawn"],
    "Registry": [],
    "Engine": [
      "CMemory", "Columns", "StreamSQL", "Codecs", "Dataflow", "RandomCutForest", "Hotspots",
      "LearnedModels", "Learning", "Kafka", "Processes", "Transport", "Delivery", "Alerting",
      "Registry",
    ],
    "Console": ["Engine", "Registry", "Transport"],
    "Demo": ["Columns", "RandomCutForest"],
    "cutbank": [
      "CMemory", "Columns", "StreamSQL", "Codecs", "Dataflow", "RandomCutForest", "Hotspots",
      "LearnedModels", "Learning", "Kafka", "Transport", "Delivery", "Alerting", "Registry",
      "Engine", "Console", "Demo", "Migration", "Processes", "SQLCases",
    ],
  ]

  static let ownModules = Set(arrows.keys).union([
    "CEmbeddedBroker", "CKernels", "CRdKafka", "CPCRE2", "COpenBLAS", "CDeflate", "CSpawn",
    "CMemory",
    "CZstd",
  ])

  static let bannedWords: [BannedWord] =
    inCore([
      ("async", "the core is synchronous; what waits belongs to the rim"),
      ("await", "the core is synchronous; what waits belongs to the rim"),
      ("Task", "the core starts no concurrent work; the Engine's workers do"),
      ("actor", "the core has one owner per value; use a struct"),
      ("Mutex", "the core shares nothing; give the value one owner"),
      ("Date", "time is data: use EventTime"),
      ("ContinuousClock", "time is data: use the tick that the step carries"),
      ("SuspendingClock", "time is data: use the tick that the step carries"),
      ("SystemRandomNumberGenerator", "randomness is state: pass the saved generator"),
      (".randomElement", "randomness is state: pass the saved generator"),
      (".shuffled", "randomness is state: pass the saved generator"),
      ("Hasher", "its seed changes per process; use a fixed hash"),
      ("print(", "the core does no output"),
      ("FileManager", "the core does no input or output"),
      ("FileHandle", "the core does no input or output"),
    ])
    + inProduct([
      ("try!", "handle the error or let it rise"),
      ("fatalError(", "throw an error, or use preconditionFailure for a programmer's mistake"),
    ])
    + [
      BannedWord(
        word: "TODO", instead: "write an issue, or do it", everywhere: true,
        applies: \.isProduct),
      BannedWord(
        word: "FIXME", instead: "write an issue, or do it", everywhere: true,
        applies: \.isProduct),
      BannedWord(
        word: "@unchecked Sendable", instead: "only in Kafka; use value types or a Mutex",
        applies: { $0.isProduct && $0.target != "Kafka" }),
      BannedWord(
        word: "nonisolated(unsafe)", instead: "only in Kafka; use value types or a Mutex",
        applies: { $0.isProduct && $0.target != "Kafka" }),
    ]

  private static func inCore(_ words: [(String, String)]) -> [BannedWord] {
    words.map { word, instead in
      BannedWord(word: word, instead: instead) { $0.isProduct && core.contains($0.target) }
    }
  }

  private static func inProduct(_ words: [(String, String)]) -> [BannedWord] {
    words.map { word, instead in
      BannedWord(word: word, instead: instead, applies: \.isProduct)
    }
  }

  /// Everything that is wrong with a Swift file.
  static func violations(in file: SourceFile) -> [Violation] {
    lengths(file) + bannedWords.flatMap { $0.violations(in: file) } + unsafe(file) + imports(file)
  }

  private static func lengths(_ file: SourceFile) -> [Violation] {
    var found: [Violation] = []
    let lineCount = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
    if lineCount > fileLineLimit {
      found.append(
        Violation(
          path: file.path, line: lineCount,
          message: "\(lineCount) lines, at most \(fileLineLimit): split it by idea"))
    }
    for function in file.functions where function.lineCount > functionLineLimit {
      found.append(
        Violation(
          path: file.path, line: function.firstLine,
          message: "'\(function.name)' has \(function.lineCount) lines, at most "
            + "\(functionLineLimit): split it"))
    }
    return found
  }

  private static func unsafe(_ file: SourceFile) -> [Violation] {
    guard file.isProduct, file.target != "Kafka", !file.name.hasSuffix("+Unsafe.swift") else {
      return []
    }
    return file.code.enumerated().compactMap { index, line in
      guard line.contains("Unsafe") else { return nil }
      return Violation(
        path: file.path, line: index + 1,
        message: "unsafe pointers stand only in Kafka and in files named *+Unsafe.swift")
    }
  }

  private static func imports(_ file: SourceFile) -> [Violation] {
    guard file.isProduct else { return [] }
    guard let allowed = arrows[file.target] else {
      return [
        Violation(
          path: file.path, line: 1,
          message: "target '\(file.target)' is not in the import table: add it with its arrows")
      ]
    }
    return file.imports.compactMap { line, module in
      guard !allowed.contains(module),
        core.contains(file.target) || ownModules.contains(module)
      else { return nil }
      return Violation(
        path: file.path, line: line, message: "\(file.target) must not import \(module)")
    }
  }
}
