//! When a checkpoint is due: as often as its measured cost allows.

use std::time::{Duration, Instant};

use crate::config::CheckpointSection;

/// Decides after each step whether a checkpoint is written.
#[derive(Debug)]
pub struct Schedule {
    section: CheckpointSection,
    /// When the latest checkpoint was done, or the run was opened.
    since: Instant,
    /// What the latest checkpoint of this process took.
    cost: Option<Duration>,
}

impl Schedule {
    /// Counts from `now` on.
    pub fn new(section: CheckpointSection, now: Instant) -> Self {
        Self { section, since: now, cost: None }
    }

    /// True when a checkpoint is due after `step`. `is_last`: the process does no further step.
    pub fn is_due(&self, step: u32, is_last: bool, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        if is_last || step == 1 || passed >= self.longest() {
            return true;
        }
        let is_cheap = |cost: Duration| cost.as_secs_f64() <= self.section.max_share * passed.as_secs_f64();
        step.is_multiple_of(self.section.every)
            && (self.section.max_share >= 1.0 || self.cost.is_none_or(is_cheap))
    }

    /// Notes a checkpoint that took `cost` and was done at `now`. The first of a process answers a line for people: what
    /// a checkpoint costs, and therefore a kill. `step_s`: seconds that a step takes.
    pub fn wrote(&mut self, cost: Duration, bytes: u64, step_s: f64, now: Instant) -> Option<String> {
        let is_first = self.cost.is_none();
        (self.since, self.cost) = (now, Some(cost));
        is_first.then(|| {
            let often = match self.steps_between(step_s) {
                1 => "after every step".to_owned(),
                steps => format!("about every {steps} steps, which is what a kill can cost"),
            };
            format!("a checkpoint takes {:.2} s and {}: written {often}", cost.as_secs_f64(), size(bytes))
        })
    }

    /// Steps from one checkpoint to the next, as far as one can tell.
    fn steps_between(&self, step_s: f64) -> u64 {
        let every = f64::from(self.section.every);
        let step_s = step_s.max(1e-9);
        let cost = match self.section.max_share < 1.0 {
            true => self.cost.unwrap_or_default().as_secs_f64() / self.section.max_share,
            false => 0.0,
        };
        // A multiple of `every`, unless that takes too long.
        let steps = (cost / step_s / every).ceil().max(1.0) * every;
        steps.min((self.longest().as_secs_f64() / step_s).ceil()).max(1.0) as u64
    }

    fn longest(&self) -> Duration {
        Duration::from_secs(60 * u64::from(self.section.minutes))
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of `step_s` seconds and checkpoints of `cost` seconds: after which steps one is written.
    fn written(section: CheckpointSection, steps: u32, step_s: f64, cost: f64) -> Vec<u32> {
        let mut now = Instant::now();
        let mut schedule = Schedule::new(section, now);
        let mut written = Vec::new();
        for step in 1..=steps {
            now += Duration::from_secs_f64(step_s);
            if schedule.is_due(step, step == steps, now) {
                now += Duration::from_secs_f64(cost);
                schedule.wrote(Duration::from_secs_f64(cost), 1, step_s, now);
                written.push(step);
            }
        }
        written
    }

    fn section(every: u32, max_share: f64, minutes: u32) -> CheckpointSection {
        CheckpointSection { every, max_share, minutes, ..CheckpointSection::default() }
    }

    #[test]
    fn a_checkpoint_takes_its_share_of_the_time_and_no_more() {
        assert_eq!(written(section(1, 0.1, 10), 5, 1.0, 0.05), [1, 2, 3, 4, 5], "a cheap one is always due");
        // 4.1 s are a tenth of 41 s: ten steps of 4.5 s.
        assert_eq!(written(section(1, 0.1, 10), 40, 4.5, 4.1), [1, 11, 21, 31, 40]);
        assert_eq!(written(section(3, 0.1, 10), 10, 1.0, 0.05), [1, 3, 6, 9, 10]);
        assert_eq!(written(section(4, 0.1, 10), 30, 4.5, 4.1), [1, 12, 24, 30]);
        // A share of 1 leaves the clock out of it.
        assert_eq!(written(section(3, 1.0, 10), 10, 0.001, 30.0), [1, 3, 6, 9, 10]);
        // However much it costs and however rarely it is asked for, it comes once in so many minutes.
        assert_eq!(written(section(1, 0.1, 10), 30, 60.0, 120.0), [1, 11, 21, 30]);
        assert_eq!(written(section(1000, 0.1, 10), 30, 60.0, 1.0), [1, 11, 21, 30]);
    }

    #[test]
    fn what_a_kill_can_cost_is_told_once() {
        let now = Instant::now();
        let mut schedule = Schedule::new(section(1, 0.1, 10), now);
        let told = schedule.wrote(Duration::from_millis(4_100), 1_620_000_000, 4.6, now).unwrap();
        assert_eq!(
            told,
            "a checkpoint takes 4.10 s and 1.6 GB: written about every 9 steps, which is what a kill can cost"
        );
        assert!(schedule.wrote(Duration::from_millis(4_100), 1, 4.6, now).is_none());
        let mut cheap = Schedule::new(section(1, 0.1, 10), now);
        let told = cheap.wrote(Duration::from_millis(40), 13_000_000, 0.5, now).unwrap();
        assert_eq!(told, "a checkpoint takes 0.04 s and 13 MB: written after every step");
        // As the steps above are written: multiples of 4, and no later than ten minutes.
        for (section, cost_s, step_s, often) in
            [(section(4, 0.1, 10), 4.1, 4.5, 12), (section(1, 0.1, 10), 120.0, 60.0, 10)]
        {
            let told =
                Schedule::new(section, now).wrote(Duration::from_secs_f64(cost_s), 500_000, step_s, now);
            let told = told.unwrap();
            assert!(told.contains(&format!("500 kB: written about every {often} steps")), "{told}");
        }
    }
}
