//! What a sentence says that something is, where no box shows it.

use exgrpo_guest_sdk::response::is_unspaced;

use crate::clause::{is_name, main_clause};
use crate::figures::{Number, leading_number, numbers};
use crate::main_number::{begins_comparison, main_number};
use crate::modifiers::{self, begins_with_denial};
use crate::remarks::{says_no_solution, without_clause, without_copula};
use crate::sentences::{end_of_sentence, last_with_value};
use crate::spans::{self, MAX_ANSWER, Span, run_of_formulas};
use crate::words::VERBS;
use crate::{expr, number_words, scripts, units, words};

/// Verbs that a value follows in Chinese.
const CHINESE_VERBS: [&str; 8] = ["是", "为", "為", "等于", "等於", "有", "得", "共"];
/// Words that begin a conclusion, in small letters.
const CONCLUSIONS: [&str; 34] = [
    "in the end",
    "in summary",
    "all in all",
    "ultimately",
    "folglich",
    "insgesamt",
    "therefore",
    "thus",
    "hence",
    "so",
    "in total",
    "in all",
    "altogether",
    "in conclusion",
    "finally",
    "consequently",
    "as a result",
    "we conclude",
    "overall",
    "因此",
    "所以",
    "故",
    "综上",
    "つまり",
    "よって",
    "したがって",
    "따라서",
    "also",
    "donc",
    "por lo tanto",
    "portanto",
    "quindi",
    "итак",
    "значит",
];
/// The candidates for the value that a sentence or more behind "the answer is" begins with, the likeliest first.
pub(crate) fn announced_value(text: &str) -> Vec<String> {
    let text = shortened(text.trim());
    let spans = spans::spans(text);
    let end = end_of_sentence(text, 0, &spans);
    let sentence = &text[..end];
    let spans: Vec<Span<'_>> = spans.into_iter().filter(|span| span.end <= end).collect();
    if begins_with_denial(sentence) {
        // "not 11 but 56"
        let joints = [" but ", ", а ", " sondern ", ", sino ", ", bensì "];
        let told = joints.iter().find_map(|joint| sentence.split_once(joint)).map(|(_, told)| told);
        return match told.filter(|told| begins_value(told) && !begins_with_denial(told)) {
            Some(told) => value(told, told.as_ptr() as usize - sentence.as_ptr() as usize, &spans),
            None => Vec::new(),
        };
    }
    let (sentence, spans) = main_clause(sentence, &spans);
    let sentence = sentence.as_str();
    if begins_with_prose(sentence, &spans)
        && let Some((at, told)) = told(sentence, &spans)
    {
        return value(told, at, &spans);
    }
    value(without_clause(sentence, &spans, 0), 0, &spans)
}

/// The beginning of a text that may be far too long.
fn shortened(text: &str) -> &str {
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= 2 * MAX_ANSWER).last();
    if text.len() <= 2 * MAX_ANSWER { text } else { &text[..end.unwrap_or(0)] }
}

