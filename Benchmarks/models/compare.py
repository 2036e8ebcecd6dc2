"""Prints CPU seconds and quality of scikit-learn, GluonTS and cutbank on the same data, and the ratio."""
import json
import os
import subprocess
import sys
import time
from statistics import median

import numpy
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

CUTBANK, GENERATORS, DATA = sys.argv[1:]
SHORT = os.environ.get("SHORT") == "1"
SEEDS = int(os.environ.get("SEEDS", "1" if SHORT else "3"))
EPOCHS = int(os.environ.get("EPOCHS", "2" if SHORT else "100"))


def generate():
    """The data sets that are not there yet, by the generators' own functions."""
    path = os.path.abspath(DATA)
    sys.path.insert(0, GENERATORS)
    sys.argv = ["generate", path]
    import gen_data

    sets = [("blobs_short", 50_000, 16, 50)]
    if not SHORT:
        sets = [("blobs_1m_16_100", 1_000_000, 16, 100), ("blobs_200k_64_500", 200_000, 64, 500)]
    for name, n, d, k in sets:
        if not os.path.exists(f"{path}/{name}.json"):
            gen_data.blobs(name, n, d, k)
    if not os.path.exists(f"{path}/synth_hourly_test.json"):
        gen_data.hourly()
    if not SHORT and not os.path.exists(f"{path}/mix_300k_16_100.json"):
        import gen_hard  # noqa: F401  (it writes when it is imported)
    return [name for name, *_ in sets]


def load(name):
    shape = json.load(open(f"{DATA}/{name}.json"))
    rows = numpy.fromfile(f"{DATA}/{name}.f32", dtype=numpy.float32)
    return rows.reshape(shape["n"], shape["d"]), shape


def ours(algorithm, file, hyperparameters, *more):
    lines = subprocess.run(
        [CUTBANK, "bench", "models", algorithm, "--data", f"{DATA}/{file}", "--json"]
        + ["--hyperparameters", ",".join(f"{k}={v}" for k, v in hyperparameters.items())]
        + list(more),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [json.loads(line) for line in lines.splitlines()]


def show(what, theirs, mine, bar, quality):
    ratio = f"{mine / theirs:.3f}" if theirs else "-"
    peer = f"{theirs:.3f}" if theirs else "-"
    print("%-34s %10s %10.3f %8s %9s   %s" % (what, peer, mine, ratio, bar, quality), flush=True)


def kmeans(name, passes, bar):
    rows, shape = load(name)
    settings = {"k": shape["k"], "extra_center_factor": 4, "eval_metrics": "ssd"}
    if passes:
        settings["full_lloyd_max_iter"] = passes
    found = ours("kmeans", f"{name}.f32", settings, "--seeds", str(SEEDS))
    seconds, costs = [], []
    for seed in range(SEEDS):
        started = time.process_time()
        model = KMeans(shape["k"], n_init=1, random_state=seed).fit(rows)
        seconds.append(time.process_time() - started)
        costs.append(model.inertia_)
    # Beside the generating centres, or beside the peer where they are not the best.
    reference = median(costs) if passes else shape["inertia_true_centres_own_label"]
    mine = [line["metrics"]["train:ssd"] / reference for line in found]
    show(
        f"k-means {name}",
        median(seconds),
        median(line["cpu_seconds"] for line in found),
        bar,
        "cost %.4f-%.4f, scikit-learn %.4f-%.4f"
        % (min(mine), max(mine), min(costs) / reference, max(costs) / reference),
    )
    disk = ours("kmeans", f"{name}.f32", settings, "--on-disk")[0]
    print(
        "%-34s rows %.0f MiB; process at most %d MiB with them in memory (%d of its own, the rest"
        " pages of programs), %d MiB on disk (%d)"
        % (
            "",
            rows.nbytes / 2**20,
            found[-1]["peak_mib"],
            found[-1]["own_mib"],
            disk["peak_mib"],
            disk["own_mib"],
        ),
        flush=True,
    )


def pca(name):
    rows, shape = load(name)
    count = 10
    found = ours("pca", f"{name}.f32", {"num_components": count}, "--seeds", "5")
    seconds = []
    for _ in range(5):
        started = time.process_time()
        PCA(count, svd_solver="covariance_eigh").fit(rows)
        seconds.append(time.process_time() - started)
    mine = numpy.array(found[0]["components"]).reshape(count, shape["d"])
    # In double precision: scikit-learn keeps that of the rows, and loses digits in the covariance.
    model = PCA(count, svd_solver="covariance_eigh").fit(rows.astype(numpy.float64))
    theirs = model.components_ * numpy.sign((model.components_ * mine).sum(axis=1))[:, None]
    show(
        f"PCA {name}",
        median(seconds),
        median(line["cpu_seconds"] for line in found),
        "1.5",
        "components differ by %.1e" % numpy.abs(mine - theirs).max(),
    )


def deepar():
    settings = {
        "time_freq": "H",
        "context_length": 24,
        "prediction_length": 24,
        "epochs": EPOCHS,
        "mini_batch_size": 32,
        "num_batches_per_epoch": 50,
    }
    test = f"{DATA}/synth_hourly_test.json"
    mine = ours("deepar", "synth_hourly_train.json", settings, "--test", test)[0]
    theirs = None
    if python := os.environ.get("GLUONTS_PYTHON"):
        folder = os.path.dirname(os.path.abspath(__file__))
        peer = subprocess.run(
            [python, f"{folder}/gluonts_peer.py", DATA, str(EPOCHS)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        theirs = json.loads(peer.splitlines()[-1])
    else:
        print("GluonTS is not installed: DeepAR is measured alone", flush=True)

    def quality(loss, coverage):
        return "mean_wQuantileLoss %.4f, 80 %% interval %.3f" % (loss, coverage)

    words = quality(mine["metrics"]["test:mean_wQuantileLoss"], mine["metrics"]["test:coverage"])
    if theirs:
        words += "; GluonTS " + quality(theirs["loss"], theirs["coverage"])
    show(
        f"DeepAR epoch, {EPOCHS} epochs",
        theirs and theirs["epoch_seconds"],
        mine["cpu_seconds"] / EPOCHS,
        "0.4",
        words,
    )
    show(
        "DeepAR forecast of 100 paths, ms",
        theirs and 1e3 * theirs["forecast_seconds"],
        1e3 * mine["forecast_cpu_seconds"],
        "0.6",
        "process at most %d MiB" % mine["peak_mib"]
        + ("; GluonTS %d MiB" % theirs["peak_mib"] if theirs else ""),
    )


def main():
    names = generate()
    print("%-34s %10s %10s %8s %9s   %s" % ("CPU seconds", "peer", "cutbank", "ratio", "bar", "quality"))
    for name in names:
        kmeans(name, 0, "0.08")
    if not SHORT:
        kmeans("mix_300k_16_100", 25, "0.25")
    pca(names[0])
    deepar()
    print(f"medians of {SEEDS} seeds, one thread each; cost in units of the generating centres', of the")
    print("mixture in units of scikit-learn's median")


main()
