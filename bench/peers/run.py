#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lockstep beside its peers: the same training step and matrix products, interleaved in one run.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r bench/peers/requirements.txt
    /tmp/peers/bin/python bench/peers/run.py [--device reference --device opencl] [--json out.json]

mlp   one step of the network 784-256-128-10, ReLU, batch 128, Adam: forward, backward, update, and
      the wait for its loss. The batch lies in memory already.
gemm  (m, k) x (k, n) as MxNxK, through torch.mm.

Every contestant lives in a process of its own with two threads on two cores, and is asked in turn,
round after round, so that a busy minute hurts all alike; while one runs the others sleep. A figure
is the median over all rounds. Lockstep's are those of `lockstep bench ... --json`, which checks the
bits first. A peer that is not installed is reported as absent.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

THREADS = 2
BATCH, SIZES = 128, (784, 256, 128, 10)
GEMMS = ((128, 256, 784), (784, 256, 128), (512, 512, 512), (1024, 1024, 1024))  # m, n, k
WARM_UP = 20
# 3 products per layer, but no input gradient for the first one.
MLP_FLOP = 2 * BATCH * (3 * sum(a * b for a, b in zip(SIZES, SIZES[1:])) - SIZES[0] * SIZES[1])


# ---- Contestants: each returns its version and {job: a function that does the job once} ----

def numpy_batch():
    import numpy as np
    generator = np.random.default_rng(0)
    x = generator.random((BATCH, SIZES[0]), np.float32)
    y = generator.integers(0, SIZES[-1], BATCH)
    weights = [generator.normal(0, (2 / a) ** 0.5, (a, b)).astype(np.float32) for a, b in zip(SIZES, SIZES[1:])]
    return x, y, weights


def pytorch():
    import torch
    torch.set_num_threads(THREADS)
    images, labels, weights = numpy_batch()
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    layers = []
    for w in weights:
        layers += [torch.nn.Linear(*w.shape), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()

    def step():
        adam.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        adam.step()
        return loss.item()

    jobs = {"mlp": step}
    for m, n, k in GEMMS:
        a, b, c = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
        jobs[f"gemm {m}x{n}x{k}"] = lambda a=a, b=b, c=c: torch.mm(a, b, out=c)
    return torch.__version__, jobs


def tensorflow():
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    images, labels, weights = numpy_batch()
    x, y = tf.constant(images), tf.constant(labels)
    layers = [tf.keras.layers.Dense(w.shape[1], "relu" if i < 2 else None) for i, w in enumerate(weights)]
    model = tf.keras.Sequential([tf.keras.Input((SIZES[0],)), *layers])
    adam = tf.keras.optimizers.Adam(1e-3)
    adam.build(model.trainable_variables)

    @tf.function
    def train(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=True)))
        adam.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    return tf.__version__, {"mlp": lambda: float(train(x, y))}


def jax_jit():
    import jax
    import jax.numpy as jnp
    images, labels, weights = numpy_batch()
    x, y = jnp.asarray(images), jnp.asarray(labels)
    parameters = [(jnp.asarray(w), jnp.zeros(w.shape[1])) for w in weights]
    zeros = jax.tree.map(jnp.zeros_like, parameters)

    def loss_of(parameters, x, y):
        for w, b in parameters[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = parameters[-1]
        return -jnp.take_along_axis(jax.nn.log_softmax(x @ w + b), y[:, None], 1).mean()

    def train(state, x, y):
        parameters, m, v, t = state
        loss, g = jax.value_and_grad(loss_of)(parameters, x, y)
        t = t + 1
        rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = jax.tree.map(lambda m, g: m + (g - m) * 0.1, m, g)
        v = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, v, g)
        parameters = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), parameters, m, v)
        return (parameters, m, v, t), loss

    train = jax.jit(train, donate_argnums=0)
    state = [(parameters, zeros, jax.tree.map(jnp.zeros_like, parameters), jnp.float32(0))]

    def step():
        state[0], loss = train(state[0], x, y)
        return float(loss)

    return jax.__version__, {"mlp": step}


