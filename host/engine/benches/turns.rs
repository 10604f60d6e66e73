//! Our side of `cargo xtask bench`, which starts it: does a piece of work once for every line of standard input and
//! answers with a line of JSON. `WORK SHAPE [bf16]` are those of bench/peers/peer.py, and `train-shared`, where the eight
//! sequences have their prompt in common.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that measures")]

mod work;

use std::time::Instant;

use exgrpo_engine::{Precision, Sequence};

use work::{GROUP_SIZE, Shape};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let (work, shape, precision) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [work, shape] => (work, shape, Precision::F32),
        [work, shape, "bf16"] => (work, shape, Precision::Bf16),
        _ => {
            // `cargo bench` without names comes by here, too.
            println!("turns: started by cargo xtask bench");
            return;
        }
    };
    let shape = Shape::named(shape).unwrap();
    let mut actor = shape.actor(precision);
    match work {
        "step" => {
            let prompts = shape.prompts();
            turns(None, || {
                let groups = shape.sample(&actor, &prompts, GROUP_SIZE);
                shape.accumulate(&mut actor, &work::sequences(&prompts, &groups));
                work::apply(&mut actor);
            });
        }
        "train" | "train-shared" => {
            // Unshared, every token but the first is scored, as the peer does.
            let is_shared = work == "train-shared";
            let prompt_len = if is_shared { shape.prompt } else { 1 };
            let prompts = shape.tokens(if is_shared { 1 } else { GROUP_SIZE }, prompt_len, 2);
            let completions = shape.tokens(GROUP_SIZE, shape.prompt + shape.new - prompt_len, 3);
            let batch: Vec<Sequence<'_>> = completions
                .iter()
                .enumerate()
                .map(|(index, completion)| Sequence { prompt: &prompts[index % prompts.len()], completion })
                .collect();
            let prompt_rows = prompts.len() * prompt_len;
            let rows = prompt_rows + completions.iter().map(|completion| completion.len() - 1).sum::<usize>();
            let head_rows = rows - prompt_rows + prompts.len();
            let gflop = work::train_gflop(actor.config(), rows as f64, head_rows as f64);
            let share = |seconds: f64| gflop / seconds / work::product_rate(precision).0;
            turns(Some(("of the product rate", &share)), || {
                shape.accumulate(&mut actor, &batch);
                work::apply(&mut actor);
            });
        }
        "sample" => {
            let prompts = shape.tokens(64, shape.prompt, 2);
            turns(None, || drop(shape.sample(&actor, &prompts, 1)));
        }
        "sample-1" => {
            let prompts = shape.tokens(1, shape.prompt, 2);
            // Every token but the first, which the prompt's pass gives, reads all weights.
            let gigabytes = 4e-9 * (actor.num_parameters() * shape.new) as f64;
            let share = |seconds: f64| gigabytes / seconds / work::read_rate();
            let limit: Limit<'_> = ("of the memory's read rate", &share);
            // What a cache holds is not read from memory.
            let is_large = actor.num_parameters() > work::READ_VALUES;
            turns(is_large.then_some(limit), || drop(shape.sample(&actor, &prompts, 1)));
        }
        other => panic!("no work is called {other}"),
    }
}

/// A limit of the machine, and which share of it was reached in so many seconds.
type Limit<'a> = (&'static str, &'a dyn Fn(f64) -> f64);

/// Works once a line.
fn turns(limit: Option<Limit<'_>>, mut work: impl FnMut()) {
    for line in std::io::stdin().lines() {
        line.unwrap();
        let begin = Instant::now();
        work();
        let seconds = begin.elapsed().as_secs_f64();
        let peak_gb = work::peak_memory();
        let share = limit.map(|(of, share)| serde_json::json!({"of": of, "share": share(seconds)}));
        println!("{}", serde_json::json!({"seconds": seconds, "peak_gb": peak_gb, "limit": share}));
    }
}
