#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles the right column of docs/from-keras.md and docs/data.md.

    from_keras.py PAGE INCLUDE_FOLDER COMPILER [ARGUMENT ...]

The first block of C on the page declares the names that the lines use. Each line becomes a function of its own, so
that a message of the compiler names its line of the page.
"""
import re
import subprocess
import sys
from pathlib import Path


def rows(page):
    """(line number, C) of the right column's last piece of code, for each row."""
    for number, line in enumerate(page.splitlines(), 1):
        cells = re.split(r"(?<!\\)\|", line)
        if len(cells) == 4 and line.startswith("|"):
            code = re.findall(r"`([^`]+)`", cells[2])
            if code:
                yield number, code[-1].replace("\\|", "|")


def program(path):
    page = path.read_text()
    declarations = re.search(r"```c\n(.*?)```", page, re.S).group(1)
    lines = [declarations, "#include <stdlib.h>"]
    count = 0
    for number, code in rows(page):
        lines.append(f'void line_{number}(void);\n#line {number} "{path.name}"\nvoid line_{number}(void) {{ {code}; }}')
        count += 1
    return "\n".join(lines) + "\n", count


def main(page, include, *compiler):
    source, count = program(Path(page))
    flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Werror", "-Wno-unused", "-fsyntax-only", "-I", include]
    done = subprocess.run([*compiler, *flags, "-xc", "-"], input=source, text=True, capture_output=True)
    print(done.stderr, end="")
    good = done.returncode == 0 and count > 0
    print(f"{count if good else 0} passed, {int(not good)} failed")
    return 0 if good else 1


sys.exit(main(*sys.argv[1:]))
