//! Verifier of mathematical answers: a response is right when its answer is the gold answer up to rewriting.
//!
//! The answer is the last box of a response that holds something, or else what follows "the answer is" in one of many
//! languages, what the last sentence says, the last formula, or the last number (`extract`). Both answers are read
//! (`lexer`, `parser`, `scalar`) and compared by what they are (`compare`): scalars exactly where their normal form decides
//! (`normal_form`), otherwise by evaluation to as many places as that takes (`agreement` states the error); lists, tuples,
//! intervals, sets, matrices and relations part by part.
//!
//! A gold answer that can't be read makes a response unscorable, and a line in the log says why, unless the response has
//! the very same text. So does an answer that may be equal or not. A response without an answer that can be read is incorrect.
//!
//! Reading and comparing are bounded by themselves: in length, depth, terms, sizes of numbers and steps.

mod agreement;
mod around;
mod boxed;
mod choice;
mod clause;
mod commands;
mod compare;
mod conditions;
mod decimal_comma;
mod environment;
mod equality;
mod equation;
mod evaluate;
mod expr;
mod extract;
mod figures;
mod function_call;
mod headings;
mod interval;
mod latex;
mod lexer;
mod main_number;
mod marks;
mod matrix;
mod modifiers;
mod normal_form;
mod normalize;
mod number_words;
mod numbers;
mod parser;
mod parts;
mod plain;
mod polynomial;
mod precise;
mod proof_marks;
mod ratio;
mod rational;
mod real;
mod region;
mod relation;
mod remarks;
mod scalar;
mod scripts;
mod sentences;
mod separation;
mod series;
mod sides;
mod spans;
mod statement;
mod together;
mod units;
mod words;
mod worked_out;

use exgrpo_guest_sdk::response::{after_think_tag, without_struck};
use exgrpo_guest_sdk::{Policy, Request, Result, Verdict, Verifier, log, parameters};

use choice::Choice;
use expr::{Bracket, Expr};

parameters! {
    /// What a run may set.
    pub struct Settings {
        /// Whether a response must close its thoughts with a think tag; only what follows the first one counts.
        after_think_tag: bool = false;
    }
}

/// Accepts answers that are equivalent to the gold answer.
#[derive(Debug)]
pub struct MathAnswer(Settings);

impl Policy for MathAnswer {
    type Parameters = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self(settings))
    }
}

impl Verifier for MathAnswer {
    fn verify(&self, request: &Request) -> Result<Verdict> {
        let reference = plain::plain(&request.reference);
        let mut gold_text = extract::gold(&reference);
        gold_text = plain::priced(&gold_text).into_owned();
        let parts = parts::named(&reference);
        if let Some(parts) = &parts {
            gold_text = parts.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ");
        }
        let mut gold = match number_words::in_digits(&gold_text) {
            Some(digits) => parser::parse(&digits),
            None => parser::parse(&gold_text),
        };
        // A worked solution says what its answer is.
        if gold.is_err()
            && let Some(said) = extract::gold_in_prose(&reference)
            && let Ok(read) = parser::parse(&said)
        {
            (gold_text, gold) = (said, Ok(read));
        }
        let judged = self.judge(&gold_text, gold.as_ref().ok(), parts.as_deref(), request);
        Ok(match judged {
            Some((answer, Some(true))) => Verdict::correct().with_answer(answer),
            _ if !is_scorable(&gold) => unscorable(
                &gold_text,
                &format!("the gold answer can't be read, {}", gold.err().unwrap_or("it has no value")),
            ),
            Some((answer, None)) => unscorable(&answer, "whether it equals the gold answer can't be decided"),
            Some((answer, Some(false))) => Verdict::incorrect().with_answer(answer),
            None => Verdict::incorrect(),
        })
    }
}

/// Characters at the beginning of a response in which "yes" or "no" is looked for.
const MAX_VERDICT: usize = 40;

