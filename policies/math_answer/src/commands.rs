//! What names and characters mean: the vocabulary of the lexer.

use crate::expr::{Comparison, Function};
use crate::lexer::Token;

/// What the lexer does at a name or a character.
pub(crate) enum Command {
    Token(Token),
    Tokens(Vec<Token>),
    /// It changes only the looks.
    Skip,
    /// `\left` and the like: skipped, with the point for a missing bracket.
    Delimiter,
    /// `\begin`, or `\end` when false.
    Environment(bool),
    /// `\text` and the like: braces with words follow.
    Words,
    /// `\mathbb`: the name of a set of numbers follows.
    Blackboard,
    /// `\hspace` and the like: braces follow and go.
    Space,
    /// Nothing that holds it can be compared.
    Unreadable,
}

/// A command by its name, without the backslash.
pub(crate) fn named(name: &str) -> Command {
    if let Some(function) = Function::named(name).filter(|function| *function != Function::Binomial) {
        return Command::Token(Token::Function(function));
    }
    Command::Token(match name {
        "frac" | "dfrac" | "tfrac" | "cfrac" => Token::Fraction,
        "binom" | "dbinom" | "tbinom" => Token::Function(Function::Binomial),
        "over" => Token::Over,
        "choose" => Token::Choose,
        "pi" => Token::Pi,
        "infty" | "infin" => Token::Infinity,
        "pm" => Token::PlusMinus(false),
        "mp" => Token::PlusMinus(true),
        "cdot" | "times" | "ast" => Token::Sign('*'),
        "div" => Token::Sign('/'),
        "cup" | "bigcup" => Token::Union,
        "cap" | "bigcap" => Token::Intersection,
        "setminus" | "backslash" | "smallsetminus" => Token::Without,
        "in" => Token::In,
        "emptyset" | "varnothing" => Token::EmptySet,
        "circ" | "degree" | "degrees" => Token::Degree,
        "prime" => Token::Sign('\''),
        "mid" | "vert" | "lvert" | "rvert" => Token::Sign('|'),
        "colon" => Token::Sign(':'),
        "lbrace" => Token::Open('S'),
        "rbrace" => Token::Close('S'),
        "lfloor" => Token::Open('f'),
        "rfloor" => Token::Close('f'),
        "lceil" => Token::Open('c'),
        "rceil" => Token::Close('c'),
        "langle" | "lparen" => Token::Open('('),
        "rangle" | "rparen" => Token::Close(')'),
        "lbrack" => Token::Open('['),
        "rbrack" => Token::Close(']'),
        "lt" => Token::Compare(Comparison::Less),
        "gt" => Token::Compare(Comparison::Greater),
        "le" | "leq" | "leqslant" | "leqq" => Token::Compare(Comparison::LessEqual),
        "ge" | "geq" | "geqslant" | "geqq" => Token::Compare(Comparison::GreaterEqual),
        "ne" | "neq" => Token::Compare(Comparison::NotEqual),
        "approx" | "simeq" | "approxeq" => Token::Compare(Comparison::Near),
        "equiv" | "coloneqq" | "cong" => Token::Compare(Comparison::Equal),
        "dot" | "ddot" | "vec" | "hat" | "bar" | "tilde" | "overline" | "widehat" | "overrightarrow" => {
            Token::Accent(name.into())
        }
        "cr" | "newline" => Token::RowEnd,
        "mod" | "pmod" | "bmod" => Token::Symbol("mod".into()),
        "euro" => Token::Currency('€'),
        "pounds" => Token::Currency('£'),
        "imath" => Token::Symbol("i".into()),
        "jmath" => Token::Symbol("j".into()),
        "land" | "wedge" => Token::Text("and".into()),
        "lor" | "vee" => Token::Text("or".into()),
        "left" | "right" | "big" | "Big" | "bigg" | "Bigg" | "bigl" | "bigr" | "Bigl" | "Bigr" | "biggl"
        | "biggr" | "middle" => {
            return Command::Delimiter;
        }
        "displaystyle"
        | "textstyle"
        | "limits"
        | "quad"
        | "qquad"
        | "boxed"
        | "fbox"
        | "thinspace"
        | "nobreak"
        | "mathstrut"
        | "rm"
        | "bf"
        | "it"
        | "boldsymbol"
        | "bm"
        | "mathbf"
        | "mathcal"
        | "mathfrak"
        | "mathit"
        | "mathsf"
        | "underline"
        | "ensuremath"
        | "strut"
        | "operatornamewithlimits"
        | "therefore"
        | "checkmark"
        | "blacksquare"
        | "qed"
        | "Rightarrow"
        | "implies"
        | "space"
        | "large"
        | "Large"
        | "LARGE"
        | "huge"
        | "Huge"
        | "small"
        | "normalsize"
        | "scriptstyle" => return Command::Skip,
        "begin" => return Command::Environment(true),
        "end" => return Command::Environment(false),
        "text" | "textbf" | "textit" | "textrm" | "textnormal" | "textsf" | "mbox" | "hbox" | "mathrm"
        | "operatorname" | "texttt" | "emph" => return Command::Words,
        "mathbb" | "Bbb" => return Command::Blackboard,
        "hspace" | "vspace" | "phantom" | "label" | "tag" | "color" | "textcolor" | "colorbox" => {
            return Command::Space;
        }
        "sum" | "int" | "iint" | "oint" | "prod" | "lim" | "dots" | "ldots" | "cdots" | "vdots" | "ddots"
        | "dotsc" | "dotsb" | "dotsm" | "underbrace" | "overbrace" | "overset" | "underset" | "stackrel"
        | "substack" | "href" => {
            return Command::Unreadable;
        }
        letter => Token::Symbol(letter.strip_prefix("var").unwrap_or(letter).into()),
    })
}

