"""How an answer is announced in other languages, and how numbers are written there.

`<L>`: LaTeX; `<P>`: text. Digits and letters may touch Chinese and Japanese characters.
"""

from golds import SCALARS, Gold, plain

PHRASES = {
    "zh": [
        "答案：<P>",
        "答案：$<L>$",
        "答案是<P>。",
        "答案是 $<L>$。",
        "因此，最终答案是 \\boxed{<L>}。",
        "所以答案为<P>。",
        "故答案为：$<L>$。",
        "故选择的结果为 $\\boxed{<L>}$。",
        "综上所述，答案是$<L>$。",
        "最终答案：<P>",
        "**答案：** $<L>$",
        "【答案】<P>",
        "【答案】$<L>$",
        "答：<P>。",
        "因此答案等于<P>。",
        "所以，正确答案是<P>。",
        "解：由题意可得结果。\n答案：<P>",
        "最后的答案是：$$<L>$$",
    ],
    "ja": [
        "答えは<P>です。",
        "答え：<P>",
        "答えは $<L>$ である。",
        "よって、求める値は $<L>$ である。",
        "したがって、答えは $\\boxed{<L>}$ です。",
        "【答え】<P>",
        "最終的な答え：$<L>$",
        "解答：<P>",
    ],
    "de": [
        "Die Antwort ist <P>.",
        "Die Antwort lautet $<L>$.",
        "Also ist die Antwort $<L>$.",
        "Antwort: <P>",
        "**Antwort:** $<L>$",
        "Das Ergebnis ist $<L>$.",
        "Das Endergebnis lautet <P>.",
        "Damit ist die endgültige Antwort $\\boxed{<L>}$.",
        "Die Lösung ist <P>.",
        "Lösung: $<L>$",
        "Endergebnis: <P>",
        "Somit lautet die richtige Antwort $<L>$.",
    ],
    "fr": [
        "La réponse est <P>.",
        "La réponse finale est $\\boxed{<L>}$.",
        "Donc la réponse est $<L>$.",
        "Réponse : <P>",
        "**Réponse :** $<L>$",
        "Réponse finale : $<L>$",
        "Le résultat est donc $<L>$.",
        "Ainsi, la bonne réponse est <P>.",
        "On en déduit que la réponse est $<L>$.",
    ],
    "es": [
        "La respuesta es <P>.",
        "Por lo tanto, la respuesta es $<L>$.",
        "Respuesta: <P>",
        "**Respuesta:** $<L>$",
        "La respuesta final es $\\boxed{<L>}$.",
        "El resultado final es $<L>$.",
        "Respuesta final: <P>",
        "Así, la respuesta correcta es $<L>$.",
        "La solución es $<L>$.",
    ],
    "ru": [
        "Ответ: <P>.",
        "Ответ: $<L>$",
        "**Ответ:** $<L>$.",
        "Итак, ответ: $<L>$.",
        "Таким образом, ответ — $<L>$.",
        "Окончательный ответ: $\\boxed{<L>}$.",
        "Правильный ответ: <P>",
        "Следовательно, ответ равен <P>.",
    ],
    "pt": ["A resposta é <P>.", "Resposta: $<L>$", "Portanto, a resposta final é $\\boxed{<L>}$.", "A resposta correta é $<L>$."],
    "it": ["La risposta è <P>.", "Risposta: $<L>$", "Quindi la risposta finale è $\\boxed{<L>}$.", "Il risultato è $<L>$."],
    "ko": ["정답: <P>", "답은 $<L>$입니다.", "따라서 정답은 <P>입니다.", "최종 답: $\\boxed{<L>}$"],
}
# A sentence before the answer, with numbers that are none.
WORKINGS = {
    "zh": ["由题意得 $2x+3=11$，解得辅助量 $x=4$。", "首先，我们分析题目的条件。", "步骤1：化简。步骤2：代入。", ""],
    "ja": ["まず、条件を整理する。", "$6\\times 7=42$ に注意する。", ""],
    "de": ["Zuerst betrachten wir $6 \\cdot 7 = 42$.", "Wir lösen die Aufgabe in 3 Schritten.", ""],
    "fr": ["On pose d'abord $u = x - 1$.", "Procédons en 2 étapes.", ""],
    "es": ["Primero observamos que $6 \\cdot 7 = 42$.", "Resolvemos el problema en 3 pasos.", ""],
    "ru": ["Сначала заметим, что $6 \\cdot 7 = 42$.", "Решим задачу по шагам.", ""],
}
# Where digits touch the characters around them: for numbers that are counted.
COUNTED = {
    "zh": [
        "答案是<P>个。",
        "所以一共有<P>种方法。",
        "因此共有<P>个。",
        "答：一共<P>元。",
        "所以最后结果等于<P>。",
        "因此x=<P>。",
        "综上，最大值为<P>。",
        "所以n的最小值是<P>。",
    ],
    "ja": ["答えは<P>個です。", "したがって、全部で<P>通りである。", "よって、最大値は<P>である。", "合計は<P>円です。"],
}
COMMA_LANGUAGES = ["de", "fr", "es", "ru", "it", "pt"]
FULL_WIDTH = str.maketrans("0123456789()+,.=", "０１２３４５６７８９（）＋，．＝")