impl MathAnswer {
    /// The answer of a response, and whether it is the gold answer, if that can be decided; `None` without an answer.
    fn judge(
        &self,
        gold_text: &str,
        gold: Option<&Expr>,
        parts: Option<&[parts::Part]>,
        request: &Request,
    ) -> Option<(String, Option<bool>)> {
        let mut response = request.response.as_str();
        if self.0.after_think_tag {
            response = after_think_tag(response)?;
        }
        let response = plain::plain(response);
        let response = without_struck(&response);
        let response = proof_marks::without_proof_marks(&response);
        let response = headings::without_headings(&response, gold);
        let found = extract::candidates_behind_thoughts(&response, request.finished);
        if let Some((values, is_same)) = together::assigned_parts(&request.reference, &response, &found) {
            return Some((values, Some(is_same)));
        }
        if let Some(gold) = gold
            && let Some((values, is_same)) = together::named_otherwise(gold, &response, &found)
        {
            return Some((values, Some(is_same)));
        }
        if let Some((values, is_same)) = together::in_named_parts(parts, gold_text, gold, &response, &found) {
            return Some((values, Some(is_same)));
        }
        if let Some(parts) = parts
            && let Some(values) = together::parts_of(parts, extract::behind_thoughts(&response), &found)
        {
            let is_same = parts::are_same(parts, &values);
            return Some((values.join(", "), Some(is_same)));
        }
        if let Some(gold) = gold
            && let Some(together) = together::all_boxes(gold, &found.boxes)
        {
            return Some((together, Some(true)));
        }
        let label = gold.and_then(label_of);
        // "(C) 12": the label alone is enough.
        let gold_label = if label.is_none() { choice::labelled(gold_text) } else { None };
        if let Some(label) = label
            && found.is_prose
        {
            match choice::chosen(extract::behind_thoughts(&response)) {
                Choice::One(choice) => return Some((choice.to_string(), Some(label == choice))),
                Choice::Several => return None,
                Choice::Unknown => {}
            }
        }
        let gold_words = words_of(gold_text);
        let gold_verdict = verdict(&gold_words);
        if found.is_prose && gold_verdict.is_some() {
            let beginning: String = extract::behind_thoughts(&response).chars().take(MAX_VERDICT).collect();
            if let Some(said) = verdict(words_of(&beginning).trim_start()) {
                return Some((said.to_owned(), Some(gold_verdict == Some(said))));
            }
        }
        let bare_gold = bare(gold_text);
        let mut last = None;
        for (place, candidate) in found.answers.into_iter().enumerate() {
            let is_first = place == 0;
            if !bare_gold.is_empty() && bare_gold == bare(&candidate) {
                return Some((candidate, Some(true)));
            }
            let is_said =
                matches!(gold, Some(Expr::Text(words)) if is_in_words(words, &words_of(&candidate)));
            if is_said || gold_verdict.is_some() && verdict(&words_of(&candidate)) == gold_verdict {
                return Some((candidate, Some(true)));
            }
            if let Some(label) = gold_label
                && let Some(choice) = choice::labelled(&candidate)
                && words_of(&candidate).trim_matches(['(', ')', '.', ' ']).len() == 1
            {
                return Some((candidate, Some(label == choice)));
            }
            if let Some(label) = label
                && let Some(choice) = choice::labelled(&candidate)
            {
                return Some((candidate, Some(label == choice)));
            }
            // "A nice day" is no A with a unit.
            let is_word = |word: &str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_lowercase());
            if label.is_some() && candidate.split_whitespace().any(is_word) {
                last.get_or_insert(candidate);
                continue;
            }
            let in_digits = number_words::in_digits(&candidate);
            let readable = plain::plain(in_digits.as_ref().unwrap_or(&candidate));
            let readable = decimal_comma::ungrouped(&readable).unwrap_or_else(|| readable.into_owned());
            let readable = plain::priced(&readable);
            let read = parser::parse(&readable)
                .or_else(|unreadable| parser::parse(equation::right_side(&readable).ok_or(unreadable)?));
            if let Ok(answer) = read {
                let mut is_right =
                    gold.map_or(Some(false), |gold| is_right(gold_text, gold, &candidate, &answer));
                let is_decimal =
                    || decimal_comma::may_be_decimal(&candidate) || decimal_comma::is_written_so(&response);
                if let (Some(gold), Some(false)) = (gold, is_right)
                    && let Some(Ok(decimal)) =
                        decimal_comma::of_answer(&candidate).map(|answer| parser::parse(&answer))
                    && is_decimal()
                    && compare::equivalent(gold, &decimal) == Some(true)
                {
                    is_right = Some(true);
                }
                if let (Some(gold), Some(false)) = (gold, is_right)
                    && let Some(renamed) = equation::renamed(gold_text, gold, &candidate, &answer)
                {
                    is_right = compare::equivalent(gold, &renamed);
                }
                // Words that are not those of the gold answer may lead to them.
                let is_final = is_first && found.is_revised && matches!(answer, Expr::Text(_));
                if is_right != Some(false) || is_final || !matches!(gold, Some(Expr::Text(_))) {
                    return Some((candidate, is_right));
                }
            }
            last.get_or_insert(candidate);
        }
        Some((last?, Some(false)))
    }
}

