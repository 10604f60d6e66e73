//! Equations, inequalities and assignments.

use crate::agreement::agree;
use crate::compare::single;
use crate::equality::{Work, equal_forms, equal_scalars, is_rounding};
use crate::expr::{Bracket, Comparison, Expr, Function};
use crate::normal_form::{Algebra, Generator, Monomial, Quotient};
use crate::normalize::normalize;
use crate::polynomial::Polynomial;
use crate::region::Region;

/// The name and the value of `x = 3`, `f(x) = 2x` or `x = 1 + 2 = 3`.
pub(crate) fn assigned(expr: &Expr) -> Option<(&Expr, &Expr)> {
    let Expr::Relation(name, rest) = expr else { return None };
    let all_equal = rest.iter().all(|(comparison, _)| comparison.is_equality());
    let (_, value) = rest.last()?;
    (all_equal && is_name(name)).then_some((name.as_ref(), value))
}

/// The constant that an expression of several variables is said to have, 20 of `m + n = 20`, but not of a line, `x + y = 5`.
pub(crate) fn value_of_terms(expr: &Expr) -> Option<&Expr> {
    let Expr::Relation(terms, rest) = expr else { return None };
    let [(comparison, value)] = rest.as_slice() else { return None };
    let names = terms.symbols();
    let is_plane = names.iter().any(|name| matches!(name.as_str(), "x" | "y" | "z"));
    let is_terms = names.len() > 1 && !is_plane && !is_name(terms);
    (comparison.is_equality() && is_terms && value.symbols().is_empty()).then_some(value)
}

/// Sides of a calculation that is looked at; more are no answer.
const MAX_SIDES: usize = 16;

/// The value that an equation of a response ends in: of an assignment either way round, or of a calculation.
pub(crate) fn result(expr: &Expr) -> Option<&Expr> {
    if matches!(expr, Expr::Relation(_, rest) if rest.len() > MAX_SIDES) || contradicts_itself(expr) {
        return None;
    }
    if let Some((_, value)) = assigned(expr) {
        return Some(value);
    }
    let Expr::Relation(first, rest) = expr else { return None };
    let all_equal = rest.iter().all(|(comparison, _)| comparison.is_equality());
    let (_, last) = rest.last()?;
    if !all_equal {
        return None;
    }
    if is_name(last) {
        return Some(first);
    }
    // "m+n = 204" gives what was asked for; "2x = 6" doesn't.
    let symbols = first.symbols();
    let is_power = matches!(first.as_ref(), Expr::Power(base, _) if matches!(base.as_ref(), Expr::Symbol(_)));
    // A matrix that a power of another comes to.
    if is_power && matches!(last, Expr::Matrix(_)) {
        return Some(last);
    }
    let is_asked = symbols.is_empty() || (symbols.len() > 1 && last.symbols().is_empty());
    is_asked.then_some(last)
}

/// Whether two plain numbers stand as equal and aren't: `6 = 5`.
fn contradicts_itself(expr: &Expr) -> bool {
    let Expr::Relation(first, rest) = expr else { return false };
    let mut before = first.as_ref();
    rest.iter().any(|(comparison, operand)| {
        let left = std::mem::replace(&mut before, operand);
        match (left, operand) {
            (Expr::Number(left), Expr::Number(right)) => *comparison == Comparison::Equal && left != right,
            _ => false,
        }
    })
}

/// The exact value of `x = \sqrt{2} \approx 1.41`, if what follows it is that value rounded.
pub(crate) fn before_rounding(expr: &Expr) -> Option<&Expr> {
    let Expr::Relation(first, rest) = expr else { return None };
    let [before @ .., (Comparison::Near, rounded)] = rest.as_slice() else { return None };
    let exact = before.last().map_or(first.as_ref(), |(_, operand)| operand);
    (!is_name(exact) && is_rounding(exact, rounded)).then_some(exact)
}

/// `(x, y) = (1, 2)` as a set of two assignments.
pub(crate) fn spread(expr: &Expr) -> Option<Expr> {
    let (Expr::Bracketed(_, names, _), Comparison::Equal, Expr::Bracketed(_, values, _)) = single(expr)?
    else {
        return None;
    };
    if names.len() != values.len() || !names.iter().all(is_name) {
        return None;
    }
    let assignment = |(name, value): (&Expr, &Expr)| {
        Expr::Relation(Box::new(name.clone()), vec![(Comparison::Equal, value.clone())])
    };
    Some(Expr::Set(names.iter().zip(values).map(assignment).collect()))
}