def in_language(draw, gold: Gold, is_near: bool, comma_golds: list[Gold]) -> tuple[str, str, str]:
    """An answer announced in another language: gold answer, response, form."""
    form = draw.choice(["phrase", "phrase", "phrase", "touching", "full width", "minus", "comma"])
    answer = draw.choice(gold.near if is_near else gold.equal)
    is_number = gold.kind in ("integer", "decimal")
    if form == "comma":
        return with_comma(draw, draw.choice(comma_golds), is_near)
    language = draw.choice(["zh", "zh", "zh", "ja"]) if form in ("touching", "full width") else draw.choice([*PHRASES, "zh"])
    phrases = COUNTED[language] if form == "touching" and is_number and not gold.text.startswith("-") else PHRASES[language]
    bare = plain(answer)
    if form == "touching" and is_number:
        # A number that is counted is written with digits only.
        answer = bare = gold_digits(draw, gold, is_near)
    elif form == "full width" and bare and bare.isascii() and gold.kind in SCALARS | {"tuple"} and "/" not in bare:
        bare = bare.translate(FULL_WIDTH)
        phrases = [phrase for phrase in phrases if "<P>" in phrase]
    elif form == "minus" and bare:
        bare = bare.replace("-", "\u2212")
        phrases = [phrase for phrase in phrases if "<P>" in phrase] or phrases
    else:
        form = "phrase"
    working = draw.choice(WORKINGS.get(language, [""]))
    statement = draw.choice(phrases).replace("<P>", bare or f"${answer}$").replace("<L>", answer)
    return gold.text, (working + draw.choice(["\n\n", "\n", " "]) if working else "") + statement, form


def gold_digits(draw, gold: Gold, is_near: bool) -> str:
    if not is_near:
        return gold.text
    return draw.choice([text for text in gold.near if "\\" not in text and "," not in text])


def with_comma(draw, gold: Gold, is_near: bool) -> tuple[str, str, str]:
    """A decimal with a comma, where the gold answer shows that it is one."""
    value = gold.text if not is_near else draw.choice([text for text in gold.near if "." in text])
    answer = value.replace(".", draw.choice(["{,}", "{,}", ","]))
    text = value.replace(".", ",")
    language = draw.choice(COMMA_LANGUAGES)
    unit = draw.choice(["", "", "", "\\text{ cm}", "\\text{ kg}"])
    gold_text = gold.text.replace(".", "{,}") + unit
    phrase = draw.choice(PHRASES[language])
    shown = unit.replace("\\text{", "").replace("}", "")
    return gold_text, phrase.replace("<P>", text + shown).replace("<L>", answer + unit), "comma"