/// Whether an answer is the gold answer in any way that both can be read: a comma in the gold answer may be decimal.
fn is_right(gold_text: &str, gold: &Expr, answer_text: &str, answer: &Expr) -> Option<bool> {
    if let Some((with_point, is_certain)) = decimal_comma::of_gold(gold_text)
        && let Ok(decimal) = parser::parse(&with_point)
    {
        let other = decimal_comma::of_answer(answer_text).and_then(|answer| parser::parse(&answer).ok());
        let is_right = compare::equivalent(&decimal, other.as_ref().unwrap_or(answer));
        if is_certain || is_right == Some(true) || decimal_comma::is_no_list(answer_text) {
            return is_right;
        }
    }
    // "11,05" is a number, whatever the gold answer is, and no list of 11 and 5.
    if decimal_comma::is_surely_decimal(answer_text)
        && let Some(answer) = decimal_comma::of_answer(answer_text)
        && let Ok(answer) = parser::parse(&answer)
    {
        let gold_as_decimal =
            decimal_comma::of_no_group(gold_text).and_then(|gold| parser::parse(&gold).ok());
        return compare::equivalent(gold_as_decimal.as_ref().unwrap_or(gold), &answer);
    }
    // Two numbers in round brackets are a point or an interval, and no set in braces.
    let is_pair =
        matches!(answer, Expr::Bracketed(Bracket::Round, items, Bracket::Round) if items.len() == 2);
    if is_pair && matches!(gold, Expr::Set(_)) && gold_text.trim_start_matches(['$', ' ']).starts_with("\\{")
    {
        return Some(false);
    }
    // `\{5, 5\}` is a slip, and not two boxes that say the same.
    let is_braced =
        answer_text.trim_start_matches(['$', ' ']).trim_start_matches("\\left").starts_with("\\{");
    if is_braced && matches!(answer, Expr::Set(items) if items.len() > 1) && is_one_value(gold) {
        return Some(false);
    }
    // "20" for `m + n = 20`
    if let Some(value) = relation::value_of_terms(gold)
        && answer.symbols().is_empty()
    {
        return compare::equivalent(value, relation::result(answer).unwrap_or(answer));
    }
    match compare::equivalent(gold, answer) {
        Some(false) if is_same_list(gold_text, gold, answer_text, answer) => Some(true),
        is_right => is_right,
    }
}

