"""Boxes that hold no answer, that are taken back, and that belong together.

A template here has `<A>` for the answer that counts and `<O>` for what is in a box and doesn't: another value of the same
kind. A right response has the right answer as `<A>`; in a wrong one a wrong answer is `<A>` and the right one may be `<O>`.
"""

from golds import Gold

# The instruction, repeated; nothing is in the box.
ECHOES = [
    "I need to put my final answer in \\boxed{}.",
    'The task says: "Please reason step by step, and put your final answer within \\boxed{}."',
    "As asked, I will give the final answer within \\boxed{}.",
    "Let me solve this and present the result in \\boxed{...}.",
    "I should format the final answer as \\boxed{answer}.",
    "Remember: the answer goes in \\boxed{\\text{answer}}.",
    "You asked for the answer in the form $\\boxed{\\text{your answer}}$.",
    "(The required format is \\boxed{ANSWER}.)",
    "The answer has to be boxed like this: $\\boxed{\\phantom{0}}$.",
    "The answer should be given in the form $\\boxed{\\ldots}$.",
    "Instructions: put the final answer in \\boxed{ }.",
]
# What states the answer beside an echo.
STATED = [
    "The final answer is $<A>$.",
    "Answer: $<A>$",
    "**Final Answer:** $<A>$",
    "So the answer is $<A>$.",
    "Therefore, the answer is $<A>$.",
    "The answer is: $<A>$",
    "**Answer: $<A>$**",
]
# An echo behind the answer.
TRAILING = [
    "The answer is $<A>$.\n\n(Final answer given as asked, not in \\boxed{}.)",
    "**Answer (as requested in \\boxed{}):** $<A>$",
    "Final answer in \\boxed{}: $<A>$",
    "The final answer is $<A>$.\n\n\\boxed{}",
    "The final answer is $<A>$. $\\boxed{}$",
    "The answer is $<A>$.\n\n$\\boxed{\\phantom{x}}$",
    "As asked in \\boxed, the final answer is: $<A>$",
    "Here is the result, as asked in \\boxed{} notation. The answer is $<A>$.",
    "The answer is $<A>$. I was asked to put it in \\boxed{} but this interface shows plain text.",
    "So the answer is $<A>$ \\boxed{}.",
]
# A formula or a step in a box, then the answer without a box.
FORMULAS = [
    "The key formula is $\\boxed{A = \\pi r^2}$.",
    "Recall $\\boxed{a^2 - b^2 = (a-b)(a+b)}$.",
    "We use the theorem $\\boxed{a^2 + b^2 = c^2}$.",
    "By the quadratic formula, \\[\\boxed{x = \\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}}\\]",
    "Key fact: \\boxed{\\sin^2\\theta + \\cos^2\\theta = 1}.",
    "Note the identity \\[ \\boxed{\\sum_{k=1}^n k = \\frac{n(n+1)}{2}}. \\]",
]
AFTER_FORMULA = [
    "Putting in the numbers of the problem, we find the answer.\n\nFinal answer: $<A>$",
    "Applying it here gives the result.\n\nAnswer: $<A>$",
    "With this, the final answer is $<A>$.",
    "Substituting, we arrive at it.\n\n**Final Answer:** $<A>$",
    "From this we see that the answer is $\\boxed{<A>}$.",
]
# A box that is taken back. The answer is what the response ends in.
RETRACTED = [
    "So the answer is $\\boxed{<O>}$.\n\nWait, I made a sign error above; that value is wrong. Redoing the computation, I get $<A>$.\n\nFinal answer: $<A>$",
    "$\\boxed{<O>}$\n\nHold on, this can't be right: I forgot a case. Corrected final answer: $<A>$",
    "This gives $\\boxed{<O>}$. However, on checking, this does not satisfy the conditions, so it is not the answer. The correct final answer is $<A>$.",
    "First attempt: \\boxed{<O>}. That attempt is incorrect.\n\nSecond attempt: the final answer is $<A>$.",
    "\\boxed{<O>} was my earlier answer, but it is wrong. Final Answer: $<A>$",
    "I first thought it was $\\boxed{<O>}$. But that is a mistake, and the correct answer is $\\boxed{<A>}$.",
    "$\\boxed{<O>}$\n\nCorrection: the box above is wrong. The final answer is $\\boxed{<A>}$.",
]
# Steps in boxes, the last of them the answer.
STEPS = [
    "**Step 1.** The auxiliary quantity is $\\boxed{<O>}$.\n\n**Step 2.** With it, the quantity asked for is $\\boxed{<A>}$.",
    "The side length is $\\boxed{<O>}$, but the problem asks for something else. So the final answer is $\\boxed{<A>}$.",
    "For example, an answer would be written \\boxed{<O>}. Now my solution: the final answer is $\\boxed{<A>}$.",
    "The format of the answer is, for instance, \\boxed{<O>}. My final answer is: \\boxed{<A>}",
    "In part 1 (already solved) the result was $\\boxed{<O>}$. The question here is part 2 only, and its final answer is $\\boxed{<A>}$.",
]
# The same answer twice.
REPEATED = [
    "We get $\\boxed{<A>}$.\n\nTherefore, the final answer is $\\boxed{<A>}$.",
    "\\boxed{<A>}\n\nThe final answer is \\boxed{<A>}.",
    "So it is $\\boxed{<A>}$.\n\nFinal answer: $<A>$",
]


