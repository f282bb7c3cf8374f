#!/usr/bin/env python3
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

INT, FLOAT, UNKNOWN = "int", "float", "unknown"

INT_TYPES = set("""
    unsigned signed bool _Bool size_t ptrdiff_t intptr_t uintptr_t
    int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t
    ivec2 ivec3 ivec4 uvec2 uvec3 uvec4 bvec2 bvec3 bvec4
    """.split())
FLOAT_TYPES = set("""
    vec2 vec3 vec4 dvec2 dvec3 dvec4 mat2 mat3 mat4
    __m128 __m256 __m512 __m128d __m256d __m512d float32x4_t
    """.split())
for width in ["", "2", "3", "4", "8", "16"]:
    for name in "int uint long ulong short ushort char uchar".split():
        INT_TYPES.add(name + width)
    for name in "float double half".split():
        FLOAT_TYPES.add(name + width)
VOID_TYPES = {"void", "auto"}
TYPES = INT_TYPES | FLOAT_TYPES | VOID_TYPES
QUALIFIERS = set("""
    const volatile static inline extern register restrict __restrict __restrict__ _Noreturn
    typedef LS_FN __global global __local local __constant constant __private private __kernel
    kernel highp mediump lowp in out inout uniform buffer shared layout readonly writeonly
    coherent precise flat
    """.split())
TAGS = {"struct", "union", "enum", "LS_STRUCT"}
CONTROL = {"if", "while", "switch"}
SKIPPED = {"else", "do", "goto", "break", "continue", "return", "case", "default", "for", "discard"}

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

TOKEN = re.compile(r"""
    (?P<space>\s+)
  | (?P<number>(?:0[xX][0-9a-fA-F]+(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?\d+)?
               |(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[uUlLfF]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<mark>\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||\^\^|[-+*/%&|^]=|\#\#
           |[][(){}<>=!~?:;,.+*/%&|^#\\@$`-])
""", re.VERBOSE)

BINARY = {}
LEVELS = ["|| ^^", "&&", "|", "^", "&", "== !=", "< > <= >=", "<< >>", "+ -", "* / %"]
for level, marks in enumerate(LEVELS):
    for mark in marks.split():
        BINARY[mark] = level
STARTS = {"(", "*", "&", "-", "+", "!", "~", "++", "--"}
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}


class Token:
    def __init__(self, kind, text, line):
        self.kind, self.text, self.line = kind, text, line


def tokenize(text, first_line=1):
    tokens, line, at = [], first_line, 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match and match.lastgroup != "space":
            tokens.append(Token(match.lastgroup, match.group(), line))
        piece = match.group() if match else text[at]
        line += piece.count("\n")
        at += len(piece)
    return tokens


def blank_comments(text):
    """Returns the text with comments blanked, and the lines that carry a marker."""
    marked = set()

    def blank(match):
        piece = match.group()
        if piece[0] in "\"'":
            return piece
        if re.match(r"/[/*]\s*(int|exact)\b", piece):
            marked.add(text.count("\n", 0, match.start()) + 1)
        return re.sub(r"[^\n]", " ", piece)

    pattern = r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, blank, text, flags=re.DOTALL), marked


def split_source(text):
    """Returns (tokens of the code, list of tokens of each macro body)."""
    lines = text.split("\n")
    code, macros, at = [], [], 0
    while at < len(lines):
        if not lines[at].lstrip().startswith("#"):
            code.append(lines[at])
            at += 1
            continue
        first, pieces = at, []
        while True:
            piece = lines[at]
            at += 1
            code.append("")
            pieces.append(piece[:-1] + " " if piece.endswith("\\") else piece)
            if not piece.endswith("\\") or at >= len(lines):
                break
        whole = "\n".join(pieces)
        match = re.match(r"\s*#\s*define\s+\w+(\([^)]*\))?", whole)
        if match:
            body = re.sub(r"[^\n]", " ", match.group()) + whole[match.end():].replace("##", "")
            macros.append(tokenize(body, first + 1))
    return tokenize("\n".join(code)), macros


class Node:
    def __init__(self, op, line, parts=(), text=""):
        self.op, self.line, self.parts, self.text = op, line, list(parts), text


class Declarations:
    """What all files together declare: kinds of struct members, functions' results, typedefs."""

    def __init__(self):
        self.members, self.functions, self.types = {}, {}, {}

    @staticmethod
    def note(table, name, kind):
        table[name] = kind if table.get(name, kind) == kind else UNKNOWN


