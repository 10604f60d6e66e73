//! Commands of LaTeX, as tokens.

use crate::commands::{self, Command};
use crate::lexer::{Lexer, Token, Unreadable};
use crate::units;

/// Letters that are units when they stand upright behind a number.
const UNIT_LETTERS: [char; 14] = ['m', 'g', 's', 'h', 'l', 'L', 'N', 'J', 'W', 'K', 'V', 'C', 'T', 'F'];
/// Braces of `\text{..}` and the like within each other.
const MAX_NESTING: usize = 8;

impl Lexer {
    /// What a backslash begins.
    pub(crate) fn command(&mut self) -> Result<(), Unreadable> {
        self.at += 1;
        let Some(first) = self.peek(0) else { return Ok(()) };
        if !first.is_ascii_alphabetic() {
            self.at += 1;
            match first {
                '\\' => {
                    self.push(Token::RowEnd);
                    self.skip_length();
                }
                '{' => self.push(Token::Open('S')),
                '}' => self.push(Token::Close('S')),
                '%' => self.push(Token::Sign('%')),
                '$' => self.push(Token::Currency('$')),
                '|' => self.push(Token::Sign('|')),
                // Spaces, and the delimiters of formulas.
                ',' | '!' | ';' | ':' | '>' | ' ' | '(' | ')' | '[' | ']' | '\n' => {}
                '&' | '#' | '_' | '-' => {}
                _ => return Err("it has a command that is not known"),
            }
            return Ok(());
        }
        let name: String =
            self.chars[self.at..].iter().take_while(|char| char.is_ascii_alphabetic()).collect();
        self.at += name.len();
        match commands::named(&name) {
            Command::Token(token) => self.push(token),
            Command::Tokens(tokens) => tokens.into_iter().for_each(|token| self.push(token)),
            Command::Skip => {}
            Command::Delimiter => {
                // `\left.` is a bracket that is not there.
                match self.peek(0) {
                    Some('.') => self.at += 1,
                    Some('<') => {
                        self.at += 1;
                        self.push(Token::Open('('));
                    }
                    Some('>') => {
                        self.at += 1;
                        self.push(Token::Close(')'));
                    }
                    _ => {}
                }
            }
            Command::Environment(begins) => {
                let name = self.braced().ok_or("an environment has no name")?;
                self.push(Token::Environment(begins, name.trim_end_matches('*').into()));
                if begins && self.starts_with("{") && !self.starts_with("{-") {
                    // The columns of an `array`.
                    self.braced();
                }
            }
            Command::Words => {
                let content = self.braced().ok_or("words have no braces")?;
                self.words(&content)?;
            }
            Command::Blackboard => {
                let name = match self.braced() {
                    Some(name) => name,
                    None => {
                        while self.peek(0) == Some(' ') {
                            self.at += 1;
                        }
                        self.next_char().map(String::from).unwrap_or_default()
                    }
                };
                let token = if name.trim() == "R" {
                    Token::Reals
                } else {
                    Token::Symbol(format!("set {}", name.trim()))
                };
                self.push(token);
            }
            Command::Space => {
                self.braced();
            }
            Command::Unreadable => return Err("it has a sum, an integral or an ellipsis"),
        }
        Ok(())
    }

    /// `[4pt]` behind the end of a row.
    fn skip_length(&mut self) {
        let rest = &self.chars[self.at..];
        let Some(end) = rest.iter().take(12).position(|char| *char == ']') else { return };
        let length: String = rest[..end].iter().collect();
        let is_length = ["pt", "em", "ex", "mm", "cm"].iter().any(|unit| length.ends_with(unit));
        if length.starts_with('[') && is_length {
            self.at += end + 1;
        }
    }

    /// The content of the braces that begin here, read past them; `None` when there are none or they don't end.
    fn braced(&mut self) -> Option<String> {
        let mut at = self.at;
        while self.chars.get(at).is_some_and(|char| char.is_whitespace()) {
            at += 1;
        }
        if self.chars.get(at) != Some(&'{') {
            return None;
        }
        let mut depth = 0_usize;
        for (index, &char) in self.chars.iter().enumerate().skip(at) {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at = index + 1;
                return Some(self.chars[at + 1..index].iter().collect());
            }
        }
        None
    }

    /// `\text{..}`: words, a unit, or mathematics that someone wrote upright.
    fn words(&mut self, content: &str) -> Result<(), Unreadable> {
        let trimmed = content.trim();
        let after_number = matches!(self.tokens.last(), Some(Token::Number(_) | Token::Close(_) | Token::Pi));
        let spaced = trimmed.replace("\\,", " ").replace("\\cdot", " ").replace(['{', '}', '~'], "");
        if after_number && spaced != trimmed && units::is_known(&spaced.to_lowercase()) {
            self.word(&spaced);
            return Ok(());
        }
        let is_letter = trimmed.chars().count() == 1;
        let is_math =
            trimmed.chars().any(|char| !(char.is_alphabetic() || " .'/-^,$°²³\u{a0}?:;".contains(char)))
                || is_letter && !(after_number && trimmed.contains(UNIT_LETTERS))
                || trimmed.starts_with(',')
                || trimmed.starts_with(';');
        let unit_with_power = trimmed.chars().any(char::is_alphabetic)
            && trimmed.chars().all(|char| char.is_alphanumeric() || " /^.-²³".contains(char))
            && trimmed.starts_with(|char: char| char.is_alphabetic());
        if after_number && trimmed == "in" {
            self.word(trimmed);
        } else if let Some(token) = commands::plain_name(trimmed) {
            self.push(token);
        } else if !is_math && !after_number && list_of(trimmed).len() > 1 {
            for (index, part) in list_of(trimmed).into_iter().enumerate() {
                if index > 0 {
                    self.push(Token::Sign(','));
                }
                self.words(part)?;
            }
        } else if !is_math || (unit_with_power && trimmed.chars().count() > 1) {
            self.word(trimmed.trim_end_matches(['.', ',', ';', ':', '?']));
        } else {
            if self.nesting >= MAX_NESTING {
                return Err("its braces are nested too deep");
            }
            let inner = Lexer {
                chars: trimmed.chars().collect(),
                at: 0,
                tokens: Vec::new(),
                opened: Vec::new(),
                nesting: self.nesting + 1,
                commas: self.commas,
            };
            for token in inner.run()? {
                self.push(token);
            }
        }
        Ok(())
    }
}

/// The parts of "B, D and E".
fn list_of(words: &str) -> Vec<&str> {
    let parts = words.split(',').flat_map(|part| part.split(" and "));
    let parts = parts.map(|part| part.trim().trim_start_matches("and "));
    parts.filter(|part| !part.is_empty()).collect()
}
