#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a header with a hash of the sources that decide about bits: build_id.py OUTPUT TEXT FILES...

A verdict of the self-test is good for the build that it was reached with; TEXT names the compiler and
its options. The same sources and compiler give the same hash in any folder."""
import hashlib
import sys

output, text, *files = sys.argv[1:]
digest = hashlib.sha256(text.encode())
for name in sorted(files):
    with open(name, 'rb') as file:
        digest.update(hashlib.sha256(file.read()).digest())
with open(output, 'w') as file:
    file.write('#define LS_BUILD_ID "%s"\n' % digest.hexdigest()[:16])
