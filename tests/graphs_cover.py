#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a public op stands in no row of the random graphs, unless WITHOUT says why.

    graphs_cover.py HEADERS ELEMENTWISE ROWS...
    graphs_cover.py --others FILE                  or when FILE, for `lockstep verify`, calls not all of WITHOUT
"""
import pathlib
import re
import sys

# Each with the reason why random graphs leave it out.
RANDOM = "its result is drawn anew at each call; test_tape and the conformance suite look at its bits and gradient"
NO_INPUT = "it has no tensor to differentiate"
WITHOUT = {
    "ls_arange": NO_INPUT,
    "ls_dropout": RANDOM,
    "ls_get_random_state": NO_INPUT,
    "ls_linspace": NO_INPUT,
    "ls_random_bernoulli": RANDOM,
    "ls_random_categorical": RANDOM,
    "ls_random_normal": RANDOM,
    "ls_random_permutation": RANDOM,
    "ls_random_randint": RANDOM,
    "ls_random_shuffle": RANDOM,
    "ls_random_truncated_normal": RANDOM,
    "ls_random_uniform": RANDOM,
    "ls_range": NO_INPUT,
    "ls_searchsorted": "its vector must be sorted, and it has no gradient",
    "ls_set_random_state": NO_INPUT,
}

# The headers of ops; updates write to variables and are no ops.
FAMILIES = ["convolution", "elementwise", "index", "linalg", "network", "random", "reduce", "shape"]


def ops(folder):
    """The functions of the ops' headers that give a tensor, without the _with of options."""
    for family in FAMILIES:
        text = (pathlib.Path(folder) / f"{family}.h").read_text()
        for name in re.findall(r"LS_API\s+(?:ls_tensor|void|ls_status)\s+(ls_\w+)\(", text):
            yield name.removesuffix("_with")


def derived(path):
    """The ops whose rows graphs_derived.c makes: section 1, one or two floats, a gradient."""
    section = pathlib.Path(path).read_text().split("#if LS_ROWS & 1")[1].split("#endif")[0]
    for row in re.findall(r"^F_FF?\((.*)\)$", section, re.M):
        if "NONE" not in re.split(r"[,\s]+", row):
            yield "ls_" + row.split(",")[0]


def others(path):
    """Those of WITHOUT that a file does not call."""
    text = pathlib.Path(path).read_text()
    return [op for op in sorted(WITHOUT) if not re.search(rf"\b{op}\(", text)]


def main():
    if sys.argv[1] == "--others":
        missing = others(sys.argv[2])
        print("\n".join(f"{op} is missing in {sys.argv[2]}" for op in missing) or f"all {len(WITHOUT)} are there")
        return 1 if missing else 0
    rows = "".join(pathlib.Path(p).read_text() for p in sys.argv[3:])
    called = set(re.findall(r"\b(ls_\w+?)(?:_with)?\(", rows)) | set(derived(sys.argv[2]))
    known = set(ops(sys.argv[1]))
    wrong = [f"{op} has no row in the random graphs, and no reason for that" for op in sorted(known - called - set(WITHOUT))]
    wrong += [f"{op} is said to have no row, but has one" for op in sorted(set(WITHOUT) & called)]
    wrong += [f"{op} is said to have no row, but is no op" for op in sorted(set(WITHOUT) - known)]
    print("\n".join(wrong) or f"{len(known)} ops, {len(known) - len(WITHOUT)} of them in random graphs")
    return 1 if wrong else 0


sys.exit(main())
