#!/usr/bin/env python3
"""Reads the output of `swift test` and prints what became of each fault.

Suites are named "Fault NN: what happens"; a fault with several suites has passed when all have.
"""

import re
import sys

# Number, fault, what is expected, why it may not be there.
FAULTS = """
1|kill -9 at random instants under load|files equal an undisturbed run; rows of a topic once|
2|kill during a snapshot, damaged snapshot|the one before is used, the torn one is set aside|
3|SIGTERM under load|exit 0 in time, every row once|
4|broker down, then up|reconnects, memory flat, nothing lost|
5|leaders and coordinators move, bursts of errors|transparent, nothing lost or twice|
6|producer fenced|new producer, rows once|
7|second daemon joins and leaves|each record scored once, as by one daemon|
8|sink slower than max.poll.interval|the member stays in its group|
9|offset out of range|stops with the count, or goes on and counts|
10|topic deleted and made again, more partitions|stops with the reason; new ones are read|
11|poison pills|one dead letter each, the forest never sees them|
12|nothing but poison|paused with a reason, few dead letters, goes on when told|
13|schema registry away|cached ids go on, unknown ones wait|schema registries are not there yet
14|out of order within the bound, and beyond|reordered; late stream|
15|clock steps, timestamps of 1970, 2038, 9999|timers go on; future is a dead letter; UTC in names|
16|idle partitions|windows close, traffic resumes|
17|2,000,000 keys|bounded memory, NO_MODEL beyond|
18|disk full, read-only, EIO|pauses, nothing partial, goes on by itself|
19|crash between write and rename|only whole objects|
20|hostile HTTP endpoint|retries, halves, waits, one request id|
21|webhook dead, 410, metadata address, slow|outbox keeps, refuses, does not slow scoring|
22|reload refused, stuck sink, 100 SIGHUPs|old configuration goes on; at most two reloads|
23|model swap, bad models|no row unscored, champion stays|
24|SQL errors|row to error_stream; refused with place|
25|few files, one processor, little memory|works, or says which limit|the parts of the HTTP API are not there yet
26|two daemons with one group.instance.id|the fenced one exits 1 with a message|
27|state of a newer version|refused and left alone|
28|state restored on another host|goes on there|
29|gzip, snappy, lz4, zstd|read|
30|aborted transactions in the input|not scored|
31|a record that kills the process|passed over after four crashes, a dead letter|
32|brokers behind TLS and SASL, wrong credentials|works; says what is wrong|
33|a network that delays and cuts|rows equal an undisturbed run|
34|one of three brokers is killed|rows equal an undisturbed run|
"""

SUITE = re.compile(r'(Suite|Test) "Fault (\d+)\b[^"]*" (passed|failed|skipped)'
                   r'(?: after ([\d.]+) seconds)?(?:[^:]*: "?(.*?)"?$)?')


def main():
    results = {}
    for line in sys.stdin:
        print(line, end="", file=sys.stderr)
        found = SUITE.search(line)
        if found:
            kind, number, result, seconds, reason = found.groups()
            results.setdefault(int(number), []).append((result, float(seconds or 0), reason))
    failed = False
    print(f"{'no':>3}  {'fault':<48} {'result':<9} {'seconds':>7}  expected")
    for line in FAULTS.strip().splitlines():
        number, fault, expected, absent = line.split("|")
        all_of_it = results.get(int(number), [])
        seconds = sum(entry[1] for entry in all_of_it)
        ran = [entry for entry in all_of_it if entry[0] != "skipped"]
        if any(entry[0] == "failed" for entry in ran):
            result, failed = "FAILED", True
        elif ran:
            result = "passed"
        else:
            reasons = [entry[2] for entry in all_of_it if entry[2]]
            result = "skipped"
            expected = "skipped: " + (reasons[0] if reasons else absent or "no suite of this build")
        print(f"{number:>3}  {fault:<48} {result:<9} {seconds:>7.1f}  {expected}")
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