def tinygrad():
    import importlib.metadata
    from tinygrad import Tensor, TinyJit, nn
    images, labels, weights = numpy_batch()
    x, y = Tensor(images).realize(), Tensor(labels.astype("int32")).realize()
    layers = [nn.Linear(*w.shape) for w in weights]
    adam = nn.optim.Adam(nn.state.get_parameters(layers), lr=1e-3)

    @TinyJit
    def train(x, y):
        adam.zero_grad()
        for layer in layers[:-1]:
            x = layer(x).relu()
        loss = layers[-1](x).sparse_categorical_crossentropy(y).backward()
        return loss.realize(*adam.schedule_step())

    return importlib.metadata.version("tinygrad"), {"mlp": lambda: train(x, y).item()}


# name: (function, environment)
PEERS = {
    "PyTorch eager, fused Adam": (pytorch, {}),
    "TensorFlow tf.function": (tensorflow, {"TF_CPP_MIN_LOG_LEVEL": "3"}),
    "JAX jit": (jax_jit, {"JAX_PLATFORMS": "cpu"}),
    "tinygrad CPU": (tinygrad, {"DEV": "CPU", "TRAINING": "1", "NUM_CPU_THREADS": str(THREADS)}),
    "tinygrad OpenCL": (tinygrad, {"DEV": "CL", "TRAINING": "1"}),
}
THREAD_VARIABLES = {name: str(THREADS) for name in (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT", "POCL_CPU_MAX_CU_COUNT")}


# ---- A contestant's own process: one request a line on stdin, one answer a line ----

def work(name, answers):
    start = time.perf_counter()
    version, jobs = PEERS[name][0]()
    jobs["mlp"]()
    hello = {"version": version, "jobs": list(jobs), "first_step_s": time.perf_counter() - start}
    print(json.dumps(hello), file=answers, flush=True)
    warm = set()
    for line in sys.stdin:
        request = json.loads(line)
        job = jobs[request["job"]]
        for _ in range(3 if request["job"] in warm else WARM_UP):
            job()
        warm.add(request["job"])
        times, end = [], time.perf_counter() + request["seconds"]
        while time.perf_counter() < end or len(times) < 3:
            begin = time.perf_counter()
            job()
            times.append(time.perf_counter() - begin)
        print(json.dumps(times), file=answers, flush=True)


class Peer:
    def __init__(self, name):
        self.name, self.reason = name, None
        environment = {**os.environ, **THREAD_VARIABLES, **PEERS[name][1]}
        self.process = subprocess.Popen([sys.executable, __file__, "--worker", name], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        hello = self.process.stdout.readline()
        if not hello:
            error = self.process.communicate()[1].strip().splitlines()
            self.reason = error[-1] if error else "no answer"
            return
        self.__dict__.update(json.loads(hello))

    def measure(self, job, seconds):
        try:
            print(json.dumps({"job": job, "seconds": seconds}), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            self.reason = f"ended during {job}"
            return []

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(30)


# ---- Lockstep ----

def lockstep(tool, device):
    """{job: entry} of one `lockstep bench`, or a reason why not."""
    try:
        run = subprocess.run([tool, "bench", "mlp", "gemm", "--device", device, "--json"], text=True,
                             capture_output=True, env={**os.environ, **THREAD_VARIABLES}, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, str(error)
    try:
        entries = json.loads(run.stdout)
    except ValueError:
        return {}, (run.stderr.strip().splitlines() or [f"{tool} ended with {run.returncode}"])[-1]
    jobs = {}
    for entry in entries:
        sizes = re.search(r"(\d+)\D(\d+)\D(\d+)", entry["name"])
        cube = re.search(r"gemm\D*(\d+)", entry["name"])
        if sizes:
            jobs["gemm " + "x".join(sizes.groups())] = entry
        elif cube:
            jobs["gemm " + "x".join(cube.groups() * 3)] = entry
        else:
            jobs[entry["name"]] = entry
    return jobs, None


# ---- The run ----

def rows_of(job, peers, samples, devices, peak):
    """One line of the table, as a dict, per contestant of a job."""
    m, n, k = map(int, job.split()[1].split("x")) if job != "mlp" else (0, 0, 0)
    flop = MLP_FLOP if job == "mlp" else 2 * m * n * k
    rows = []
    for peer in peers:
        if job == "mlp" if peer.reason else job in peer.jobs:
            times = samples.get((peer.name, job))
            median = statistics.median(times) if times else None
            who = peer.name if job == "mlp" else f"{peer.name.split()[0]} mm"
            rows.append({"name": job, "who": who, "version": getattr(peer, "version", None), "median_s": median,
                         "fastest_s": min(times) if times else None, "reason": peer.reason,
                         "first_step_s": getattr(peer, "first_step_s", None)})
    for device, (runs, reason) in devices.items():
        # `mlp` may come with variants of its own, such as mlp_captured.
        entries = [e for run in runs for name, e in run.items() if name == job or job == "mlp" and name.startswith(job)]
        for name in dict.fromkeys(entry["name"] for entry in entries) or [None]:
            mine = [e for e in entries if e["name"] == name]
            variant = name.removeprefix("mlp").strip(" _") if name and job == "mlp" else ""
            label = f"Lockstep {device}" + (f", {variant}" if variant else "")
            rows.append({"name": job, "who": label, "version": None, "bits": mine[0]["bits"] if mine else None,
                         "median_s": statistics.median(e["median_s"] for e in mine) if mine else None,
                         "reason": None if mine else reason or "not in the report of `lockstep bench`"})
    base = next((r["median_s"] for r in rows if r["who"].startswith("PyTorch")), None)
    for row in rows:
        time_s = row["median_s"]
        row["gflops"] = flop / time_s / 1e9 if time_s else None
        row["fraction_of_peak"] = row["gflops"] / peak if time_s and peak else None
        row["ratio_to_pytorch"] = time_s / base if time_s and base else None
    return rows


def table(rows):
    def text(value, form):
        return format(value, form) if value is not None else "-"
    lines = [f"{'job':<20} {'who':<32} {'ms':>9} {'GFLOP/s':>9} {'of peak':>8} {'x PyTorch':>10}  note"]
    for row in rows:
        note = f"absent: {row['reason']}" if row["reason"] else row["version"] or f"bits {row.get('bits')}"
        time_ms = row["median_s"] * 1e3 if row["median_s"] else None
        lines.append(f"{row['name']:<20} {row['who']:<32} {text(time_ms, '9.3f'):>9} {text(row['gflops'], '9.1f'):>9} "
                     f"{text(row['fraction_of_peak'], '8.2f'):>8} {text(row['ratio_to_pytorch'], '10.2f'):>10}  {note}")
    return "\n".join(lines)


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--tool", default=str(here.parents[1] / "build/tools/lockstep"))
    parser.add_argument("--device", action="append", help="of Lockstep; may be repeated; default reference and opencl")
    parser.add_argument("--peer", action="append", help="part of a name; may be repeated; default all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="per job, contestant and round")
    parser.add_argument("--json", metavar="FILE", help="write the rows there; - for stdout, without the table")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    if options.worker:
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what libraries print is no answer
        work(options.worker, answers)
        return

    load = os.getloadavg()[0]
    busy = f"The machine was busy (load {load:.1f} at the start): the figures are worth little." if load > 0.5 else ""
    print(busy, file=sys.stderr)
    names = [n for n in PEERS if not options.peer or any(p.lower() in n.lower() for p in options.peer)]
    peers = []
    for name in names:
        print(f"starting {name}", file=sys.stderr)
        peers.append(Peer(name))
    devices = {device: [[], None] for device in options.device or ["reference", "opencl"]}
    jobs = ["mlp", *(f"gemm {m}x{n}x{k}" for m, n, k in GEMMS)]
    samples, fractions = {}, []
    for i in range(options.rounds):
        print(f"round {i + 1} of {options.rounds}", file=sys.stderr)
        for device, found in devices.items():
            if found[1]:
                continue
            entries, found[1] = lockstep(options.tool, device)
            found[0].append(entries)
            fractions += [e["gflops"] / e["fraction_of_peak"] for e in entries.values()
                          if e.get("gflops") and e.get("fraction_of_peak")]
        for job in jobs:
            for peer in peers:
                if not peer.reason and job in peer.jobs:
                    samples.setdefault((peer.name, job), []).extend(peer.measure(job, options.seconds))
                    time.sleep(0.1)  # its threads go to sleep
    for peer in peers:
        peer.end()
    peak = max(fractions, default=None)  # what the machine can do, in its best round
    rows = [row for job in jobs for row in rows_of(job, peers, samples, devices, peak)]
    for row in rows:
        row["load_at_start"] = load
    if options.json == "-":
        print(json.dumps(rows, indent=1))
        return
    print(table(rows))
    print(f"FMA peak, measured by lockstep in the same run: {peak:.0f} GFLOP/s" if peak else "FMA peak: not measured")
    print(busy)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
