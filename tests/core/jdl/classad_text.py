"""Random ClassAd expressions as text, of the part of the language where we and classad2 must agree.

Left out on purpose: what we define otherwise (64-bit overflow and non-finite reals are ERROR here,
Member in either order, text of lists, shifts beyond the word).
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
SYMBOLS = ["&&", "||", "==", "!=", "=?=", "=!=", "is", "isnt", "<", ">", "<=", ">=", "+", "-", "*", "%"]


class Source:
    """Draws expressions; `random` decides everything."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def expression(self, depth: int) -> str:
        if depth == 0 or self.random.random() < 0.1:
            return self.random.choice(LEAVES)
        return self.random.choice(
            [self.chain, self.chain, self.chain, self.unary, self.conditional, self.call, self.listing]
        )(depth - 1)

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
                self.member(listed),
                f"identicalMember({self.random.choice(LEAVES)}, {listed})",
            ]
        )

    def member(self, listed: str) -> str:
        """Never a list as the first argument: that is where we differ."""
        wanted = self.random.choice(["n", "s", "u", "other.Status", "1", '"a"', "true", "2.5"])
        return f"member({wanted}, {listed})"
