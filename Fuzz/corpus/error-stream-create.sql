CREATE STREAM error_stream (I INTEGER);