/// A scalar, perhaps behind its name.
fn is_one_value(expr: &Expr) -> bool {
    let is_several = matches!(
        expr,
        Expr::Set(_) | Expr::Bracketed(..) | Expr::Matrix(_) | Expr::Member(..) | Expr::Union(_)
    );
    match relation::assigned(expr) {
        Some((_, value)) => is_one_value(value),
        None => {
            !is_several
                && !matches!(expr, Expr::Relation(..))
                && !expr.any(&|part| matches!(part, Expr::PlusMinus(..)))
        }
    }
}

/// Whether both are one list, where the commas of one of them could also group the digits of a number: `100,225`.
fn is_same_list(gold_text: &str, gold: &Expr, answer_text: &str, answer: &Expr) -> bool {
    let same = |gold: &Expr, answer: &Expr| compare::equivalent(gold, answer) == Some(true);
    match (parser::parse_as_list(gold_text), parser::parse_as_list(answer_text)) {
        (Some(gold), None) => matches!(answer, Expr::Set(_)) && same(&gold, answer),
        (None, Some(answer)) => matches!(gold, Expr::Set(_)) && same(gold, &answer),
        _ => false,
    }
}

/// A gold answer that isn't even equal to itself (1/0, or a number too large to tell) can't be compared with anything.
fn is_scorable(gold: &std::result::Result<Expr, lexer::Unreadable>) -> bool {
    gold.as_ref().is_ok_and(|gold| compare::equivalent(gold, gold) == Some(true))
}

fn unscorable(text: &str, why: &str) -> Verdict {
    let shown: String = text.chars().take(80).collect();
    log::warn(&format!("{why}: {shown}"));
    Verdict::unscorable()
}

/// The characters of an answer without spacing, delimiters and a final point.
fn bare(text: &str) -> String {
    let mut bare =
        if text.contains('\\') { text.replace("\\left", "").replace("\\right", "") } else { text.to_owned() };
    bare.retain(|char| !matches!(char, '$' | ' ' | '\n'));
    bare.truncate(bare.trim_end_matches('.').len());
    bare
}

/// The label of an option that a gold answer may be.
fn label_of(gold: &Expr) -> Option<char> {
    let Expr::Symbol(name) = gold else { return None };
    let mut chars = name.chars();
    chars.next().filter(|char| char.is_ascii_uppercase() && chars.next().is_none())
}

/// The same words, or a sentence that ends in them: "it was a Tuesday".
fn is_in_words(gold: &str, words: &str) -> bool {
    let before = words.strip_suffix(gold).unwrap_or_default();
    let ends = [" is ", " was ", " a ", " an ", " on ", " are "].iter().any(|verb| before.ends_with(verb));
    let is_denied =
        ["not ", "n't ", "never ", " or ", "if ", "neither "].iter().any(|word| before.contains(word));
    words == gold || (before.len() <= 200 && ends && !is_denied)
}

/// "yes", "no", "true" or "false" at the beginning of a text in small letters.
fn verdict(text: &str) -> Option<&str> {
    let end = text.find(|char: char| !char.is_alphabetic()).unwrap_or(text.len());
    let (first, rest) = text.split_at(end);
    let is_verdict = matches!(first, "yes" | "no" | "true" | "false");
    (is_verdict && (rest.is_empty() || rest.starts_with([',', '.', '!', ':', '—']))).then_some(first)
}

/// A text in small letters, without the marks of LaTeX and bold type.
fn words_of(answer: &str) -> String {
    let mut bare = answer.to_lowercase();
    if bare.contains('\\') {
        let commands = ["\\textbf", "\\textit", "\\text", "\\mathrm", "\\mbox"];
        bare = commands.iter().fold(bare, |text, command| text.replace(command, ""));
    }
    bare.retain(|char| !matches!(char, '{' | '}' | '$' | '*' | '\\'));
    let mut words = String::with_capacity(bare.len());
    for word in bare.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words.truncate(words.trim_end_matches('.').len());
    words
}

exgrpo_guest_sdk::export!(MathAnswer: Verifier);

#[cfg(test)]
mod any_text;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
