//! Compiles the GPU's kernels where the feature `cuda` is on: machine code for compute capability 9.0, and code that a
//! driver compiles for every other from 8.0 on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const KERNELS: &str = "src/gpu/nvidia/kernels";
const ARCHITECTURES: [&str; 2] = ["arch=compute_80,code=compute_80", "arch=compute_90,code=sm_90"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={KERNELS}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=NVCC");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return Ok(());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for entry in fs::read_dir(KERNELS)? {
        let source = entry?.path();
        if source.extension().is_some_and(|extension| extension == "cu") {
            compile(&source, &out.join(source.with_extension("fatbin").file_name().unwrap_or_default()))?;
        }
    }
    Ok(())
}

fn compile(source: &Path, binary: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let nvcc = env::var("NVCC").unwrap_or_else(|_| "nvcc".to_owned());
    let mut command = Command::new(&nvcc);
    command.args(["-fatbin", "-O3", "-std=c++17"]);
    for architecture in ARCHITECTURES {
        command.args(["-gencode", architecture]);
    }
    let ended = command.arg(source).arg("-o").arg(binary).status().map_err(|error| {
        format!("can't run {nvcc}, CUDA's compiler: {error}; tests/cuda.sh --fetch-compiler gets it")
    })?;
    if !ended.success() {
        return Err(format!("{nvcc} can't compile {}", source.display()).into());
    }
    Ok(())
}
