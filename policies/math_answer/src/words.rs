//! Words among formulas: what leads to a value, the unit behind one, and answers that are words.

use crate::expr::{Comparison, Constant, Expr};
use crate::lexer::{Token, Unreadable};
use crate::modifiers;
use crate::number_words;
use crate::parser::{Parsed, Parser};
use crate::rational;
use crate::scalar::{MAX_OPERANDS, number as number_of};
use crate::units;

/// Verbs that a value follows in a sentence.
pub(crate) const VERBS: [&str; 14] = [
    " is ",
    " is: ",
    " are ",
    " equals ",
    " equal to ",
    " be ",
    " was ",
    " gives ",
    " total ",
    " comes out to ",
    " comes out as ",
    " comes to ",
    " works out to ",
    " amounts to ",
];

/// What makes of a value something else: a bound, or another value.
const BOUNDS: [&str; 46] = [
    "or more",
    "or less",
    "or fewer",
    "or greater",
    "or higher",
    "or lower",
    "or so",
    "at least",
    "at most",
    "more than",
    "less than",
    "fewer than",
    "greater than",
    "not",
    "between",
    "up to",
    "other than",
    "divided by",
    "multiplied by",
    "times the",
    "times a",
    "times as",
    "to the power",
    "mindestens",
    "höchstens",
    "mehr als",
    "weniger als",
    "nicht",
    "au moins",
    "au plus",
    "plus de",
    "moins de",
    "al menos",
    "por lo menos",
    "como máximo",
    "más de",
    "menos de",
    "pelo menos",
    "no máximo",
    "mais de",
    "almeno",
    "al massimo",
    "più di",
    "не",
    "больше",
    "меньше",
];
/// The same in writings without spaces.
const UNSPACED_BOUNDS: [&str; 22] = [
    "至少", "至多", "大于", "大於", "小于", "小於", "超过", "超過", "多于", "少于", "不是", "不到", "不足",
    "不超", "以上", "以下", "以内", "未満", "이상", "이하", "미만", "초과",
];
impl Parser {
    /// Words at the beginning: a name when a relation follows, what leads to a value, or the answer itself.
    ///
    /// # Errors
    /// They make a bound of the value, or what they lead to is none.
    pub(crate) fn text(&mut self, words: String) -> Parsed {
        let leads = self.accept_sign(':');
        let has_value = match self.peek() {
            Some(Token::Sign('-')) => leads || ends_in_verb(&words),
            Some(Token::Currency(_)) => true,
            _ => self.begins_factor(),
        };
        if has_value {
            let value = self.nested(Self::signed_factor)?;
            if is_bound(&words) {
                return Err("it is a bound");
            }
            if let Some(operator) = modifiers::operator(&words) {
                return operator.applied(value).ok_or("words make another value of it");
            }
            let is_negative = words.ends_with("negative") || words.ends_with("minus");
            return Ok(if is_negative { value.negated() } else { value });
        }
        if matches!(self.peek(), Some(Token::Compare(Comparison::Equal | Comparison::Near))) {
            return Ok(Expr::Symbol(words));
        }
        if let Some(answer) = answer_in_words(&words) {
            return Ok(answer);
        }
        let leads = ["it is ", "it's ", "on ", "a ", "an ", "the "];
        let bare = leads.iter().find_map(|lead| words.strip_prefix(lead));
        Ok(Expr::Text(bare.unwrap_or(&words).to_owned()))
    }

    /// A value and the unit behind it, which begins with words.
    ///
    /// # Errors
    /// The words are more than a unit.
    pub(crate) fn quantity(&mut self, value: Expr) -> Parsed {
        let mut unit = self.unit()?;
        if let ("base" | "in base", Expr::Number(digits), Some(Token::Number(base))) =
            (unit.as_str(), &value, self.peek())
        {
            let number = Expr::InBase(digits.to_string(), base.clone());
            self.at += 1;
            return Ok(number);
        }
        for _ in 0..MAX_OPERANDS {
            let Some(&Token::Sign(sign @ ('/' | '*'))) = self.peek() else { break };
            if !self.peek_at(1).is_some_and(is_unit) {
                break;
            }
            self.at += 1;
            unit = format!("{unit} {sign} {}", self.unit()?);
        }
        if is_bound(&unit) {
            return Err("it is a bound");
        }
        if let Some((value, rest)) = modifiers::powered(&value, &unit) {
            return Ok(if rest.is_empty() { value } else { Expr::Quantity(Box::new(value), rest) });
        }
        if let Some(whole) = self.compound(&value, &unit) {
            return Ok(whole);
        }
        let (first, rest) = scaled(&unit);
        let Some(scale) = scale(first) else { return Ok(Expr::Quantity(Box::new(value), unit)) };
        let value = Expr::Product(vec![value, Expr::Number(rational::integer(scale))]);
        Ok(if rest.is_empty() { value } else { Expr::Quantity(Box::new(value), rest.into()) })
    }

