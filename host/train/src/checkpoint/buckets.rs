//! Buckets as a checkpoint has them: `{"name": "3/8", "level": "medium"}`. Their type is guest-sdk's, which knows no serde.

use exgrpo_core::columns::{BucketInfo, Level};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(remote = "Level", rename_all = "kebab-case")]
enum LevelForm {
    Easy,
    Medium,
    Hard,
}

#[derive(Serialize, Deserialize)]
struct BucketForm {
    name: String,
    #[serde(with = "LevelForm")]
    level: Level,
}

pub(super) fn serialize<S: Serializer>(buckets: &[BucketInfo], serializer: S) -> Result<S::Ok, S::Error> {
    let form = |bucket: &BucketInfo| BucketForm { name: bucket.name.clone(), level: bucket.level };
    serializer.collect_seq(buckets.iter().map(form))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<BucketInfo>, D::Error> {
    let forms = Vec::<BucketForm>::deserialize(deserializer)?;
    Ok(forms.into_iter().map(|BucketForm { name, level }| BucketInfo { name, level }).collect())
}
