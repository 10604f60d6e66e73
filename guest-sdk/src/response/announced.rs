//! Answers that a phrase announces: "the answer is", "Answer:", "答案：", "la respuesta es".

use super::conclusions::{LEADS, SUPPOSITIONS};
use super::nouns::{DIRECT, Noun, nouns};

/// Marks of bold type, headings and code, which may stand anywhere in a phrase.
const MARKS: [char; 5] = ['*', '_', '`', '#', ' '];
/// Bytes between "answer to" and the "is" that belongs to it.
const MAX_TOPIC: usize = 80;

/// Characters before a noun in its brackets.
const MAX_IN_BRACKET: usize = 12;

/// Announcements that only suppose an answer before the one that counts.
const MAX_SUPPOSED: usize = 8;

/// An answer that a phrase announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced<'a> {
    /// Where the phrase begins that announces it, in bytes.
    pub start: usize,
    /// What follows the phrase in its line, or else the next line with text.
    pub line: &'a str,
    /// Whether a colon announces it, as in "Answer: 7", and not a verb.
    pub is_label: bool,
}

/// Words before "answer" that make it another's, or a wrong one.
const NOT_ONES_OWN: [&str; 18] = [
    "wrong",
    "incorrect",
    "false",
    "worst",
    "least",
    "student's",
    "students'",
    "their",
    "his",
    "her",
    "falsche",
    "falsch",
    "mauvaise",
    "fausse",
    "sbagliata",
    "错误",
    "common",
    "tempting",
];

impl Announced<'_> {
    /// Whether it is a wrong answer that is announced, or another's: "the incorrect answer is", "the student's answer is".
    ///
    /// ```
    /// use exgrpo_guest_sdk::response::announced;
    ///
    /// let is_of_wrong = |text: &str| announced(text).is_some_and(|found| found.is_of_wrong(text));
    /// assert!(is_of_wrong("The least likely answer is 41"));
    /// assert!(!is_of_wrong("That was wrong. The answer is 42"));
    /// ```
    pub fn is_of_wrong(&self, response: &str) -> bool {
        let before = response.get(..self.start).unwrap_or_default();
        let before = before.trim_end_matches([' ', '*', '_', '的']);
        let words = before.rsplit([' ', '*', '_', '\n']).take(3);
        words
            .take_while(|word| !word.ends_with(['.', ',', ':', ';', '!', '?']))
            .filter(|word| word.len() < 24)
            .any(|word| {
                let lower = word.to_lowercase();
                NOT_ONES_OWN.contains(&lower.as_str()) || lower.ends_with("错误")
            })
    }

    /// Whether it may take the place of an answer before it in `response`: a label at the beginning of a line or behind
    /// "final", or a sentence that supposes nothing.
    ///
    /// ```
    /// use exgrpo_guest_sdk::response::announced;
    ///
    /// let is_final = |text: &str| announced(text).is_some_and(|found| found.is_final(text));
    /// assert!(is_final("So 41.\n**Final answer**: 42"));
    /// assert!(!is_final("So 41. If it were odd, the answer would be 42."));
    /// ```
    pub fn is_final(&self, response: &str) -> bool {
        if self.is_label {
            let sentence = self.sentence(response);
            return sentence.is_empty() || LEADS.iter().any(|lead| sentence.ends_with(lead));
        }
        !self.is_unreal(response) && !self.is_supposed(response)
    }

    /// What stands before it in its sentence, in small letters.
    fn sentence(&self, response: &str) -> String {
        let before = response.get(..self.start).unwrap_or_default();
        let sentence = before.rsplit(['\n', '.', '!', '?']).next().unwrap_or_default();
        sentence.trim_matches([' ', '*', '#', '_', '\t']).to_lowercase()
    }

    /// "The answer would be".
    fn is_unreal(&self, response: &str) -> bool {
        let phrase: String = response.get(self.start..).unwrap_or_default().chars().take(20).collect();
        phrase.contains(" would ")
    }

    /// Whether its sentence supposes something before it: "if n were odd, the answer would be 41".
    pub fn is_supposed(&self, response: &str) -> bool {
        let sentence = self.sentence(response);
        let mut words = sentence.split(|char: char| !char.is_alphanumeric());
        words.clone().next().is_some_and(|first| matches!(first, "had" | "were" | "should" | "wenn" | "si"))
            || words.any(|word| SUPPOSITIONS.contains(&word))
    }
}

