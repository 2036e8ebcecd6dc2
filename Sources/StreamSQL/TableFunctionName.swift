/// The table functions that a program can name.
enum TableFunctionName: String, CaseIterable {
  case randomCutForest = "RANDOM_CUT_FOREST"
  case randomCutForestWithExplanation = "RANDOM_CUT_FOREST_WITH_EXPLANATION"
  case hotspots = "HOTSPOTS"
  case topKItems = "TOP_K_ITEMS_TUMBLING"
  case countDistinctItems = "COUNT_DISTINCT_ITEMS_TUMBLING"
  case groupRank = "GROUP_RANK"
  case detectAnomalies = "ML_DETECT_ANOMALIES"
  case predict = "ML_PREDICT"
  case forecast = "ML_FORECAST"
  case tumble = "TUMBLE"
  case hop = "HOP"
  case session = "SESSION"
}
