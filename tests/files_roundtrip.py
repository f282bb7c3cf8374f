#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads files that Lockstep writes with the packages they are meant for, and the other way round.

    tests/files_roundtrip.py BUILD [events safetensors keras]
    tests/files_roundtrip.py BUILD goldens

BUILD is the build folder. Needs tensorflow, jax, keras 3, tensorboard and safetensors (tests/golden/requirements.txt);
the committed tests do not: what was agreed here is kept in tests/golden/files.
"""
import gzip
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Not on TensorFlow: there Keras' optimizers square the gradients of an embedding's row that is looked up several times
# one by one, before they are added up.
os.environ.setdefault("KERAS_BACKEND", "jax")
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


def keras_models():
    """name -> model, compiled; as tests/test_files_keras.c has them."""
    import keras
    from keras import layers, optimizers
    keras.utils.set_random_seed(7)
    mlp = keras.Sequential([keras.Input((5,)), layers.Dense(4, "relu", name="first"), layers.Dropout(0.0),
                            layers.LayerNormalization(), layers.Dense(3)], name="mlp")
    mlp.compile(optimizers.Adam(0.01, amsgrad=True, use_ema=True), "mse")
    cnn = keras.Sequential([keras.Input((8, 8, 2)), layers.Rescaling(0.5), layers.Conv2D(3, 3),
                            layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(), layers.Flatten(),
                            layers.PReLU(), layers.Dense(2)], name="cnn")
    schedule = optimizers.schedules.ExponentialDecay(0.01, 10, 0.5)
    cnn.compile(optimizers.SGD(schedule, momentum=0.9), "mse")
    a, b = keras.Input((3,)), keras.Input((2,), dtype="int32")
    inner = keras.Sequential([layers.Dense(4), layers.Dense(4)], name="inner")
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(1).normal(2, 3, (10, 3)).astype(np.float32))
    e = layers.Flatten()(layers.Embedding(5, 4)(b))
    y = layers.Dense(3)(layers.Concatenate()([inner(normalization(a)), e]))
    functional = keras.Model([a, b], y, name="fun")
    functional.compile(optimizers.RMSprop(0.01, momentum=0.5, centered=True), "mse")
    small = keras.Sequential([keras.Input((3,)), layers.Dense(2, use_bias=False)], name="small")
    small.compile(optimizers.Adagrad(0.1), "mse")
    return {"mlp": mlp, "cnn": cnn, "functional": functional, "small": small}


def keras_files(folder):
    """Trains each model a little, saves it, and what it gives before and after one more step."""
    from safetensors.numpy import save_file
    rng = np.random.default_rng(3)
    for name, model in keras_models().items():
        x = [rng.normal(size=(6, *i.shape[1:])).astype(np.float32) if i.dtype == "float32" else
             rng.integers(0, 5, (6, *i.shape[1:])).astype(np.int32) for i in model.inputs]
        target = rng.normal(size=(6, *model.outputs[0].shape[1:])).astype(np.float32)
        for _ in range(3):
            model.train_on_batch(x, target)
        model.save_weights(os.path.join(folder, name + ".weights.h5"))
        io = {f"x{i}": v for i, v in enumerate(x)} | {"target": target, "y": model.predict_on_batch(x)}
        model.train_on_batch(x, target)
        save_file(io | {"y_after": model.predict_on_batch(x)}, os.path.join(folder, name + ".safetensors"))


def bad_h5(folder):
    """Files for the model "small" that must be refused, each for its reason; returns their names."""
    import h5py
    kernel = np.arange(6, dtype=np.float32).reshape(3, 2)

    def bomb(v):
        v.create_dataset("0", shape=(1 << 20, 1 << 20), dtype="<f4", chunks=(1 << 10, 1 << 10), compression="gzip")

    def virtual(v):
        layout = h5py.VirtualLayout((3, 2), "<f4")
        layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (3, 2))
        v.create_virtual_dataset("0", layout)

    def chunk(v):
        v.create_dataset("0", shape=(3, 2), maxshape=(None, None), dtype="<f4", chunks=(96, 96))[:] = kernel

    makers = {
        "soft": lambda v: v.__setitem__("0", h5py.SoftLink("/a")),
        "outside": lambda v: v.__setitem__("0", h5py.ExternalLink("/etc/passwd", "/a")),
        "external": lambda v: v.create_dataset("0", (3, 2), "<f4", external=[("/etc/passwd", 0, 24)]),
        "virtual": virtual, "bomb": bomb, "chunk": chunk,
        "lzf": lambda v: v.create_dataset("0", data=kernel, compression="lzf"),
        "float64": lambda v: v.create_dataset("0", data=kernel.astype("f8")),
        "integer": lambda v: v.create_dataset("0", data=kernel.astype("i4")),
        "string": lambda v: v.create_dataset("0", data="kernel"),
        "group": lambda v: v.create_group("0"),
        "rank": lambda v: v.create_dataset("0", data=kernel.reshape(-1)),
        "more": lambda v: (v.create_dataset("0", data=kernel), v.create_dataset("1", data=kernel)),
        "other": lambda v: v.create_dataset("00", data=kernel),
        "cycle": lambda v: v.__setitem__("0", v),
        # These are good.
        "good_gzip": lambda v: v.create_dataset("0", data=kernel, compression="gzip", shuffle=True),
        "good_big_endian": lambda v: v.create_dataset("0", data=kernel.astype(">f4")),
        "good_float16": lambda v: v.create_dataset("0", data=kernel.astype("f2")),
    }
    for name, make in makers.items():
        with h5py.File(os.path.join(folder, name + ".weights.h5"), "w") as file:
            file.create_group("vars")
            make(file.create_group("layers/dense/vars"))
    return list(makers)


def keras(build, folder):
    """Keras' files are read and evaluated; Keras loads what is written from there, optimizer and all."""
    import warnings
    from safetensors.numpy import load_file
    keras_files(folder)
    run(build, "test_files_keras", "--read", folder)
    trained, fresh = keras_models(), keras_models()
    for name in trained:
        io = load_file(os.path.join(folder, name + ".safetensors"))
        x = [io[k] for k in sorted(io) if k.startswith("x")]
        for model, prefix in ((trained[name], ""), (fresh[name], "ours_")):
            model.optimizer.build(model.trainable_variables)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                model.load_weights(os.path.join(folder, prefix + name + ".weights.h5"))
        pairs = [(v, w) for part in ("variables", "optimizer.variables")
                 for v, w in zip(*(eval("m." + part, {"m": m}) for m in (trained[name], fresh[name])))]
        for v, w in pairs:
            if "seed_generator" in v.path or v.path.endswith("/count"):
                continue  # not among the weights of a file; a number that nothing reads
            check(np.array_equal(v.numpy(), w.numpy()), f"{name}: {v.path}")
        check(np.allclose(fresh[name].predict_on_batch(x), io["y"], rtol=1e-6, atol=1e-6), name)


