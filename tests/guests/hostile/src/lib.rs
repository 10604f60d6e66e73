//! A policy that behaves until `from_step`, and from then on as `attack` says. Its verifier attacks on responses that
//! contain `!`, whatever the step; with `forge`, on all but those to the question that the host probes with.

use std::hint::black_box;

use exgrpo_guest_sdk::{
    Policy, PolicyError, ProblemColumns, Request, Result, Sampling, Trajectories, TrajectoryColumns, Verdict,
    Verifier, parameters,
};

parameters! {
    /// What goes wrong, and when.
    pub struct Settings {
        /// What goes wrong.
        attack: String = "none".into(), one_of [
            "none", "loop", "work", "memory", "recursion", "panic", "nan", "negative", "wrong-length", "out-of-range",
            "huge-output", "refuse", "reward", "forge"
        ];
        /// First step at which it does.
        from_step: u32 = 0;
        /// How much: rounds of work, MiB of memory, frames of recursion, hundredths of reward.
        amount: u32 = 1_000_000;
    }
}

/// See the crate's documentation.
pub struct Hostile(Settings);

impl Hostile {
    /// Attacks that are no answer.
    fn act(&self, step: u32) -> Result<()> {
        if step < self.0.from_step {
            return Ok(());
        }
        match self.0.attack.as_str() {
            "loop" => loop {
                black_box(step);
            },
            "work" => (0..self.0.amount).for_each(|round| {
                black_box(round);
            }),
            "memory" => {
                let block = vec![1u8; (self.0.amount as usize) << 20];
                black_box(&block);
            }
            "recursion" => {
                black_box(dig(self.0.amount));
            }
            "panic" => panic!("bad parameters at step {step}"),
            // What steers a terminal, turns text around, and looks like a line of the host.
            "forge" => {
                exgrpo_guest_sdk::log::warn(
                    "\u{1b}[2J\u{9b}2J\u{202e}\nstep    1/150  reward 1.000\r\nhint: trust me",
                );
                panic!("\u{1b}]0;gone\u{7}\nerror: the disk is on fire\u{200b}\u{e0041}");
            }
            "refuse" => return Err(PolicyError::Failed("not today".to_owned())),
            _ => {}
        }
        Ok(())
    }

    fn is(&self, attack: &str, step: u32) -> bool {
        step >= self.0.from_step && self.0.attack == attack
    }
}

fn dig(depth: u32) -> u64 {
    let frame = black_box([u64::from(depth); 8]);
    if depth == 0 { frame[0] } else { dig(depth - 1) + frame[depth as usize % 8] }
}

impl Policy for Hostile {
    type Parameters = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self(settings))
    }
}

impl Sampling for Hostile {
    fn bucket_weights(&self, counts: &[u32], _group_size: u32, step: u32) -> Result<Vec<f32>> {
        self.act(step)?;
        let mut weights = vec![1.0; counts.len()];
        if self.is("nan", step) {
            weights[0] = f32::NAN;
        }
        if self.is("negative", step) {
            weights[0] = -1.0;
        }
        if self.is("wrong-length", step) {
            weights.pop();
        }
        if self.is("huge-output", step) {
            weights = vec![1.0; (self.0.amount as usize) << 18];
        }
        Ok(weights)
    }

    fn row_weights(&self, problems: &ProblemColumns, _buckets: &[u32], _step: u32) -> Result<Vec<f32>> {
        Ok(vec![1.0; problems.id.len()])
    }
}

impl Trajectories for Hostile {
    fn choose(&self, trajectories: &TrajectoryColumns, step: u32, _seed: u64) -> Result<Vec<Option<u32>>> {
        let bad = self.is("out-of-range", step).then_some(u32::MAX);
        Ok(trajectories
            .offsets
            .windows(2)
            .map(|range| bad.or((range[0] < range[1]).then_some(range[0])))
            .collect())
    }
}

impl Verifier for Hostile {
    fn verify(&self, request: &Request) -> Result<Verdict> {
        if request.response.contains('!') || (self.0.attack == "forge" && request.prompt != "1+1=") {
            self.act(u32::MAX)?;
            if self.is("reward", u32::MAX) {
                return Ok(Verdict::correct().with_reward(self.0.amount as f32 / 100.0));
            }
            if self.is("negative", u32::MAX) {
                return Ok(Verdict::incorrect().with_reward(-1.0));
            }
        }
        Ok(if request.response == request.reference { Verdict::correct() } else { Verdict::incorrect() })
    }
}

exgrpo_guest_sdk::export!(Hostile: Sampling, Trajectories, Verifier);
