-- The price of a piece. An order of no pieces is a division by zero: its row goes to error_stream with
-- the pump's name, the message and the row, and the pump goes on. A record whose cents are no number
-- never becomes a row; it is in error_stream too, without a pump.

CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" ("order_id" INTEGER, "price_per_piece" INTEGER);

CREATE OR REPLACE PUMP "PRICE_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "order_id", "amount" / "pieces"
FROM "SOURCE_SQL_STREAM_001";
