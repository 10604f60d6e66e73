//! Boxes of a response that are one answer together, told by the gold answer: its parts, its names, its number of values.

use crate::expr::Expr;
use crate::{compare, extract, parser, parts};

/// The boxes of a response and whether they are the gold answer's, where both have the same names: `x = \boxed{3}`.
pub(crate) fn assigned_parts(
    reference: &str,
    response: &str,
    found: &extract::Candidates,
) -> Option<(String, bool)> {
    if found.is_prose || found.is_revised {
        return None;
    }
    let gold = parts::assigned(reference, &extract::boxes(reference))?;
    let response = extract::behind_thoughts(response);
    let given = parts::assigned(response, &extract::boxes(response))?;
    let value = |name: &String| given.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
    let values: Vec<String> = gold.iter().map(|(name, _)| value(name)).collect::<Option<_>>()?;
    Some((values.join(", "), values.len() == given.len() && parts::are_same(&gold, &values)))
}

/// The values of a response by the names of the gold answer's parts: in boxes of their own, or in its answer.
pub(crate) fn parts_of(
    parts: &[parts::Part],
    response: &str,
    found: &extract::Candidates,
) -> Option<Vec<String>> {
    let in_boxes = if found.is_prose || found.is_revised {
        None
    } else {
        parts::boxed(parts, response, &extract::boxes(response))
    };
    in_boxes.or_else(|| parts::values(parts, found.answers.first()?))
}

/// All boxes as one list, where that is the gold answer: as many as the set that it is, or each with a name of its own.
pub(crate) fn all_boxes(gold: &Expr, boxes: &[String]) -> Option<String> {
    let count = match gold {
        Expr::Set(items) | Expr::Bracketed(_, items, _) => items.len(),
        // `(x, y) = (1, 2)`
        Expr::Relation(first, _) if matches!(first.as_ref(), Expr::Bracketed(..)) => boxes.len(),
        _ => return None,
    };
    if count != boxes.len() || count < 2 {
        return None;
    }
    let together = boxes.join(", ");
    let answer = parser::parse(&together).ok()?;
    let Expr::Set(items) = &answer else { return None };
    let is_list = matches!(gold, Expr::Set(_)) || compare::are_named_apart(items);
    (is_list && compare::equivalent(gold, &answer) == Some(true)).then_some(together)
}
