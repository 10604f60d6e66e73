"""How language models phrase a final answer in English, with and without boxes.

In a template `<L>` stands for the answer in LaTeX, `<P>` for the answer as text (Unicode, or LaTeX between dollar signs
where it can't be written as text), and `<N>` for what the answer is, as a noun phrase.
"""

import re

from golds import SCALARS, Gold, plain

NOUNS = {
    "integer": [
        "the largest $n$",
        "the sum of all such $n$",
        "the value of $f(2)$",
        "the number of such pairs $(a,b)$",
        "the remainder",
        "the value of $x+y$",
        "the smallest possible value of $n$",
        "the number of ways",
        "the maximum of $f$",
        "the required integer",
        "the value of $a_{10}$",
    ],
    "scalar": [
        "the value",
        "the value of the expression",
        "the required value",
        "the result",
        "the value of $k$",
        "the minimum of $g$",
        "the limit",
        "the value of the integral",
        "the exact value",
        "the value of $S$",
    ],
    "angle": ["the angle", "the measure of the angle", "the measure of $\\angle ABC$"],
    "expression": ["the simplified expression", "the expression", "the general term", "the formula", "the result"],
    "equation": ["the equation", "the required equation", "the equation in question"],
    "interval": ["the solution set", "the interval", "the range", "the set of all such $x$"],
    "inequality": ["the condition", "the solution of the inequality", "the required condition"],
    "set": ["the set", "the solution set", "the set $S$"],
    "list": ["the complete list of solutions", "the full solution set"],
    "tuple": ["the solution", "the point", "the solution of the system"],
    "matrix": ["the matrix", "the result", "the product"],
    "ratio": ["the ratio", "the required ratio"],
    "letter": ["the correct option", "the correct choice"],
}

# What comes before an answer: true of some problem, and none of it says what the answer is.
WORKINGS = [
    "Let's work through this step by step.",
    "We set up the equation $2x + 3 = 11$, so that $x = 4$ in the auxiliary step.",
    "First, note that $7^2 = 49$ and $49 - 24 = 25$, whose square root is $5$.",
    "By the quadratic formula, the discriminant is $b^2 - 4ac = 36 - 20 = 16$.",
    "Using the identity $(a+b)^2 = a^2 + 2ab + b^2$, we can rewrite the left-hand side.",
    "There are $\\binom{6}{2} = 15$ pairs to look at, and by symmetry only some of them matter.",
    "Recall that $\\sin^2\\theta + \\cos^2\\theta = 1$.",
    "Step 1: Simplify.\n\nStep 2: Substitute the known quantities.\n\nStep 3: Solve.",
    "<think>\nHmm, could it be 17? No, that doesn't satisfy the second condition. Let me try again.\n</think>",
    "At first I tried $t = 6$, but this contradicts the condition.",
    "1. Read the problem.\n2. Translate it into equations.\n3. Solve these equations.",
    "Consider the substitution $u = x - 1$, so $du = dx$.",
    "",
    "",
]

# What comes after an answer and says nothing about it.
ENDINGS = [
    "",
    "",
    "",
    "",
    "\n\nI hope this helps!",
    "\n\nLet me know if you have any questions.",
    "\n\nThis completes the solution.",
    " $\\blacksquare$",
    "\n\nDone.",
]

BOXED = [
    "Therefore, the final answer is $\\boxed{<L>}$.",
    "$\\boxed{<L>}$",
    "\\boxed{<L>}",
    "\\[\\boxed{<L>}\\]",
    "\\[\n\\boxed{<L>}\n\\]",
    "$$\\boxed{<L>}$$",
    "Thus, <N> is $\\boxed{<L>}$.",
    "So the answer is: **$\\boxed{<L>}$**",
    "**Final Answer**\n\\boxed{<L>}",
    "### Final answer\n\n\\[ \\boxed{ <L> } \\]",
    "The final answer is \\(\\boxed{<L>}\\).",
    "Hence $\\boxed{\\displaystyle <L>}$ is the answer.",
    "The answer is \\fbox{$<L>$}.",
    "Answer: \\boxed{$<L>$}",
    "Therefore\n\\begin{align*}\n\\boxed{<L>}\n\\end{align*}",
    "The final answer is $\\boxed{\\boxed{<L>}}$.",
]