def hidden(draw, gold: Gold, is_near: bool) -> tuple[str, str, str]:
    """A response whose boxes hold something else than the answer, or nothing: gold answer, response, form."""
    right = draw.choice(gold.equal)
    wrong = draw.choice(gold.near)
    answer, other = (wrong, right) if is_near else (right, wrong)
    form = draw.choice(["echo", "echo", "trailing", "trailing", "formula", "retracted", "retracted", "steps", "repeated"])
    if form == "echo":
        text = f"{draw.choice(ECHOES)}\n\n{draw.choice(WORKING)}{draw.choice(STATED)}"
    elif form == "formula":
        text = f"{draw.choice(FORMULAS)} {draw.choice(AFTER_FORMULA)}"
    else:
        text = draw.choice({"trailing": TRAILING, "retracted": RETRACTED, "steps": STEPS, "repeated": REPEATED}[form])
    return gold.text, text.replace("<A>", answer).replace("<O>", other), form


WORKING = [
    "",
    "",
    "We compute $6 \\cdot 7 = 42$ along the way. ",
    "Expanding and collecting terms leaves one unknown. ",
    "Let $x$ be the unknown.\n\n",
]

# Two values, both asked for; <A> and <B>.
TOGETHER = [
    "$\\boxed{<A>}\\quad\\text{and}\\quad\\boxed{<B>}$",
    "$\\boxed{<A>} \\text{ and } \\boxed{<B>}$",
    "The solutions are $\\boxed{<A>}$ and $\\boxed{<B>}$.",
    "The two answers are \\boxed{<A>} and \\boxed{<B>}.",
    "\\[ \\boxed{<A>}, \\quad \\boxed{<B>} \\]",
    "The values are $\\boxed{<A>}$, $\\boxed{<B>}$.",
    "For part (a), the answer is $\\boxed{<A>}$, and for part (b), the answer is $\\boxed{<B>}$.",
    "(a) $\\boxed{<A>}$\n\n(b) $\\boxed{<B>}$",
    "**Part (a):** $\\boxed{<A>}$\n\n**Part (b):** $\\boxed{<B>}$",
    "Case 1 leads to the solution \\boxed{<A>}. Case 2 leads to the solution \\boxed{<B>}. Both are valid.",
    "The final answers are $\\boxed{<A>}$ and $\\boxed{<B>}$, respectively.",
    "$\\boxed{<A>, <B>}$",
    "$\\boxed{<A> \\text{ and } <B>}$",
    "The answers are $<A>$ and $<B>$.",
    "$\\boxed{<A>}$ or $\\boxed{<B>}$, both of which satisfy the equation.",
]
THREE = [
    "The solutions are $\\boxed{<A>}$, $\\boxed{<B>}$ and $\\boxed{<C>}$.",
    "$\\boxed{<A>}, \\boxed{<B>}, \\boxed{<C>}$",
    "(a) $\\boxed{<A>}$ (b) $\\boxed{<B>}$ (c) $\\boxed{<C>}$",
    "\\[\\boxed{<A>}\\quad\\boxed{<B>}\\quad\\boxed{<C>}\\]",
]
PAIR_GOLDS = [
    "<A>, <B>",
    "$\\boxed{<A>}$ and $\\boxed{<B>}$",
    "$\\boxed{<A>}$, $\\boxed{<B>}$",
    "<A> \\text{ and } <B>",
    "\\boxed{<A>}\\text{ and }\\boxed{<B>}",
]
NAMED = [
    "$\\boxed{<X>=<A>}$ and $\\boxed{<Y>=<B>}$",
    "\\[ \\boxed{<X> = <A>} \\quad \\boxed{<Y> = <B>} \\]",
    "Thus $\\boxed{<X>=<A>}$, $\\boxed{<Y>=<B>}$.",
    "So \\boxed{<X> = <A>} and also \\boxed{<Y> = <B>}.",
    "$\\boxed{<X>=<A>,\\ <Y>=<B>}$",
]


