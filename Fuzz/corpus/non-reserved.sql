CREATE STREAM O (type INTEGER, name VARCHAR(3), state INTEGER, level INTEGER, step INTEGER, item INTEGER, status INTEGER, key INTEGER, data INTEGER, id INTEGER, city INTEGER, count_distinct INTEGER);