class Checker:
    def __init__(self, path, declarations):
        self.path, self.known = path, declarations
        self.found, self.variables, self.products, self.everywhere = [], {}, set(), {}
        self.marked, self.in_parameters = set(), False
        base = path.rsplit("/", 1)[-1]
        self.is_prelude = base.startswith("prelude_")
        self.is_shared = base.endswith((".cl", ".comp", ".glsl", ".def", ".h"))

    # ---- tokens ----

    def peek(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at].text if at < len(self.tokens) else ""

    def kind_of_token(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at].kind if at < len(self.tokens) else ""

    def line(self):
        at = min(self.at, len(self.tokens) - 1)
        return self.tokens[at].line if self.tokens else 0

    def take(self, text=None):
        if text is not None and self.peek() != text:
            return False
        self.at += 1
        return True

    def report(self, line, message):
        if line not in self.marked and (line, message) not in self.found:
            self.found.append((line, message))

    # ---- statements ----

    def run(self, text):
        text, self.marked = blank_comments(text)
        code, macros = split_source(text)
        self.chunk(code, {})
        # A macro's body sees names that mean integers wherever the file declares them.
        integers = {name: kind for name, kind in self.everywhere.items() if kind == INT}
        for body in macros:
            self.chunk(body, integers)
        self.found.sort()

    def chunk(self, tokens, variables):
        self.tokens, self.at, self.depth, self.in_struct = tokens, 0, 0, False
        self.variables, self.products, self.globals = dict(variables), set(), dict(variables)
        while self.at < len(self.tokens):
            before = self.at
            self.statement()
            if self.at == before:
                self.at += 1

    def statement(self):
        text = self.peek()
        if text == "{":
            self.depth += 1
            self.take()
        elif text == "}":
            self.depth = max(0, self.depth - 1)
            self.take()
            if self.depth == 0:
                self.in_struct = False
                self.variables, self.products = dict(self.globals), set()
        elif text in CONTROL and self.peek(1) == "(":
            self.take()
            self.take()
            self.check(self.expression(), False)
            self.take(")")
        elif text == "for" and self.peek(1) == "(":
            self.take()
            self.take()
        elif text in SKIPPED:
            self.take()
        elif self.at_declaration():
            self.declaration()
        elif self.kind_of_token() in ("name", "number", "string") or text in STARTS:
            self.check(self.expression(), False)
        else:
            self.take()

    def at_declaration(self):
        text = self.peek()
        if text in QUALIFIERS or text in TAGS:
            return True
        if text in TYPES:
            return self.peek(1) != "("
        if self.kind_of_token() != "name":
            return False
        if self.peek(1) in CONTROL | SKIPPED:
            return False
        if self.kind_of_token(1) == "name" and self.peek(2) in ("=", ";", ",", "[", "("):
            return True
        if text in self.known.types and self.kind_of_token(1) == "name":
            return True
        return (self.peek(1) == "*" and self.kind_of_token(2) == "name"
                and self.peek(3) in ("=", ";", ","))

    def specifiers(self):
        """Consumes qualifiers and a type; returns its kind."""
        kind = None
        while self.at < len(self.tokens):
            text = self.peek()
            if text == "layout" and self.peek(1) == "(":
                self.take()
                self.skip_parentheses()
            elif text in ("__attribute__", "_Alignas") and self.peek(1) == "(":
                self.take()
                self.skip_parentheses()
            elif text in TAGS:
                self.take()
                self.in_struct = self.in_struct or self.depth == 0
                if self.peek() == "(":
                    self.skip_parentheses()
                elif self.kind_of_token() == "name" and self.peek() not in TYPES:
                    self.take()
                    if self.peek() == "(" and self.peek(2) == ")":
                        self.skip_parentheses()
                kind = kind or UNKNOWN
            elif text in QUALIFIERS:
                self.take()
            elif text in INT_TYPES or text in FLOAT_TYPES or text in VOID_TYPES:
                self.take()
                new = INT if text in INT_TYPES else FLOAT if text in FLOAT_TYPES else UNKNOWN
                kind = FLOAT if FLOAT in (kind, new) else new
            elif kind is None and text in self.known.types:
                self.take()
                kind = self.known.types[text]
            elif kind is None and self.kind_of_token() == "name" and (
                    self.kind_of_token(1) == "name" or self.peek(1) == "*"):
                self.take()
                kind = UNKNOWN
            else:
                break
        return kind or UNKNOWN

    def pasted_name(self):
        """Whether a function's name is made by a macro: NAME(suffix)(parameters)."""
        return self.peek() == "(" and self.peek(2) == ")" and self.peek(3) == "("

    def skip_parentheses(self):
        depth = 0
        while self.at < len(self.tokens):
            depth += {"(": 1, ")": -1}.get(self.peek(), 0)
            self.take()
            if depth == 0:
                return

    def declare(self, name, kind):
        self.variables[name] = kind
        Declarations.note(self.everywhere, name, kind)
        self.products.discard(name)
        if self.in_struct:
            Declarations.note(self.known.members, name, kind)
        elif self.depth == 0 and not self.in_parameters:
            self.globals[name] = kind

    def declaration(self):
        is_typedef = self.peek() == "typedef"
        kind = self.specifiers()
        if is_typedef and self.kind_of_token() == "name":
            Declarations.note(self.known.types, self.peek(), kind)
            self.take()
            return
        if self.peek() == "{":
            self.in_struct = True
            return
        while self.kind_of_token() == "name" or self.peek() in ("*", "("):
            while self.peek() in ("*", "(") or self.peek() in QUALIFIERS:
                self.take()
            if self.kind_of_token() != "name":
                return
            name, line = self.peek(), self.line()
            self.take()
            if self.pasted_name():
                self.skip_parentheses()
            if self.peek() == "(" and self.depth == 0:
                Declarations.note(self.known.functions, name, kind)
                self.parameters()
                return
            self.declare(name, kind)
            self.take(")")
            while self.peek() == "[":
                self.take()
                self.check(self.expression(), True)
                self.take("]")
            if self.take("="):
                value = self.assignment()
                self.check(value, kind == INT)
                self.hold(name, value, line, kind)
            if not self.take(","):
                return

    def parameters(self):
        self.variables, self.products = dict(self.globals), set()
        self.in_parameters = True
        self.take("(")
        while self.at < len(self.tokens) and self.peek() not in (")", ";", "{"):
            kind = self.specifiers()
            while self.peek() in ("*", "(") or self.peek() in QUALIFIERS:
                self.take()
            if self.kind_of_token() == "name":
                self.declare(self.peek(), kind)
            while self.at < len(self.tokens) and self.peek() not in (",", ")", ";", "{"):
                self.take()
            self.take(",")
        self.take(")")
        self.in_parameters = False

    # ---- expressions ----

    def expression(self):
        node = self.assignment()
        while self.peek() == ",":
            line = self.line()
            self.take()
            node = Node("comma", line, [node, self.assignment()])
        return node

    def assignment(self):
        node = self.conditional()
        if self.peek() in ASSIGNMENTS:
            text, line = self.peek(), self.line()
            self.take()
            return Node("assign", line, [node, self.assignment()], text)
        return node

    def conditional(self):
        node = self.binary(0)
        if self.peek() == "?":
            line = self.line()
            self.take()
            yes = self.expression()
            self.take(":")
            return Node("conditional", line, [node, yes, self.assignment()])
        return node

    def binary(self, level):
        node = self.unary()
        while self.peek() in BINARY and BINARY[self.peek()] >= level:
            text, line = self.peek(), self.line()
            self.take()
            node = Node("binary", line, [node, self.binary(BINARY[text] + 1)], text)
        return node

    def cast_kind(self):
        """The kind of the type in a cast that starts here, or None."""
        at, kind = self.at + 1, None
        while at < len(self.tokens):
            text = self.tokens[at].text
            if text in TYPES or text in self.known.types:
                kind = FLOAT if text in FLOAT_TYPES else INT if text in INT_TYPES else UNKNOWN
                kind = self.known.types.get(text, kind)
            elif text == ")" and kind:
                self.at = at + 1
                return kind
            elif text not in QUALIFIERS and text != "*":
                return None
            at += 1
        return None

    def unary(self):
        text, line = self.peek(), self.line()
        if text in ("-", "+", "!", "~", "*", "&", "++", "--"):
            self.take()
            return Node("unary", line, [self.unary()], text)
        if text == "sizeof" and self.peek(1) != "(":
            self.take()
            return Node("cast", line, [self.unary()], INT)
        if text == "(":
            kind = self.cast_kind()
            if kind:
                if self.peek() == "{":
                    return self.braces()
                return Node("cast", line, [self.unary()], kind)
        return self.postfix()

    def braces(self):
        line, parts = self.line(), []
        self.take("{")
        while self.at < len(self.tokens) and self.peek() != "}":
            before = self.at
            if self.peek() == "." and self.kind_of_token(1) == "name":
                self.at += 2
                self.take("=")
            elif self.peek() == "[":
                self.take()
                self.expression()
                self.take("]")
                self.take("=")
            parts.append(self.assignment())
            self.take(",")
            if self.at == before:
                self.take()
        self.take("}")
        return Node("list", line, parts)

    def postfix(self):
        text, line, kind = self.peek(), self.line(), self.kind_of_token()
        if text == "(":
            self.take()
            node = self.expression()
            self.take(")")
        elif text == "{":
            node = self.braces()
        elif kind in ("name", "number", "string"):
            self.take()
            node = Node(kind, line, text=text)
        else:
            if text not in (")", "]", "}", ";", ","):
                self.take()
            return Node("nothing", line)
        while True:
            text, line = self.peek(), self.line()
            if text == "(":
                self.take()
                parts = []
                while self.at < len(self.tokens) and self.peek() not in (")", ";"):
                    before = self.at
                    parts.append(self.assignment())
                    if not self.take(",") and self.peek() != ")":
                        if self.at == before:
                            self.take()
                self.take(")")
                node = Node("call", node.line, [node] + parts)
            elif text == "[":
                self.take()
                inner = self.expression()
                self.take("]")
                node = Node("index", line, [node, inner])
            elif text in (".", "->"):
                self.take()
                node = Node("member", line, [node], self.peek())
                self.take()
            elif text in ("++", "--"):
                self.take()
            else:
                return node

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
