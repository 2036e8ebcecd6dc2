#!/usr/bin/env python3
"""Reads the output of `swift test` and prints what became of each fault.

Suites are named "Fault NN: what happens"; a fault with several suites has passed when all have. Tests
tell more in lines of their own: "Fault NN saw: …" and "Fault NN balance: …". A fault that has passed
without a word on its balances counts as failed.
"""

import re
import sys

# Number, fault, what is expected, what of it the program does not have yet.
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
11|poison pills|one dead letter each, the forest never sees them|Avro
12|nothing but poison|paused with a reason, few dead letters, goes on when told|
13|schema registry away|cached ids go on, unknown ones wait|Avro and schema registries
14|out of order within the bound, and beyond|reordered; late stream|
15|clock steps, timestamps of 1970, 2038, 9999|timers go on; future is a dead letter; UTC in names|
16|idle partitions|windows close, traffic resumes|
17|2,000,000 keys|at most a fifth above the budget, NO_MODEL beyond, hot keys as if alone|
18|disk full, read-only, EIO|pauses, nothing partial, goes on by itself|
19|crash between write and rename|only whole objects|
20|hostile HTTP endpoint|retries, halves, waits, one request id|
21|webhook dead, 410, metadata address, slow|outbox keeps, refuses, does not slow scoring|
22|reload refused, stuck sink, 100 SIGHUPs|old configuration goes on; at most two reloads|
23|model swap, bad models|no row unscored, champion stays|
24|SQL errors|row to error_stream; refused with place|
25|few files, one processor, little memory|works, or says which limit|the HTTP API and its limits
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
TOLD = re.compile(r"^Fault (\d+) (saw|balance): (.*)$")
ISSUE = re.compile(r"^\S+ Test .* recorded an issue|^error: .*unexpected signal")


class Fault:
    """What was read of one fault."""

    def __init__(self):
        self.suites = []
        self.seen = []
        self.balances = []

    def judge(self):
        """The result, and how its balances are."""
        ran = [suite for suite in self.suites if suite[0] != "skipped"]
        if not ran:
            return "skipped", ""
        if any(suite[0] == "failed" for suite in ran):
            return "FAILED", f"{len(self.balances)}"
        if not self.balances:
            return "FAILED", "missing"
        return "passed", f"{len(self.balances)} even" if self.has_balance() else "none"

    def has_balance(self):
        return any(not text.startswith("none, ") for text in self.balances)

    def reason(self):
        """Why suites did not run."""
        reasons = [suite[2] for suite in self.suites if suite[0] == "skipped" and suite[2]]
        return "; ".join(dict.fromkeys(reasons))

    def seconds(self):
        return sum(suite[1] for suite in self.suites)


def read(lines):
    faults = {}
    issues = []
    for line in lines:
        print(line, end="", file=sys.stderr, flush=True)
        line = line.rstrip("\n")
        suite, told = SUITE.search(line), TOLD.search(line)
        if suite:
            _, number, result, seconds, reason = suite.groups()
            fault = faults.setdefault(int(number), Fault())
            fault.suites.append((result, float(seconds or 0), reason))
        elif told:
            fault = faults.setdefault(int(told[1]), Fault())
            (fault.seen if told[2] == "saw" else fault.balances).append(told[3])
        elif ISSUE.search(line):
            issues.append(line)
    return faults, issues


def main():
    faults, issues = read(sys.stdin)
    results = []
    print(f"{'no':>3}  {'fault':<48} {'result':<8} {'seconds':>7}  balances")
    for line in FAULTS.strip().splitlines():
        number, name, expected, absent = line.split("|")
        fault = faults.get(int(number), Fault())
        result, balances = fault.judge()
        results.append(result)
        seconds = f"{fault.seconds():.0f}" if result != "skipped" else ""
        print(f"{number:>3}  {name:<48} {result:<8} {seconds:>7}  {balances}".rstrip())
        print(f"{'expected':>13}  {expected}")
        for text in dict.fromkeys(fault.seen):
            print(f"{'seen':>13}  {text}")
        for text in dict.fromkeys(fault.balances):
            print(f"{'balance':>13}  {text}")
        if absent:
            print(f"{'not there yet':>13}  {absent}")
        if fault.reason() or result == "skipped" and not absent:
            print(f"{'skipped':>13}  {fault.reason() or 'no suite of this build'}")
    for line in issues:
        print(line)
    passed, failed, skipped = (results.count(name) for name in ("passed", "FAILED", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or issues or not faults else 0)


if __name__ == "__main__":
    main()
