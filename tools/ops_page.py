#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes docs/ops.md, the page of all ops, from the sources that define them.

    tools/ops_page.py            writes docs/ops.md
    tools/ops_page.py --check    exits with 1 if docs/ops.md is not what would be written

What an op computes is the comment of its prototype, in ops.h's headers and update.h. Formulas, gradients
and tested domains of elementwise ops are the rows of lib/ops/elementwise.def. Of the other ops the page
says which primitives their code in lib/ops reaches, and the comment above their gradient rule. Errors in
ulp are those of shaders/canon_functions.def.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


# ---- Expressions: read as C, written as people write them ----

TOKEN = re.compile(r"\s*(0x[0-9a-fA-F]+u?|\d+\.?\d*(?:e[-+]?\d+)?[fu]?|\w+|[=!<>]=|[-+*/<>(),])")
BINARY = {"==": 1, "!=": 1, "<": 2, ">": 2, "<=": 2, ">=": 2, "+": 3, "-": 3, "*": 4, "/": 4}
INFIX = {"ls_add": "+", "ls_sub": "-", "ls_mul": "*", "ls_div": "/", "LS_DIV": "/", "ls_equal": "==",
         "ls_greater": ">", "ls_greater_equal": ">=", "ls_less": "<", "ls_less_equal": "<="}
RANK_ATOM, RANK_CHOICE = 9, 0


class Reader:
    """Turns a C expression into (text, rank), where rank tells whether an operand needs parentheses."""

    def __init__(self, text, names):
        self.names = names
        self.tokens, at = [], 0
        while text[at:].strip():
            match = TOKEN.match(text, at)
            if not match:
                raise ValueError(f"cannot read the formula {text!r}")
            self.tokens.append(match.group(1))
            at = match.end()

    def peek(self):
        return self.tokens[0] if self.tokens else ""

    def expression(self, least=1):
        left = self.operand()
        while BINARY.get(self.peek(), 0) >= least:
            operator = self.tokens.pop(0)
            left = join(operator, left, self.expression(BINARY[operator] + 1))
        return left

    def operand(self):
        token = self.tokens.pop(0)
        if token == "-":
            return "-" + wrap(self.operand(), 5), 4
        if token == "(":
            inner = self.expression()
            self.tokens.pop(0)
            return inner
        if self.peek() != "(":
            number = re.fullmatch(r"(\d.*?)(?:\.0)?[fu]?", token)
            name = self.names.get(token, token.replace("LS_INFINITY", "Inf"))
            return (number.group(1) if number else name), RANK_ATOM
        self.tokens.pop(0)
        arguments = []
        while self.peek() != ")":
            arguments.append(self.expression())
            if self.peek() == ",":
                self.tokens.pop(0)
        self.tokens.pop(0)
        return call(token, arguments)


def wrap(operand, rank):
    return operand[0] if operand[1] >= rank else f"({operand[0]})"


def join(operator, left, right):
    rank = BINARY[operator]
    return f"{wrap(left, rank)} {operator} {wrap(right, rank + 1)}", rank


def call(name, arguments):
    if name in INFIX:
        return join(INFIX[name], *arguments)
    if name in ("LS_SELECT", "ls_where"):
        test, yes, no = arguments
        return f"{wrap(test, 1)} ? {wrap(yes, 1)} : {no[0]}", RANK_CHOICE
    if name in ("ls_neg", "LS_NEGATE"):
        return "-" + wrap(arguments[0], 5), 4
    if name == "ls_square":
        return wrap(arguments[0], RANK_ATOM) + "^2", 8
    if name in ("LS_ABS", "ls_abs"):
        return f"|{arguments[0][0]}|", RANK_ATOM
    if name in ("K", "LS_INT", "LS_UINT"):
        return arguments[0]
    if name == "no_gradient":
        return "none", RANK_ATOM
    name = re.sub(r"^(canon_|ls_|LS_)", "", name).lower()
    return f"{name}({', '.join(a[0] for a in arguments)})", RANK_ATOM


def pretty(expression, names=None):
    """As people write it; what uses other operators stays as it is in the source."""
    try:
        reader = Reader(expression, names or {})
        text = reader.expression()[0]
    except (ValueError, IndexError):
        return expression
    return expression if reader.tokens else text


