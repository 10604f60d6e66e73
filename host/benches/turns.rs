//! Our side of `cargo xtask bench`, which starts it: does a piece of work once for every line of standard input and
//! answers with a line of JSON. `WORK SHAPE` are those of bench/peers/peer.py, and `train-shared`, where the eight
//! sequences have their prompt in common.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that measures")]

mod work;

use std::time::Instant;

use exgrpo_host::model::Sequence;

use work::{GROUP_SIZE, Shape};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let [work, shape] = arguments.as_slice() else {
        // `cargo bench` without names comes by here, too.
        println!("turns: started by cargo xtask bench");
        return;
    };
    let shape = Shape::named(shape).unwrap();
    let mut actor = shape.actor();
    match work.as_str() {
        "step" => {
            let prompts = shape.prompts();
            turns(|| {
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
            turns(|| {
                shape.accumulate(&mut actor, &batch);
                work::apply(&mut actor);
            });
        }
        "sample" => {
            let prompts = shape.tokens(64, shape.prompt, 2);
            turns(|| drop(shape.sample(&actor, &prompts, 1)));
        }
        "sample-1" => {
            let prompts = shape.tokens(1, shape.prompt, 2);
            turns(|| drop(shape.sample(&actor, &prompts, 1)));
        }
        other => panic!("no work is called {other}"),
    }
}

/// Works once a line.
fn turns(mut work: impl FnMut()) {
    for line in std::io::stdin().lines() {
        line.unwrap();
        let begin = Instant::now();
        work();
        let seconds = begin.elapsed().as_secs_f64();
        println!("{{\"seconds\": {seconds}, \"peak_gb\": {}}}", work::peak_memory());
    }
}
