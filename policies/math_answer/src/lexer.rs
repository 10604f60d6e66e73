//! Tokens of an answer in LaTeX or plain text.
//!
//! Spacing, sizes and math delimiters vanish here, numbers lose their thousands separators, and the many spellings of one
//! sign become one token.

use exgrpo_guest_sdk::response::is_unspaced;

use crate::commands::{self, Command};
use crate::expr::{Comparison, Function};

/// An answer with more characters than this is not read.
const MAX_CHARS: usize = 6000;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// Digits with at most one point, and perhaps a decimal exponent.
    Number(String),
    /// A variable: a letter, or the name of a Greek letter or other sign.
    Symbol(String),
    /// Words, in lower case, single spaces between them.
    Text(String),
    Function(Function),
    /// `\dot`, `\vec`, `'`: what it puts on or behind the symbol.
    Accent(String),
    Fraction,
    /// `\over` and `\choose`, between their operands.
    Over,
    Choose,
    /// `\begin` (or `\end`, when false) with the name of the environment.
    Environment(bool, String),
    /// One of `( [ { S | f c`: `S` for the braces of a set, `{` for those that only group, `f` and `c` for floor and ceiling.
    Open(char),
    Close(char),
    /// One of `+ - * / ^ _ ! % , ; : & |` and `'`.
    Sign(char),
    Compare(Comparison),
    /// `\pm`, or `\mp` when true.
    PlusMinus(bool),
    Infinity,
    Pi,
    Degree,
    Currency(char),
    Union,
    Intersection,
    Without,
    In,
    EmptySet,
    Reals,
    RowEnd,
}

/// What a plain comma before three digits does, as in `100,225`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commas {
    /// It groups the digits of one number, unless something around it says otherwise.
    Group,
    /// It separates two numbers.
    Separate,
}

/// Why a text is no sequence of tokens, or no answer.
pub(crate) type Unreadable = &'static str;

/// # Errors
/// The text is too long, or has a sign that no answer that can be compared has (sums, integrals, an ellipsis).
pub(crate) fn tokenize(text: &str, commas: Commas) -> Result<Vec<Token>, Unreadable> {
    let mut chars = Vec::with_capacity(text.len().min(MAX_CHARS + 1));
    chars.extend(text.chars().take(MAX_CHARS + 1));
    if chars.len() > MAX_CHARS {
        return Err("it is too long");
    }
    let tokens = Vec::with_capacity(chars.len() / 2 + 2);
    Lexer { chars, at: 0, tokens, opened: Vec::new(), nesting: 0, commas }.run()
}

pub(crate) struct Lexer {
    pub(crate) chars: Vec<char>,
    pub(crate) at: usize,
    pub(crate) tokens: Vec<Token>,
    /// The brackets around the current place.
    pub(crate) opened: Vec<char>,
    pub(crate) nesting: usize,
    pub(crate) commas: Commas,
}

impl Lexer {
    pub(crate) fn run(mut self) -> Result<Vec<Token>, Unreadable> {
        while let Some(char) = self.peek(0) {
            if self.ordinal() || self.script() {
            } else if char == '\\' {
                self.command()?;
            } else if self.begins_number() {
                self.number();
            } else if char.is_ascii_alphabetic() {
                self.letters();
            } else if commands::is_word_letter(char) || is_unspaced(char) {
                self.foreign_word();
            } else {
                self.sign(char)?;
            }
        }
        Ok(self.tokens)
    }

    pub(crate) fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    pub(crate) fn next_char(&mut self) -> Option<char> {
        let char = self.peek(0)?;
        self.at += 1;
        Some(char)
    }

    pub(crate) fn is_digit(&self, ahead: usize) -> bool {
        self.peek(ahead).is_some_and(|char| char.is_ascii_digit())
    }

    pub(crate) fn starts_with(&self, text: &str) -> bool {
        self.starts_with_at(0, text)
    }

    pub(crate) fn starts_with_at(&self, ahead: usize, text: &str) -> bool {
        text.chars().enumerate().all(|(index, char)| self.peek(ahead + index) == Some(char))
    }

    pub(crate) fn push(&mut self, token: Token) {
        match token {
            Token::Open(bracket) => self.opened.push(bracket),
            Token::Close(_) => drop(self.opened.pop()),
            _ => {}
        }
        self.tokens.push(token);
    }

    /// A run of letters: a name that means something, a word, or variables side by side.
    fn letters(&mut self) {
        let run: String =
            self.chars[self.at..].iter().take_while(|char| char.is_ascii_alphabetic()).collect();
        if self.peek(run.len()).is_some_and(commands::is_word_letter) {
            return self.foreign_word();
        }
        if run.len() == 1 && self.is_times() {
            self.at += 1;
            return self.push(Token::Sign('*'));
        }
        self.at += run.len();
        if matches!(run.as_str(), "np" | "math" | "sympy") && self.peek(0) == Some('.') {
            self.at += 1;
            return;
        }
        match run.as_str() {
            "und" => return self.word("and"),
            "oder" => return self.word("or"),
            _ => {}
        }
        let after_number = matches!(self.tokens.last(), Some(Token::Number(_)));
        // "km/hr"
        let after_unit = matches!(self.tokens.as_slice(), [.., Token::Text(_), Token::Sign('/')]);
        if after_number
            && matches!(run.as_str(), "a" | "p" | "A" | "P")
            && (self.starts_with(".m") || self.starts_with(".M"))
        {
            self.at += 2;
            self.word(&format!("{run}m"));
            return;
        }
        let is_word = commands::is_word(&run)
            || ((after_number || after_unit)
                && (commands::is_short_unit(&run)
                    || (run == "m" && matches!(self.peek(0), Some('²' | '³')))))
            || (run.len() == 3 && self.stands_among_words(&run));
        let joins_sets = matches!(self.tokens.last(), Some(Token::Close(_) | Token::Symbol(_)));
        if let Some(token) =
            commands::plain_name(&run).filter(|_| joins_sets || !matches!(run.as_str(), "U" | "in"))
        {
            match token {
                Token::Function(Function::Sqrt) => self.root(),
                token => self.push(token),
            }
        } else if is_word {
            self.word(&run);
        } else if let Some((name, rest)) = commands::function_prefix(&run) {
            self.push(Token::Function(name));
            self.variables(rest);
        } else {
            self.variables(&run);
        }
    }

