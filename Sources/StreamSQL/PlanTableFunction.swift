/// A function over a cursor's rows that keeps state.
///
/// Output: the cursor's columns, then the added ones, ROWTIME unchanged, one row per input row, unless a
/// case says otherwise. `features` are indexes of the cursor's numeric columns (decimals excepted).
public enum TableFunction: Hashable, Sendable {
  /// Adds `ANOMALY_SCORE DOUBLE`, and `ANOMALY_EXPLANATION VARCHAR` if `explanation` says so.
  case randomCutForest(RandomCutForestParameters)
  /// Adds `HOTSPOTS_RESULT VARCHAR`.
  case hotspots(features: [Int], windowSize: Int, scanRadius: Double, minimumPoints: Int)
  /// `ITEM VARCHAR, ITEM_COUNT BIGINT` only: the k most frequent values of a column in each tumbling
  /// window aligned to 1970, with the window's end as ROWTIME.
  case topKItems(column: Int, k: Int, windowMilliseconds: Int64)
  /// `NUMBER_OF_DISTINCT_ITEMS BIGINT` only, in each tumbling window.
  case countDistinctItems(column: Int, windowMilliseconds: Int64)
  /// Adds the rank as INTEGER; rows of equal ROWTIME form a group and come out sorted by rank.
  case groupRank(GroupRankParameters)
  /// Adds SCORE, GRADE, CONFIDENCE, THRESHOLD, EXPECTED, LOWER, UPPER, ATTRIBUTION, STATUS.
  case detectAnomalies(DetectAnomaliesParameters)
  /// Adds CLOSEST_CLUSTER, DISTANCE_TO_CLUSTER, SCORE, PROJECTION, MODEL_VERSION, VARIANT, STATUS.
  case predict(PredictParameters)
  /// Adds EXPECTED, LOWER, UPPER, TAIL_PROBABILITY, NEXT_EXPECTED, NEXT_LOWER, NEXT_UPPER,
  /// MODEL_VERSION, VARIANT, STATUS.
  case forecast(ForecastParameters)
}

/// The parameters of `ML_PREDICT`.
public struct PredictParameters: Hashable, Sendable {
  /// Indexes of the numeric columns, in the order in which the model has its features.
  public let features: [Int]
  /// The endpoint's name.
  public let endpoint: String

  /// Creates parameters.
  public init(features: [Int], endpoint: String) {
    self.features = features
    self.endpoint = endpoint
  }
}

/// The parameters of `ML_FORECAST`.
public struct ForecastParameters: Hashable, Sendable {
  /// Index of the numeric column that is forecast.
  public let target: Int
  /// Index of the TIMESTAMP column that is the time of a row; nil is ROWTIME.
  public let timeColumn: Int?
  /// Indexes of the integer columns that are the categories of a series, in the order of training.
  public let categories: [Int]
  /// Indexes of the numeric columns that are the dynamic features of a row, in the order of training.
  public let dynamicFeatures: [Int]
  /// The endpoint's name.
  public let endpoint: String
  /// The probability below LOWER and NEXT_LOWER.
  public let lower: Double
  /// The probability below UPPER and NEXT_UPPER, greater than `lower`.
  public let upper: Double

  /// Creates parameters.
  public init(
    target: Int, timeColumn: Int?, categories: [Int] = [], dynamicFeatures: [Int] = [],
    endpoint: String, lower: Double = 0.1, upper: Double = 0.9
  ) {
    self.target = target
    self.timeColumn = timeColumn
    self.categories = categories
    self.dynamicFeatures = dynamicFeatures
    self.endpoint = endpoint
    self.lower = lower
    self.upper = upper
  }
}

/// The parameters of `RANDOM_CUT_FOREST` and `RANDOM_CUT_FOREST_WITH_EXPLANATION`.
public struct RandomCutForestParameters: Hashable, Sendable {
  /// What the explanation column holds.
  public enum Explanation: Hashable, Sendable {
    /// There is no such column.
    case none
    /// ATTRIBUTION_SCORE of each column.
    case attribution
    /// Also DIRECTION and STRENGTH.
    case directional
  }

  /// Indexes of the cursor's columns that enter the model.
  public let features: [Int]
  /// 1 to 1,000.
  public let numberOfTrees: Int
  /// 10 to 1,000.
  public let subSampleSize: Int
  /// 1 to 2,147,483,647.
  public let timeDecay: Int
  /// 1 to 512.
  public let shingleSize: Int
  /// What the explanation column holds.
  public let explanation: Explanation

  /// Creates parameters.
  public init(
    features: [Int], numberOfTrees: Int = 100, subSampleSize: Int = 256, timeDecay: Int = 100_000,
    shingleSize: Int = 1, explanation: Explanation = .none
  ) {
    self.features = features
    self.numberOfTrees = numberOfTrees
    self.subSampleSize = subSampleSize
    self.timeDecay = timeDecay
    self.shingleSize = shingleSize
    self.explanation = explanation
  }
}

/// The parameters of `GROUP_RANK`.
public struct GroupRankParameters: Hashable, Sendable {
  /// Index of the cursor's column that is ranked.
  public let rankBy: Int
  /// Whether the largest value has rank 1.
  public let ranksDescending: Bool
  /// Whether the rows of a group come out with the last rank first.
  public let outputDescending: Bool
  /// After how long without rows a group closes; 0 is never.
  public let maximumIdleMilliseconds: Int64
  /// The most rows that come out of a group; 0 is all.
  public let outputLimit: Int

  /// Creates parameters.
  public init(
    rankBy: Int, ranksDescending: Bool, outputDescending: Bool, maximumIdleMilliseconds: Int64,
    outputLimit: Int
  ) {
    self.rankBy = rankBy
    self.ranksDescending = ranksDescending
    self.outputDescending = outputDescending
    self.maximumIdleMilliseconds = maximumIdleMilliseconds
    self.outputLimit = outputLimit
  }
}

/// The parameters of `ML_DETECT_ANOMALIES`.
public struct DetectAnomaliesParameters: Hashable, Sendable {
  /// One `name => value`.
  public struct Option: Hashable, Sendable {
    /// The name, in lower case.
    public let name: String
    /// The value, within the option's range.
    public let value: Double

    /// Creates an option.
    public init(name: String, value: Double) {
      self.name = name
      self.value = value
    }
  }

  /// The options that have a number, and the numbers that they may have.
  static let ranges: [(name: String, range: ClosedRange<Double>)] = [
    ("number_of_trees", 1...1_000), ("sample_size", 10...1_000), ("shingle_size", 1...512),
    ("time_decay", 1...2_147_483_647), ("sensitivity", 2...20),
  ]

  /// Indexes of the numeric columns that enter the detector.
  public let features: [Int]
  /// Index of the TIMESTAMP column that is the time of a row; nil is ROWTIME.
  public let timeColumn: Int?
  /// All other options in the order of writing; their names are unique.
  public let options: [Option]

  /// Creates parameters.
  public init(features: [Int], timeColumn: Int?, options: [Option]) {
    self.features = features
    self.timeColumn = timeColumn
    self.options = options
  }
}