def names_in(signature):
    """a, b, c -> the names in the prototype; none if one of them means something else in a gradient."""
    names = re.findall(r"\w+", signature.partition("(")[2])
    return {} if {"y", "g"} & set(names) else dict(zip("abc", names))


# ---- The lists ----

def split_arguments(text):
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()]


def read_rows():
    """name -> (section, kind, arguments) for every row of elementwise.def."""
    rows, section = {}, 0
    for line in text_of("lib/ops/elementwise.def").splitlines():
        found = re.match(r"#if LS_ROWS & (\d)", line)
        section = int(found.group(1)) if found else section
        found = re.match(r"([FIW]_[FIW]+)\((.*)\)\s*$", line)
        if found:
            name, *arguments = split_arguments(found.group(2))
            rows[name] = (section, found.group(1), arguments)
    return rows


def read_canon():
    """name -> (domain, ulp)"""
    rows = re.findall(r'^CANON\d\((\w+), "([^"]*)", (\d+)', text_of("shaders/canon_functions.def"), re.M)
    return {name: (domain, int(ulp)) for name, domain, ulp in rows}


def read_primitives():
    return re.findall(r'^PRIM\((\w+), (\w+), "([^"]*)"\)', text_of("lib/core/prims.def"), re.M)


# ---- The headers ----

def comment_text(comment):
    lines = re.sub(r"^/\*\*<?|\*/$", "", comment.strip()).split("\n")
    return " ".join(re.sub(r"^\s*\* ?", "", line).strip() for line in lines).strip()


DECLARATION = re.compile(
    r"(?P<doc>/\*\*(?:[^*]|\*(?!/))*\*/\s*\n)?LS_API (?P<result>[\w ]+?)[ *]*(?P<name>ls_\w+)\((?P<parameters>[^;]*)\);"
    r"[ \t]*(?P<after>/\*\*<(?:[^*]|\*(?!/))*\*/)?")


def read_header(name):
    """[(function, signature, doc)] in order; a prototype directly below another one shares its comment."""
    source = text_of(f"lib/include/lockstep/{name}.h")
    functions, last_end, last_doc = [], None, ""
    for m in DECLARATION.finditer(source):
        doc = comment_text(m["after"] or m["doc"] or "")
        if not doc and last_end is not None and source[last_end:m.start()].strip() == "":
            doc = last_doc
        if not doc:
            sys.exit(f"{name}.h: {m['name']} has no comment")
        function = re.sub(r"_with$", "", m["name"])
        if function != m["name"]:
            use = re.search(rf"/\*\* {function}\(([^)]*)\)", source)
            parameters = use.group(1) if use else "…"
        else:
            parameters = ", ".join(re.sub(r".*[ *]", "", p.strip()) for p in m["parameters"].split(","))
        functions.append((function, f"{function}({parameters})", doc))
        last_end, last_doc = m.end(), doc
    return functions


# ---- The code: which primitives an op reaches, and its gradient rule ----

def read_functions():
    """name -> (comment above, body, file) of every function in lib/ops."""
    functions = {}
    for path in sorted((ROOT / "lib/ops").glob("*.c")):
        source = path.read_text(encoding="utf-8")
        for m in re.finditer(r"^(?:static )?(?:const )?(?:struct )?\w+ \**(\w+)\([^;{}]*?\)\s*\{", source, re.M):
            depth, end = 1, m.end()
            while depth and end < len(source):
                depth += {"{": 1, "}": -1}.get(source[end], 0)
                end += 1
            above = re.search(r"(/\*(?:[^*]|\*(?!/))*\*/)\s*$", source[:m.start()])
            note = comment_text(above.group(1).replace("/*", "/**", 1)) if above else ""
            functions.setdefault(m.group(1), (note, source[m.end():end], f"lib/ops/{path.name}"))
    return functions


def read_records():
    """op -> (rule, reason) of every struct ls_op in lib/ops."""
    records = {}
    for path in sorted((ROOT / "lib/ops").glob("*.c")):
        for name, rule, reason in re.findall(r'\{\s*"(\w+)",\s*(\w+),\s*(NULL|(?:"[^"]*"\s*)+)',
                                             path.read_text(encoding="utf-8")):
            records.setdefault(name, (rule, "".join(re.findall(r'"([^"]*)"', reason))))
    return records