def put(text: str, **values: str) -> str:
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    return text


def several(draw, golds: list[Gold], is_near: bool) -> tuple[str, str, str]:
    """A question with two or three answers, each in a box of its own: gold answer, response, form."""
    # Kinds whose values differ from each other.
    scalars = [gold for gold in golds if gold.kind in ("integer", "fraction", "radical", "pi", "log", "complex") and gold.text != "-16"]
    one, two, three = draw.sample(scalars, 3)
    # Forms of one value may be equal to another gold answer's, so that only different kinds of change are made.
    a, b, c = draw.choice(one.equal[:3]), draw.choice(two.equal[:3]), draw.choice(three.equal[:3])
    form = draw.choice(["together", "together", "together", "named", "three"])
    if form == "named":
        x, y = draw.choice([("x", "y"), ("a", "b"), ("m", "n"), ("p", "q")])
        gold = draw.choice([f"({one.text}, {two.text})", f"{x}={one.text}, {y}={two.text}", f"({x},{y})=({one.text}, {two.text})"])
        a, b = changed(draw, one, two, a, b) if is_near else (a, b)
        return gold, put(draw.choice(NAMED), X=x, Y=y, A=a, B=b), form
    if form == "three":
        gold = draw.choice(["<A>, <B>, <C>", "$\\boxed{<A>}$, $\\boxed{<B>}$, $\\boxed{<C>}$"])
        gold = put(gold, A=one.text, B=two.text, C=three.text)
        if is_near and draw.random() < 0.5:
            return gold, put(draw.choice(TOGETHER[:6]), A=a, B=b), form
        return gold, put(draw.choice(THREE), A=a, B=b, C=fresh(draw, three, [one, two]) if is_near else c), form
    gold = put(draw.choice(PAIR_GOLDS), A=one.text, B=two.text)
    change = draw.choice(["one", "missing", "extra"]) if is_near else ""
    if change == "missing":
        return gold, f"The only answer is $\\boxed{{{draw.choice([a, b])}}}$.", form
    if change == "extra":
        return gold, put(draw.choice(THREE), A=a, B=b, C=fresh(draw, one, [one, two])), form
    b = fresh(draw, two, [one, two]) if change == "one" else b
    return gold, put(draw.choice(TOGETHER), A=a, B=b), form


def fresh(draw, gold: Gold, known: list[Gold]) -> str:
    """A near miss that is none of the known answers' forms."""
    taken = {form for other in known for form in (other.text, *other.equal)}
    return draw.choice([form for form in gold.near if form not in taken])


def changed(draw, one: Gold, two: Gold, a: str, b: str) -> tuple[str, str]:
    """Two named values, swapped or one of them wrong."""
    if draw.random() < 0.5:
        return b, a
    return (fresh(draw, one, [one]), b) if draw.random() < 0.5 else (a, fresh(draw, two, [two]))