    /// "3 hours 30 minutes", read past its second part: the second unit is smaller, and the parts before it are whole.
    fn compound(&mut self, value: &Expr, unit: &str) -> Option<Expr> {
        let joint = usize::from(matches!(self.peek(), Some(Token::Text(word)) if word == "and"));
        let (Some(Token::Number(number)), Some(Token::Text(second))) =
            (self.peek_at(joint), self.peek_at(joint + 1))
        else {
            return None;
        };
        // A minute is short for 分 behind hours.
        let second = if second == "分" { "min" } else { second.as_str() };
        let units::Ratio::Factor(factor) = units::ratio(unit, second) else { return None };
        let (Expr::Number(whole), Ok(Expr::Number(part) | Expr::Decimal(part))) = (value, number_of(number))
        else {
            return None;
        };
        let is_part = factor < rational::integer(1) && &part * &factor < rational::integer(1);
        is_part.then(|| {
            self.at += joint + 2;
            Expr::Quantity(Box::new(Expr::Number(whole + part * factor)), unit.into())
        })
    }

    /// `\frac{\text{km}}{\text{h}}`, read past it.
    pub(crate) fn unit_fraction(&mut self) -> Option<String> {
        let start = self.at;
        // Two letters are variables.
        let has_words = [2, 5].iter().any(|&ahead| matches!(self.peek_at(ahead), Some(Token::Text(_))));
        let unit = (has_words && self.accept(&Token::Fraction))
            .then(|| self.braced_unit().zip(self.braced_unit()))
            .flatten();
        if unit.is_none() {
            self.at = start;
        }
        unit.map(|(above, below)| format!("{above} / {below}"))
    }

    fn braced_unit(&mut self) -> Option<String> {
        if !self.accept(&Token::Open('{')) {
            return None;
        }
        let unit = self.unit().ok()?;
        self.accept(&Token::Close('{')).then_some(unit)
    }

    /// Words and the exponent behind them.
    fn unit(&mut self) -> Result<String, Unreadable> {
        let mut unit = match self.peek() {
            Some(token @ (Token::Text(words) | Token::Symbol(words))) if is_unit(token) => words.clone(),
            _ => return Err("a unit is missing"),
        };
        self.at += 1;
        if self.accept_sign('^') {
            unit = format!("{unit}^{}", self.spelled()?);
        }
        Ok(unit)
    }
}

/// Whether a value follows words, so that a minus sign behind them is its sign.
fn ends_in_verb(words: &str) -> bool {
    const VERBS: [&str; 14] = [
        "is", "are", "be", "equals", "equal to", "gives", "ist", "beträgt", "lautet", "est", "vaut", "es",
        "é", "è",
    ];
    let is_last =
        |verb: &str| words.strip_suffix(verb).is_some_and(|rest| rest.is_empty() || rest.ends_with(' '));
    words.ends_with(['是', '为', '為', '于', '於', 'は']) || VERBS.iter().any(|verb| is_last(verb))
}

/// Words, or a letter that is a unit.
fn is_unit(token: &Token) -> bool {
    matches!(token, Token::Text(_)) || matches!(token, Token::Symbol(letter) if units::is_known(letter))
}

/// Whether words begin what is said about the letters of an answer.
pub(crate) fn is_remark(words: &str) -> bool {
    matches!(words.split(' ').next(), Some("for" | "where" | "with" | "when"))
}

/// Whether words that stand behind a value are something else than a unit.
pub(crate) fn is_joint(words: &str) -> bool {
    matches!(words, "and" | "or" | "to") || is_remark(words)
}

