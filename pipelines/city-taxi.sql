-- How unusual was the last half day of each half hour? A shingle of 24 half hours makes the shape
-- of the day count, not only the number of passengers.

CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
  "pickup_time" TIMESTAMP,
  "passengers" DOUBLE,
  "ANOMALY_SCORE" DOUBLE
);

CREATE OR REPLACE PUMP "SCORE_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "pickup_time", "passengers", "ANOMALY_SCORE"
FROM TABLE(RANDOM_CUT_FOREST(
  CURSOR(SELECT STREAM "pickup_time", "passengers" FROM "SOURCE_SQL_STREAM_001"),
  200,     -- numberOfTrees
  1000,    -- subSampleSize: three weeks; scores are 0 until then
  100000,  -- timeDecay
  24       -- shingleSize: half a day
));

-- An ordinary record scores 0.5 to 1. Over 24 seeds each known event of the real series rose to 1.15
-- or more; outside of them 1.1 leaves some 5 alerts in seven months.
CREATE OR REPLACE STREAM "ALERTS" (
  "pickup_time" TIMESTAMP,
  "passengers" DOUBLE,
  "ANOMALY_SCORE" DOUBLE
);

CREATE OR REPLACE PUMP "ALERT_PUMP" AS
INSERT INTO "ALERTS"
SELECT STREAM "pickup_time", "passengers", "ANOMALY_SCORE"
FROM "DESTINATION_SQL_STREAM"
WHERE "ANOMALY_SCORE" > 1.1;
