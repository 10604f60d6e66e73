//! What an answer can be: the syntax tree that the parser builds and the comparison reads.

use crate::rational::Rational;

/// An answer, or a part of one. The first group are scalars; the rest holds scalars.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// Written as an integer.
    Number(Rational),
    /// Written with a decimal point: itself, or an exact value that was rounded.
    Decimal(Rational),
    /// `204_5`: the digits as written, and the base.
    InBase(String, String),
    /// A variable with its subscript, accents and primes, or a word used as one.
    Symbol(String),
    Constant(Constant),
    Sum(Vec<Expr>),
    Product(Vec<Expr>),
    Power(Box<Expr>, Box<Expr>),
    Call(Function, Vec<Expr>),
    /// `\pm x`, or `\mp x` when flipped.
    PlusMinus(bool, Box<Expr>),
    Percent(Box<Expr>),
    /// `1:2:3`.
    Ratio(Vec<Expr>),
    /// A value and the unit behind or before it, as written.
    Quantity(Box<Expr>, String),

    /// Two brackets with two or more items between them: a tuple, a vector, a list or an interval.
    Bracketed(Bracket, Vec<Expr>, Bracket),
    /// In braces, or a list without any brackets: order and repetition mean nothing.
    Set(Vec<Expr>),
    Union(Vec<Expr>),
    Intersection(Vec<Expr>),
    Difference(Box<Expr>, Box<Expr>),
    /// All real numbers.
    Reals,
    Matrix(Vec<Vec<Expr>>),
    /// `a < b = c`: the first operand, and each further one with what stands before it.
    Relation(Box<Expr>, Vec<(Comparison, Expr)>),
    /// `x \in S`.
    Member(Box<Expr>, Box<Expr>),
    /// Words.
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constant {
    Pi,
    /// The base of natural logarithms.
    Euler,
    Imaginary,
    Infinity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bracket {
    Round,
    Square,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    /// Equal but for rounding.
    Near,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Comparison {
    pub(crate) fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::Near)
    }

    /// The same statement with its sides swapped.
    pub(crate) fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            symmetric => symmetric,
        }
    }
}

/// Functions of one argument, unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Function {
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Sinh,
    Cosh,
    Tanh,
    Ln,
    /// Base 10; with a subscript it is read as a quotient of [`Function::Ln`].
    Log,
    Exp,
    Sqrt,
    Abs,
    Floor,
    Ceil,
    /// The gamma function at one more than the argument.
    Factorial,
    /// Of two arguments.
    Binomial,
}

impl Function {
    /// By its name in LaTeX (without the backslash) or in plain text.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sin" => Self::Sin,
            "cos" => Self::Cos,
            "tan" | "tg" => Self::Tan,
            "cot" | "ctg" => Self::Cot,
            "sec" => Self::Sec,
            "csc" | "cosec" => Self::Csc,
            "arcsin" | "asin" => Self::Arcsin,
            "arccos" | "acos" => Self::Arccos,
            "arctan" | "atan" | "arctg" => Self::Arctan,
            "sinh" => Self::Sinh,
            "cosh" => Self::Cosh,
            "tanh" => Self::Tanh,
            "ln" => Self::Ln,
            "log" | "lg" => Self::Log,
            "exp" => Self::Exp,
            "sqrt" => Self::Sqrt,
            "abs" => Self::Abs,
            "floor" => Self::Floor,
            "ceil" => Self::Ceil,
            "binom" => Self::Binomial,
            _ => return None,
        })
    }

    /// Whether a bare argument may be an angle in degrees.
    pub(crate) fn is_trigonometric(self) -> bool {
        matches!(self, Self::Sin | Self::Cos | Self::Tan | Self::Cot | Self::Sec | Self::Csc)
    }

    pub(crate) fn inverse(self) -> Option<Self> {
        match self {
            Self::Sin => Some(Self::Arcsin),
            Self::Cos => Some(Self::Arccos),
            Self::Tan => Some(Self::Arctan),
            _ => None,
        }
    }
}

