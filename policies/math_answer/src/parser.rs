//! Lists, sets, intervals, relations: what an answer is made of around its scalars. Those are in [`crate::scalar`].
//!
//! ```text
//! answer   = item ((',' | ';' | 'and' | 'or') item)*
//! item     = union (('=' | '<' | ..) union)* | union 'in' union
//! union    = ratio (('\cup' | '\cap' | '\setminus') ratio)*
//! ratio    = sum ((':' | 'to') sum)*
//! ```

use crate::conditions::{QUANTIFIERS, distribute, is_bare_value, is_condition, is_range, is_real};
use crate::expr::{Bracket, Comparison, Expr, Function};
use crate::interval::brackets_turned;
use crate::lexer::{Commas, Token, Unreadable, tokenize};
use crate::scalar::single_or;
use crate::words;

/// Brackets, fractions and exponents within each other; deeper is unreadable. It bounds the stack of everything that walks
/// an [`Expr`].
const MAX_DEPTH: usize = 40;
/// Items of one list, set or matrix.
pub(crate) const MAX_ITEMS: usize = 128;

/// Reads an answer.
///
/// # Errors
/// Why it is none, for people.
pub(crate) fn parse(text: &str) -> Result<Expr, Unreadable> {
    parse_tokens(tokenize(text, Commas::Group)?)
}

/// Reads an answer whose commas all separate items, if that makes it another answer.
pub(crate) fn parse_as_list(text: &str) -> Option<Expr> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut commas =
        (1..bytes.len()).filter(|&at| bytes[at] == b',' && is_digit(at - 1) && is_digit(at + 1)).peekable();
    // No item begins with a zero that others follow: 10,080 is one number.
    if commas.peek().is_none() || commas.any(|at| bytes[at + 1] == b'0' && is_digit(at + 2)) {
        return None;
    }
    let separated = tokenize(text, Commas::Separate).ok()?;
    let is_another = tokenize(text, Commas::Group).is_ok_and(|grouped| grouped != separated);
    is_another.then(|| parse_tokens(separated).ok()).flatten()
}

fn parse_tokens(mut tokens: Vec<Token>) -> Parsed {
    // The items of a list may stand in rows: `(2,3), \\ (3,2)`.
    if tokens.contains(&Token::RowEnd) && !tokens.iter().any(|token| matches!(token, Token::Environment(..)))
    {
        let mut before = false;
        tokens.retain(|token| {
            let is_kept = *token != Token::RowEnd || !before;
            before = matches!(token, Token::Sign(',' | ';')) || *token == Token::RowEnd && before;
            is_kept
        });
    }
    if tokens.is_empty() {
        return Err("it is empty");
    }
    let mut parser = Parser { tokens: brackets_turned(tokens), at: 0, depth: 0, in_bars: false };
    let answer = parser.answer()?;
    // Sentences and lists end in signs that mean nothing.
    while parser.accept_sign(',')
        || parser.accept_sign(';')
        || parser.accept_sign(':')
        || parser.accept(&Token::RowEnd)
    {}
    match parser.peek() {
        None => Ok(answer),
        Some(_) => Err("it goes on after its end"),
    }
}

pub(crate) struct Parser {
    pub(crate) tokens: Vec<Token>,
    pub(crate) at: usize,
    depth: usize,
    /// Whether the next `|` closes instead of opening.
    pub(crate) in_bars: bool,
}

pub(crate) type Parsed = Result<Expr, Unreadable>;

