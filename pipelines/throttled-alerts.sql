-- Every reading above 7.1 mm/s is a reason for an alert. A turbine in trouble has many of them, and one
-- alert is enough: of the reasons only those pass that had no other within the minute before.

CREATE OR REPLACE STREAM "SHAKING" ("turbine" VARCHAR(16), "vibration" DOUBLE);

CREATE OR REPLACE PUMP "SHAKING_PUMP" AS
INSERT INTO "SHAKING"
SELECT STREAM "turbine", "vibration"
FROM "SOURCE_SQL_STREAM_001"
WHERE "vibration" > 7.1;

CREATE OR REPLACE STREAM "ALERTS" ("turbine" VARCHAR(16), "vibration" DOUBLE);

CREATE OR REPLACE PUMP "ALERT_PUMP" AS
INSERT INTO "ALERTS"
SELECT STREAM "turbine", "vibration"
FROM (
  SELECT STREAM "turbine", "vibration", COUNT(*) OVER "LAST_MINUTE" AS "reasons"
  FROM "SHAKING"
  WINDOW "LAST_MINUTE" AS (PARTITION BY "turbine" RANGE INTERVAL '1' MINUTE PRECEDING)
)
WHERE "reasons" = 1;
