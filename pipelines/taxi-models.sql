-- City taxi with models that are trained on what the pipeline itself has delivered.

-- A half hour, the one before it, and the same half hour of the day before: the shape of the moment.
CREATE OR REPLACE STREAM "SHAPES" (
  "pickup_time" TIMESTAMP,
  "passengers" DOUBLE,
  "before" DOUBLE,
  "day_before" DOUBLE
);

CREATE OR REPLACE PUMP "SHAPE_PUMP" AS
INSERT INTO "SHAPES"
SELECT STREAM "pickup_time", "passengers",
  COALESCE(LAG("passengers", 1) OVER W, "passengers"),
  COALESCE(LAG("passengers", 48) OVER W, "passengers")
FROM "SOURCE_SQL_STREAM_001"
WINDOW W AS (ROWS 48 PRECEDING);

-- How far is it from the shapes that k-means has found?
CREATE OR REPLACE STREAM "SCORED" (
  "pickup_time" TIMESTAMP,
  "passengers" DOUBLE,
  "before" DOUBLE,
  "day_before" DOUBLE,
  "distance" DOUBLE,
  "MODEL_VERSION" VARCHAR(160)
);

CREATE OR REPLACE PUMP "SCORE_PUMP" AS
INSERT INTO "SCORED"
SELECT STREAM "pickup_time", "passengers", "before", "day_before", DISTANCE_TO_CLUSTER,
  MODEL_VERSION
FROM TABLE(ML_PREDICT(
  CURSOR(SELECT STREAM "pickup_time", "passengers", "before", "day_before" FROM "SHAPES"),
  'day-shape'));

-- What did DeepAR expect, and how probable is a value this far out?
CREATE OR REPLACE STREAM "FORECAST" (
  "pickup_time" TIMESTAMP,
  "passengers" DOUBLE,
  "expected" DOUBLE,
  "tail_probability" DOUBLE,
  "MODEL_VERSION" VARCHAR(160)
);

CREATE OR REPLACE PUMP "FORECAST_PUMP" AS
INSERT INTO "FORECAST"
SELECT STREAM "pickup_time", "passengers", EXPECTED, TAIL_PROBABILITY, MODEL_VERSION
FROM TABLE(ML_FORECAST(
  CURSOR(SELECT STREAM "pickup_time", "passengers" FROM "SOURCE_SQL_STREAM_001"),
  'rides-forecast', time => 'pickup_time', target => 'passengers'));
