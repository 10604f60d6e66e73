//! Means and what is known of them.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Mean.
    pub mean: f64,
    /// Number of values.
    pub count: usize,
    /// Interval by Student's t; none of fewer than two values.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// Of independent values; for paired ones give the differences. None without values.
    ///
    /// The interval is mean ± t · s / √n with the sample's standard deviation s and the 97.5 % quantile t of Student's
    /// distribution with n - 1 degrees of freedom.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        if count == 0 {
            return None;
        }
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let interval = StudentsT::new(0.0, 1.0, count as f64 - 1.0).ok().map(|student| {
            let deviation = (squares / (count as f64 - 1.0)).sqrt();
            let reach = student.inverse_cdf(0.975) * deviation / (count as f64).sqrt();
            (mean - reach, mean + reach)
        });
        Some(Self { mean, count, interval })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-3
    }

    /// By hand, with t = 4.302653 for two degrees of freedom and 2.776445 for four.
    #[test]
    fn intervals_are_those_of_students_t() {
        // The paper's rule minus on-policy, seeds 1 to 3 of the README.
        let of = |values: &[f64]| Estimate::of(values).unwrap();
        let (low, high) = of(&[-2.3, -3.2, -4.0]).interval.unwrap();
        assert!(close(low, -5.2794) && close(high, -1.0539), "{low} {high}");
        let (low, high) = of(&[1.0, 2.0, 4.0, 8.0, 16.0]).interval.unwrap();
        assert!(close(low, -1.3731) && close(high, 13.7731), "{low} {high}");
        assert_eq!(of(&[3.0]), Estimate { mean: 3.0, count: 1, interval: None });
        assert_eq!(Estimate::of(&[]), None);
        let same = of(&[2.0, 2.0, 2.0]);
        assert_eq!((same.mean, same.interval), (2.0, Some((2.0, 2.0))));
    }
}