PROSE = [
    "The answer is $<L>$.",
    "The answer is <P>.",
    "The final answer is: $<L>$",
    "**Answer:** $<L>$",
    "**Answer: $<L>$**",
    "**Final Answer**: $<L>$",
    "**Final Answer:** <N> is $<L>$.",
    "Final answer: <P>",
    "Answer: <P>",
    "Answer:\n\n$$<L>$$",
    "## Answer\n\n<P>",
    "### Final Answer\n\n**<P>**",
    "<answer><P></answer>",
    "<answer>$<L>$</answer>",
    "Therefore, <N> is $<L>$.",
    "Thus <N> is <P>.",
    "Hence, <N> is \\(<L>\\).",
    "So <N> is equal to $<L>$.",
    "We conclude that <N> is $<L>$.",
    "The answer is $<L>$, as one checks by substitution.",
    "The answer is \\[<L>.\\]",
    "the answer is \\[\n<L>\n\\]",
    "So the answer is **<P>**.",
    "The correct answer is $<L>$.",
    "Our final answer is $\\mathbf{<L>}$.",
    "The answer to the problem is <P>.",
    "In conclusion, the answer is $<L>$. This matches what we expected from the sketch.",
    "The answer is $<L>$ because no other possibility is left.",
    "#### <P>",
    "I get $<L>$ as the final answer.",
    "$<L>$ is the final answer.",
    "The answer turns out to be $<L>$.",
    "Putting everything together, we obtain $<L>$.",
    "This gives us a final answer of $<L>$.",
    "It follows that the answer must be <P>.",
    "Final Answer: The final answer is $<L>$. I hope it is correct.",
    '{"answer": "<J>"}',
    "<N> = $<L>$",
    "- Check the conditions: they hold.\n- Answer: $<L>$",
    "ANSWER: <P>",
    "Ans. <P>",
    "Solution: $<L>$",
    "My final answer is <P>, and I am confident in it.",
]

# Only for single values: names before them, calculations, more said in the sentence of the answer.
SCALAR_PROSE = [
    "Therefore $x = <L>$.",
    "So we have\n\\[ S = <L>. \\]",
    "Hence $k = <L>$, which is what we wanted to find.",
    "The largest possible value of $f$ is $<L>$, attained at $x = 2$.",
    "The minimum is $<L>$, which occurs when $a = b = c$.",
    "**Final Answer**: The maximum value of $f$ is $<L>$.",
    "The answer is $<L>$. (Check: $3 \\cdot 4 = 12$ in the first equation, so all is well.)",
    "So the value of $N$ is $<L>$, where $N$ is as above.",
    "Let $A$ denote the area. Then $A = <L>$.",
    "The final answer is therefore $T = <L>$.",
    "The value is <B>.",
    "The value of the expression is <B>",
    "Therefore, the answer is <B>.",
    "After simplifying, we get <B> as our final answer.",
]

# With every backslash twice, as text that was escaped once too often has it.
DOUBLED = [
    "The answer is $<L>$.",
    "\\boxed{<L>}",
    "Therefore, the final answer is $\\boxed{<L>}$.",
    "\\[ \\boxed{<L>} \\]",
    "The value is \\(<L>\\).",
    "Final answer: $<L>$",
]


def noun(draw, kind: str, answer: str) -> str:
    """A noun phrase that fits the kind of an answer."""
    if re.fullmatch(r"-?\d+\^\{?\\circ\}?", answer):
        kind = "angle"
    elif kind in ("integer", "big integer"):
        kind = draw.choice(["integer", "scalar"])
    elif kind in SCALARS:
        kind = "scalar"
    return draw.choice(NOUNS.get(kind, ["the answer", "the final answer"]))


def fill(template: str, answer: str, name: str) -> str:
    """A template with an answer in LaTeX put in."""
    bare = plain(answer)
    if answer.startswith("\\text{") and answer.endswith("}") and bare and "$" in template and "\\boxed" not in template:
        # Words stand in text as they are.
        template = template.replace("$$<L>$$", "<P>").replace("\\[\n<L>\n\\]", "<P>").replace("$<L>$", "<P>").replace("\\(<L>\\)", "<P>")
    text = template.replace("<N>", name).replace("<P>", bare or f"${answer}$").replace("<B>", answer)
    text = text.replace("<J>", (bare or answer).replace("\\", "\\\\"))
    return text.replace("<L>", answer)


def capitalized(text: str) -> str:
    """With a capital at its start and at the start of each sentence that begins with "the"."""
    return re.sub(r"(^|[.!?] |\n)the ", r"\1The ", text)


def framed(draw, statement: str) -> str:
    """A statement with a working before it and some words behind it."""
    working = draw.choice(WORKINGS)
    return (f"{working}\n\n" if working else "") + statement + draw.choice(ENDINGS)


def stated(draw, gold: Gold, answer: str, forms: list[str]) -> str:
    """An answer in one of the given templates, within a response."""
    statement = capitalized(fill(draw.choice(forms), answer, noun(draw, gold.kind, answer)))
    return framed(draw, statement)


def in_prose(draw, gold: Gold, answer: str) -> str:
    # A name before a formula in variables could be one of them.
    has_variables = re.search(r"(?<![a-zA-Z\\])[abcnx](?![a-z])", gold.text + answer) is not None
    is_scalar = gold.kind in SCALARS and "^\\circ" not in answer and not has_variables
    forms = SCALAR_PROSE if is_scalar and draw.random() < 0.4 else PROSE
    return stated(draw, gold, answer, forms)


def in_box(draw, gold: Gold, answer: str) -> str:
    return stated(draw, gold, answer, BOXED)


def double_escaped(draw, gold: Gold, answer: str) -> str:
    statement = capitalized(fill(draw.choice(DOUBLED), answer, "it"))
    return statement.replace("\\", "\\\\")