/// Assignments to different variables in the order of their names, or else the elements as they are.
pub(crate) fn by_name(elements: &[Expr]) -> Vec<Expr> {
    let mut named: Vec<(&str, &Expr)> = Vec::new();
    for element in elements {
        match assigned(element) {
            Some((Expr::Symbol(name), _)) if !named.iter().any(|(other, _)| other == name) => {
                named.push((name, element));
            }
            _ => return elements.to_vec(),
        }
    }
    named.sort_by_key(|(name, _)| *name);
    named.into_iter().map(|(_, element)| element.clone()).collect()
}

/// Assignments to the same names again and again, as in "p=5, q=2; p=7, q=2": the names, and a tuple of values for each time.
/// The tuples have the order of the names that `by_name` asks for: of the alphabet, or as they are first written.
pub(crate) fn grouped(elements: &[Expr], by_name: bool) -> Option<(Vec<&str>, Vec<Expr>)> {
    let mut named = Vec::with_capacity(elements.len());
    for element in elements {
        let (Expr::Symbol(name), value) = assigned(element)? else { return None };
        named.push((name.as_str(), value));
    }
    let first = named.first()?.0;
    let width = 1 + named.iter().skip(1).position(|(name, _)| *name == first)?;
    let mut names: Vec<&str> = named[..width].iter().map(|(name, _)| *name).collect();
    if by_name {
        names.sort_unstable();
    }
    if width < 2 || named.len() % width != 0 {
        return None;
    }
    let tuples = named.chunks(width).map(|group| {
        let value = |name: &&str| Some(group.iter().find(|(other, _)| other == name)?.1.clone());
        let values: Option<Vec<Expr>> = names.iter().map(value).collect();
        Some(Expr::Bracketed(Bracket::Round, values?, Bracket::Round))
    });
    let tuples = tuples.collect::<Option<Vec<_>>>()?;
    Some((names, tuples))
}

/// The value of a quotient or product of lengths named by their ends: `\frac{AB}{CD} = 2`.
pub(crate) fn measured(expr: &Expr) -> Option<&Expr> {
    fn is_of_points(expr: &Expr) -> bool {
        match expr {
            Expr::Symbol(name) => name.len() == 1 && name.starts_with(|char: char| char.is_ascii_uppercase()),
            Expr::Product(factors) => factors.iter().all(is_of_points),
            Expr::Power(base, exponent) => is_minus_one(exponent) && is_of_points(base),
            _ => false,
        }
    }
    let (left, comparison, right) = single(expr)?;
    (comparison == Comparison::Equal && is_of_points(left) && right.symbols().is_empty()).then_some(right)
}

/// Inequalities with each product of names as one variable: what `0 < f(x) < 1` says of `f(x)`.
pub(crate) fn with_names_as_variables(expr: &Expr) -> Expr {
    let named = |operand: &Expr| match operand {
        Expr::Product(_) if is_name(operand) => Expr::Symbol(operand.symbols().join(" ")),
        other => other.clone(),
    };
    match expr {
        Expr::Relation(first, rest) => Expr::Relation(
            Box::new(named(first)),
            rest.iter().map(|(comparison, operand)| (*comparison, named(operand))).collect(),
        ),
        other => other.clone(),
    }
}

/// A variable, one with others or with numbers in brackets behind it, `|A|`, `\cos A`, or several names in brackets.
fn is_name(expr: &Expr) -> bool {
    match expr {
        Expr::Symbol(_) | Expr::Text(_) => true,
        Expr::Product(factors) => {
            let is_argument = |factor: &Expr| is_name(factor) || matches!(factor, Expr::Number(_));
            let is_inverse = |factor: &Expr| matches!(factor, Expr::Power(name, exponent) if is_name(name) && is_minus_one(exponent));
            let begins = |factor: &Expr| is_name(factor) || (factors.len() > 1 && is_inverse(factor));
            // `f^{-1}(x)` and `\frac{dy}{dx}`.
            let is_derivative = matches!(factors.first(), Some(Expr::Symbol(name)) if name == "d");
            let is_derivative = is_derivative
                || matches!(factors.first(), Some(Expr::Product(names)) if matches!(names.first(), Some(Expr::Symbol(name)) if name == "d"));
            factors.first().is_some_and(begins)
                && factors
                    .iter()
                    .skip(1)
                    .all(|factor| is_argument(factor) || (is_derivative && is_inverse(factor)))
        }
        Expr::Call(function, arguments) => {
            (*function == Function::Abs || function.is_trigonometric()) && arguments.iter().all(is_name)
        }
        Expr::Bracketed(_, names, _) | Expr::Ratio(names) => names.iter().all(is_name),
        Expr::Quantity(value, _) => is_name(value),
        _ => false,
    }
}

