#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Five epochs of fit on Fashion-MNIST: Lockstep's and Keras', in turns.

    /tmp/peers/bin/python bench/peers/fit.py [--rounds 3] [--keras-only]

The network 784-256-128-10, ReLU, batch 128, Adam, 55,000 images, a progress bar that goes nowhere. The seconds are
those of fit alone, Keras' with its tracing in the first epoch; the accuracies stand beside them.
"""
import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("LOCKSTEP_DATA_DIR", "/usr/share/datasets/fashion-mnist"))


def keras_fit():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import contextlib
    import time

    import keras
    import numpy as np
    folder = next(f for f in (DATA, DATA / "fashion-mnist", *DATA.glob("**/")) if list(f.glob("train-images*")))
    with gzip.open(next(folder.glob("train-images*.gz"))) as f:
        x = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 28, 28)[:55000]
    with gzip.open(next(folder.glob("train-labels*.gz"))) as f:
        y = np.frombuffer(f.read(), np.uint8, offset=8)[:55000]
    keras.utils.set_random_seed(42)
    layers = keras.layers
    model = keras.Sequential([layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(256, activation="relu"),
                              layers.Dense(128, activation="relu"), layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    start = time.monotonic()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        history = model.fit(x, y, batch_size=128, epochs=5, verbose=1)
    seconds = time.monotonic() - start
    print(json.dumps({"seconds": seconds, "accuracy": history.history["accuracy"][-1], "keras": keras.__version__}))


def run(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keras-only", action="store_true", help="one run of Keras, for the rounds")
    arguments = parser.parse_args()
    if arguments.keras_only:
        return keras_fit()
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(run([ROOT / "build/bench/fit_fashion"]))
        theirs.append(run([sys.executable, __file__, "--keras-only"]))
    ours_s, theirs_s = (statistics.median(r["seconds"] for r in runs) for runs in (ours, theirs))
    print(f"Lockstep {ours_s:.2f} s, accuracy {ours[0]['accuracy']:.4f}, weights {ours[0]['weights']}")
    print(f"Keras {theirs[0]['keras']} {theirs_s:.2f} s, accuracy {theirs[0]['accuracy']:.4f}")
    print(f"ratio {ours_s / theirs_s:.2f}, medians of {arguments.rounds} rounds in turn")


main()
