-- Every reading with its score and, as JSON, the share of each numeric column in it: how much, and
-- whether the value is too high or too low. The name of the compressor passes through: it is text, and
-- a forest looks at numbers only.

CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
  "compressor" VARCHAR(8),
  "pressure" DOUBLE,
  "temperature" DOUBLE,
  "current" DOUBLE,
  "ANOMALY_SCORE" DOUBLE,
  "ANOMALY_EXPLANATION" VARCHAR(1024)
);

CREATE OR REPLACE PUMP "EXPLANATION_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM
  "compressor", "pressure", "temperature", "current", "ANOMALY_SCORE", "ANOMALY_EXPLANATION"
FROM TABLE(RANDOM_CUT_FOREST_WITH_EXPLANATION(
  CURSOR(
    SELECT STREAM "compressor", "pressure", "temperature", "current" FROM "SOURCE_SQL_STREAM_001"
  ),
  100,     -- numberOfTrees
  256,     -- subSampleSize: scores are 0 until then
  100000,  -- timeDecay
  1,       -- shingleSize
  TRUE     -- withDirectionality
));
