-- cutbank: extensions
CREATE STREAM O (I INTEGER) WITH (connector='kafka', topic='x');
