//! The shipped policy's bucket weights against the figures of the published sampler.

use std::collections::BTreeMap;

use exgrpo_policy::{GuestConfig, Loader, PolicySet, PolicySource, Probe};
use serde_json::Value;

#[test]
fn gaussian_medium_draws_buckets_as_published() {
    let golden: Value = serde_json::from_str(include_str!("../golden/exgrpo_objective.json")).unwrap();
    let loader = Loader::new(&GuestConfig::default(), &BTreeMap::new()).unwrap();
    let source =
        PolicySource::read(exgrpo_tests::policy("gaussian_medium"), GuestConfig::default().most_file_bytes())
            .unwrap();
    let candidate = loader.prepare(source, &Probe::default()).unwrap();
    let mut policies = PolicySet::new(&loader, vec![candidate]).unwrap();
    let cases = golden["bucket_sampling"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let group_size = case["rollouts"].as_u64().unwrap() as u32;
        let buckets: Vec<usize> =
            case["buckets"].as_array().unwrap().iter().map(|b| b.as_u64().unwrap() as usize).collect();
        let mut counts = vec![0; group_size as usize + 1];
        for &bucket in &buckets {
            counts[bucket] = 3;
        }
        let weights = policies.bucket_weights(1, &counts, group_size).unwrap().answer;
        let total: f64 = buckets.iter().map(|&bucket| f64::from(weights[bucket])).sum();
        for (&bucket, expected) in buckets.iter().zip(case["probability"].as_array().unwrap()) {
            let (have, expected) = (f64::from(weights[bucket]) / total, expected.as_f64().unwrap());
            assert!((have - expected).abs() <= 1e-5 * expected, "{case}: {have} instead of {expected}");
        }
    }
}