def goldens(build, folder):
    """Writes tests/golden/files anew."""
    def keep(name, path, pack=lambda data: data):
        with open(path, "rb") as file:
            digits = pack(file.read()).hex()
        with open(os.path.join(os.path.dirname(__file__), "golden", "files", name + ".hex"), "w") as file:
            file.writelines(digits[i:i + 120] + "\n" for i in range(0, len(digits), 120))
    run(build, "test_files_events", "--write", folder)
    keep("events", os.path.join(folder, os.listdir(folder)[0]))
    package_file(os.path.join(folder, "theirs.safetensors"))
    keep("safetensors", os.path.join(folder, "theirs.safetensors"))
    for name in bad_h5(folder):
        keep(f"h5_{name}.gz", os.path.join(folder, name + ".weights.h5"),
             lambda data: gzip.compress(data, 9, mtime=0))
    keras_files(folder)
    for name in keras_models():
        for suffix in (".weights.h5", ".safetensors"):
            keep(f"keras_{name}{suffix}.gz", os.path.join(folder, name + suffix),
                 lambda data: gzip.compress(data, 9, mtime=0))


PARTS = {"events": events, "safetensors": safetensors, "keras": keras}


def main():
    build, names = sys.argv[1], sys.argv[2:] or list(PARTS)
    for name in names:
        before = checks
        with tempfile.TemporaryDirectory() as folder:
            {**PARTS, "goldens": goldens}[name](os.path.abspath(build), folder)
        print(f"ok {name}: {checks - before} checks")


if __name__ == "__main__":
    main()