/// The candidates for what the last sentence with a value says; `None` where nothing says one.
pub(crate) fn last_statement(text: &str, spans: &[Span<'_>]) -> Option<Vec<String>> {
    let (from, end) = last_with_value(text, spans)?;
    let sentence = &text[from..end];
    let within: Vec<Span<'_>> = spans
        .iter()
        .filter(|span| span.start >= from && span.end <= end)
        .map(|span| Span { start: span.start - from, end: span.end - from, ..*span })
        .collect();
    let begins = |words: &str| {
        sentence.trim_start().get(..words.len()).is_some_and(|head| head.eq_ignore_ascii_case(words))
    };
    if ["if it were", "if it was", "were it ", "if the answer were", "if the value were"]
        .into_iter()
        .any(begins)
    {
        return Some(Vec::new());
    }
    if says_no_solution(sentence) {
        return Some(vec!["no solution".to_owned()]);
    }
    let (main, mut within) = main_clause(sentence, &within);
    let sentence = main.as_str();
    let told = told(sentence, &within);
    if let Some((at, told)) = told {
        let formula = within.iter().find(|span| (at..at + told.len()).contains(&span.start));
        // "there are 5 such $n$"
        let counts =
            ["here are ", "here is ", "here exist "].iter().any(|verb| sentence[..at].contains(verb));
        let is_counted = |span: &Span<'_>| counts && leading_number(&told[..span.start - at]).is_some();
        if formula.is_none_or(is_counted) {
            return Some(value(told, at, &within));
        }
    }
    // Beside a number, a formula that is a name only says what is counted.
    if within.iter().all(|span| is_name(span.content)) && has_number_outside(sentence, &within) {
        within.clear();
    }
    if let Some(run) = run_of_formulas(sentence, &within, false) {
        let is_altered = modifiers::alter(&sentence[..run.start], &sentence[run.end..]);
        return Some(if is_altered { Vec::new() } else { vec![run.answer] });
    }
    let (start, end, value) = match bare_run(sentence).or_else(|| plain_run(sentence)) {
        Some((at, run)) => (at, at + run.len(), run.to_owned()),
        None => {
            let number = main_number(sentence, false)?;
            (number.start, number.end, number.with_unit(sentence))
        }
    };
    let is_altered = modifiers::alter(&sentence[..start], &sentence[end..]);
    Some(if is_altered { Vec::new() } else { vec![value] })
}

fn has_number_outside(sentence: &str, spans: &[Span<'_>]) -> bool {
    let outside = |at: usize| !spans.iter().any(|span| span.start <= at && at < span.end);
    numbers(sentence).iter().any(|number| outside(number.start))
}

/// The value in a part of a sentence that begins `at` bytes into it: its first formulas, all of it, a bare formula, a number.
fn value(part: &str, at: usize, spans: &[Span<'_>]) -> Vec<String> {
    let end = at + part.len();
    let within: Vec<Span<'_>> = spans
        .iter()
        .filter(|span| span.start >= at && span.end <= end)
        .map(|span| Span { start: span.start - at, end: span.end - at, ..*span })
        .collect();
    if let Some(number) = within.first().and_then(|span| leading_number(&part[..span.start])) {
        return vec![number];
    }
    // In prose, a formula that is only a name is what is spoken of.
    let is_name =
        |span: &Span<'_>| span.content.chars().count() == 1 && span.content.chars().all(char::is_alphabetic);
    let skipped = if part.trim_start().starts_with(|char: char| char.is_alphabetic()) {
        within.iter().position(|span| !is_name(span)).unwrap_or(0)
    } else {
        0
    };
    // A formula that can't be read is not made up for by a number that happens to stand in it.
    let bare = without_copula(part.trim().trim_matches('*').trim_end_matches(['.', '*', ' ', ',']));
    if let Some(listed) = named_values(part, &within) {
        return vec![listed];
    }
    if let Some(run) = run_of_formulas(part, &within[skipped..], true) {
        // What stands beside it may be read with it, but not left out.
        let is_altered = modifiers::alter(&part[..run.start], &part[run.end..]);
        return vec![if is_altered { bare.to_owned() } else { run.answer }];
    }
    let lower = part.to_lowercase();
    let compares = bare.contains(['<', '>', '≤', '≥', '≠']);
    // "at least 100" is not made up for by its number.
    let rest = if compares || words::is_bound(&lower) {
        None
    } else {
        let is_unaltered = |number: &Number| !modifiers::alter(&part[..number.start], &part[number.end..]);
        let number =
            || numbers(part).into_iter().next().filter(is_unaltered).map(|number| number.with_unit(part));
        bare_run(part).map(|(_, run)| run.to_owned()).or_else(number)
    };
    // "**47** such integers"
    let bare = bare.replace("**", "");
    std::iter::once(bare).chain(rest).filter(|value| !value.is_empty()).collect()
}

/// `u = $750$, v = $122$` as one list, where every formula is the value of a name before it.
fn named_values(part: &str, spans: &[Span<'_>]) -> Option<String> {
    if !(2..=8).contains(&spans.len()) {
        return None;
    }
    let mut from = 0;
    for span in spans {
        let name = part.get(from..span.start)?.trim_end().strip_suffix('=')?;
        let name = name.trim().trim_start_matches(',').trim_start().trim_start_matches("and ").trim();
        let is_name = name.len() == 1 && name.starts_with(|char: char| char.is_ascii_alphabetic());
        if !is_name {
            return None;
        }
        from = span.end;
    }
    let end = part.get(from..)?.trim_matches(['.', ' ', '*']);
    end.is_empty().then(|| part.trim_matches(['.', ' ', '*']).replace('$', ""))
}

/// What a text without any value says in words: all of it, and what is behind its verb.
pub(crate) fn words_said(text: &str) -> Vec<String> {
    let sentence = text.trim_end_matches(['.', '*', ' ']);
    let said = [" is ", " are "].iter().filter_map(|verb| sentence.rsplit_once(verb)).map(|(_, said)| said);
    let whole = std::iter::once(text).chain(said).map(str::to_owned);
    number_in_words(text).into_iter().chain(whole).collect()
}

/// The only number that a text has in words; "one" may be no number.
fn number_in_words(text: &str) -> Option<String> {
    let words: Vec<&str> = text
        .split(|char: char| !(char.is_alphanumeric() || char == '-'))
        .filter(|word| !word.is_empty())
        .collect();
    let is_number = |word: &&str| number_words::number(&word.to_lowercase()).is_some();
    let mut runs = words.split(|word| !is_number(word)).filter(|run| !run.is_empty());
    let run = runs.next()?;
    let said = run.join(" ").to_lowercase();
    let is_alone = runs.next().is_none() && said != "one" && number_words::number(&said).is_some();
    let before = said.split(' ').next().and_then(|first| text.to_lowercase().find(first));
    let is_altered = before.and_then(|at| text.get(..at)).is_none_or(|before| modifiers::alter(before, ""));
    (is_alone && !is_altered).then(|| number_words::number(&said).map(|number| number.to_string())).flatten()
}

fn begins_with_prose(sentence: &str, spans: &[Span<'_>]) -> bool {
    let trimmed = sentence.trim_start_matches(['*', ' ', '(', '"']);
    let first: String = trimmed.chars().take_while(|char| char.is_alphabetic()).collect();
    // "$f(2)$ is 5"
    let begins_with_name = spans.first().is_some_and(|span| {
        sentence[..span.start].trim().is_empty()
            && VERBS.iter().any(|verb| sentence[span.end..].starts_with(verb))
    });
    begins_with_name || (first.chars().count() > 1 && expr::Function::named(&first).is_none())
}

/// What follows the last verb with a value behind it, and where that begins.
fn told<'a>(sentence: &'a str, spans: &[Span<'_>]) -> Option<(usize, &'a str)> {
    let verbs: &[&str] = if sentence.contains(is_unspaced) { &CHINESE_VERBS } else { &[] };
    let ends = VERBS
        .iter()
        .chain(verbs)
        .flat_map(|verb| sentence.match_indices(verb).map(|(at, verb)| at + verb.len()))
        .map(|at| at + adverb(&sentence[at..]));
    let at = ends
        .filter(|&at| {
            !spans.iter().any(|span| span.start < at && at < span.end)
                && begins_value(&sentence[at..])
                && !compares(&sentence[..at], &sentence[at..])
                && !is_denied_verb(&sentence[..at])
                && !modifiers::ends_in_denial(&sentence[..at])
                && !modifiers::begins_with_denial(&sentence[at..])
        })
        .max()?;
    Some((at, without_clause(&sentence[at..], spans, at)))
}

/// ", which is 6 more than"
fn compares(before: &str, told: &str) -> bool {
    if !before.ends_with("which is ") {
        return false;
    }
    let number = told.trim_start_matches(['*', '$']);
    let end =
        number.find(|char: char| !(char.is_ascii_digit() || ".,".contains(char))).unwrap_or(number.len());
    end > 0 && begins_comparison(&number[end..])
}

/// The length of an adverb before a value.
fn adverb(text: &str) -> usize {
    let adverbs =
        ["exactly ", "only ", "just ", "therefore ", "thus ", "then ", "simply ", "precisely ", "given by "];
    adverbs.iter().find(|adverb| text.starts_with(*adverb)).map_or(0, |adverb| adverb.len())
}

/// Whether a Chinese verb that ends here is denied.
fn is_denied_verb(before: &str) -> bool {
    modifiers::UNSPACED_DENIALS.iter().any(|verb| before.ends_with(verb))
}

/// Whether a text begins with a number, a formula or a variable.
fn begins_value(text: &str) -> bool {
    let text = text.trim_start_matches(['*', ' ', '_', '`']);
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let second = chars.next();
    if first.is_ascii_digit() || "$\\-−([{+.|√π∞€£¥".contains(first) {
        return true;
    }
    // `x²` is a formula, too.
    let is_alone = second.is_none_or(|char| !char.is_alphanumeric() || scripts::is_superscript(char));
    first.is_alphabetic() && is_alone && !is_unspaced(first) && !matches!(first, 'a' | 'A' | 'I')
}

pub(crate) fn is_conclusion(sentence: &str) -> bool {
    let start: String = sentence.chars().take(24).collect::<String>().to_lowercase();
    CONCLUSIONS.iter().any(|word| {
        start.strip_prefix(word).is_some_and(|rest| {
            word.starts_with(is_unspaced) || !rest.starts_with(|char: char| char.is_alphanumeric())
        })
    })
}

/// The last run of words that are no prose, where it holds a command of LaTeX or a comparison: `x > \frac{2}{3}`.
fn bare_run(sentence: &str) -> Option<(usize, &str)> {
    // A price is no formula.
    let shows = |run: &str| {
        run.contains(['<', '>', '≤', '≥', '≠', '√'])
            || (run.replace("\\$", "").replace("\\%", "").contains('\\') && !run.contains("\\boxed"))
    };
    if !shows(sentence) {
        return None;
    }
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut depth = 0_usize;
    let mut is_open = false;
    for word in sentence.split(' ') {
        let start = word.as_ptr() as usize - sentence.as_ptr() as usize;
        // What stands in braces belongs to its formula.
        let is_part = depth > 0 || !is_prose(word);
        for byte in word.bytes() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        match runs.last_mut() {
            Some(run) if is_part && is_open => run.1 = start + word.len(),
            _ if is_part && !word.is_empty() => runs.push((start, start + word.len())),
            _ => {}
        }
        is_open = is_part;
    }
    let (_, run) = runs
        .into_iter()
        .map(|(start, end)| (start, &sentence[start..end]))
        .rfind(|(_, run)| shows(run) || run.contains(|char: char| char.is_ascii_digit()))?;
    let run = run.trim_matches([' ', ',', ':', ';', '*', '?', '!']).trim_end_matches(['.', '*', ' ', ',']);
    shows(run).then_some((run.as_ptr() as usize - sentence.as_ptr() as usize, run))
}

/// What follows "we get" to the end of its clause, where it is a formula without any sign of LaTeX: `5i`, `x^2+1`.
fn plain_run(sentence: &str) -> Option<(usize, &str)> {
    const OBTAINING: [&str; 6] = [" get ", " obtain ", " have ", " find ", " yields ", " becomes "];
    let at = OBTAINING.iter().filter_map(|verb| Some(sentence.rfind(verb)? + verb.len())).max()?;
    let run = without_clause(&sentence[at..], &[], at).trim_end_matches(['.', '*', ' ', ',']);
    let is_formula = run.contains(|char: char| char.is_ascii_digit())
        && run.contains(|char: char| {
            char.is_alphabetic() || "+^=·*{".contains(char) || scripts::is_superscript(char)
        })
        && run.split(' ').all(|word| !is_prose(word))
        && !ends_in_unit(run);
    is_formula.then_some((at, run))
}

/// Whether a number with its unit is all of a text: "12 cm".
fn ends_in_unit(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(number, unit)| {
        number.ends_with(|char: char| char.is_ascii_digit()) && units::is_known(unit)
    })
}

/// A word of a sentence, not of a formula.
pub(crate) fn is_prose(word: &str) -> bool {
    let bare = word.trim_matches(|char: char| "*.,:;?!\"'()".contains(char));
    let letters = bare.chars().filter(|char| char.is_alphabetic()).count();
    let is_plain = !bare.is_empty() && bare.chars().all(|char| char.is_alphabetic() || "'-’".contains(char));
    is_plain
        && (letters > 1 || bare == "a" || bare == "I")
        && expr::Function::named(bare).is_none()
        && bare != "pi"
}

/// Whether a response is an answer and nothing else: one short line without words, or a word.
pub(crate) fn is_bare(text: &str) -> bool {
    let is_word = |token: &str| {
        let token = token.trim_matches(['*', ':', ',', '.', '_']);
        token.len() > 1 && token.chars().all(char::is_alphabetic) && expr::Function::named(token).is_none()
    };
    let has_words =
        text.contains(' ') && text.split(' ').any(|token| is_word(token) && !matches!(token, "and" | "or"));
    !text.is_empty()
        && text.len() <= 300
        && !text.contains(['\n', '$'])
        && !text.contains("\\(")
        && !has_words
}
