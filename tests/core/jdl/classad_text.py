"""Random ClassAd expressions as text, of the part of the language where we and classad2 must agree.

Left out on purpose: what we define otherwise (64-bit overflow and non-finite reals are ERROR here,
Member in either order, text of lists, shifts beyond the word, `>>>` of negative numbers, functions of text
of UNDEFINED) and that there a name that a record lacks is looked for in the records around it.
"""

from random import Random

MY = """[ n = 3; m = -2; x = 1.5; s = "Str"; t = "str"; yes = true; u = undefined; e = 1/0;
  l = { "A", "b" }; k = { 1, 2, 3 }; mixed = { 1, "a", undefined }; r = [ x = 1; y = "q"; up = parent.n ];
  ads = { [ a = 1 ], [ a = 2; b = "z" ] }; loop = loop + 1; ping = pong; pong = ping || yes; sum2 = n + other.Free ]"""
OTHER = """[ Status = "Production"; Free = 4; Total = 10; Load = 0.5; Tags = { "ATLAS-1", "cms-2" }; Ok = true;
  Site = [ Name = "roma3"; Cpus = 2 ]; Nothing = undefined; Bad = error ]"""

LEAVES = [
    "0",
    "1",
    "2",
    "-1",
    "3",
    "0.5",
    "-1.5",
    "2.0",
    "true",
    "false",
    "undefined",
    "error",
    '"a"',
    '"A"',
    '"b"',
    '"STR"',
    '""',
    "n",
    "m",
    "x",
    "s",
    "t",
    "yes",
    "u",
    "e",
    "loop",
    "ping",
    "pong",
    "sum2",
    "missing",
    "r.x",
    "r.y",
    "r.up",
    "r.missing",
    "self.n",
    "my.s",
    "ads.a",
    "k[0]",
    "k[7]",
    'r["y"]',
    "s.x",
    "n[0]",
    "other.Status",
    "other.Free",
    "other.Total",
    "other.Load",
    "other.Ok",
    "other.Missing",
    "other.Nothing",
    "other.Bad",
    "other.Site.Name",
    "other.site.cpus",
    "target.free",
]
LISTS = ["l", "k", "mixed", "other.Tags", "{}", "{1, 2.5}", '{"A", "b", "c"}', "{undefined}", "u", "n", "missing"]
TEXTS = ["s", '"abcdef"', '"ATLAS-1"', "other.Status", '"a b"', "u", "n", "x"]
PATTERNS = ['"a"', '"^A"', '"[a-c]+"', '"t.*s"', '"(S)(t)"', "u"]
VERSIONS = ['"1.2"', '"1.10"', '"1.2a"', '"1.02"', '"1.0"', '"9"', '"v10rc2"', "u", "n"]
INTEGERS = ["n", "12", "other.Free", "k[1]", "1", "-5", "m", "missing"]  # the first four are positive
SYMBOLS = ["&&", "||", "==", "!=", "=?=", "=!=", "is", "isnt", "<", ">", "<=", ">=", "+", "-", "*", "%"]


