"""Prints points per CPU second of krcf and of cutbank, and the ratio, for both streams."""
import json
import math
import os
import subprocess
import sys
import time

import krcf

MASK = (1 << 64) - 1
WARM_UP = 10_000
PEER_POINTS = 4_000


class Gaussian:
    """The generator of `cutbank bench forest`: SplitMix64 and Box-Muller."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53

    def next(self):
        a, b = 1 - self.uniform(), self.uniform()
        return math.sqrt(-2 * math.log(a)) * math.cos(2 * math.pi * b)


def peer(stream, dimensions):
    """Score then update of every point; of three runs the best counts."""
    noise = Gaussian(1)
    shingled = stream == "sine"
    count = WARM_UP + 3 * PEER_POINTS
    if shingled:
        points = [[10 * math.sin(2 * math.pi * t / 50) + noise.next()] for t in range(count)]
    else:
        points = [[noise.next() for _ in range(dimensions)] for _ in range(count)]
    forest = krcf.RandomCutForest(
        {
            "dimensions": 1 if shingled else dimensions,
            "shingle_size": dimensions if shingled else 1,
            "num_trees": 50,
            "sample_size": 256,
            "lambda": 1 / 2560,
            "output_after": 64,
            "initial_accept_fraction": 1.0,
            "internal_shingling": True,
            "random_seed": 1,
        }
    )
    for point in points[:WARM_UP]:
        forest.update(point)
    best, total = math.inf, 0.0
    for run in range(3):
        part = points[WARM_UP + run * PEER_POINTS : WARM_UP + (run + 1) * PEER_POINTS]
        start = time.thread_time()
        for point in part:
            total += forest.score(point)
            forest.update(point)
        best = min(best, time.thread_time() - start)
    return PEER_POINTS / best, total / (3 * PEER_POINTS)


def ours(cutbank, stream, dimensions, points):
    line = subprocess.run(
        [cutbank, "bench", "forest", "--stream", stream, "--dimensions", str(dimensions)]
        + ["--trees", "50", "--points", str(points), "--json"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.loads(line)


def main():
    cutbank = sys.argv[1]
    sizes = [int(size) for size in os.environ.get("DIMENSIONS", "1 8 48 96").split()]
    points = int(os.environ.get("POINTS", "20000"))
    rounds = int(os.environ.get("ROUNDS", "2"))
    heading = ("stream", "D", "krcf", "cutbank", "in batches", "ratio", "mean scores")
    print("%-6s %3s %10s %10s %11s %8s   %s" % heading)
    for size in sizes:
        for stream in ("sine", "gauss"):
            theirs, best, batch = 0.0, 0.0, 0.0
            for _ in range(rounds):
                rate, their_mean = peer(stream, size)
                theirs = max(theirs, rate)
                figures = ours(cutbank, stream, size, points)
                best = max(best, figures["score_update_points_per_cpu_second"])
                batch = max(batch, figures["batch_score_update_points_per_cpu_second"])
            # Up to 8 dimensions single points count; beyond, whichever is faster.
            counted = best if size <= 8 else max(best, batch)
            print(
                "%-6s %3d %10.0f %10.0f %11.0f %7.1fx   %.3f %.3f"
                % (stream, size, theirs, best, batch, counted / theirs, their_mean, figures["mean_score"])
            )
    print("points per CPU second, score then update, 50 trees of 256 points, one core")


main()