/// Whether both are functions of one argument, as `f(x)` and `P(x)` or `y`: what a function is called doesn't matter.
fn are_functions(name: &Expr, other: &Expr) -> bool {
    let argument = |name: &'_ Expr| match name {
        Expr::Symbol(name) => (name == "y").then_some(None),
        Expr::Product(factors) => match factors.as_slice() {
            [Expr::Power(name, exponent), Expr::Symbol(argument)] if is_minus_one(exponent) => {
                matches!(name.as_ref(), Expr::Symbol(_)).then(|| Some(argument.clone()))
            }
            [Expr::Symbol(name), Expr::Symbol(argument)] => {
                "fghpqFGHPQ".contains(name.as_str()).then(|| Some(argument.clone()))
            }
            _ => None,
        },
        _ => None,
    };
    argument(name)
        .zip(argument(other))
        .is_some_and(|(argument, other)| argument.is_none() || other.is_none() || argument == other)
}

fn is_minus_one(exponent: &Expr) -> bool {
    matches!(exponent, Expr::Number(value) if *value == crate::rational::integer(-1))
}

/// Two relations that say the same. `same` compares what stands behind an assignment.
pub(crate) fn same(gold: &Expr, response: &Expr, work: &Work, same: &dyn Fn(&Expr, &Expr) -> bool) -> bool {
    if let (Some((name, value)), Some((other, given))) = (assigned(gold), assigned(response))
        && (name == other || equal_scalars(name, other, work) || are_functions(name, other))
    {
        let golds = [Some(value), before_rounding(gold)];
        let responses = [Some(given), before_rounding(response)];
        let mut pairs = golds
            .into_iter()
            .flatten()
            .flat_map(|gold| responses.iter().flatten().map(move |given| (gold, *given)));
        return pairs.any(|(gold, given)| same(gold, given));
    }
    if let (Some(gold), Some(response)) = (single(gold), single(response))
        && (same_statements(gold, response, work) || same_statements(gold, flipped(response), work))
    {
        return true;
    }
    let is_inequality = |expr: &Expr| matches!(expr, Expr::Relation(_, rest) if rest.iter().any(|(comparison, _)| !comparison.is_equality()));
    if is_inequality(gold) && is_inequality(response) && gold.symbols() == response.symbols() {
        let regions = Region::of(gold).zip(Region::of(response));
        return regions
            .is_some_and(|(gold, response)| gold.is_same(&response, &|a, b| equal_scalars(a, b, work)))
            || same_chains(gold, response, same);
    }
    same_chains(gold, response, same)
}

/// Operand by operand, in this order or the other.
fn same_chains(gold: &Expr, response: &Expr, same: &dyn Fn(&Expr, &Expr) -> bool) -> bool {
    let (Expr::Relation(first, rest), Expr::Relation(other_first, other_rest)) = (gold, response) else {
        return false;
    };
    if rest.len() != other_rest.len() {
        return false;
    }
    let operands = |first: &Expr, rest: &[(Comparison, Expr)]| -> Vec<Expr> {
        std::iter::once(first.clone()).chain(rest.iter().map(|(_, operand)| operand.clone())).collect()
    };
    let signs =
        |rest: &[(Comparison, Expr)]| -> Vec<Comparison> { rest.iter().map(|(sign, _)| *sign).collect() };
    let gold = (operands(first, rest), signs(rest));
    let mut response = (operands(other_first, other_rest), signs(other_rest));
    let is_same = |response: &(Vec<Expr>, Vec<Comparison>)| {
        gold.1 == response.1 && gold.0.iter().zip(&response.0).all(|(a, b)| same(a, b))
    };
    if is_same(&response) {
        return true;
    }
    response.0.reverse();
    response.1 = response.1.iter().rev().map(|sign| sign.flipped()).collect();
    is_same(&response)
}

