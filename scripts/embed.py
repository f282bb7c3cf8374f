#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns text files into one C file: embed.py OUTPUT PREFIX FILE...

Each FILE, say shaders/map.cl, becomes `const char <PREFIX>map[]`, a string. Arrays of numbers, because
C compilers need not accept long string literals.
"""
import os
import sys

output, prefix, files = sys.argv[1], sys.argv[2], sys.argv[3:]
with open(output, "w") as out:
    out.write("/* Made by scripts/embed.py. */\n")
    for path in files:
        name = os.path.splitext(os.path.basename(path))[0]
        with open(path, "rb") as file:
            data = file.read() + b"\0"
        out.write(f"extern const char {prefix}{name}[];\nconst char {prefix}{name}[] = {{")
        for i, byte in enumerate(data):
            out.write("\n" if i % 20 == 0 else " ")
            # Signed, so that a char of either signedness takes it without a warning.
            out.write(f"{byte if byte < 128 else byte - 256},")
        out.write("\n};\n")