/// The last answer of a response that a phrase announces; the marks of bold type before it are left out. The phrases are
/// Arabic, Chinese, Czech, Danish, Dutch, English, Finnish, French, German, Greek, Indonesian, Italian, Japanese, Korean,
/// Norwegian, Polish, Portuguese, Romanian, Russian, Spanish, Swedish and Vietnamese.
///
/// ```
/// use exgrpo_guest_sdk::response::announced;
///
/// let text = "The answer is 41? No.\n**Final Answer**\n42";
/// let last = announced(text).unwrap();
/// assert_eq!(last.line, "42");
/// assert!(text[last.start..].starts_with("Answer"));
/// ```
pub fn announced(response: &str) -> Option<Announced<'_>> {
    let bytes = response.as_bytes();
    // What a JSON object says elsewhere is not its answer.
    let is_object = response.trim_start().trim_start_matches("```json").trim_start().starts_with('{');
    let members = || last_where(response, &|end| matches!(bytes.get(end), Some(b'"' | b'\'')));
    is_object.then(members).flatten().or_else(|| last_where(response, &|_| true))
}

/// The last announcement that is final, or a label; else the last, unless it is only supposed.
///
/// ```
/// use exgrpo_guest_sdk::response::settled;
///
/// let line = |text| settled(text).map(|found| found.line);
/// assert_eq!(line("The answer is 5.\nIf it were odd, the answer would be 6."), Some("5."));
/// assert_eq!(line("If it were odd, the answer would be 6."), None);
/// ```
pub fn settled(response: &str) -> Option<Announced<'_>> {
    let last = announced(response)?;
    let mut found = last;
    for _ in 0..MAX_SUPPOSED {
        if found.is_label || found.is_final(response) {
            return Some(found);
        }
        let Some(before) = announced(&response[..found.start]) else { break };
        // The line of one that is followed at once by another is cut there.
        found = before;
    }
    let is_only_supposed = last.is_unreal(response) && last.is_supposed(response);
    (!is_only_supposed).then_some(last)
}

/// The last announcement whose noun ends at a place like that.
fn last_where<'a>(response: &'a str, is_meant: &dyn Fn(usize) -> bool) -> Option<Announced<'a>> {
    let bytes = response.as_bytes();
    for start in (0..bytes.len()).rev() {
        let second = bytes.get(start + 1).map(u8::to_ascii_lowercase);
        for noun in nouns(bytes[start].to_ascii_lowercase()) {
            if noun.name.as_bytes().get(1).copied() != second {
                continue;
            }
            if !is_meant(start + noun.name.len()) {
                continue;
            }
            let Some((end, is_label)) = phrase_at(response, start, noun) else { continue };
            let rest = response.get(end..)?.split("</answer>").next()?;
            let rest = rest.trim_start_matches(['*', ':', ' ', '\t', '=', '_']);
            let mut lines = rest.lines().map(str::trim);
            let line = lines.find(|line| !line.is_empty() && !matches!(*line, "**" | "$$" | "\\[" | "```"));
            // `"answer": "C"`
            let is_member = matches!(bytes.get(start + noun.name.len()), Some(b'"' | b'\''));
            return line.map(|line| Announced {
                start,
                line: if is_member { member(line) } else { line },
                is_label,
            });
        }
    }
    None
}

