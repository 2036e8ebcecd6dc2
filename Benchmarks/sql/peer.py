"""The applications of `cutbank bench sql` in the peers' terms, from a file of JSON lines to another.

Prints one line of JSON: application, peer and rows per second of CPU time of this process.
"""

import json
import sys
import time
from collections import deque
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

START = datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)


def record_time(record):
    """A millisecond apart, as cutbank counts them."""
    return START + timedelta(milliseconds=record["id"])


def filtered(stream, op):
    kept = op.filter("where", stream, lambda record: record["value"] > 20000)
    return op.map(
        "project",
        kept,
        lambda record: {
            "id": record["id"],
            "key": record["key"],
            "celsius": (record["value"] - 32) * 5 / 9,
            "site": record["site"],
        },
    )


def tumbling(stream, op):
    import bytewax.operators.windowing as windowing

    clock = windowing.EventClock(record_time, timedelta(0))
    window = windowing.TumblingWindower(length=timedelta(seconds=10), align_to=START)
    keyed = op.key_on("key", stream, lambda record: record["key"])

    def fold(state, record):
        return (state[0] + 1, state[1] + record["value"])

    folded = windowing.fold_window(
        "window",
        keyed,
        clock,
        window,
        lambda: (0, 0.0),
        fold,
        lambda one, other: (one[0] + other[0], one[1] + other[1]),
    )
    return op.map(
        "project",
        folded.down,
        lambda item: {"key": item[0], "n": item[1][1][0], "mean": item[1][1][1] / item[1][1][0]},
    )


def sliding(stream, op):
    keyed = op.key_on("key", stream, lambda record: record["key"])

    def step(state, record):
        held, total = state or (deque(), 0.0)
        now = record["id"]
        held.append((now, record["value"]))
        total += record["value"]
        while held[0][0] < now - 60000:
            total -= held.popleft()[1]
        row = {"key": record["key"], "value": record["value"], "mean": total / len(held)}
        return (held, total), row

    mapped = op.stateful_map("window", keyed, step)
    return op.map("project", mapped, lambda item: item[1])


def run_bytewax(name, source, target):
    import bytewax.operators as op
    from bytewax.connectors.files import FileSink, FileSource
    from bytewax.dataflow import Dataflow
    from bytewax.testing import run_main

    flow = Dataflow("bench")
    lines = op.input("in", flow, FileSource(source, batch_size=1000))
    records = op.map("decode", lines, json.loads)
    rows = {"filter": filtered, "tumbling": tumbling, "sliding": sliding}[name](records, op)
    encoded = op.map("encode", rows, lambda row: ("", json.dumps(row)))
    op.output("out", encoded, FileSink(target))
    run_main(flow)


def run_dbscan(source, target, limit):
    import numpy
    from sklearn.cluster import DBSCAN

    window = deque(maxlen=1000)
    count = 0
    with open(source) as lines, open(target, "w") as out:
        for line in lines:
            record = json.loads(line)
            window.append((record["x"], record["y"]))
            points = numpy.array(window)
            labels = DBSCAN(eps=0.2, min_samples=17).fit(points).labels_
            spots = [
                {
                    "minValues": points[labels == label].min(axis=0).tolist(),
                    "maxValues": points[labels == label].max(axis=0).tolist(),
                }
                for label in set(labels.tolist()) - {-1}
            ]
            out.write(json.dumps({"x": record["x"], "y": record["y"], "hotspots": spots}) + "\n")
            count += 1
            if count == limit:
                break
    return count


def main():
    name, source, target = sys.argv[1:]
    with open(source) as lines:
        count = sum(1 for _ in lines)
    start = time.process_time()
    if name == "hotspots":
        count = run_dbscan(source, target, min(count, 3000))
        peer = f"scikit-learn {version('scikit-learn')}"
    else:
        run_bytewax(name, source, target)
        peer = f"bytewax {version('bytewax')}"
    rate = count / (time.process_time() - start)
    print(json.dumps({"application": name, "peer": peer, "rows_per_second": rate}))


main()