class Source:
    """Draws expressions; `random` decides everything."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def expression(self, depth: int) -> str:
        if depth == 0 or self.random.random() < 0.1:
            return self.random.choice(LEAVES)
        return self.random.choice(
            [
                self.chain,
                self.chain,
                self.chain,
                self.unary,
                self.conditional,
                self.call,
                self.call,
                self.listing,
                self.record,
                self.bits,
            ]
        )(depth - 1)

    def mixed(self) -> str:
        """Mostly small: what goes wrong in a large expression goes wrong in a small one, and ten are as quick."""
        return self.expression(self.random.choice([1, 1, 1, 1, 1, 2]))

    def chain(self, depth: int) -> str:
        symbol = self.random.choice(SYMBOLS)
        operands = [f"({self.expression(depth)})" for _ in range(self.random.choice([2, 2, 2, 3]))]
        return f" {symbol} ".join(operands)

    def unary(self, depth: int) -> str:
        return f"{self.random.choice('!-+~')}({self.expression(depth)})"

    def conditional(self, depth: int) -> str:
        return " ".join(
            [f"({self.expression(depth)}) ?", f"({self.expression(depth)}) :", f"({self.expression(depth)})"]
        )

    def listing(self, depth: int) -> str:
        items = ", ".join(self.expression(depth) for _ in range(3))
        return f"{{ {items} }}[{self.random.choice(['0', '1', '2', '3', 'u', 'n'])}]"

    def record(self, depth: int) -> str:
        """Selections from a record: of its own, of what stands around it, of a list of records."""
        body = f"[ a = {self.expression(depth)}; b = a; c = parent.n; n = 7; d = {{ n, self.a }} ]"
        return self.random.choice(
            [f"{body}.a", f"{body}.b", f"{body}.c", f"{body}.n", f"{body}.d[1]", f"{body}.missing", f"{{{body}, r}}.up"]
        )

    def bits(self, depth: int) -> str:
        symbol, number = self.random.choice(["|", "^", "&", "<<", ">>", ">>>"]), str(self.random.randint(0, 9))
        if symbol in ("<<", ">>", ">>>"):
            left = self.random.choice(INTEGERS[: 4 if symbol == ">>>" else None])
            return f"{left} {symbol} {number}"
        return f"{self.random.choice(INTEGERS)} {symbol} {self.random.choice([*INTEGERS, number, 'u', 'e', 'x', 's'])}"

    def call(self, depth: int) -> str:
        one, two = self.expression(depth), self.expression(depth)
        listed, text, pattern = map(self.random.choice, (LISTS, TEXTS, PATTERNS))
        scalar = self.random.choice([leaf for leaf in LEAVES if leaf != "ads.a"])
        return self.random.choice(
            [
                f"isUndefined({one})",
                f"isError({one})",
                f"isString({one})",
                f"isInteger({one})",
                f"isReal({one})",
                f"isBoolean({one})",
                f"isList({listed})",
                f"ifThenElse({one}, {two}, {scalar})",
                f"bool({one})",
                f"int({one})",
                f"real({one})",
                f"string({scalar})",
                f"floor({scalar})",
                f"ceiling({scalar})",
                f"round({scalar})",
                f"size({text})",
                f"size({listed})",
                f"strcat({text}, {scalar})",
                f"toUpper({text})",
                f"toLower({scalar})",
                f"substr({text}, {self.random.randint(-8, 8)})",
                f"strcmp({text}, {scalar})",
                f"substr({text}, {self.random.randint(-8, 8)}, {self.random.randint(-8, 8)})",
                f"stricmp({text}, {scalar})",
                f"regexp({pattern}, {text})",
                f'regexp({pattern}, {text}, "i")',
                f"sum({listed})",
                f"avg({listed})",
                f"min({listed})",
                f"max({listed})",
                f"regexpMember({pattern}, {listed})",
                f'anyCompare("{self.random.choice(["<", "==", "is", "!="])}", {listed}, {scalar})',
                f'allCompare("{self.random.choice([">=", "==", "isnt"])}", {listed}, {scalar})',
                f'join(",", {listed})',
                f'replace({pattern}, {text}, "<\\\\0>")',
                f'eval("{self.random.choice("nmx")} + 1")',
                f"quantize({self.random.randint(0, 20)}, {self.random.randint(1, 8)})",
                f"pow({self.random.randint(-3, 3)}, 2)",
                f"nosuch({scalar})",
                f"isString({scalar}, {scalar})",
                f"7 / {self.random.choice(['2', '-2', '0', '2.0', 's'])}",
                f"({one}) / {self.random.choice(['2', '-3', '0.5', 'n', 'u', 's'])}",
                f"version{self.random.choice(['LT', 'LE', 'EQ', 'GE', 'GT'])}({self.version()}, {self.version()})",
                f'version_in_range("1.1", {self.version()}, {self.version()})',
                f'stringListSize("{self.random.choice(["a, b", "", "a,,b", "c"])}")',
                f'stringListMember({self.random.choice(TEXTS[1:5])}, "abcdef, ATLAS-1, production")',
                f'stringListIMember({self.random.choice(TEXTS[1:4])}, "ABCDEF, a, production")',
                f'stringListSum("{self.random.choice(["1,2", "1,2.5", "1,x", "7"])}")',
                f'stringListMax("{self.random.choice(["1,2", "1,2.5", "1,x", "7"])}")',
                f'stringList_regexpMember({self.random.choice(PATTERNS[:5])}, "abc, ATLAS")',
                self.member(listed),
                f"identicalMember({self.random.choice(LEAVES)}, {listed})",
            ]
        )

    def version(self) -> str:
        return self.random.choice(VERSIONS)

    def member(self, listed: str) -> str:
        """Never a list as the first argument: that is where we differ."""
        wanted = self.random.choice(["n", "s", "u", "other.Status", "1", '"a"', "true", "2.5"])
        return f"member({wanted}, {listed})"
