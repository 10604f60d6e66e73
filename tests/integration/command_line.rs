//! Flags of the main command that stand for keys of the configuration.

use std::process::Stdio;

use crate::process::host;

#[test]
fn the_precision_can_be_given_as_a_flag_which_wins_over_its_key() {
    let printed = |arguments: &[&str]| {
        let output = host(&[&["config"], arguments].concat()).stdout(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(printed(&[]).contains("precision = \"f32\""));
    assert!(
        printed(&["--precision", "bf16", "--set", "model.precision=f32"]).contains("precision = \"bf16\"")
    );
    let refused = host(&["--precision", "bf8"]).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("f32, bf16"));
}
