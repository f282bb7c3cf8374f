#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Enforce rule 4 of the canonical arithmetic: a product is never an operand of + or -.

    lint_canon.py FILE...        check these sources
    lint_canon.py --tree ROOT    check all canonical sources below the repository's root
    lint_canon.py --self-test    check that planted violations are found and clean text passes

A fusing compiler may turn a*b + c into one rounding; where nothing has that shape there is
nothing to fuse, so such a pair is written LS_FMA(a, b, c). Found are
  * a product that is an operand of + or -, also through parentheses, a sign or a cast, and as
    the right side of += and -=;
  * a variable that holds a product, where it is an operand of + or - in the same function;
  * words that differ between devices: mad, native_, half_, fast_, dot, fmin and fmax, min and
    max of floats in shared or device code, and the device's own elementary functions.

Integers are not rounded, so a product counts only if it is not known to be one of integers:
integer variables, members, functions and casts are recognised by their declarations in the
files given; whatever stands in [ ] or initialises an integer is an integer unless it mentions a
float; unknown times an integer variable is an integer. Where this is wrong, or where the product
is exact, so that fusing changes nothing, the line says so in a comment that begins with the word
int or exact. Macro arguments of unknown type count as floats. Exit status 1 if anything is found.
"""
import pathlib
import re
import sys

sys.dont_write_bytecode = True
from c_source import FLOAT, FLOAT_TYPES, INT, INT_TYPES, UNKNOWN, Declarations, Parser, blank_comments, split_source

INT_FUNCTIONS = set("""
    get_global_id get_local_id get_group_id get_global_size get_local_size get_num_groups
    LS_BITS LS_UINT LS_INT LS_TO_INT LS_F2I LS_MULHI LS_SHL LS_SHR mul_hi mul24 as_uint as_int
    floatBitsToUint floatBitsToInt umulExtended sizeof convert_int convert_uint strlen abs
    """.split())
FLOAT_FUNCTIONS = set("""
    LS_FMA LS_DIV LS_SQRT LS_FLOAT LS_TO_FLOAT LS_I2F LS_U2F LS_ABS LS_NEGATE LS_WITH_SIGN
    LS_FLOOR LS_CEIL LS_TRUNC LS_ROUND fma fmaf sqrt sqrtf as_float uintBitsToFloat
    """.split())
INT_MEMBERS = {"length"}

FORBIDDEN_CALLS = re.compile(r"(mad|dot|fmin|fmax|fminf|fmaxf|(native|half|fast)_\w+)$")
DEVICE_FUNCTIONS = set("""
    exp exp2 exp10 expm1 log log2 log10 log1p tanh sinh cosh asinh acosh atanh sin cos tan
    asin acos atan atan2 sinpi cospi tanpi sincos pow pown powr rsqrt inversesqrt cbrt hypot
    erf erfc tgamma lgamma fmod remainder mix smoothstep length distance normalize
    """.split())


class Checker(Parser):
    def __init__(self, path, declarations):
        super().__init__(declarations)
        self.found, self.marked = [], set()
        base = path.rsplit("/", 1)[-1]
        self.is_prelude = base.startswith("prelude_")
        self.is_shared = base.endswith((".cl", ".comp", ".glsl", ".def", ".h"))

    def run(self, text):
        text, self.marked = blank_comments(text)
        code, macros = split_source(text)
        self.chunk(code, {})
        # A macro's body sees names that mean integers wherever the file declares them.
        integers = {name: kind for name, kind in self.everywhere.items() if kind == INT}
        for body in macros:
            self.chunk(body, integers)
        self.found.sort()

    def report(self, line, message):
        if line not in self.marked and (line, message) not in self.found:
            self.found.append((line, message))

    # ---- kinds ----

    def kind(self, node):
        op, parts = node.op, node.parts
        if op == "number":
            if re.match(r"0[xX]", node.text):
                return FLOAT if re.search(r"[.pP]", node.text) else INT
            return FLOAT if re.search(r"[.eEfF]", node.text) else INT
        if op == "name":
            return self.variables.get(node.text, UNKNOWN)
        if op == "cast":
            return node.text
        if op == "member":
            if node.text in INT_MEMBERS or re.match(r"gl_|get_", self.root(node)):
                return INT
            found = self.known.members.get(node.text, UNKNOWN)
            return self.kind(parts[0]) if found == UNKNOWN else found
        if op == "index":
            return INT if self.root(node).startswith("gl_") else self.kind(parts[0])
        if op == "call":
            name = parts[0].text
            if name in INT_FUNCTIONS or name in INT_TYPES:
                return INT
            if name in FLOAT_FUNCTIONS or name in FLOAT_TYPES or name.startswith("canon_"):
                return self.known.functions.get(name, FLOAT)
            if name in ("min", "max", "clamp", "LS_SELECT"):
                return self.join([self.kind(p) for p in parts[1 + (name == "LS_SELECT"):]])
            return self.known.functions.get(name, UNKNOWN)
        if op == "unary":
            return INT if node.text in ("!", "~", "&") else self.kind(parts[0])
        if op == "conditional":
            return self.join([self.kind(parts[1]), self.kind(parts[2])])
        if op == "assign":
            return self.kind(parts[0])
        if op == "comma":
            return self.kind(parts[1])
        if op == "binary":
            if node.text not in ("+", "-", "*", "/"):
                return INT
            kinds = [self.kind(p) for p in parts]
            if node.text == "*" and FLOAT not in kinds and any(map(self.has_int_variable, parts)):
                return INT
            return self.join(kinds)
        return UNKNOWN

    def root(self, node):
        while node.op in ("member", "index", "call"):
            node = node.parts[0]
        return node.text if node.op == "name" else ""

    def has_int_variable(self, node):
        if node.op == "binary":
            return self.kind(node) == INT and any(map(self.has_int_variable, node.parts))
        return node.op in ("name", "member", "index", "call", "cast") and self.kind(node) == INT

    @staticmethod
    def join(kinds):
        if FLOAT in kinds:
            return FLOAT
        return INT if all(k == INT for k in kinds) else UNKNOWN

    # ---- the rules ----

    def core(self, node):
        """What is left without signs and casts to float."""
        while (node.op, node.text) in (("unary", "+"), ("unary", "-"), ("cast", FLOAT)):
            node = node.parts[0]
        return node

    def is_float_product(self, node, in_int):
        node = self.core(node)
        if node.op == "assign" and node.text == "=":
            return self.is_float_product(node.parts[1], in_int)
        if node.op == "assign" and node.text == "*=":
            kind = self.join([self.kind(p) for p in node.parts])
        elif node.op == "binary" and node.text == "*":
            kind = self.kind(node)
        else:
            return False
        return kind == FLOAT or (kind == UNKNOWN and not in_int)

    def operand(self, node, line, in_int):
        if self.is_float_product(node, in_int):
            self.report(line, "a product is an operand of + or -: write LS_FMA")
        node = self.core(node)
        if node.op == "name" and node.text in self.products:
            self.report(line, "'%s' holds a product and is an operand of + or -" % node.text)

    def hold(self, name, value, line, kind):
        holds = kind != INT and self.is_float_product(value, False) and line not in self.marked
        (self.products.add if holds else self.products.discard)(name)

    def check(self, node, in_int):
        op, parts = node.op, node.parts
        if op == "binary" and node.text in ("+", "-"):
            for part in parts:
                self.operand(part, node.line, in_int)
        if op == "assign" and node.text in ("+=", "-="):
            self.operand(parts[1], node.line, in_int or self.kind(parts[0]) == INT)
            self.operand(parts[0], node.line, in_int)
        if op == "call":
            self.check_call(node)
        if op == "index":
            self.check(parts[0], in_int)
            self.check(parts[1], True)
        elif op == "assign":
            in_int = in_int or self.kind(parts[0]) == INT
            self.check(parts[0], False)
            self.check(parts[1], in_int)
            if parts[0].op == "name":
                if node.text in ("=", "*="):
                    value = parts[1] if node.text == "=" else node
                    self.hold(parts[0].text, value, node.line, self.kind(parts[0]))
                else:
                    self.products.discard(parts[0].text)
        elif op == "cast" and node.text == INT:
            self.check(parts[0], True)
        elif op == "call":
            for part in parts[1:]:
                self.check(part, parts[0].text in INT_FUNCTIONS)
        else:
            for part in parts:
                self.check(part, in_int)

    def check_call(self, node):
        name = node.parts[0].text
        if FORBIDDEN_CALLS.match(name):
            self.report(node.line, "%s() is not the same on all devices" % name)
        if not self.is_shared or self.is_prelude:
            return
        if name in ("min", "max", "clamp") and self.kind(node) != INT:
            self.report(node.line, "%s() of floats: write a > b ? a : b" % name)
        if name in DEVICE_FUNCTIONS:
            self.report(node.line, "%s() is the device's own: use canon_%s" % (name, name))


def check_texts(texts):
    """texts: {path: text}. Returns {path: [(line, message)]}."""
    declarations = Declarations()
    for path, text in texts.items():
        Checker(path, declarations).run(text)
    results = {}
    for path, text in texts.items():
        checker = Checker(path, declarations)
        checker.run(text)
        results[path] = checker.found
    return results


# ---- self-test: (name, file name, text, how many findings) ----

CASES = [
    ("plain product", "a.cl", "float f(float a, float b, float c) { return a * b + c; }", 1),
    ("on the right, minus", "a.cl", "float f(float a, float b, float c) { return c - a * b; }", 1),
    ("parentheses and sign", "a.cl", "float f(float a, float b) { return 1.0f + (-(a * b)); }", 1),
    ("two products", "a.cl", "float f(float a, float b) { return a * a + b * b; }", 1),
    ("cast", "a.c", "float f(float a, double b) { return (float)(a * b) + a; }", 1),
    ("plus-assign", "a.c", "void f(float *y, float a, float b) { y[0] += a * b; }", 1),
    ("minus-assign", "a.c", "void f(float y, float a, float b) { y -= a * b; }", 1),
    ("held in a variable", "a.c",
     "float f(float a, float b) { float p = a * b; return p + a; }", 1),
    ("held after *=", "a.c", "float f(float a, float b) { a *= b; return b - a; }", 1),
    ("int times float", "a.c", "float f(float a, int n, float c) { return a * n + c; }", 1),
    ("array elements", "a.c",
     "void f(float *y, const float *x, int i) { y[i] = x[i] * x[i + 1] + y[i]; }", 1),
    ("inside a call", "a.cl", "float f(float a, float b) { return canon_exp(a * b - 1.0f); }", 1),
    ("inside a condition", "a.c",
     "int f(float a, float b) { if (a * b + 1.0f > b) return 1; return 0; }", 1),
    ("for header", "a.c", "void f(float a) { for (float s = a * a + 1.0f; s < 2; s += a) ; }", 1),
    ("macro body", "a.h", "#define AXPY(a, x, y) ((a) * (x) + (y))", 1),
    ("macro over two lines", "a.h", "#define AXPY(a, x, y) \\\n    ((a) * (x) \\\n    - (y))", 1),
    ("row of a table", "a.def", "ROW(axpy, 3, x * y + z, \"note\")\nROW(add, 2, x + y, \"\")", 1),
    ("conditional arm", "a.c", "float f(float a, int k) { return k ? a * a + 1.0f : a; }", 1),
    ("float literal in a subscript", "a.c",
     "float f(float *x, float a) { return x[(int)(a * 2.5f + 0.5f)]; }", 1),
    ("initialiser list", "a.c", "void f(float a) { float v[2] = {a, a * a + a}; }", 1),
    ("GLSL constructor", "a.comp", "void main() { float y = float(i) * 0.5 + 1.0; }", 1),
    ("mad", "a.cl", "float f(float a) { return mad(a, a, a); }", 1),
    ("native_, half_, fast_", "a.cl",
     "float f(float a) { return native_exp(a) + half_sin(a) + fast_length(a); }", 3),
    ("dot", "a.cl", "float f(float4 a) { return dot(a, a); }", 1),
    ("fmax", "a.c", "float f(float a) { return fmaxf(a, 0.0f) + fmin(a, 1.0f); }", 2),
    ("max of floats", "a.cl", "float f(float a) { return max(a, 0.0f); }", 1),
    ("device exp", "a.comp", "void main() { float y = exp(x[0]); }", 1),

    ("fma instead", "a.cl", "float f(float a, float b, float c) { return LS_FMA(a, b, c); }", 0),
    ("product in fma", "a.cl",
     "float f(float r, float q) { return LS_FMA(r * r, q, r) + 1.0f; }", 0),
    ("product of sums", "a.cl", "float f(float a, float b) { return (a + b) * (a - b); }", 0),
    ("quotient", "a.c", "float f(float a, float b) { return a * b / (a + b) + a; }", 0),
    ("subscript", "a.c",
     "float f(const float *x, size_t i, size_t n) { return x[i * n + 1] + 1.0f; }", 0),
    ("subscript, unknown members", "a.c",
     "float f(struct args *a) { return a->x[a->row * a->n + a->j]; }", 0),
    ("int variables", "a.c", "int f(int i, int n) { size_t k = i * n + 3; return i * n - k; }", 0),
    ("int from unknown", "a.c",
     "void f(struct s *a) { int k = a->n * a->m + 1; k += a->n * a->m; }", 0),
    ("int loop", "a.c",
     "void f(int n, const struct s *a) { for (int i = 0; i < n * a->m + 1; i++) ; }", 0),
    ("declared member", "a.c",
     "struct s { int n; float x; };\nint f(struct s *a) { return a->n * a->n + 1; }", 0),
    ("pointer arithmetic", "a.c", "void f(float *y, int i, int n) { float *row = y + i * n; }", 0),
    ("marker", "a.c", "void f(struct s *a) {\n    g(a->n * a->m + 1); /* int */\n}", 0),
    ("exact product", "a.c",
     "float f(float a) {\n    float p = a * 2.0f; /* exact */\n    return p + 1.0f;\n}", 0),
    ("variable reused", "a.c",
     "float f(float a, float b) { float p = a * b; p = LS_FMA(a, a, b); return p + a; }", 0),
    ("other function's variable", "a.c",
     "float f(float p, float q) { p = p * q; return p; }\nfloat g(float p) { return p + 1; }", 0),
    ("dereference", "a.c", "float f(const float *p, float a) { return a + *p; }", 0),
    ("comment and string", "a.c",
     "/* a * b + c, mad(a) */ const char *s = \"a * b + c\"; // dot(a)", 0),
    ("names like forbidden words", "a.cl",
     "float f(float half_rest, float fast_one) { return half_rest + fast_one; }", 0),
    ("max of ints", "a.cl", "int f(int a, int b) { return max(a, b); }", 0),
    ("work item", "a.cl",
     "void f(__global float *x, uint n) { x[0] = get_global_id(1) * n + get_global_id(0); }", 0),
    ("GLSL work item", "a.comp",
     "void main() { uint i = gl_GlobalInvocationID.y * 64u + gl_LocalInvocationID.x; }", 0),
    ("row with a function's name", "a.def",
     "ROW(exp, 1, canon_exp(x), \"\")\nROW(max, 2, x > y ? x : y, \"\")", 0),
    ("name made by a macro", "a.c",
     "static void NAME(f)(float *x, int64_t n, int64_t k) { x += n * k + 1; x += 4 * n; }", 0),
    ("unsigned casts", "a.c",
     "uint64_t f(uint64_t h, int c) { return (h ^ (uint64_t)c) * 31u + (uint32_t)c; }", 0),
]


def self_test():
    failed = 0
    for name, path, text, expected in CASES:
        found = check_texts({path: text})[path]
        if len(found) != expected:
            failed += 1
            print("self-test '%s': %d findings, expected %d" % (name, len(found), expected))
            for line, message in found:
                print("    %d: %s" % (line, message))
    print("lint_canon self-test: %d cases, %d failed" % (len(CASES), failed))
    return 1 if failed else 0


# Where canonical arithmetic is written.
CANONICAL = ("shaders/*.h", "shaders/*.cl", "shaders/*.comp", "backends/reference/*.[ch]", "lib/ops/*.def")


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) == 2 and arguments[0] == "--tree":
        root = pathlib.Path(arguments[1])
        arguments = [str(path) for pattern in CANONICAL for path in sorted(root.glob(pattern))]
    if not arguments or arguments[0].startswith("-"):
        print(__doc__.strip())
        return 2
    texts = {}
    for path in arguments:
        with open(path, encoding="utf-8") as file:
            texts[path] = file.read()
    count = 0
    for path, found in check_texts(texts).items():
        for line, message in found:
            count += 1
            print("%s:%d: %s" % (path, line, message))
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
