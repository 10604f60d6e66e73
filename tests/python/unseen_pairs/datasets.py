"""Gold answers as data sets have them: with units in brackets, in sentences, as worked solutions."""

from golds import SCALARS, Gold, plain
from templates import BOXED, PROSE, fill, framed

NOUNS = [
    "degrees",
    "ice cream sandwiches",
    "apples",
    "students",
    "dollars",
    "hours",
    "miles",
    "square units",
    "marbles",
    "books",
    "ways",
    "people",
    "minutes",
    "cars",
    "cookies",
    "tickets",
    "blocks",
    "liters",
    "eggs",
    "rows",
    "pages",
    "pencils",
]
MEASURES = ["degrees", "dollars", "hours", "miles", "square units", "minutes", "liters"]
# What a gold answer looks like; <A> is the value, <U> a unit.
WITH_UNIT = [
    "<A> (<U>)",
    "<A> (<U>)",
    "$<A>$ (<U>)",
    "$<A> \\text{ <U>}$",
    "$<A> <U>$",
    "<A> <U>",
    "<A> \\text{ <U>}",
    "$<A>$ <U>",
    "\\boxed{<A> \\text{ <U>}}",
    "\\( <A> \\) <U>",
    "$<A> \\mathrm{~<U>}$",
    "<A>\\ \\text{<U>}",
]
AGES = ["$<A> years old$", "<A> years old", "$<A>$ years old", "<A> \\text{ years old}", "$<A> \\text{ years}$", "<A> (years old)"]
SENTENCES = [
    "The answer is $<A>$.",
    "The answer is <A>",
    "$<A>$.",
    "\\boxed{<A>}",
    "$\\boxed{<A>}$",
    "$$<A>$$",
    "\\(<A>\\)",
    "\\[<A>\\]",
    "Answer: $<A>$",
    "$x=<A>$",
    "x = <A>",
    "$n = <A>$",
    "<A>.",
    "**<A>**",
    "The final answer is $\\boxed{<A>}$.",
    " <A> ",
    "$ <A> $",
    "#### <A>",
    "\\displaystyle <A>",
    "{<A>}",
]
SOLUTIONS = [
    "Let $x$ be the unknown. Expanding both sides we find $x^2 - 6x + 9 = 0$ at an intermediate step, and so the required quantity is $\\boxed{<A>}$.",
    "We first note that there are $6$ cases. In each of the cases a direct count applies. Adding them up, we get\n\\[\\boxed{<A>}.\\]",
    "By symmetry it is enough to look at the case $a \\le b \\le c$. Then $2c \\ge 10$, hence $c \\ge 5$. The answer is $\\boxed{<A>}$.",
    "Draw the altitude from $A$ to $BC$. By the Pythagorean theorem its length is $\\sqrt{13^2-5^2} = 12$. It follows that the answer is $\\boxed{<A>}$.",
    "In the first step she has 3 * 4 = <<3*4=12>>12 of them.\nIn the second step things change again.\n#### <A>",
    "There are 5 boxes with 6 items, so 5*6=<<5*6=30>>30 at first.\nAfter that the number changes as told.\n#### <A>",
    "**Solution.** Suppose that $f(0) = 1$. Then $f(1) = 2$, and so on; thus the answer is $\\boxed{<A>}$. $\\blacksquare$",
    "The first condition gives $p + q = 7$. The second gives what we need: $\\boxed{<A>}$",
]
NONE_GOLDS = ["No solution", "\\text{No solution}", "no solution", "$\\text{No solution}$", "No solutions"]
NONE_RIGHT = [
    "\\boxed{\\text{No solution}}",
    "There is no solution.\n\n\\boxed{\\text{no solution}}",
    "The answer is: no solution.",
    "**Final Answer:** No solution",
    "Answer: no solution",
    "The equation has no solution, so the answer is $\\boxed{\\text{No solution}}$.",
    "$\\boxed{\\text{no solutions}}$",
    "The final answer is $\\boxed{\\text{No Solution}}$.",
    "The discriminant is $4 - 12 = -8 < 0$.\n\n**Answer:** No solution.",
    "The system is inconsistent. Therefore, the answer is **no solution**.",
]
NONE_WRONG = [
    "\\boxed{x = <A>}",
    "The answer is $<A>$.",
    "There is exactly one solution: $\\boxed{<A>}$",
    "\\boxed{\\text{Infinitely many solutions}}",
    "The answer is: infinitely many solutions.",
    "**Final Answer:** All real numbers",
    "Answer: $x = <A>$",
    "$\\boxed{\\mathbb{R}}$",
    "The answer is: one solution.",
]
VALUES = {"integer", "fraction", "decimal"}


def from_dataset(draw, golds: list[Gold], is_near: bool) -> tuple[str, str, str]:
    """Gold answer, response, form."""
    form = draw.choice(["unit", "unit", "age", "sentence", "sentence", "solution", "solution", "solution", "none"])
    numbers = [gold for gold in golds if gold.kind == "integer" and not gold.text.startswith("-")]
    if form == "none":
        wrong = draw.choice(NONE_WRONG).replace("<A>", draw.choice(numbers).text)
        return draw.choice(NONE_GOLDS), wrong if is_near else draw.choice(NONE_RIGHT), form
    if form in ("unit", "age"):
        gold = draw.choice(numbers if form == "age" else [gold for gold in golds if gold.kind in VALUES and not gold.text.startswith("-")])
        unit = "years old" if form == "age" else draw.choice(NOUNS if gold.kind == "integer" else MEASURES)
        text = draw.choice(AGES if form == "age" else WITH_UNIT).replace("<A>", gold.text).replace("<U>", unit)
        if unit == "dollars" or "degrees" in unit or form == "age" and int(gold.text) < 2:
            answer_unit = ""
        else:
            answer_unit = draw.choice(["", "", f" {unit}", f" {unit}"])
        return text, counted(draw, gold, answer_unit, is_near), form
    candidates = [
        gold for gold in golds if gold.kind in SCALARS or gold.kind in ("expression", "interval", "set", "tuple", "equation", "matrix")
    ]
    if form == "sentence":
        gold = draw.choice([gold for gold in candidates if gold.kind in SCALARS])
        template = draw.choice(SENTENCES)
    else:
        gold = draw.choice(candidates)
        template = draw.choice(SOLUTIONS)
    text = template.replace("<A>", (plain(gold.text) or gold.text) if "####" in template else gold.text)
    answer = draw.choice(gold.near if is_near else gold.equal)
    return text, framed(draw, fill(draw.choice(BOXED + PROSE), answer, "the answer")), form


def counted(draw, gold: Gold, unit: str, is_near: bool) -> str:
    """A response with a number and perhaps its unit."""
    number = draw.choice(gold.near) if is_near else draw.choice([gold.text, gold.text, draw.choice(gold.equal[:5])])
    latex = f"{number}\\text{{{unit}}}" if unit else number
    templates = [
        "The final answer is $\\boxed{<L>}$.",
        "\\boxed{<L>}",
        "The answer is $<L>$.",
        "The answer is <P>.",
        "Answer: <P>",
        "**Answer:** $<L>$",
        "So in total there are $\\boxed{<L>}$.",
        "Therefore, the answer is <P>.",
        "Final answer: <P>",
    ]
    return framed(draw, fill(draw.choice(templates), latex, "the answer"))
