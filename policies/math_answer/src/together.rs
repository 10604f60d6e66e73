//! Boxes of a response that are one answer together, told by the gold answer: its parts, its names, its number of values.

use crate::expr::{Bracket, Expr};
use crate::{commands, compare, extract, parser, parts, relation};

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

/// The boxes of a response and whether they are the gold answer's, where the gold answer has names or an order that their own
/// names tell: `y = \boxed{3}` is no `x = 3`, and `y = \boxed{3}, x = \boxed{5}` no `(3, 5)`.
pub(crate) fn named_otherwise(
    gold: &Expr,
    response: &str,
    found: &extract::Candidates,
) -> Option<(String, bool)> {
    if found.is_prose || found.is_revised {
        return None;
    }
    let names: Vec<&Expr> = match gold {
        Expr::Set(items) => {
            items.iter().map(|item| Some(relation::assigned(item)?.0)).collect::<Option<_>>()?
        }
        Expr::Bracketed(Bracket::Round, ..) => Vec::new(),
        one => vec![relation::assigned(one)?.0],
    };
    let response = extract::behind_thoughts(response);
    let boxes = extract::boxes(response);
    let count = if let Expr::Bracketed(_, items, _) = gold { items.len() } else { names.len() };
    if count == 0 {
        return None;
    }
    let last = &boxes[boxes.len().checked_sub(count)?..];
    let mut given = parts::names_before(response, last)?;
    if let [name] = names[..] {
        let (own, value) = given.first()?;
        let Expr::Symbol(wanted) = name else { return None };
        return (commands::is_one_letter(own) && commands::is_one_letter(wanted) && own != wanted)
            .then(|| (value.clone(), false));
    }
    let is_same = match gold {
        Expr::Set(_) => {
            let is_named =
                |name: &&Expr| matches!(name, Expr::Symbol(name) if given.iter().any(|(own, _)| own == name));
            if !names.iter().all(is_named) {
                return None;
            }
            let together: Vec<String> = given.iter().map(|(name, value)| format!("{name}={value}")).collect();
            parser::parse(&together.join(", "))
                .is_ok_and(|answer| compare::equivalent(gold, &answer) == Some(true))
        }
        _ => {
            given.sort();
            let letter = |name: &str| name.bytes().next().unwrap_or_default();
            let follows = |pair: &[parts::Part]| letter(&pair[0].0) + 1 == letter(&pair[1].0);
            if !(given.iter().all(|(name, _)| name.len() == 1) && given.windows(2).all(follows)) {
                return None;
            }
            let values: Vec<&str> = given.iter().map(|(_, value)| value.as_str()).collect();
            let tuple = format!("({})", values.join(", "));
            parser::parse(&tuple).is_ok_and(|answer| compare::equivalent(gold, &answer) == Some(true))
        }
    };
    let values: Vec<&str> = given.iter().map(|(_, value)| value.as_str()).collect();
    Some((values.join(", "), is_same))
}

/// The values that a response gives in parts with names, "(a) 3. (b) 5.", and whether they are the gold answer's, which has
/// the same names, or as many values in that order.
pub(crate) fn in_named_parts(
    named: Option<&[parts::Part]>,
    gold_text: &str,
    gold: Option<&Expr>,
    response: &str,
    found: &extract::Candidates,
) -> Option<(String, bool)> {
    let response = extract::behind_thoughts(response);
    if found.is_revised || !response.contains(')') {
        return None;
    }
    let in_order = match (named, gold) {
        (Some(parts), _) => parts.to_vec(),
        (None, Some(Expr::Set(items))) => parts::in_order(gold_text, items.len(), response)?,
        _ => return None,
    };
    let values = match (found.is_prose, named) {
        (true, _) => parts::in_prose(&in_order, response)?,
        (false, None) => parts::boxed(&in_order, response, &extract::boxes(response))?,
        (false, Some(_)) => return None,
    };
    Some((values.join(", "), parts::are_same(&in_order, &values)))
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
