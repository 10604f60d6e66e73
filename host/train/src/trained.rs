//! What a run of ours has trained: a run's directory, which stands for its latest checkpoint, or one checkpoint.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::checkpoint;
use crate::config::{Config, MAX_RUN_TOML, RunToml, unsealed};
use crate::identity::{self, Identity};
use exgrpo_core::rundir::RunDir;
use exgrpo_core::sealed;
use exgrpo_models::ModelSource;

/// Reads the model named `path`: a run or one of its checkpoints, else as [`ModelSource::read`].
///
/// # Errors
/// As [`ModelSource::read`]; also a run without a sound checkpoint.
pub fn read(path: &str) -> anyhow::Result<ModelSource> {
    match find(Path::new(path))? {
        Some(trained) => trained.read(),
        None => ModelSource::read(path),
    }
}

/// Trained weights, and the run that they belong to.
#[derive(Debug)]
struct Trained {
    run: RunDir,
    checkpoint: PathBuf,
}

/// The run or checkpoint in `local`, if it is one.
///
/// # Errors
/// It is a run without a checkpoint.
fn find(local: &Path) -> anyhow::Result<Option<Trained>> {
    let run = RunDir::at(local);
    if run.config().is_file() {
        let Some(step) = run.checkpoint_steps()?.pop() else {
            bail!("{} has no checkpoint\nhint: the first is written after its first step", local.display());
        };
        let checkpoint = run.checkpoint(step);
        // An earlier one in its place would be another model, without a word.
        if !checkpoint::is_checkpoint(&checkpoint) {
            bail!(
                "checkpoint {} can't be used: its state is missing\nhint: an earlier one may do: {}",
                checkpoint.display(),
                run.checkpoints().join("STEP").display()
            );
        }
        return Ok(Some(Trained { run, checkpoint }));
    }
    // `.` and links have no useful parent of their own.
    let checkpoint = match checkpoint::is_checkpoint(local) {
        true => local.canonicalize().unwrap_or_else(|_| local.to_owned()),
        false => return Ok(None),
    };
    let run = checkpoint.parent().and_then(Path::parent).map(RunDir::at);
    match run.filter(|run| run.config().is_file()) {
        Some(run) => Ok(Some(Trained { run, checkpoint })),
        None => bail!(
            "{} is a checkpoint outside its run\nhint: give it in its place, runs/NAME/checkpoints/STEP",
            local.display()
        ),
    }
}

impl Trained {
    /// Refuses a checkpoint that was put in the place of another step's or another run's.
    fn check_place(&self, step: u32, run_toml: &RunToml) -> anyhow::Result<()> {
        let path = self.checkpoint.display();
        if self.run.checkpoint(step).file_name() != self.checkpoint.file_name() {
            bail!("checkpoint {path} is of step {step}, not of its place");
        }
        let copy = self.checkpoint.join(checkpoint::CONFIG);
        let is_other =
            !run_toml.is_unsealed() && sealed::read_limited(&copy, MAX_RUN_TOML)? != run_toml.text.as_bytes();
        if is_other {
            bail!("checkpoint {path} is of another run: its copy of run.toml differs");
        }
        Ok(())
    }

    /// Reads the trained weights, with the configuration and the tokenizer that the run keeps.
    ///
    /// # Errors
    /// A file is absent or damaged.
    fn read(self) -> anyhow::Result<ModelSource> {
        // Its digests tell a damaged checkpoint before anything is made of it.
        let step = checkpoint::check_weights(&self.checkpoint).with_context(|| {
            format!(
                "checkpoint {} can't be used\nhint: an earlier one may do: {}",
                self.checkpoint.display(),
                self.run.checkpoints().join("STEP").display()
            )
        })?;
        let run_toml = RunToml::read_to_look_at(&self.run.config())
            .map_err(|error| anyhow::anyhow!("{error:#}\n{}", checkpoint::run_toml_hint(&self.run)))?;
        self.check_place(step, &run_toml)?;
        let recorded = identity::of_run_toml(&run_toml)?;
        let is_unsealed = run_toml.is_unsealed();
        let config = run_toml.config;
        let mut source = ModelSource::read_with_weights(&self.files(&config), &self.checkpoint)?;
        if let Some(recorded) = recorded {
            self.check(&recorded, &source)?;
        }
        if is_unsealed {
            source.notes.push(unsealed(&self.run.config()));
        }
        Ok(ModelSource { trained_prompt: Some(config.prompt), ..source })
    }

    /// The weights belong to what the run trained with, not to what lies there now.
    fn check(&self, recorded: &Identity, source: &ModelSource) -> anyhow::Result<()> {
        for (name, digest) in identity::model_files(source) {
            if recorded.model.get(&name).is_some_and(|recorded| *recorded != digest) {
                bail!(
                    "{} can't go on, nor can its weights be used: the model has other {} in {} than it trained with\n\
                     hint: put that folder back as the run wrote it; {} has the digests",
                    self.run.root().display(),
                    name.replace('_', " "),
                    self.run.model().display(),
                    self.run.config().display()
                );
            }
        }
        Ok(())
    }

    /// The model whose files the weights belong to.
    fn files(&self, config: &Config) -> String {
        let kept = self.run.model();
        match kept.is_dir() {
            true => kept.display().to_string(),
            // Runs of before that folder was kept.
            false => config.model.path.clone(),
        }
    }
}
