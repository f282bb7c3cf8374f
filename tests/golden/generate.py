#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens in this folder: what TensorFlow computes in float64. The tests do not need it.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install -r tests/golden/requirements.txt
    nice /tmp/golden/bin/python tests/golden/generate.py [folder]

Run it after adding an op: write its case in a cases_*.py file and commit the changed .golden file.
A case's numbers depend on its name alone, so the other cases do not move (on another kind of CPU
the bounds may, in their last digits, because TensorFlow's float32 error is part of them).
"""

import os
import pathlib
import sys

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["KERAS_BACKEND"] = "tensorflow"

import cases_activations  # noqa: E402
import cases_arrays  # noqa: E402
import cases_convolution  # noqa: E402
import cases_ctc  # noqa: E402
import cases_elementwise  # noqa: E402
import cases_factor  # noqa: E402
import cases_losses  # noqa: E402
import cases_metrics  # noqa: E402
import cases_networks  # noqa: E402
import cases_optimizers  # noqa: E402
import cases_random  # noqa: E402
import cases_storage  # noqa: E402
import cases_structure  # noqa: E402
import cases_training  # noqa: E402

LARGEST = 2048 * 1024  # the whole folder stays below this


def main():
    here = pathlib.Path(__file__).parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    total = sum(p.stat().st_size for p in here.glob("*.py"))
    for module in (cases_elementwise, cases_activations, cases_structure, cases_networks, cases_optimizers,
                   cases_random, cases_convolution, cases_arrays, cases_training, cases_losses, cases_metrics,
                   cases_storage, cases_factor, cases_ctc):
        for family in module.families():
            size = family.write(folder)
            total += size
            print(f"{family.name}: {len(family.cases)} cases, {size} bytes, ops: {' '.join(sorted(family.covered))}")
    print(f"{total} bytes with the generator")
    assert total < LARGEST


if __name__ == "__main__":
    main()