/// The line behind the last phrase that announces an answer ("the answer is", "Answer:", an opening answer tag), or the
/// next line with text; the marks of bold type before it are left out.
///
/// ```
/// use exgrpo_guest_sdk::response::after_answer_phrase;
///
/// assert_eq!(after_answer_phrase("**Answer:** 42\nBye"), Some("42"));
/// assert_eq!(after_answer_phrase("Die Antwort lautet 42."), Some("42."));
/// assert_eq!(after_answer_phrase("Forty-two"), None);
/// ```
pub fn after_answer_phrase(response: &str) -> Option<&str> {
    announced(response).map(|announced| announced.line)
}

/// The value of a member of a JSON object, without its quotes.
fn member(line: &str) -> &str {
    let quote = line.chars().next().filter(|char| matches!(char, '"' | '\''));
    match quote {
        Some(quote) => line[1..].split(quote).next().unwrap_or_default(),
        None => line.split([',', '}']).next().unwrap_or(line).trim_end(),
    }
}

/// Where the phrase ends that begins with `noun` at `start`, and whether it is a label.
fn phrase_at(text: &str, start: usize, noun: &Noun) -> Option<(usize, bool)> {
    let end = start + noun.name.len();
    let found = text.get(start..end)?;
    if !found.eq_ignore_ascii_case(noun.name) || !(noun.is_compound || begins_word(text, start)) {
        return None;
    }
    // "Long answer:" tells how.
    if ["Long ", " long "].iter().any(|word| text[..start].ends_with(word)) {
        return None;
    }
    let mut rest = &text[end..];
    let at = |rest: &str| text.len() - rest.len();
    let behind_quote = rest.strip_prefix(['"', '\'']).map(|rest| rest.trim_start());
    if let Some(value) = behind_quote.and_then(|rest| rest.strip_prefix(':')) {
        return Some((at(value), true));
    }
    let closing = closing_bracket(&text[..start]);
    if let Some(value) = closing.and_then(|closing| rest.trim_start_matches(MARKS).strip_prefix(closing)) {
        return Some((at(value), true));
    }
    if noun.links == [""] {
        return Some((end, false));
    }
    if noun.name == "answer" {
        rest = rest.strip_prefix(['s', 'S']).unwrap_or(rest);
        if let Some(topic) = rest.strip_prefix(" to ") {
            return end_of_topic(topic).map(|length| (at(topic) + length, false));
        }
    }
    if is_heading(text, start, rest) {
        return Some((at(rest), true));
    }
    rest = rest.trim_start_matches(MARKS);
    if let Some(found) = noun.qualifiers.iter().find_map(|qualifier| strip_word(rest, qualifier)) {
        rest = found.trim_start_matches(MARKS);
    }
    noun.links.iter().find_map(|link| {
        if *link == DIRECT {
            return rest.starts_with(['$', '\\']).then(|| (at(rest), false));
        }
        let behind = strip_word(rest, link)?;
        Some((at(behind), link.ends_with([':', '：', '】', '.'])))
    })
}

/// The bracket that closes what a noun stands in: 【最終答え】, [Final answer].
fn closing_bracket(before: &str) -> Option<char> {
    let mut near = before.chars().rev().take(MAX_IN_BRACKET);
    let bracket = near.find(|char| !char.is_alphabetic() && *char != ' ')?;
    match (bracket, near.next()) {
        ('【', _) => Some('】'),
        ('[', None | Some('\n' | '*' | ' ')) => Some(']'),
        _ => None,
    }
}

/// Whether a word begins at `start`: "option", but not that of "adoption"; "Answer" of `finalAnswer` does.
fn begins_word(text: &str, start: usize) -> bool {
    let is_capital = text[start..].starts_with(|char: char| char.is_ascii_uppercase());
    let before = text[..start].chars().next_back();
    before.is_none_or(|char| !char.is_alphanumeric() || is_joined(char) || is_capital && char.is_lowercase())
}

/// Whether words of a character's writing stand side by side: Chinese, Japanese, Korean, Thai.
fn is_joined(char: char) -> bool {
    super::is_unspaced(char) || matches!(char, '\u{0e00}'..='\u{0e7f}')
}

