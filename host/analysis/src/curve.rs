//! A curve in one line of text.

/// Bars from the lowest to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Means of `values` over at most `width` stretches of equal length as bars between their least and their greatest, and
/// these two. None without values.
pub(crate) fn curve(values: &[f64], width: usize) -> Option<(String, f64, f64)> {
    let count = values.len().min(width);
    let mean = |stretch: &[f64]| stretch.iter().sum::<f64>() / stretch.len() as f64;
    let means: Vec<f64> = (0..count)
        .map(|place| mean(&values[place * values.len() / count..(place + 1) * values.len() / count]))
        .collect();
    let least = means.iter().copied().reduce(f64::min)?;
    let most = means.iter().copied().reduce(f64::max)?;
    let bar = |value: &f64| {
        let share = if most > least { (value - least) / (most - least) } else { 0.0 };
        BARS[((share * BARS.len() as f64) as usize).min(BARS.len() - 1)]
    };
    Some((means.iter().map(bar).collect(), least, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_as_wide_as_asked_and_goes_from_its_least_to_its_greatest_mean() {
        assert_eq!(curve(&[1.0, 2.0, 3.0], 60), Some(("▁▅█".to_owned(), 1.0, 3.0)));
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let (bars, least, most) = curve(&values, 10).unwrap();
        assert_eq!((bars.chars().count(), least, most), (10, 4.5, 94.5));
        assert_eq!(curve(&[2.0, 2.0], 60), Some(("▁▁".to_owned(), 2.0, 2.0)));
        assert_eq!(curve(&[], 60), None);
    }
}
