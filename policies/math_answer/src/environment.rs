//! What stands between `\begin` and `\end`: matrices, and lines of equations.

use crate::expr::Expr;
use crate::lexer::Token;
use crate::parser::{MAX_ITEMS, Parsed, Parser};
use crate::scalar::single_or;

impl Parser {
    /// Behind `\begin{..}`: rows of a matrix, in whatever brackets.
    pub(crate) fn matrix(&mut self, environment: &str) -> Parsed {
        if matches!(
            environment,
            "cases"
                | "aligned"
                | "align"
                | "gathered"
                | "gather"
                | "split"
                | "equation"
                | "eqnarray"
                | "multline"
        ) {
            return self.lines();
        }
        let is_determinant = environment.eq_ignore_ascii_case("vmatrix");
        if is_determinant || !(environment.ends_with("matrix") || environment == "array") {
            return Err("it has an environment that is no matrix");
        }
        let mut rows = vec![Vec::new()];
        let mut count = 0;
        loop {
            if let Some(Token::Environment(false, name)) = self.peek() {
                if name != environment {
                    return Err("an environment doesn't end");
                }
                self.at += 1;
                break;
            }
            if self.accept(&Token::RowEnd) {
                rows.push(Vec::new());
                continue;
            }
            count += 1;
            if count > MAX_ITEMS {
                return Err("it has too many items");
            }
            let entry = self.nested(Self::sum)?;
            if let Some(row) = rows.last_mut() {
                row.push(entry);
            }
            self.accept_sign('&');
        }
        rows.retain(|row| !row.is_empty());
        let width = rows.first().map_or(0, Vec::len);
        if width == 0 || rows.iter().any(|row| row.len() != width) {
            return Err("the rows of a matrix differ in length");
        }
        Ok(Expr::Matrix(rows))
    }

    /// Behind `\begin{cases}` and the like: items, with marks of alignment about their signs.
    fn lines(&mut self) -> Parsed {
        let is_end = |token: &Token| matches!(token, Token::Environment(false, _));
        let length = self.tokens[self.at..].iter().position(is_end).ok_or("an environment doesn't end")?;
        let lines = self.tokens.splice(self.at..self.at + length, []).collect::<Vec<_>>();
        let is_comparison =
            |at: Option<usize>| matches!(at.and_then(|at| lines.get(at)), Some(Token::Compare(_)));
        let mut items = Vec::with_capacity(lines.len());
        for (at, token) in lines.iter().enumerate() {
            match token {
                Token::Sign('&') if is_comparison(Some(at + 1)) || is_comparison(at.checked_sub(1)) => {}
                // Others set a condition apart.
                Token::Sign('&') => return Err("it has cases"),
                // A line that begins with a sign goes on with the one before it.
                Token::RowEnd if begins_with_sign(&lines[at + 1..]) => {}
                Token::RowEnd => items.push(Token::Sign(',')),
                other => items.push(other.clone()),
            }
        }
        self.tokens.splice(self.at..self.at, items);
        let items = self.nested(Self::items)?;
        while self.accept_sign(',') {}
        if !self.peek().is_some_and(is_end) {
            return Err("an environment doesn't end");
        }
        self.at += 1;
        Ok(single_or(items, Expr::Set))
    }
}

/// Whether the next line begins with a comparison.
fn begins_with_sign(rest: &[Token]) -> bool {
    let mut rest = rest.iter().skip_while(|token| **token == Token::Sign('&'));
    matches!(rest.next(), Some(Token::Compare(_)))
}