/// What follows a word, or a sign; a word doesn't go on behind its end.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let start = text.get(..word.len())?;
    let rest = &text[word.len()..];
    let is_whole = !word.ends_with(|char: char| char.is_alphabetic() && !is_joined(char))
        || !rest.starts_with(|char: char| char.is_alphabetic() && !is_joined(char) || char == '\'');
    (start.eq_ignore_ascii_case(word) && is_whole).then_some(rest)
}

/// Behind "answer to": the length of what comes before the answer, "the second question is".
fn end_of_topic(topic: &str) -> Option<usize> {
    let end = topic.char_indices().nth(MAX_TOPIC).map_or(topic.len(), |(at, _)| at);
    let topic = topic[..end].split(['\n', '.', ',', ';']).next()?;
    [" is ", " is:", " are ", " = "].iter().filter_map(|link| Some(topic.find(link)? + link.len())).min()
}

/// Whether the noun is all of a line, but for "final" and the marks of a heading.
fn is_heading(text: &str, start: usize, rest: &str) -> bool {
    let behind = rest.trim_start_matches(MARKS);
    if !behind.starts_with(['\n', '\r']) {
        return false;
    }
    // A heading may follow a sentence in its line: "It is blank. ### Final Answer".
    let before = text[..start].rsplit(['\n', '#']).next().unwrap_or_default();
    let before = before.trim_matches(|char: char| MARKS.contains(&char));
    before.is_empty() || before.eq_ignore_ascii_case("final") || before.eq_ignore_ascii_case("the final")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_of_many_languages_announce_an_answer() {
        for text in [
            "The answer is 7.",
            "The answers are 7.",
            "The answer to the second question is 7.",
            "**Answer**: 7.",
            "Final answer = 7.",
            "The answer would be 7.",
            "## Final Answer\n\n7.",
            "<answer>7.</answer>",
            "答案：7.",
            "最终答案是7.",
            "答:7.",
            "Die Antwort ist 7.",
            "Das Ergebnis beträgt 7.",
            "La réponse est 7.",
            "Réponse finale : 7.",
            "La respuesta correcta es 7.",
            "Respuesta: 7.",
            "A resposta final é 7.",
            "La risposta è 7.",
            "Ответ: 7.",
            "Ответ — 7.",
            "答えは7.",
            "정답은 7.",
            "답: 7.",
            "【答案】7.",
            "【答え】7.",
            "【정답】 7.",
            "[Answer] 7.",
            "Ans. 7.",
            "Ans: 7.",
            "Ans.: 7.",
            "Rép. : 7.",
            "Correction: 7.",
            "Das Endergebnis ist 7.",
            "Het antwoord is 7.",
            "Đáp án: 7.",
            "Vậy đáp án đúng là 7.",
            "Prawidłowa odpowiedź to 7.",
            "Jawaban yang benar adalah 7.",
            "{\"finalAnswer\": 7.}",
            "{\"reason\": \"it is\", \"answer\": \"7.\", \"unit\": \"m\"}",
            "{\"final_answer\": 7.}",
            "{\"choice\" : \"7.\"}",
            "{'answer': '7.'}",
            "```json\n{\"answer\": \"7.\", \"reason\": \"The answer is not 8\"}\n```",
        ] {
            assert_eq!(after_answer_phrase(text), Some("7."), "{text}");
        }
    }

    #[test]
    fn other_words_announce_nothing() {
        for text in [
            "The answer isn't 7.",
            "The answers aren't 7.",
            "I answered 7.",
            "The ansatz. 7",
            "Ans 7",
            "Answer 7.",
            "Look at each option: 7.",
            "an answering machine: 7",
            "The adoption is 7.",
            "We reanswer: 7",
            "回答了7个问题",
            "",
        ] {
            assert_eq!(after_answer_phrase(text), None, "{text}");
        }
        assert_eq!(announced("Answer: 7").map(|found| found.is_label), Some(true));
        assert_eq!(announced("so the answer is 7").map(|found| found.start), Some(7));
    }
}
