//! What stands around a box in its formula: `-\boxed{3}`, `\frac{1}{\boxed{3}}` and `x > \boxed{3}` don't say 3.

use exgrpo_guest_sdk::response::Boxed;

use crate::sides::{OPERATORS, Sign, head, next, tail, without_marks, works_on};
use crate::{parser, units};

/// Bytes of a formula before a box and behind it.
const MAX_BEFORE: usize = 300;
const MAX_BEHIND: usize = 200;

/// The formula around a box with the box's content in it, where more belongs to its value than the box; a percent sign,
/// units, words, and what stands on the other side of an equation don't.
pub(crate) fn whole(text: &str, boxed: &Boxed<'_>) -> Option<String> {
    let (before, behind) = (&text[..boxed.range.start], &text[boxed.range.end..]);
    if let Some(other) = alternative(behind) {
        return Some(format!("{}, {other}", boxed.content));
    }
    if is_plain_before(before) && is_plain_behind(behind) {
        return None;
    }
    let (left, opens) = formula_before(before);
    let (right, closes) = formula_behind(behind);
    let is_formula = opens && closes;
    let (left, depth) = tail(left, is_formula);
    let right = head(right, depth, is_formula);
    let left = if is_formula || works_on(left) { left } else { "" };
    let (left, right) = (without_marks(left), right.trim());
    let is_unit =
        right.bytes().all(|byte| byte.is_ascii_alphabetic()) && units::is_known(&right.to_lowercase());
    if left.is_empty() && (right.is_empty() || is_unit) {
        return None;
    }
    let content = boxed.content.trim();
    let value =
        if content.contains([',', '=', '<', '>']) { content.to_owned() } else { format!("({content})") };
    let whole = format!("{left}{value}{right}").replace("\\boxed", "");
    let is_worked_on = works_on(left)
        || OPERATORS.iter().any(|sign| *sign != "{" && right.starts_with(sign))
        || right.starts_with(',');
    (is_worked_on || parser::parse(&whole).is_ok()).then_some(whole)
}

/// The formula that "or" joins to that of a box: `$\boxed{4}$ or $-4$`.
fn alternative(behind: &str) -> Option<&str> {
    let rest = behind.strip_prefix('$')?.trim_start_matches([' ', ',']).strip_prefix("or")?;
    let (formula, _) = rest.trim_start().strip_prefix('$')?.split_once('$')?;
    (formula.len() < MAX_BEHIND && !formula.contains("\\boxed")).then_some(formula)
}

/// Whether nothing of a formula stands before a box but its opening or a sign of equality. Most boxes stand so.
fn is_plain_before(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\n']);
    let is_equal = before.strip_suffix('=').is_some_and(|left| !left.ends_with(['!', '<', '>', '\\']));
    before.is_empty()
        || is_equal
        || before.ends_with(['$', ':'])
        || before.ends_with("\\[")
        || before.ends_with("\\(")
}

fn is_plain_behind(behind: &str) -> bool {
    let bare = behind.trim_start_matches(' ');
    let rest = bare.strip_prefix('.').unwrap_or(bare);
    rest.is_empty()
        || rest.starts_with(['$', '\n'])
        || rest.starts_with("\\]")
        || rest.starts_with("\\)")
        || rest.len() < bare.len() && rest.starts_with(' ')
}

/// What of a text before a box may belong to its formula, and whether a formula surely began there.
fn formula_before(before: &str) -> (&str, bool) {
    let mut from = before.len().saturating_sub(MAX_BEFORE);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let near = &before[from..];
    let ends = ["$", "\\(", "\\[", "\\)", "\\]", "\n", "\\\\"];
    let found = ends
        .iter()
        .filter_map(|sign| Some((near.rfind(sign)?, *sign)))
        .max_by_key(|(at, sign)| (*at, sign.len()));
    let Some((at, sign)) = found else { return (near, false) };
    let rest = &near[at + sign.len()..];
    let is_displayed = || {
        let line = near[..at].trim_end();
        line.ends_with("\\[") || line.ends_with("$$") || line.ends_with("\\\\") || line.ends_with("}")
    };
    // `\$3` is a price.
    let is_price = sign == "$" && near[..at].ends_with('\\');
    let opens =
        matches!(sign, "\\(" | "\\[" | "\\\\") || sign == "$" && !is_price || sign == "\n" && is_displayed();
    let rest =
        if rest.starts_with("begin{") { rest.split_once('}').map_or(rest, |(_, rest)| rest) } else { rest };
    (rest, opens && !has_prose(rest))
}

/// The same of the text behind it.
fn formula_behind(behind: &str) -> (&str, bool) {
    let mut to = behind.len().min(MAX_BEHIND);
    while !behind.is_char_boundary(to) {
        to -= 1;
    }
    let near = &behind[..to];
    let ends = ["$", "\\)", "\\]", "\n", "\\\\", "\\end{", "\\begin{", "\\(", "\\["];
    let found = ends.iter().filter_map(|sign| Some((near.find(sign)?, *sign))).min();
    match found {
        Some((at, sign)) => (&near[..at], matches!(sign, "$" | "\\)" | "\\]" | "\\\\" | "\\end{" | "\n")),
        None => (near, false),
    }
}

