//! Checks of everything a policy returns. Whatever passes can be used without looking again.

use super::error::{Fault, FaultKind};
use exgrpo_core::columns::BucketInfo;

/// Most buckets that a policy may name.
pub(super) const MAX_BUCKETS: usize = 65_536;

/// `entries` must have one entry for each of `expected`.
pub(super) fn length(entries: usize, expected: usize) -> Result<(), Fault> {
    if entries != expected {
        return Err(Fault::new(FaultKind::WrongLength, format!("{entries} entries for {expected} rows")));
    }
    Ok(())
}

/// At least one bucket, at most [`MAX_BUCKETS`].
pub(super) fn buckets(buckets: &[BucketInfo]) -> Result<(), Fault> {
    if buckets.is_empty() || buckets.len() > MAX_BUCKETS {
        let detail = format!("{} buckets, 1 to {MAX_BUCKETS} are allowed", buckets.len());
        return Err(Fault::new(FaultKind::WrongLength, detail));
    }
    Ok(())
}

/// One bucket a row, each below `num_buckets`.
pub(super) fn assignment(assigned: &[u32], num_rows: usize, num_buckets: usize) -> Result<(), Fault> {
    length(assigned.len(), num_rows)?;
    match assigned.iter().position(|&bucket| bucket as usize >= num_buckets) {
        Some(row) => {
            let detail = format!("row {row} in bucket {}, there are {num_buckets}", assigned[row]);
            Err(Fault::new(FaultKind::OutOfRange, detail))
        }
        None => Ok(()),
    }
}

/// One finite, non-negative weight an entry.
pub(super) fn weights(weights: &[f32], expected: usize) -> Result<(), Fault> {
    length(weights.len(), expected)?;
    for (row, &weight) in weights.iter().enumerate() {
        if !weight.is_finite() {
            return Err(Fault::new(FaultKind::NonFinite, format!("weight {row} is {weight}")));
        }
        if weight < 0.0 {
            return Err(Fault::new(FaultKind::Negative, format!("weight {row} is {weight}")));
        }
    }
    Ok(())
}

/// A share from 0 to 1.
pub(super) fn share(share: f32) -> Result<(), Fault> {
    if !share.is_finite() {
        return Err(Fault::new(FaultKind::NonFinite, format!("share is {share}")));
    }
    if !(0.0..=1.0).contains(&share) {
        return Err(Fault::new(FaultKind::OutOfRange, format!("share is {share}, must lie in 0..=1")));
    }
    Ok(())
}

/// At most `k` different rows, each below `num_rows`.
pub(super) fn selection(rows: &[u32], num_rows: usize, k: u32) -> Result<(), Fault> {
    if rows.len() > k as usize {
        return Err(Fault::new(FaultKind::WrongLength, format!("{} rows, {k} were asked for", rows.len())));
    }
    if let Some(row) = rows.iter().find(|&&row| row as usize >= num_rows) {
        return Err(Fault::new(FaultKind::OutOfRange, format!("row {row} of {num_rows}")));
    }
    let mut sorted = rows.to_vec();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Fault::new(FaultKind::Duplicate, format!("row {} is chosen twice", pair[0])));
    }
    Ok(())
}

/// One choice a question, each inside its question's range of `offsets`.
pub(super) fn choices(choices: &[Option<u32>], offsets: &[u32]) -> Result<(), Fault> {
    length(choices.len(), offsets.len().saturating_sub(1))?;
    for (question, (choice, range)) in choices.iter().zip(offsets.windows(2)).enumerate() {
        if let Some(row) = choice
            && !(range[0]..range[1]).contains(row)
        {
            let detail = format!("row {row} for question {question}, whose are {}..{}", range[0], range[1]);
            return Err(Fault::new(FaultKind::OutOfRange, detail));
        }
    }
    Ok(())
}

/// A reward in 0 to 1.
pub(super) fn reward(reward: f32) -> Result<(), Fault> {
    if !reward.is_finite() {
        return Err(Fault::new(FaultKind::NonFinite, format!("reward is {reward}")));
    }
    if !(0.0..=1.0).contains(&reward) {
        return Err(Fault::new(
            FaultKind::OutOfRange,
            format!("reward is {reward}, it lies between 0 and 1"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind(result: Result<(), Fault>) -> Option<FaultKind> {
        result.err().map(|fault| fault.kind)
    }

    #[test]
    fn each_check_names_its_kind() {
        assert_eq!(kind(buckets(&[])), Some(FaultKind::WrongLength));
        assert_eq!(kind(assignment(&[0, 3], 2, 3)), Some(FaultKind::OutOfRange));
        assert_eq!(kind(assignment(&[0], 2, 3)), Some(FaultKind::WrongLength));
        assert_eq!(kind(weights(&[0.0, f32::NAN], 2)), Some(FaultKind::NonFinite));
        assert_eq!(kind(weights(&[f32::INFINITY], 1)), Some(FaultKind::NonFinite));
        assert_eq!(kind(weights(&[-1e-30], 1)), Some(FaultKind::Negative));
        assert_eq!(kind(weights(&[-0.0], 1)), None);
        assert_eq!(kind(share(1.0 + f32::EPSILON)), Some(FaultKind::OutOfRange));
        assert_eq!(kind(share(f32::NAN)), Some(FaultKind::NonFinite));
        assert_eq!(kind(selection(&[1, 1], 3, 2)), Some(FaultKind::Duplicate));
        assert_eq!(kind(selection(&[1, 2, 0], 3, 2)), Some(FaultKind::WrongLength));
        assert_eq!(kind(selection(&[u32::MAX], 3, 2)), Some(FaultKind::OutOfRange));
        assert_eq!(kind(reward(f32::NEG_INFINITY)), Some(FaultKind::NonFinite));
        for (value, expected) in [(0.0, None), (0.5, None), (1.0, None), (-1.0, Some(FaultKind::OutOfRange))]
        {
            assert_eq!(kind(reward(value)), expected, "{value}");
        }
        assert_eq!(kind(reward(1.0 + f32::EPSILON)), Some(FaultKind::OutOfRange));
    }

    proptest! {
        #[test]
        fn a_choice_passes_exactly_when_it_is_in_its_range(
            lengths in prop::collection::vec(0u32..4, 1..6),
            picks in prop::collection::vec(prop::option::of(0u32..16), 6),
        ) {
            let mut offsets = vec![0];
            for length in &lengths {
                offsets.push(offsets[offsets.len() - 1] + length);
            }
            let picks = &picks[..lengths.len()];
            let inside = picks
                .iter()
                .enumerate()
                .all(|(p, pick)| pick.is_none_or(|row| row >= offsets[p] && row < offsets[p + 1]));
            prop_assert_eq!(choices(picks, &offsets).is_ok(), inside);
        }
    }
}