/// A character that is neither a letter of the alphabet, a digit, a bracket nor whitespace.
pub(crate) fn character(char: char) -> Option<Command> {
    let ratio = |a: &str, b: &str| {
        let group = |text: &str| [Token::Open('{'), Token::Number(text.into()), Token::Close('{')];
        Command::Tokens([vec![Token::Fraction], group(a).to_vec(), group(b).to_vec()].concat())
    };
    Some(Command::Token(match char {
        '+' | '-' | '*' | '/' | '^' | '_' | '!' | '%' | ',' | ';' | ':' | '&' | '|' | '\'' => {
            Token::Sign(char)
        }
        '−' | '–' | '—' | '‐' | '‑' => Token::Sign('-'),
        '×' | '·' | '⋅' | '∗' | '∙' => Token::Sign('*'),
        '÷' | '∕' | '⁄' => Token::Sign('/'),
        '％' => Token::Sign('%'),
        '，' | '、' => Token::Sign(','),
        '’' | '′' => Token::Sign('\''),
        '<' => Token::Compare(Comparison::Less),
        '>' => Token::Compare(Comparison::Greater),
        '≤' | '⩽' => Token::Compare(Comparison::LessEqual),
        '≥' | '⩾' => Token::Compare(Comparison::GreaterEqual),
        '≠' => Token::Compare(Comparison::NotEqual),
        '≈' => Token::Compare(Comparison::Near),
        '≡' => Token::Compare(Comparison::Equal),
        '±' => Token::PlusMinus(false),
        '∓' => Token::PlusMinus(true),
        '∞' => Token::Infinity,
        'π' => Token::Pi,
        '√' => Token::Function(Function::Sqrt),
        '°' | 'º' => Token::Degree,
        '∪' => Token::Union,
        '∩' => Token::Intersection,
        '∖' => Token::Without,
        '∈' => Token::In,
        '∅' => Token::EmptySet,
        'ℝ' => Token::Reals,
        '⌊' => Token::Open('f'),
        '⌋' => Token::Close('f'),
        '⌈' => Token::Open('c'),
        '⌉' => Token::Close('c'),
        '（' => Token::Open('('),
        '）' => Token::Close(')'),
        '€' | '£' | '¥' | '₹' | '¢' => Token::Currency(char),
        '½' => return Some(ratio("1", "2")),
        '¼' => return Some(ratio("1", "4")),
        '¾' => return Some(ratio("3", "4")),
        _ if greek(char).is_some() => Token::Symbol(greek(char)?.into()),
        // Math delimiters, ends of sentences, the marks of bold type, non-breaking spaces.
        '$' | '.' | '~' | '`' | '"' | '?' | '“' | '”' => return Some(Command::Skip),
        _ => return None,
    }))
}