impl Expr {
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Number(value) => Self::Number(-value),
            Self::Decimal(value) => Self::Decimal(-value),
            Self::Quantity(value, unit) => Self::Quantity(Box::new(value.negated()), unit),
            Self::Percent(value) => Self::Percent(Box::new(value.negated())),
            other => Self::Product(vec![Self::Number(crate::rational::integer(-1)), other]),
        }
    }

    pub(crate) fn reciprocal(self) -> Self {
        Self::Power(Box::new(self), Box::new(Self::Number(crate::rational::integer(-1))))
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self::Sum(vec![self, other.negated()])
    }

    /// The direct parts, in the order they are written.
    pub(crate) fn children(&self) -> Vec<&Self> {
        match self {
            Self::Number(_)
            | Self::Decimal(_)
            | Self::InBase(..)
            | Self::Symbol(_)
            | Self::Constant(_)
            | Self::Reals
            | Self::Text(_) => Vec::new(),
            Self::Sum(items)
            | Self::Product(items)
            | Self::Ratio(items)
            | Self::Call(_, items)
            | Self::Bracketed(_, items, _)
            | Self::Set(items)
            | Self::Union(items)
            | Self::Intersection(items) => items.iter().collect(),
            Self::Power(a, b) | Self::Difference(a, b) | Self::Member(a, b) => vec![a, b],
            Self::PlusMinus(_, a) | Self::Percent(a) | Self::Quantity(a, _) => vec![a],
            Self::Matrix(rows) => rows.iter().flatten().collect(),
            Self::Relation(first, rest) => {
                std::iter::once(first.as_ref()).chain(rest.iter().map(|(_, operand)| operand)).collect()
            }
        }
    }

    /// Whether this or any part of it satisfies the predicate.
    pub(crate) fn any(&self, predicate: &dyn Fn(&Self) -> bool) -> bool {
        let one_of = |items: &[Self]| items.iter().any(|item| item.any(predicate));
        predicate(self)
            || match self {
                Self::Number(_)
                | Self::Decimal(_)
                | Self::InBase(..)
                | Self::Symbol(_)
                | Self::Constant(_)
                | Self::Reals
                | Self::Text(_) => false,
                Self::Sum(items)
                | Self::Product(items)
                | Self::Ratio(items)
                | Self::Call(_, items)
                | Self::Bracketed(_, items, _)
                | Self::Set(items)
                | Self::Union(items)
                | Self::Intersection(items) => one_of(items),
                Self::Power(a, b) | Self::Difference(a, b) | Self::Member(a, b) => {
                    a.any(predicate) || b.any(predicate)
                }
                Self::PlusMinus(_, a) | Self::Percent(a) | Self::Quantity(a, _) => a.any(predicate),
                Self::Matrix(rows) => rows.iter().any(|row| one_of(row)),
                Self::Relation(first, rest) => {
                    first.any(predicate) || rest.iter().any(|(_, operand)| operand.any(predicate))
                }
            }
    }

    /// Rebuilds the tree from the leaves up.
    pub(crate) fn map(self, change: &dyn Fn(Self) -> Self) -> Self {
        let each = |items: Vec<Self>| items.into_iter().map(|item| item.map(change)).collect();
        let one = |item: Box<Self>| Box::new(item.map(change));
        change(match self {
            Self::Sum(items) => Self::Sum(each(items)),
            Self::Product(items) => Self::Product(each(items)),
            Self::Ratio(items) => Self::Ratio(each(items)),
            Self::Call(function, items) => Self::Call(function, each(items)),
            Self::Bracketed(open, items, close) => Self::Bracketed(open, each(items), close),
            Self::Set(items) => Self::Set(each(items)),
            Self::Union(items) => Self::Union(each(items)),
            Self::Intersection(items) => Self::Intersection(each(items)),
            Self::Power(a, b) => Self::Power(one(a), one(b)),
            Self::Difference(a, b) => Self::Difference(one(a), one(b)),
            Self::Member(a, b) => Self::Member(one(a), one(b)),
            Self::PlusMinus(flipped, a) => Self::PlusMinus(flipped, one(a)),
            Self::Percent(a) => Self::Percent(one(a)),
            Self::Quantity(a, unit) => Self::Quantity(one(a), unit),
            Self::Matrix(rows) => Self::Matrix(rows.into_iter().map(each).collect()),
            Self::Relation(first, rest) => Self::Relation(
                one(first),
                rest.into_iter().map(|(comparison, operand)| (comparison, operand.map(change))).collect(),
            ),
            leaf => leaf,
        })
    }

    /// Names of the variables, sorted, each once.
    pub(crate) fn symbols(&self) -> Vec<String> {
        fn collect(expr: &Expr, names: &mut Vec<String>) {
            if let Expr::Symbol(name) | Expr::Text(name) = expr {
                names.push(name.clone());
            }
            expr.children().into_iter().for_each(|child| collect(child, names));
        }
        let mut names = Vec::new();
        collect(self, &mut names);
        names.sort_unstable();
        names.dedup();
        names
    }
}
