//! Text by others on its way to people. Policies, models, datasets and templates may write what steers a terminal, turns
//! its lines around, can't be seen, or looks like a line of ours.
//!
//! Two nets. Where a message embeds such text it goes through [`foreign`] or [`quoted`], which keep it on one line and
//! short. Where a message leaves, [`notice`] (on standard error), [`lines`] (on a terminal) or [`entry`] escapes what is left, so that a new message is safe
//! without anybody thinking of it. Logs keep the text as it was.

use std::fmt::{self, Write};

/// Characters of one piece of foreign text that people are shown.
const MAX_FOREIGN: usize = 400;
/// Characters of a line of a message.
const MAX_LINE: usize = 4_000;
/// Lines of an event.
const MAX_LINES: usize = 60;
/// What continues a message is indented by this, so that it can't pass for a message of its own.
const INDENT: &str = "    ";
/// A line of an error that says what to do stays where it is.
const HINT: &str = "hint: ";

/// True for characters that steer a terminal, change the direction of text, or can't be seen: C0, DEL and C1, and
/// Unicode's formatting and default-ignorable characters but for the two selectors that make emoji.
pub fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Foreign text inside a message: hidden characters escaped, line breaks among them, and no longer than people read.
pub fn foreign(text: &str) -> Foreign<'_> {
    Foreign { text, quote: false }
}

/// The same between quotation marks, as `{:?}` writes it.
pub fn quoted(text: &str) -> Foreign<'_> {
    Foreign { text, quote: true }
}

/// See [`foreign`] and [`quoted`].
#[derive(Debug, Clone, Copy)]
pub struct Foreign<'a> {
    text: &'a str,
    quote: bool,
}

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quote {
            f.write_char('"')?;
        }
        let end = self.text.char_indices().nth(MAX_FOREIGN).map_or(self.text.len(), |(index, _)| index);
        for char in self.text[..end].chars() {
            match char {
                '"' | '\\' if self.quote => write!(f, "\\{char}")?,
                char => write_char(f, char)?,
            }
        }
        if end < self.text.len() {
            write!(f, "…")?;
        }
        if self.quote {
            f.write_char('"')?;
        }
        if end < self.text.len() {
            write!(f, " ({} bytes in all)", self.text.len())?;
        }
        Ok(())
    }
}

/// A message of several lines, hidden characters but its line breaks escaped.
pub fn lines(text: &str) -> String {
    joined(text, |_, line| escaped(line))
}

/// A message for people: as [`lines`], and what follows its first line is indented unless it is a hint, so that a line
/// break in foreign text can't begin a message of its own.
pub fn notice(text: &str) -> String {
    joined(text, |index, line| {
        match index == 0 || [HINT, INDENT].iter().any(|&begin| line.starts_with(begin)) {
            true => clipped(line),
            false => format!("{INDENT}{}", clipped(line)),
        }
    })
}

/// Something that happened in a run, told with words of policies: as [`notice`], hints are indented too.
pub fn entry(text: &str) -> String {
    let whole: Vec<&str> = text.split('\n').collect();
    let mut shown: Vec<String> = whole.iter().take(MAX_LINES).map(|line| clipped(line)).collect();
    if whole.len() > MAX_LINES {
        shown.push(format!("… {} more lines", whole.len() - MAX_LINES));
    }
    shown.join(&format!("\n{INDENT}"))
}

/// JSON text whose strings hold hidden characters, with these escaped as JSON escapes them: the same value.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match is_hidden(char) && char != '\n' {
            true => {
                char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")))
            }
            false => out.push(char),
        }
    }
    out
}

fn joined(text: &str, line: impl Fn(usize, &str) -> String) -> String {
    let lines: Vec<String> = text.split('\n').enumerate().map(|(index, text)| line(index, text)).collect();
    lines.join("\n")
}

