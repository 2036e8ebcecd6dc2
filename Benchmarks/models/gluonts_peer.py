"""Trains GluonTS's DeepAR with its defaults on the hourly series and forecasts their ends.

Prints one line of JSON: CPU seconds of an epoch and of a forecast, loss, coverage, peak memory.
"""
import json
import logging
import resource
import sys
import tempfile
import time
import warnings

import numpy
import torch
from gluonts.dataset.common import ListDataset
from gluonts.torch import DeepAREstimator

HORIZON = 24


def main():
    folder, epochs = sys.argv[1], int(sys.argv[2])
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    numpy.random.seed(0)
    train = [json.loads(line) for line in open(f"{folder}/synth_hourly_train.json")]
    full = [json.loads(line) for line in open(f"{folder}/synth_hourly_test.json")]
    scratch = tempfile.TemporaryDirectory()
    estimator = DeepAREstimator(
        freq="h",
        prediction_length=HORIZON,
        trainer_kwargs={
            "max_epochs": epochs,
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "logger": False,
            "default_root_dir": scratch.name,
        },
    )
    started = time.process_time()
    predictor = estimator.train(ListDataset(train, freq="h"))
    trained = time.process_time() - started
    started = time.process_time()
    forecasts = list(predictor.predict(ListDataset(train, freq="h"), num_samples=100))
    predicted = time.process_time() - started
    truth = numpy.array([series["target"][-HORIZON:] for series in full])
    samples = numpy.array([forecast.samples for forecast in forecasts])
    losses = []
    for level in numpy.arange(1, 10) / 10:
        value = numpy.quantile(samples, level, axis=1)
        losses.append(2 * numpy.abs((level - (truth <= value)) * (truth - value)).sum())
    low, high = numpy.quantile(samples, [0.1, 0.9], axis=1)
    print(
        json.dumps(
            {
                "epoch_seconds": trained / epochs,
                "forecast_seconds": predicted / len(train),
                "loss": numpy.mean(losses) / numpy.abs(truth).sum(),
                "coverage": ((truth >= low) & (truth <= high)).mean(),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
            }
        )
    )


main()