impl Parser {
    pub(crate) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    pub(crate) fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    pub(crate) fn accept(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    pub(crate) fn accept_sign(&mut self, sign: char) -> bool {
        self.accept(&Token::Sign(sign))
    }

    pub(crate) fn expect(&mut self, token: &Token) -> Result<(), Unreadable> {
        if self.accept(token) { Ok(()) } else { Err("a bracket is not closed") }
    }

    /// Parses one level deeper.
    pub(crate) fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        if self.depth >= MAX_DEPTH {
            return Err("it is nested too deep");
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// The whole answer, or what stands in braces that only group.
    pub(crate) fn answer(&mut self) -> Parsed {
        let start = self.at;
        let mut items = self.items()?;
        self.skip_remark()?;
        if items.len() > 1 && items.iter().skip(1).all(is_bare_value) {
            distribute(&mut items);
        }
        // "f(x) = 2x, x \in \mathbb{R}"
        if items.len() > 1
            && matches!(&items[0], Expr::Relation(_, rest) if rest.iter().all(|(sign, _)| sign.is_equality()))
        {
            items.retain(|item| !is_real(item));
        }
        if items.len() > 1 && !items.iter().all(is_range) {
            items.retain(|item| !is_range(item));
        }
        let words = &self.tokens[start..self.at];
        let has = |joint: &str| words.iter().any(|token| matches!(token, Token::Text(word) if word == joint));
        let left = match items.len() {
            1 => items.remove(0),
            // Conditions hold together, unless they are alternatives.
            _ if !has("or") && items.iter().all(is_condition) => {
                let all = Expr::Intersection(items);
                // Said in so many words, they are no alternatives even if they contradict each other.
                if has("and") { Expr::Intersection(vec![all]) } else { all }
            }
            _ => Expr::Set(items),
        };
        // Plain TeX writes fractions and binomials in the middle of a group.
        if self.accept(&Token::Over) {
            let right = self.nested(Self::answer)?;
            return Ok(Expr::Product(vec![left, right.reciprocal()]));
        }
        if self.accept(&Token::Choose) {
            let right = self.nested(Self::answer)?;
            return Ok(Expr::Call(Function::Binomial, vec![left, right]));
        }
        Ok(left)
    }

    /// ", where k is an integer": which numbers a letter stands for.
    fn skip_remark(&mut self) -> Result<(), Unreadable> {
        let start = self.at;
        while self.accept_sign(',') {}
        let Some(Token::Text(remark)) = self.peek().filter(|_| self.at > 0) else {
            self.at = start;
            return Ok(());
        };
        if !words::is_remark(remark) {
            self.at = start;
            return Ok(());
        }
        // "for all x" is nothing that could fail.
        let names_integers =
            remark.contains("integer") || QUANTIFIERS.iter().any(|word| remark.starts_with(word));
        self.at += 1;
        let items = self.nested(Self::items)?;
        let is_range = |item: &Expr| {
            is_range(item) || is_real(item) || (names_integers && matches!(item, Expr::Symbol(_)))
        };
        if items.iter().all(is_range) { Ok(()) } else { Err("it holds only on a condition") }
    }

    /// One or more items with commas or words between them.
    pub(crate) fn items(&mut self) -> Result<Vec<Expr>, Unreadable> {
        let mut labels = vec![self.label()];
        let mut items = vec![self.item()?];
        while self.accept_separator() {
            if items.len() >= MAX_ITEMS {
                return Err("it has too many items");
            }
            labels.push(self.label());
            items.push(self.item()?);
        }
        let is_named = |index: usize| labels[index].is_some() && !labels[..index].contains(&labels[index]);
        if items.len() == 1 || !(0..labels.len()).all(is_named) {
            return Ok(items);
        }
        // "mean: 5, median: 4"
        let named = |(label, item): (Option<String>, Expr)| match label {
            Some(label) => Expr::Relation(Box::new(Expr::Symbol(label)), vec![(Comparison::Equal, item)]),
            None => item,
        };
        Ok(labels.into_iter().zip(items).map(named).collect())
    }

    /// Words before a value that name it.
    fn label(&self) -> Option<String> {
        let Some(Token::Text(words)) = self.peek() else { return None };
        let value =
            if self.peek_at(1) == Some(&Token::Sign(':')) { self.peek_at(2) } else { self.peek_at(1) };
        let is_value =
            matches!(value, Some(Token::Number(_) | Token::Fraction | Token::Sign('-') | Token::Function(_)));
        (is_value && !words::is_bound(words) && !words::is_joint(words)).then(|| words.clone())
    }

    /// A separator with an item behind it.
    fn accept_separator(&mut self) -> bool {
        let start = self.at;
        while match self.peek() {
            Some(Token::Sign(',' | ';' | '&')) => true,
            Some(Token::Text(word)) => matches!(word.as_str(), "and" | "or"),
            _ => false,
        } {
            self.at += 1;
        }
        let found = self.at > start;
        let is_last = match self.peek() {
            None | Some(Token::Close(_) | Token::Environment(false, _)) => true,
            Some(Token::Text(word)) => words::is_remark(word),
            _ => false,
        };
        if found && is_last {
            // A trailing comma stays for the caller.
            self.at = start;
            return false;
        }
        found
    }

    pub(crate) fn item(&mut self) -> Parsed {
        // "= 12": the left side stands before the answer.
        if matches!(self.peek(), Some(Token::Compare(Comparison::Equal | Comparison::Near))) {
            self.at += 1;
        }
        let first = self.union()?;
        // A chance of "1 in 6".
        if matches!(first, Expr::Number(_))
            && let (Some(Token::In), Some(Token::Number(_))) = (self.peek(), self.peek_at(1))
        {
            self.at += 1;
            return Ok(Expr::Product(vec![first, self.union()?.reciprocal()]));
        }
        if self.accept(&Token::In) {
            return Ok(Expr::Member(Box::new(first), Box::new(self.union()?)));
        }
        let mut rest = Vec::new();
        while let Some(&Token::Compare(comparison)) = self.peek() {
            self.at += 1;
            rest.push((comparison, self.union()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Relation(Box::new(first), rest) })
    }

    fn union(&mut self) -> Parsed {
        let mut left = self.ratio()?;
        loop {
            left = if self.accept(&Token::Union) {
                let right = self.ratio()?;
                match left {
                    Expr::Union(mut parts) => {
                        parts.push(right);
                        Expr::Union(parts)
                    }
                    left => Expr::Union(vec![left, right]),
                }
            } else if self.accept(&Token::Intersection) {
                Expr::Intersection(vec![left, self.ratio()?])
            } else if self.accept(&Token::Without) {
                Expr::Difference(Box::new(left), Box::new(self.ratio()?))
            } else {
                return Ok(left);
            }
        }
    }

    /// `3:4`, `1:2:3` or `3 to 4`, where a colon doesn't begin conditions.
    fn ratio(&mut self) -> Parsed {
        let is_time = self.begins_time();
        let mut terms = vec![self.sum()?];
        if is_time && let Some(hours) = terms.pop() {
            terms.push(Expr::Quantity(Box::new(hours), "hour".into()));
        }
        while self.accept_ratio() {
            if terms.len() >= MAX_ITEMS {
                return Err("it has too many items");
            }
            terms.push(self.sum()?);
        }
        Ok(single_or(terms, Expr::Ratio))
    }

    /// `12:05`: no term of a ratio is written with a zero before it.
    fn begins_time(&self) -> bool {
        let digits = |ahead: usize| match self.peek_at(ahead) {
            Some(Token::Number(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.as_str(),
            _ => "",
        };
        let is_time = |minutes: &str| minutes.len() == 2 && minutes < "60";
        let (minutes, seconds) = (digits(2), digits(4));
        self.peek_at(1) == Some(&Token::Sign(':'))
            && matches!(digits(0).len(), 1 | 2)
            && is_time(minutes)
            && (minutes.starts_with('0')
                || (self.peek_at(3) == Some(&Token::Sign(':'))
                    && seconds.starts_with('0')
                    && is_time(seconds)))
    }

    fn accept_ratio(&mut self) -> bool {
        let begins = match (self.peek(), self.peek_at(1)) {
            (Some(Token::Sign(':')), Some(Token::Symbol(_))) => !self.in_bars,
            (Some(Token::Sign(':')), Some(Token::Number(_) | Token::Function(_) | Token::Fraction)) => {
                !self.in_bars
            }
            (Some(Token::Text(word)), Some(Token::Number(_))) => word == "to",
            _ => false,
        };
        self.at += usize::from(begins);
        begins
    }

    /// Behind `(` or `[`: a scalar in brackets, a tuple or an interval.
    pub(crate) fn bracketed(&mut self, open: char) -> Parsed {
        let outer_bars = std::mem::take(&mut self.in_bars);
        let mut items = self.nested(Self::items)?;
        self.in_bars = outer_bars;
        self.accept_sign(',');
        let close = match self.peek() {
            Some(&Token::Close(close @ (')' | ']'))) => close,
            _ => return Err("a bracket is not closed"),
        };
        self.at += 1;
        // Only an interval has two kinds.
        if items.len() != 2 && (open == '(') != (close == ')') {
            return Err("a bracket is closed by another kind");
        }
        if items.len() == 1
            && let Some(item) = items.pop()
        {
            return Ok(item);
        }
        let bracket = |sign| if matches!(sign, '[' | ']') { Bracket::Square } else { Bracket::Round };
        Ok(Expr::Bracketed(bracket(open), items, bracket(close)))
    }

    /// Behind `\{`: elements, or a variable and its condition.
    pub(crate) fn set(&mut self) -> Parsed {
        if self.accept(&Token::Close('S')) {
            return Ok(Expr::Set(Vec::new()));
        }
        let outer_bars = std::mem::replace(&mut self.in_bars, true);
        let elements = self.nested(Self::items)?;
        self.in_bars = outer_bars;
        if self.accept_sign('|') || self.accept_sign(':') {
            let condition = self.nested(Self::answer)?;
            self.expect(&Token::Close('S'))?;
            return Ok(condition);
        }
        self.accept_sign(',');
        self.expect(&Token::Close('S'))?;
        Ok(Expr::Set(elements))
    }
}
