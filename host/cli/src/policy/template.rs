//! The files of a new policy. What a slot's lines answer is what a run without them would do, or the paper.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;

use exgrpo_core::journal::Slot;

/// The manifest of a crate anywhere; it is a workspace of its own, wherever it lies.
pub(super) fn manifest(name: &str, sdk: &Path) -> anyhow::Result<String> {
    let path = sdk.to_str().with_context(|| format!("{} is not text", sdk.display()))?;
    let path = toml::Value::String(path.to_owned());
    Ok(format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n\
         [dependencies]\nexgrpo-guest-sdk = {{ path = {path} }}\n\n\
         [workspace]\n"
    ))
}

/// The manifest of a crate in exgrpo's own folder of policies.
pub(super) fn member_manifest(name: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition.workspace = true\n\
         rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\n\
         [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n\
         [dependencies]\nexgrpo-guest-sdk.workspace = true\n\n[lints]\nworkspace = true\n"
    )
}

/// The library that fills these slots, with a test for each.
pub(super) fn library(name: &str, slots: &[Slot]) -> String {
    let kind = type_name(name);
    let mut text = format!(
        "//! {name}: say here what it decides.\n\nuse exgrpo_guest_sdk::*;\n\n\
         /// What the run asks.\n#[derive(Debug)]\npub struct {kind};\n\n\
         impl Policy for {kind} {{\n    // `parameters!` declares what a run may set, see the SDK's documentation.\n    \
         type Parameters = ();\n\n    fn new((): ()) -> Result<Self> {{\n        Ok(Self)\n    }}\n}}\n"
    );
    let parts: Vec<Part> = slots.iter().map(|slot| part(*slot)).collect();
    for part in &parts {
        let _ = write!(text, "\nimpl {} for {kind} {{\n{}}}\n", part.name, part.body);
    }
    let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
    let _ = write!(
        text,
        "\nexport!({kind}: {});\n\n#[cfg(test)]\nmod tests {{\n    use super::*;\n",
        names.join(", ")
    );
    for part in &parts {
        let _ = write!(
            text,
            "\n    #[test]\n    fn {}() {{\n{}    }}\n",
            part.test_name,
            part.test.replace("POLICY", &kind)
        );
    }
    text.push_str("}\n");
    text
}

/// `recent_first` as `RecentFirstPolicy`.
fn type_name(name: &str) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + chars.as_str())
    };
    // The end keeps it apart from the SDK's and Rust's own names: "policy", "vec".
    name.split('_').map(capital).chain(["Policy".to_owned()]).collect()
}

/// The lines of a slot.
struct Part {
    name: &'static str,
    body: &'static str,
    test_name: &'static str,
    test: &'static str,
}

fn part(slot: Slot) -> Part {
    match slot {
        Slot::Difficulty => Part {
            name: "Difficulty",
            body: "    fn buckets(&self, group_size: u32) -> Vec<BucketInfo> {\n        \
                   paper::success_count_buckets(group_size)\n    }\n\n    \
                   fn assign(&self, problems: &ProblemColumns) -> Result<Vec<u32>> {\n        \
                   paper::success_counts(problems)\n    }\n",
            test_name: "a_bucket_is_a_number_of_successes",
            test: "        let problems = testing::problems(4, &[0, 4, 2]);\n        \
                   assert_eq!(POLICY.assign(&problems), Ok(vec![0, 4, 2]));\n",
        },
        Slot::Retirement => Part {
            name: "Retirement",
            body: "    fn decide(&self, problems: &ProblemColumns, _step: u32) -> Result<Vec<Decision>> {\n        \
                   // Groups in a row that must be all correct.\n        \
                   Ok(paper::retire_after(problems, 1))\n    }\n",
            test_name: "what_is_mastered_retires",
            test: "        let problems = testing::problems(4, &[4, 3]);\n        \
                   assert_eq!(POLICY.decide(&problems, 1), Ok(vec![Decision::Retire, Decision::Keep]));\n",
        },
        Slot::Sampling => Part {
            name: "Sampling",
            body: "    fn bucket_weights(&self, counts: &[u32], _group_size: u32, _step: u32) -> Result<Vec<f32>> {\n        \
                   // As many as it holds: every question alike.\n        \
                   Ok(counts.iter().map(|&count| count as f32).collect())\n    }\n",
            test_name: "buckets_weigh_what_they_hold",
            test: "        assert_eq!(POLICY.bucket_weights(&[4, 0, 12], 2, 1), Ok(vec![4.0, 0.0, 12.0]));\n",
        },
        Slot::Selection => Part {
            name: "Selection",
            body: "    fn select(&self, problems: &ProblemColumns, k: u32, _step: u32, seed: u64) -> Result<Vec<u32>> {\n        \
                   // Neighbours from a random row on; every random choice comes from `seed`.\n        \
                   let len = problems.len();\n        \
                   let first = if len == 0 { 0 } else { Random::new(seed).below(len) };\n        \
                   Ok((0..len.min(k as usize)).map(|offset| ((first + offset) % len) as u32).collect())\n    }\n",
            test_name: "as_many_rows_are_drawn_as_asked",
            test: "        let rows = POLICY.select(&testing::problems(4, &[1, 2, 3]), 2, 1, 7).unwrap();\n        \
                   assert!(rows.len() == 2 && rows[0] != rows[1] && rows.iter().all(|&row| row < 3));\n",
        },
        Slot::Trajectories => Part {
            name: "Trajectories",
            body: "    fn choose(&self, trajectories: &TrajectoryColumns, _step: u32, _seed: u64) -> Result<Vec<Option<u32>>> {\n        \
                   Ok(paper::lowest_entropy(trajectories))\n    }\n",
            test_name: "the_surest_trajectory_is_replayed",
            test: "        let trajectories = testing::trajectories(&[&[0.5, 0.2], &[]]);\n        \
                   assert_eq!(POLICY.choose(&trajectories, 1, 0), Ok(vec![Some(1), None]));\n",
        },
        Slot::Verifier => Part {
            name: "Verifier",
            body: "    fn verify(&self, request: &Request) -> Result<Verdict> {\n        \
                   let is_right = request.response.trim() == request.reference.trim();\n        \
                   Ok(if is_right { Verdict::correct() } else { Verdict::incorrect() })\n    }\n",
            test_name: "only_the_gold_answer_is_right",
            test: "        let outcome = |response| POLICY.verify(&testing::request(\"1+1=\", \"2\", response)).unwrap().outcome;\n        \
                   assert_eq!(outcome(\" 2\"), Outcome::Correct);\n        \
                   assert_eq!(outcome(\"3\"), Outcome::Incorrect);\n",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_after_their_policy() {
        assert_eq!(type_name("recent"), "RecentPolicy");
        assert_eq!(type_name("lowest_entropy_2"), "LowestEntropy2Policy");
        assert!(library("a", &[Slot::Sampling]).contains("export!(APolicy: Sampling);"));
    }
}