/// Whether words stand in a text outside of commands, as they do between formulas.
fn has_prose(text: &str) -> bool {
    let mut from = 0;
    let mut words = 0;
    while let Some((sign, length)) = next(&text[from..]) {
        words += usize::from(matches!(sign, Sign::Word(word) if word.len() > 1));
        from += length;
    }
    words > 1
}

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::response::boxes;

    use super::*;

    fn shown(text: &str) -> Option<String> {
        whole(text, boxes(text).last().unwrap()).map(|whole| whole.replace(' ', ""))
    }

    #[test]
    fn what_works_on_a_box_belongs_to_its_value() {
        let mut wrong = Vec::new();
        for (text, value) in [
            ("-\\boxed{3}", "-(3)"),
            ("So $-\\boxed{3}$.", "-(3)"),
            ("$x = -\\boxed{3}$", "-(3)"),
            ("$2\\cdot\\boxed{3}$", "2\\cdot(3)"),
            ("2 \\cdot \\boxed{3}", "2\\cdot(3)"),
            ("2\\boxed{3}", "2(3)"),
            ("$\\boxed{3}^2$", "(3)^2"),
            ("\\boxed{3}^2", "(3)^2"),
            ("$\\boxed{3}\\pi$", "(3)\\pi"),
            ("\\boxed{3} \\pi", "(3)\\pi"),
            ("$\\boxed{3}x$", "(3)x"),
            ("\\[A = \\frac{1}{\\boxed{3}}\\]", "\\frac{1}{(3)}"),
            ("\\frac{1}{\\boxed{3}}", "\\frac{1}{(3)}"),
            ("$\\sqrt{\\boxed{3}}$", "\\sqrt{(3)}"),
            ("$\\sqrt[3]{\\boxed{3}} + 1$", "\\sqrt[3]{(3)}+1"),
            ("x > \\boxed{3}", "x>(3)"),
            ("$x \\ne \\boxed{3}$", "x\\ne(3)"),
            ("$x \\ge \\boxed{3}$", "x\\ge(3)"),
            ("\\boxed{3}, 4", "(3),4"),
            ("$\\boxed{3}, 4$", "(3),4"),
            ("$2, \\boxed{3}$", "2,(3)"),
            ("\\boxed{3} or 4", "(3)or4"),
            ("$\\boxed{3} + C$", "(3)+C"),
            ("1/\\boxed{3}", "1/(3)"),
            ("$x = \\pm\\boxed{3}$", "\\pm(3)"),
            ("$\\boxed{3}!$", "(3)!"),
        ] {
            if shown(text).as_deref() != Some(value) {
                wrong.push(format!("{text}: {:?}", shown(text)));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn words_units_and_the_other_side_of_an_equation_do_not() {
        let mut wrong = Vec::new();
        for text in [
            "\\boxed{3}",
            "$x = \\boxed{3}$",
            "$x = \\boxed{3}.$",
            "$\\$\\boxed{3}$",
            "\\$\\boxed{3}",
            "$\\boxed{3}\\%$",
            "$\\boxed{3}^\\circ$",
            "$\\boxed{3}^{\\circ}$",
            "\\boxed{3}°",
            "$\\boxed{3} \\text{ cm}$",
            "$\\boxed{3}\\,\\mathrm{cm}$",
            "$\\boxed{3}$ cm",
            "$\\therefore \\boxed{3}$",
            "$x = 2 + 1 = \\boxed{3}$",
            "$\\boxed{3} = 2 + 1$",
            "\\[\\text{The answer is } \\boxed{3}\\]",
            "\\[ \\quad \\boxed{3} \\quad \\]",
            "\\begin{aligned} x &= 2 + 1 \\\\ &= \\boxed{3} \\end{aligned}",
            "$\\implies \\boxed{3}$",
            "$$\\color{red}{\\boxed{3}}$$",
            "$\\textcolor{blue}{\\boxed{3}}$",
            "$\\underline{\\boxed{3}}$",
            "${\\boxed{3}}$",
            "$\\displaystyle \\boxed{3}$",
            "- \\boxed{3}",
            "* \\boxed{3}",
            "**\\boxed{3}**",
            "**Answer:** \\boxed{3}!",
            "1. \\boxed{3}",
            "2) \\boxed{3}",
            "The answer - \\boxed{3} - is odd.",
            "It is \\boxed{3}, as 4 is even.",
            "In 2010, \\boxed{3} of them",
            "Step 2: \\boxed{3}",
            "(see above) \\boxed{3} (exactly)",
            "<answer>\\boxed{3}</answer>",
            "\\boxed{3}<|im_end|>",
            "| \\boxed{3} |",
            "By AM-GM, $x + \\frac{1}{x} \\ge \\boxed{3}$.",
            "$n \\equiv \\boxed{3} \\pmod 7$",
            "$x = 1, y = \\boxed{3}$",
            "$x = \\boxed{3}, y = 1$",
            "$\\boxed{3}$, $\\boxed{4}$",
            "$x \\in \\boxed{[1,2]}$",
            "$\\boxed{3} \\blacksquare$",
            "$\\boxed{3} \\tag{1}$",
            "\\boxed{3} and we are done.",
            "答案是\\boxed{3}。",
            "따라서 \\boxed{3}입니다.",
            "$AB = \\boxed{3} m$",
            "\\boxed{3} x",
            "a \\boxed{3}",
            "$$\nx = \\boxed{3}\n$$",
            "\\[\n\\boxed{3}\n\\]",
        ] {
            if let Some(whole) = shown(text) {
                wrong.push(format!("{text}: {whole}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