def read_shader_notes(canon):
    """name -> comment of canonical functions for rows alone, which have no row of their own."""
    found = re.findall(r"/\*((?:[^*]|\*(?!/))*)\*/\nLS_FN \w+ canon_(\w+)\(", text_of("shaders/canon_special.h"))
    return {name: comment_text(f"/**{note}*/") for note, name in found if name not in canon}


class Code:
    def __init__(self, rows, canon):
        self.functions, self.records, self.rows = read_functions(), read_records(), rows
        self.shaders = read_shader_notes(canon)

    def reached(self, function, seen=None):
        """Names of primitives that a function's code leads to."""
        seen = seen if seen is not None else set()
        row = self.rows.get(function[3:])
        if row and row[0] < 4:
            return {"map"}
        if function in seen or function not in self.functions:
            return set()
        seen.add(function)
        found = set()
        for word in set(re.findall(r"\w+", self.functions[function][1])):
            if word.startswith("ls_dispatch_"):
                found.add(word[len("ls_dispatch_"):])
            elif not word.startswith("vjp_"):
                found |= self.reached(word + "_with" if word + "_with" in self.functions else word, seen)
        return found

    def has_gradient(self, op):
        if op in self.rows:
            _, kind, arguments = self.rows[op]
            return kind in ("F_F", "F_FF", "F_FFF") and arguments[2] not in ("NONE", "ZERO")
        return self.records.get(op, ("NULL", ""))[0] != "NULL"

    def gradient(self, function):
        op = function[3:]
        if op in self.records:
            rule, reason = self.records[op]
            if rule == "NULL":
                return f"none: {reason}" if reason else "none"
            note, _, file = self.functions.get(rule, ("", "", "lib/ops"))
            return note if note and not note.startswith("----") else f"`{rule}` in {file}"
        body = self.functions.get(function, self.functions.get(function + "_with", ("", "")))[1]
        parts = sorted({w for w in re.findall(r"ls_\w+", body) if w != "ls_cast" and self.has_gradient(w[3:])})
        return "that of " + ", ".join(f"`{p[3:]}`" for p in parts) if parts else "none"


# ---- The page ----

def cell(text):
    return text.replace("|", "\\|")


def code(text):
    return f"`{text}`"


def row_formula(row, code_of, names=None):
    """The formula, and what its own functions are that canon_functions.def does not have."""
    notes = [code_of.shaders[n] for n in re.findall(r"canon_(\w+)", row[2][0]) if n in code_of.shaders]
    alone = notes and re.fullmatch(r"canon_\w+\([abc, ]*\)", row[2][0])
    return "; ".join(notes if alone else [code(pretty(row[2][0], names)), *notes])


def row_gradient(kind, arguments, code_of, names=None):
    if kind not in ("F_F", "F_FF", "F_FFF"):
        return "none"
    rules = arguments[2:2 + len(kind) - 2]
    told, notes, row_own = [], [], row_formula((0, kind, arguments), code_of)
    for name, rule in zip("abc", rules):
        if rule == "NONE":
            return "none"
        if rule == "ZERO":
            continue
        told.append(f"{(names or {}).get(name, name)}: `{pretty(rule, names)}`")
        for word in sorted(set(re.findall(r"\b[a-z]\w+(?=\()", rule))):
            note = "" if word.startswith("ls_") else code_of.functions.get(word, ("", ""))[0]
            if word in code_of.rows and not word.startswith("ls_"):
                note = row_formula(code_of.rows[word], code_of)
            if note and note != row_own and f"{word}: {note}" not in notes:
                notes.append(f"{word}: {note}")
    return "; ".join(told + notes) or "0"


def row_domain(kind, arguments, canon):
    formula = arguments[0]
    single = re.fullmatch(r"canon_(\w+)\([abc, ]*\)", formula)
    told = canon[single.group(1)][0] if single and single.group(1) in canon else "all"
    intervals = [pretty(x) if x else x for x in arguments[len(kind):]] if kind in ("F_F", "F_FF") else []
    if kind == "F_FFF":
        intervals = ["-2", "2"] * 3
    pairs = [f"[{low}, {high}]" for low, high in zip(intervals[::2], intervals[1::2])]
    return told + (f"; tested on {', '.join(pairs)}" if pairs else "")


def row_error(formula, canon):
    names = list(dict.fromkeys(re.findall(r"canon_(\w+)", formula)))
    if not names:
        return "as rounded"
    single = re.fullmatch(r"canon_(\w+)\([abc, ]*\)", formula)
    errors = [f"{canon[n][1]}" if single else f"{n} {canon[n][1]}" for n in names if n in canon]
    return ", ".join(errors) or "exact"