    /// A run of letters that are not all of the English alphabet, or of characters of a writing without spaces.
    fn foreign_word(&mut self) {
        let is_unspaced_run = self.peek(0).is_some_and(is_unspaced);
        let belongs = |char: &&char| {
            if is_unspaced_run {
                is_unspaced(**char)
            } else {
                char.is_ascii_alphabetic() || commands::is_word_letter(**char)
            }
        };
        let run: String = self.chars[self.at..].iter().take_while(belongs).collect();
        self.at += run.chars().count();
        match run.as_str() {
            "и" | "和" | "与" | "與" | "及" | "且" | "と" => self.word("and"),
            "или" | "或" | "或者" => self.word("or"),
            "Ø" | "ø" => self.push(Token::EmptySet),
            _ if is_unspaced_run || run.chars().count() > 1 => self.word(&run),
            _ => self.push(Token::Symbol(run)),
        }
    }

    /// Whether three letters that were just read are a word, because those around them are: "years old", "13 ice creams".
    fn stands_among_words(&self, run: &str) -> bool {
        let follows = matches!(
            self.tokens.last(),
            Some(Token::Text(last)) if last.len() > 2 && last.chars().all(|char| char.is_ascii_alphabetic() || char == ' ')
        );
        let is_spaced = self.at > run.len() && self.chars[self.at - run.len() - 1] == ' ';
        let next = self.chars[self.at..].iter().skip(1).take_while(|char| char.is_ascii_alphabetic()).count();
        let leads =
            matches!(self.tokens.last(), Some(Token::Number(_))) && self.peek(0) == Some(' ') && next > 3;
        is_spaced && (follows || leads) && commands::is_spelled(run)
    }

    /// Outside of LaTeX a root is of all the digits behind it.
    fn root(&mut self) {
        self.push(Token::Function(Function::Sqrt));
        if self.begins_number() {
            self.push(Token::Open('{'));
            self.number();
            self.push(Token::Close('{'));
        }
    }

    fn variables(&mut self, letters: &str) {
        for letter in letters.chars() {
            self.push(Token::Symbol(letter.into()));
        }
    }

    /// Words that follow each other become one text, but for those that join the items of a list.
    pub(crate) fn word(&mut self, word: &str) {
        let word = word.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        if word.is_empty() {
            return;
        }
        let joins = |text: &str| matches!(text, "and" | "or");
        if let Some(Token::Text(last)) = self.tokens.last_mut()
            && !joins(&word)
            && !joins(last)
        {
            last.push(' ');
            last.push_str(&word);
        } else {
            self.push(Token::Text(word));
        }
    }

    fn sign(&mut self, char: char) -> Result<(), Unreadable> {
        self.at += 1;
        let token = match char {
            '√' => {
                self.root();
                return Ok(());
            }
            '∛' | '∜' => {
                self.push(Token::Function(Function::Sqrt));
                self.push(Token::Open('['));
                self.push(Token::Number(if char == '∛' { "3" } else { "4" }.into()));
                self.push(Token::Close(']'));
                if self.begins_number() {
                    self.push(Token::Open('{'));
                    self.number();
                    self.push(Token::Close('{'));
                }
                return Ok(());
            }
            '(' | '[' => Token::Open(char),
            // An empty group keeps things apart, and one around a comma takes its space away.
            '{' if self.peek(0) == Some('}') => {
                self.at += 1;
                return Ok(());
            }
            '{' if self.starts_with(",}") => {
                self.at += 2;
                Token::Sign(',')
            }
            '{' => Token::Open('{'),
            ')' | ']' => Token::Close(char),
            // The same character closes a set that plain text opened.
            '}' => Token::Close('{'),
            '*' if self.peek(0) == Some('*') => {
                self.at += 1;
                Token::Sign('^')
            }
            '<' | '>' if self.peek(0) == Some('=') => {
                self.at += 1;
                Token::Compare(if char == '<' { Comparison::LessEqual } else { Comparison::GreaterEqual })
            }
            '!' if self.peek(0) == Some('=') => {
                self.at += 1;
                Token::Compare(Comparison::NotEqual)
            }
            '=' => {
                self.at += usize::from(self.peek(0) == Some('='));
                Token::Compare(Comparison::Equal)
            }
            '.' if self.peek(0) == Some('.') => return Err("it has an ellipsis"),
            _ => match commands::character(char) {
                Some(Command::Token(token)) => token,
                Some(Command::Skip) => return Ok(()),
                Some(Command::Tokens(tokens)) => {
                    tokens.into_iter().for_each(|token| self.push(token));
                    return Ok(());
                }
                _ if char.is_whitespace() => return Ok(()),
                _ if char.is_alphabetic() => Token::Symbol(char.into()),
                _ => return Err("it has a sign that is not known"),
            },
        };
        self.push(token);
        Ok(())
    }
}