/// Greek letters that are names of values, and what LaTeX calls them. Pi is a number, and mu stands before units.
const GREEK: [(char, &str); 18] = [
    ('α', "alpha"),
    ('β', "beta"),
    ('γ', "gamma"),
    ('δ', "delta"),
    ('ε', "epsilon"),
    ('ζ', "zeta"),
    ('η', "eta"),
    ('θ', "theta"),
    ('κ', "kappa"),
    ('λ', "lambda"),
    ('ξ', "xi"),
    ('ρ', "rho"),
    ('σ', "sigma"),
    ('τ', "tau"),
    ('φ', "phi"),
    ('χ', "chi"),
    ('ψ', "psi"),
    ('ω', "omega"),
];

/// LaTeX's name of a Greek letter.
pub(crate) fn greek(letter: char) -> Option<&'static str> {
    GREEK.iter().find(|(known, _)| *known == letter).map(|(_, name)| *name)
}

/// Whether a name is one letter, a Greek one by its command.
pub(crate) fn is_one_letter(name: &str) -> bool {
    name.chars().count() == 1 || GREEK.iter().any(|(_, known)| *known == name)
}

/// A run of letters that means one thing in plain text too.
pub(crate) fn plain_name(run: &str) -> Option<Token> {
    if let Some(function) = Function::named(run) {
        return Some(Token::Function(function));
    }
    Some(match run {
        "pi" | "Pi" => Token::Pi,
        "inf" | "infinity" | "Infinity" | "oo" | "infty" => Token::Infinity,
        "U" | "union" => Token::Union,
        "in" => Token::In,
        "degrees" | "degree" | "deg" => Token::Degree,
        "percent" | "pct" => Token::Sign('%'),
        "mod" => Token::Symbol(run.into()),
        _ => return None,
    })
}

/// `sinx`: a function and the variable behind it.
pub(crate) fn function_prefix(run: &str) -> Option<(Function, &str)> {
    ["sin", "cos", "tan"].iter().find_map(|name| {
        let rest = run.strip_prefix(name).filter(|rest| rest.len() == 1)?;
        Some((Function::named(name)?, rest))
    })
}

/// Whether a run of letters is words rather than variables side by side.
pub(crate) fn is_word(run: &str) -> bool {
    const SHORT: [&str; 33] = [
        "and", "or", "the", "is", "of", "to", "for", "are", "day", "cm", "km", "mm", "kg", "mph", "ft",
        "lbs", "min", "sec", "hrs", "yes", "no", "No", "odd", "all", "if", "not", "men", "one", "two", "ten",
        "oz", "sq", "DNE",
    ];
    let is_name = run.starts_with(char::is_uppercase) && run.chars().skip(1).all(char::is_lowercase);
    let is_roman = matches!(run, "II" | "III" | "VII" | "VIII");
    let is_long = run.len() >= 4 || (run.len() == 3 && is_name);
    (is_long && is_spelled(run))
        || is_roman
        || SHORT.contains(&run)
        || (run.len() == 3 && SHORT.contains(&run.to_lowercase().as_str()))
}

/// Whether a run of letters looks like a word: it has vowels, and no capitals behind small letters.
pub(crate) fn is_spelled(run: &str) -> bool {
    let has_vowels = run.contains(|char: char| "aeiouyAEIOUY".contains(char));
    let rest = run.get(1..).unwrap_or_default();
    let is_mixed = rest.contains(char::is_uppercase) && run.contains(char::is_lowercase);
    has_vowels && !is_mixed
}

/// Letters of words in other languages that are no variables of their own: Latin ones with accents, and Cyrillic ones.
pub(crate) fn is_word_letter(char: char) -> bool {
    matches!(char, '\u{c0}'..='\u{24f}' | '\u{400}'..='\u{4ff}') && !matches!(char, '×' | '÷')
}

/// Units that are words only behind a number; else they may be variables.
pub(crate) fn is_short_unit(run: &str) -> bool {
    matches!(
        run,
        "ml" | "mL"
            | "dm"
            | "lb"
            | "yd"
            | "nm"
            | "ms"
            | "Hz"
            | "kW"
            | "hr"
            | "mi"
            | "mg"
            | "kJ"
            | "in"
            | "am"
            | "pm"
            | "AM"
            | "PM"
            | "kN"
            | "Pa"
            | "kPa"
            | "mol"
            | "ohm"
            | "USD"
    )
}