type Statement<'a> = (&'a Expr, Comparison, &'a Expr);

fn flipped((left, comparison, right): Statement<'_>) -> Statement<'_> {
    (right, comparison.flipped(), left)
}

/// `left - right` of both are the same up to a constant factor, a positive one for inequalities.
fn same_statements(gold: Statement<'_>, response: Statement<'_>, work: &Work) -> bool {
    if gold.1 != response.1 {
        return false;
    }
    let is_equation = matches!(gold.1, Comparison::Equal | Comparison::NotEqual);
    let differences = (gold.0.clone().minus(gold.2.clone()), response.0.clone().minus(response.2.clone()));
    let mut algebra = work.algebra();
    let forms = normalize(&differences.0, &mut algebra)
        .and_then(|gold| Ok((gold, normalize(&differences.1, &mut algebra)?)));
    let Ok((gold, response)) = forms else { return false };
    if gold.is_zero() || response.is_zero() {
        return gold.is_zero() && response.is_zero();
    }
    let is_proportional = is_proportional(&gold, &response, is_equation, &mut algebra);
    work.done(&algebra);
    if is_proportional {
        return true;
    }
    !algebra.is_decisive && agree(&differences.0, &differences.1, work)
}

fn is_proportional(gold: &Quotient, response: &Quotient, is_equation: bool, algebra: &mut Algebra) -> bool {
    // An equation may be multiplied by what stands in a denominator.
    let numerator = |form: &Quotient| Quotient {
        numerator: without_negative_powers(&form.numerator),
        denominator: Quotient::from(crate::rational::integer(1)).numerator,
    };
    let (gold, response) =
        if is_equation { (numerator(gold), numerator(response)) } else { (gold.clone(), response.clone()) };
    let Some(((a_monomial, a), (b_monomial, b))) = gold.numerator.last().zip(response.numerator.last())
    else {
        return false;
    };
    let factor = a / b;
    if !is_equation && !num_traits::Signed::is_positive(&factor) {
        return false;
    }
    // In an equation even a factor that is a monomial of constants may be taken out.
    let scale = if a_monomial == b_monomial {
        Ok(Quotient::from(factor))
    } else if is_equation {
        scale_between((a_monomial, a), (b_monomial, b), algebra)
    } else {
        return false;
    };
    let scaled = scale.and_then(|scale| algebra.multiply(&response, &scale));
    scaled.is_ok_and(|scaled| equal_forms(&gold, &scaled, algebra) == Some(true))
}

/// The polynomial times the powers of variables that its terms are divided by.
fn without_negative_powers(polynomial: &Polynomial) -> Polynomial {
    let mut lowest = std::collections::BTreeMap::new();
    for (generator, exponent) in polynomial.iter().flat_map(|(monomial, _)| monomial) {
        if matches!(generator, Generator::Symbol(_)) && *exponent.numer() < 0 {
            let entry = lowest.entry(generator.clone()).or_insert(*exponent);
            *entry = (*entry).min(*exponent);
        }
    }
    let raised = |monomial: &Monomial| -> Monomial {
        let mut powers: std::collections::BTreeMap<_, _> = monomial.iter().cloned().collect();
        for (generator, exponent) in &lowest {
            *powers.entry(generator.clone()).or_default() -= exponent;
        }
        powers.into_iter().filter(|(_, exponent)| *exponent.numer() != 0).collect()
    };
    polynomial.map_monomials(raised)
}

type Term<'a> = (&'a crate::normal_form::Monomial, &'a crate::rational::Rational);

/// The quotient of two terms.
fn scale_between(
    (a_monomial, a): Term<'_>,
    (b_monomial, b): Term<'_>,
    algebra: &mut Algebra,
) -> Result<Quotient, crate::normal_form::NoForm> {
    let is_constant = |monomial: &crate::normal_form::Monomial| {
        monomial.iter().all(|(generator, _)| crate::normal_form::is_positive(generator))
    };
    if !is_constant(a_monomial) || !is_constant(b_monomial) {
        return Err(crate::normal_form::NoForm::TooLarge);
    }
    let below = Quotient::monomial(b_monomial.clone(), b.clone())?;
    let below = algebra.invert(&below)?;
    algebra.multiply(&Quotient::monomial(a_monomial.clone(), a.clone())?, &below)
}
