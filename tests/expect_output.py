#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program and compares what it prints with a file.

    expect_output.py [--write] EXPECTED PROGRAM [ARGUMENT ...]

Exits with 1 and a diff when they differ, with 77 (skipped) when the device that LOCKSTEP_BACKEND names is
not there and LOCKSTEP_TEST_REQUIRE does not name EXPECT_DEVICE. --write makes the file. Lines with a
progress bar are left out: they contain times.
"""
import difflib
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main(arguments):
    write = arguments[0] == "--write"
    expected, command = Path(arguments[write]), arguments[write + 1:]
    command[0] = str(Path(command[0]).resolve())
    with tempfile.TemporaryDirectory() as folder: # for the files that it writes
        ran = subprocess.run(command, capture_output=True, text=True, timeout=250, cwd=folder)
    device = os.environ.get("EXPECT_DEVICE")
    absent = ("there is no OpenCL", "libOpenCL", "there is no Vulkan", "Vulkan loader", "no Vulkan 1.1 driver",
              'no backend "vulkan')
    if device and ran.returncode and any(words in ran.stderr for words in absent):
        required = device in os.environ.get("LOCKSTEP_TEST_REQUIRE", "").split(",")
        print(ran.stderr, file=sys.stderr)
        return 1 if required else 77
    printed = [line for line in ran.stdout.splitlines() if "/step - " not in line]
    if write:
        expected.write_text("".join(line + "\n" for line in printed))
    lines = expected.read_text().splitlines(), printed
    difference = list(difflib.unified_diff(*lines, str(expected), " ".join(command), lineterm=""))
    print("\n".join(difference), ran.stderr, sep="\n")
    good = not difference and ran.returncode == 0
    print(f"{int(good)} passed, {int(not good)} failed")
    return 0 if good else 1


sys.exit(main(sys.argv[1:]))
