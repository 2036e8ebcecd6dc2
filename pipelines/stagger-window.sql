-- The gates send their scans a little late and in groups. A tumbling window would cut such a group at
-- the full minute of its arrival; a stagger window is opened by the first scan of a gate and minute and
-- stays open for one minute, so that the group is counted together.

CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
  "scan_minute" TIMESTAMP,
  "gate" VARCHAR(8),
  "scans" INTEGER,
  "refused" INTEGER
);

CREATE OR REPLACE PUMP "SCAN_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM
  FLOOR("scanned_at" TO MINUTE),
  "gate",
  COUNT(*),
  SUM(CASE WHEN "accepted" THEN 0 ELSE 1 END)
FROM "SOURCE_SQL_STREAM_001"
WINDOWED BY STAGGER (
  PARTITION BY FLOOR("scanned_at" TO MINUTE), "gate" RANGE INTERVAL '1' MINUTE
);