def elementwise_row(function, signature, doc, row, int_row, code_of, canon):
    _, kind, arguments = row
    names = names_in(signature)
    formula = row_formula(row, code_of, names)
    if int_row:
        formula += f"; int32: {row_formula(int_row, code_of, names)}"
    return [code(signature), doc, formula, row_gradient(kind, arguments, code_of, names),
            row_domain(kind, arguments, canon), row_error(arguments[0], canon), "map"]


def page():
    rows, canon, primitives = read_rows(), read_canon(), read_primitives()
    code_of = Code(rows, canon)
    headers = re.findall(r"#include <lockstep/(\w+)\.h>", text_of("lib/include/lockstep/ops.h"))
    out = ["# The ops", "",
           "Made by `tools/ops_page.py` from the headers, the two lists and the code. Do not edit: change those and",
           "run it again; the test \"ops page\" fails while this page is stale.", "",
           "In formulas `fma(a, b, c)` is a * b + c rounded once, and every other operation is rounded once. In",
           "gradients `g` is the gradient of the result, `y` the result; where that would be ambiguous, `a` and `b`",
           "are the inputs in their order. What is broadcast is summed back to the input's shape. Errors are the",
           "largest ones in ulp of the canonical functions in the formula, over all inputs with normal results",
           "(`shaders/canon_functions.def`); \"as rounded\" means that there is no such function in it. \"Runs on\"",
           "names the primitives that an op's code can reach.", ""]
    runs = {name: [] for name, _, _ in primitives}

    def table(head, lines):
        out.append("| " + " | ".join(head) + " |")
        out.append("|" + "---|" * len(head))
        out.extend("| " + " | ".join(cell(x) for x in line) + " |" for line in lines)
        out.append("")

    for header in headers + ["update"]:
        row_lines, lines = [], []
        for function, signature, doc in read_header(header):
            row = rows.get(function[3:])
            entry = function + "_with" if function + "_with" in code_of.functions else function
            reached = {"map"} if row else code_of.reached(entry)
            for primitive in reached:
                runs.setdefault(primitive, []).append(function)
            if row and row[1] != "W_IWW":
                row_lines.append(elementwise_row(function, signature, doc, row, rows.get("int_" + function[3:]),
                                                 code_of, canon))
            else:
                gradient = "not recorded by tapes" if header == "update" else code_of.gradient(function)
                if row:
                    gradient = code_of.functions[f"vjp_{function[3:]}"][0]
                lines.append([code(signature), doc, gradient, ", ".join(sorted(reached)) or "no primitive"])
        out.extend([f"## {header}.h", ""])
        if row_lines:
            table(["op", "what", "formula", "gradient", "domain", "error", "runs on"], row_lines)
        if lines:
            table(["op", "what", "gradient", "runs on"], lines)

    out.extend(["## Rows without a function of their own", "",
                "They serve the ops above, casts, and the programs of optimizers.", ""])
    public = {function[3:] for header in headers for function, _, _ in read_header(header)}
    table(["row", "formula", "gradient"],
          [[code(name), row_formula(row, code_of), row_gradient(*row[1:], code_of)]
           for name, row in rows.items() if name not in public])
    out.extend(["## Primitives", "", "What a backend computes: `lib/core/prims.def`.", ""])
    table(["primitive", "", "meaning", "ops that reach it"],
          [[code(name), need.lower(), meaning,
            f"{len(runs[name])} ops" if len(runs[name]) > 24 else ", ".join(code(f[3:]) for f in runs[name]) or "none"]
           for name, need, meaning in primitives])
    out.extend(["## Canonical functions", "", "`shaders/canon_functions.def`; see also docs/canon.md.", ""])
    table(["function", "domain", "largest error in ulp"],
          [[code(name), domain, str(ulp)] for name, (domain, ulp) in canon.items()])
    return "\n".join(out).rstrip("\n") + "\n"


def main():
    path = ROOT / "docs/ops.md"
    text = page()
    if sys.argv[1:] == ["--check"]:
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            print("docs/ops.md is stale: run tools/ops_page.py and commit what it writes")
            return 1
        print("1 passed, 0 failed")
        return 0
    if sys.argv[1:]:
        print(__doc__)
        return 2
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
