#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a C program of the listings in README.md's section on the three altitudes; it runs them and compares the bits.

    readme.py README.md EXAMPLES_README OUT.c

The first listing stands before every other one, those that begin with "static" stand outside of functions. Fashion-MNIST
is replaced by 3,000 made-up images. Fails, too, when the page of examples leaves one out.
"""
import re
import sys
from pathlib import Path

PROGRAM = """#include <string.h>

#include <lockstep/lockstep.h>

static void few_images(ls_context *ls, ls_dataset **train, ls_dataset **validation, ls_dataset **test)
{
    ls_synthetic_images(ls, 42, train, validation, test);
    *train = ls_dataset_take(*train, 3000);
}
#define ls_fashion_mnist few_images

%s
static ls_fingerprint_text end(ls_context *ls, ls_model *mlp)
{
    ls_fingerprint_text text = ls_fingerprint_model(mlp);
    if (ls_error(ls) != LS_OK)
        memset(&text, 0, sizeof text), fprintf(stderr, "%%s\\n", ls_error_message(ls));
    ls_close(&ls);
    return text;
}

%s
int main(void)
{
    ls_fingerprint_text texts[] = {%s};
    size_t count = sizeof texts / sizeof *texts, good = 0;
    for (size_t i = 0; i < count; i++)
        good += texts[i].text[0] && strcmp(texts[i].text, texts[0].text) == 0;
    for (size_t i = 0; i < count; i++)
        printf("altitude %%zu: %%s\\n", i + 1, texts[i].text);
    printf("%%zu passed, %%zu failed\\n", good, count - good);
    return good == count && count == 3 ? 0 : 1;
}
"""


def main(readme, examples, out):
    page = Path(examples)
    missing = [p.stem for p in page.parent.glob("*.c") if f"[{p.stem}]({p.name})" not in page.read_text()]
    if missing:
        sys.exit(f"{examples} leaves out {missing}")
    section = re.search(r"^## One training, three altitudes$(.*?)^## ", Path(readme).read_text(), re.M | re.S).group(1)
    listings = re.findall(r"```c\n(.*?)```", section, re.S)
    outside = "".join(x for x in listings if x.startswith("static"))
    first, *bodies = [x for x in listings if not x.startswith("static")]
    functions = "".join(f"static ls_fingerprint_text altitude_{i}(void)\n{{\n{first}{body}return end(ls, mlp);\n}}\n\n"
                        for i, body in enumerate(bodies))
    calls = ", ".join(f"altitude_{i}()" for i in range(len(bodies)))
    Path(out).write_text(PROGRAM % (outside, functions, calls))


main(*sys.argv[1:])
