# SPDX-License-Identifier: Apache-2.0
"""C, OpenCL C and GLSL as tools/lint_canon.py reads them: tokens, declarations and expressions, without a preprocessor.

A macro's body is read as code of its own. What is not understood is skipped.
"""
import re

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


class Parser:
    """Walks a source statement by statement. What is done with an expression, `check`, and with a value that a name
    gets, `hold`, is for a subclass to say; `products` is its own, and is forgotten where a function ends."""

    def __init__(self, declarations):
        self.known = declarations
        self.variables, self.products, self.everywhere = {}, set(), {}
        self.in_parameters = False

    def check(self, node, in_int):
        raise NotImplementedError

    def hold(self, name, value, line, kind):
        raise NotImplementedError

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

    # ---- statements ----

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
