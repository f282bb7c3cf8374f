#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads files that Lockstep writes with the packages they are meant for, and the other way round.

    tests/files_roundtrip.py BUILD [events safetensors ...]
    tests/files_roundtrip.py BUILD goldens

BUILD is the build folder. Needs tensorflow, keras 3, tensorboard and safetensors (tests/golden/requirements.txt);
the committed tests do not: what was agreed here is kept in tests/golden/files.
"""
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import numpy as np  # noqa: E402

checks = 0


def check(condition, message):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"FAILED {message}")


def run(build, program, *arguments):
    subprocess.run([os.path.join(build, "tests", program), *arguments], check=True,
                   env=dict(os.environ, LOCKSTEP_BACKEND="reference"))


def events(build, folder):
    """TensorBoard's reader sees every value; the buckets are those that TensorBoard would have made."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.histogram import summary_v2
    from tensorboard.util import tensor_util
    run(build, "test_files_events", "--write", folder)
    reader = EventAccumulator(folder)
    reader.Reload()
    tags = set(reader.Tags()["tensors"])
    smile = "ünïcode/\U0001f642"
    check(tags == {"epoch_loss", smile, "dense/kernel/histogram", "constant", "empty", "ids", "notes"}, tags)
    loss = reader.Tensors("epoch_loss")
    check([(e.wall_time, e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in loss]
          == [(1700000000.5, 3, 0.5), (1700000000.5, 4, 0.25)], loss)
    tiny = reader.Tensors(smile)[0]
    check(tiny.step == 1 << 40 and tensor_util.make_ndarray(tiny.tensor_proto) == np.float32(-1.5e-30), tiny)
    for tag, plugin in [("epoch_loss", "scalars"), ("constant", "histograms"), ("notes", "text")]:
        check(reader.SummaryMetadata(tag).plugin_data.plugin_name == plugin, tag)
    ramp = np.arange(100, dtype=np.float32) * np.float32(0.125) - 3
    holes = np.delete(ramp, [50, 51])
    cases = [("dense/kernel/histogram", 0, ramp), ("dense/kernel/histogram", 1, holes), ("constant", 0, [2.5] * 7),
             ("empty", 0, []), ("ids", 0, [1, 2, 3, 1000])]
    for tag, index, data in cases:
        ours = tensor_util.make_ndarray(reader.Tensors(tag)[index].tensor_proto)
        theirs = tensor_util.make_ndarray(summary_v2.histogram_pb(tag, data).value[0].tensor)
        check(ours.shape == theirs.shape == (30, 3), f"{tag}: {ours.shape}")
        check(np.array_equal(ours[:, 2], theirs[:, 2]) and np.allclose(ours, theirs, rtol=1e-14, atol=1e-14), tag)
    note = tensor_util.make_ndarray(reader.Tensors("notes")[0].tensor_proto)
    check(note.item().decode() == "**bold** and ä", note)


def package_file(path):
    """What the package writes, with what needs a rule: int64, float64, rank 9."""
    from safetensors.numpy import save_file
    save_file({"kernel": np.array([0.5, 1, -2], np.float32), "iteration": np.array([-7, 2**31 - 1], np.int64),
               "wide": np.array(2**31, np.int64), "double": np.ones(2), "deep": np.zeros([1] * 9, np.float32),
               "empty": np.zeros((3, 0), np.float32), "flags": np.array([True, False])}, path, {"format": "np"})


def safetensors(build, folder):
    """The package reads ours, to the bit; we read the package's."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file
    run(build, "test_files_safetensors", "--write", folder)
    path = os.path.join(folder, "ours.safetensors")
    ours = load_file(path)
    kernel = np.array([[1.5, -0.0, 3.4e38], [1e-45, np.nan, np.inf]], np.float32)
    check(ours["mlp/dense/kernel"].numpy().tobytes() == kernel.tobytes(), ours["mlp/dense/kernel"])
    check(ours["scalar"].shape == () and ours["scalar"].item() == 2.25, ours["scalar"])
    check(ours["nothing"].shape == (0, 4), ours["nothing"].shape)
    check(ours["i"].tolist() == [-2**31, -1, 2**31 - 1] and ours["i"].dtype == torch.int32, ours["i"])
    check(ours["u"].tolist() == [0, 7, 255] and ours["b"].tolist() == [True, False], ours["u"])
    check(ours["h"].tolist() == [1, -2.5] and ours["h"].dtype == torch.float16, ours["h"])
    check(ours["bf"].tolist() == [1, -3] and ours["bf"].dtype == torch.bfloat16, ours["bf"])
    check(ours['näme "quoted"\n'].tolist() == [1] and len(ours) == 9, list(ours))
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    check(metadata["epoch"] == "3" and len(metadata["lockstep.crc32c"]) == 8, metadata)
    theirs = os.path.join(folder, "theirs.safetensors")
    package_file(theirs)
    run(build, "test_files_safetensors", "--read", theirs)


def goldens(build, folder):
    """Writes tests/golden/files anew."""
    def keep(name, path):
        with open(path, "rb") as file:
            digits = file.read().hex()
        with open(os.path.join(os.path.dirname(__file__), "golden", "files", name + ".hex"), "w") as file:
            file.writelines(digits[i:i + 120] + "\n" for i in range(0, len(digits), 120))
    run(build, "test_files_events", "--write", folder)
    keep("events", os.path.join(folder, os.listdir(folder)[0]))
    package_file(os.path.join(folder, "theirs.safetensors"))
    keep("safetensors", os.path.join(folder, "theirs.safetensors"))


PARTS = {"events": events, "safetensors": safetensors}


def main():
    build, names = sys.argv[1], sys.argv[2:] or list(PARTS)
    for name in names:
        before = checks
        with tempfile.TemporaryDirectory() as folder:
            {**PARTS, "goldens": goldens}[name](os.path.abspath(build), folder)
        print(f"ok {name}: {checks - before} checks")


if __name__ == "__main__":
    main()