fn clipped(line: &str) -> String {
    match line.char_indices().nth(MAX_LINE) {
        Some((end, _)) => format!("{}… ({} bytes in all)", escaped(&line[..end]), line.len()),
        None => escaped(line),
    }
}

fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for char in line.chars() {
        // Writing to a text can't fail.
        let _infallible = write_char(&mut out, char);
    }
    out
}

fn write_char(out: &mut impl Write, char: char) -> fmt::Result {
    match char {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        char if is_hidden(char) => write!(out, "\\u{{{:x}}}", u32::from(char)),
        char => out.write_char(char),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts in which hidden characters are frequent.
    fn hostile() -> impl Strategy<Value = String> {
        let range = |low: u32, high: u32| (low..=high).prop_map(|code| char::from_u32(code).unwrap_or('x'));
        let char = prop_oneof![
            range(0, 0x20),
            range(0x7f, 0xa0),
            range(0x2000, 0x2070),
            range(0xe0000, 0xe0fff),
            Just('\u{feff}'),
            Just('\u{1b}'),
            Just('\n'),
            any::<char>(),
        ];
        proptest::collection::vec(char, 0..40).prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left_and_only_messages_have_lines(text in hostile()) {
            let one_line = [foreign(&text).to_string(), quoted(&text).to_string()];
            prop_assert!(one_line.iter().all(|text| !text.chars().any(is_hidden)), "{one_line:?}");
            for message in [lines(&text), notice(&text), entry(&text)] {
                prop_assert!(!message.chars().any(|char| is_hidden(char) && char != '\n'), "{message:?}");
            }
            prop_assert_eq!(lines(&text).split('\n').count(), text.split('\n').count());
            prop_assert!(entry(&text).split('\n').skip(1).all(|line| line.starts_with(INDENT)));
            // Twice is once: a net behind a net changes nothing.
            prop_assert_eq!(lines(&lines(&text)), lines(&text));
            prop_assert_eq!(notice(&entry(&text)), entry(&text));
        }

        #[test]
        fn escaped_json_is_the_same_value(text in hostile()) {
            let escaped = json(&serde_json::to_string(&text).unwrap());
            prop_assert!(!escaped.chars().any(is_hidden), "{escaped:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }

    /// The sets that the issue names, one by one.
    #[test]
    fn what_steers_a_terminal_or_can_not_be_seen_is_hidden() {
        let ranges = [
            (0, 0x1f),
            (0x7f, 0x9f),
            (0x200b, 0x200f),
            (0x2028, 0x202e),
            (0x2060, 0x2069),
            (0xfeff, 0xfeff),
            (0xe0001, 0xe007f),
        ];
        for code in ranges.into_iter().flat_map(|(low, high)| low..=high) {
            assert!(is_hidden(char::from_u32(code).unwrap()), "{code:x}");
        }
        for char in ['a', ' ', 'é', '漢', '\u{301}', '👩', '\u{fe0f}', '…', '\\'] {
            assert!(!is_hidden(char), "{char:?}");
        }
    }

    #[test]
    fn a_forged_line_of_progress_is_indented_and_a_long_text_is_clipped() {
        let forged = "guest-log: fine\nstep   10/150  reward 1.000\nhint: curl";
        assert_eq!(entry(forged), "guest-log: fine\n    step   10/150  reward 1.000\n    hint: curl");
        assert_eq!(notice("error: a\nb\nhint: c"), "error: a\n    b\nhint: c");
        assert_eq!(foreign("a\nb\u{1b}[2J\u{202e}").to_string(), "a\\nb\\u{1b}[2J\\u{202e}");
        assert_eq!(quoted("say \"é\"\\").to_string(), "\"say \\\"é\\\"\\\\\"");
        let long = "é".repeat(10_000);
        assert!(foreign(&long).to_string().ends_with("… (20000 bytes in all)"));
        assert!(entry(&"x\n".repeat(1_000)).lines().count() <= MAX_LINES + 1);
        assert!(notice(&long).len() < 2 * MAX_LINE + 100);
    }
}
