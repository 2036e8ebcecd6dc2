-- Kilometres from the town hall, east and north. A hot spot needs 20 pickups within 400 m of one of
-- them, among the last 400 pickups.

CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
  "trip" VARCHAR(12),
  "east" DOUBLE,
  "north" DOUBLE,
  "HOTSPOTS_RESULT" VARCHAR(10000)
);

CREATE OR REPLACE PUMP "HOTSPOT_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "trip", "east", "north", "HOTSPOTS_RESULT"
FROM TABLE(HOTSPOTS(
  CURSOR(SELECT STREAM "trip", "east", "north" FROM "SOURCE_SQL_STREAM_001"),
  400,  -- windowSize
  0.4,  -- scanRadius
  20    -- minimumNumberOfPointsInAHotspot
));
