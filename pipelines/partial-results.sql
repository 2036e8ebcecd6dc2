-- First step: what arrived within one minute, by the minute in which it was measured. A minute of
-- measurement has several such rows when readings are late.

CREATE OR REPLACE STREAM "PARTIAL_SUMS" (
  "meter" VARCHAR(12),
  "measured_minute" TIMESTAMP,
  "watt_hours" INTEGER
);

CREATE OR REPLACE PUMP "PARTIAL_PUMP" AS
INSERT INTO "PARTIAL_SUMS"
SELECT STREAM "meter", STEP("measured_at" BY INTERVAL '1' MINUTE), SUM("watt_hours")
FROM "SOURCE_SQL_STREAM_001"
GROUP BY
  "meter",
  STEP("measured_at" BY INTERVAL '1' MINUTE),
  STEP("SOURCE_SQL_STREAM_001".ROWTIME BY INTERVAL '1' MINUTE);

-- Second step: the sum so far. The last row of a meter and minute is the best known; what is more than
-- ten minutes late starts again from nothing.

CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
  "meter" VARCHAR(12),
  "measured_minute" TIMESTAMP,
  "watt_hours" INTEGER,
  "parts" INTEGER
);

CREATE OR REPLACE PUMP "SUM_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM
  "meter", "measured_minute", SUM("watt_hours") OVER "LATE", COUNT(*) OVER "LATE"
FROM "PARTIAL_SUMS"
WINDOW "LATE" AS (
  PARTITION BY "meter", "measured_minute" RANGE INTERVAL '10' MINUTE PRECEDING
);