/// Whether words say that a value is not the answer itself.
pub(crate) fn is_bound(words: &str) -> bool {
    if !words.is_ascii() && UNSPACED_BOUNDS.iter().any(|bound| words.contains(bound)) {
        return true;
    }
    // Word by word: a search for each of them would take longer than all the rest.
    let mut starts = std::iter::once(0).chain(words.match_indices(' ').map(|(space, _)| space + 1));
    starts.any(|start| {
        let is_here = |bound: &&str| {
            let behind = words[start..].strip_prefix(*bound);
            behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(' '))
        };
        BOUNDS.iter().any(is_here)
    })
}

/// The first word of a unit and the rest; in writings without spaces the scale that it begins with.
fn scaled(unit: &str) -> (&str, &str) {
    const UNSPACED: [&str; 13] =
        ["万亿", "萬億", "十万", "十萬", "百万", "百萬", "千万", "千萬", "十亿", "万", "萬", "亿", "億"];
    match UNSPACED.iter().find_map(|scale| Some((*scale, unit.strip_prefix(scale)?))) {
        Some((scale, rest)) => (scale, rest.trim_start()),
        None => unit.split_once(' ').unwrap_or((unit, "")),
    }
}

/// By how much a word multiplies the number before it.
pub(crate) fn scale(word: &str) -> Option<i64> {
    Some(match word {
        "dozen" | "dozens" => 12,
        "hundred" | "hundreds" => 100,
        "thousand" | "thousands" | "tausend" | "mil" | "mille" | "тысяч" | "тысячи" | "nghìn" => {
            1000
        }
        "万" | "萬" | "만" => 10_000,
        "十万" | "十萬" => 100_000,
        "million" | "millions" | "millionen" | "millones" | "millón" | "milhões" | "milhão" | "milioni"
        | "milione" | "миллион" | "миллиона" | "миллионов" | "百万" | "百萬" | "triệu" => {
            1_000_000
        }
        "千万" | "千萬" => 10_000_000,
        "亿" | "億" | "억" => 100_000_000,
        "billion"
        | "billions"
        | "milliarde"
        | "milliarden"
        | "milliard"
        | "milliards"
        | "miliardi"
        | "миллиард"
        | "миллиардов"
        | "十亿"
        | "十億" => 1_000_000_000,
        "trillion" | "trillions" | "万亿" | "萬億" => 1_000_000_000_000,
        _ => return None,
    })
}

/// Words that mean a number or a set.
fn answer_in_words(words: &str) -> Option<Expr> {
    if let Some(number) = number_words::answer(words) {
        return Some(number);
    }
    let bare = ["there are ", "there is ", "the "]
        .iter()
        .find_map(|start| words.strip_prefix(start))
        .unwrap_or(words);
    let is_short = bare.split(' ').count() <= 4;
    Some(match bare {
        "half" | "one half" | "one-half" => Expr::Number(rational::fraction(1, 2)),
        "negative infinity" | "minus infinity" => Expr::Constant(Constant::Infinity).negated(),
        "empty set" | "null set" => Expr::Set(Vec::new()),
        _ if is_short && says_no_solution(bare) => Expr::Set(Vec::new()),
        "all real numbers" | "all reals" | "all real" | "real numbers" | "any real number"
        | "all real values" | "every real number" => Expr::Reals,
        _ if is_short && bare.starts_with("infinitely many") => Expr::Text("infinitely many".into()),
        "dne"
        | "does not exist"
        | "do not exist"
        | "doesn't exist"
        | "limit does not exist"
        | "limit doesn't exist" => Expr::Text("does not exist".into()),
        _ => return None,
    })
}

/// "no solution", "no real solutions exist", and the same in other languages.
fn says_no_solution(words: &str) -> bool {
    const KINDS: [&str; 6] = ["", "real ", "integer ", "positive ", "such ", "valid "];
    const OTHERS: [&str; 10] = [
        "无解",
        "無解",
        "解なし",
        "해가 없다",
        "keine lösung",
        "aucune solution",
        "no hay solución",
        "sem solução",
        "nessuna soluzione",
        "нет решений",
    ];
    let in_english = words.strip_prefix("no ").is_some_and(|rest| {
        KINDS.iter().any(|kind| rest.strip_prefix(kind).is_some_and(|rest| rest.starts_with("solution")))
    });
    in_english || OTHERS.contains(&words)
}
