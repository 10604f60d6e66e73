//! Intervals whose brackets are turned away, as in `]0, 1[`.

use crate::lexer::Token;
use crate::parser::MAX_ITEMS;

/// `]0, 1[` and `[0, 1[` as `(0, 1)` and `[0, 1)`: a bracket that is turned away leaves the end out.
pub(crate) fn brackets_turned(mut tokens: Vec<Token>) -> Vec<Token> {
    for at in 0..tokens.len() {
        let opens = match tokens[at] {
            Token::Open('[') => true,
            Token::Close(']') => at.checked_sub(1).is_none_or(|before| {
                matches!(
                    tokens[before],
                    Token::Open(_)
                        | Token::In
                        | Token::Union
                        | Token::Intersection
                        | Token::Compare(_)
                        | Token::Sign(',')
                )
            }),
            _ => false,
        };
        let Some(end) = opens.then(|| end_of_interval(&tokens, at)).flatten() else { continue };
        if tokens[at] == Token::Close(']') {
            tokens[at] = Token::Open('(');
        }
        if tokens[end] == Token::Open('[') {
            tokens[end] = Token::Close(')');
        }
    }
    tokens
}

/// The bracket, however it is turned, that follows two items with a separator between them.
fn end_of_interval(tokens: &[Token], start: usize) -> Option<usize> {
    let (mut depth, mut separators) = (0_usize, 0);
    for (at, token) in tokens.iter().enumerate().skip(start + 1).take(MAX_ITEMS) {
        match token {
            Token::Open('[') if depth == 0 && !matches!(tokens[at - 1], Token::Sign(_)) => {
                return (separators == 1).then_some(at);
            }
            Token::Open(_) => depth += 1,
            Token::Close(']' | ')') if depth == 0 => return (separators == 1).then_some(at),
            Token::Close(_) => depth = depth.checked_sub(1)?,
            Token::Sign(',' | ';') if depth == 0 => separators += 1,
            _ => {}
        }
    }
    None
}
