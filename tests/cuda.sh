#!/usr/bin/env bash
# The model, the objective and whole runs on an NVIDIA GPU: builds with the feature `cuda` and runs every test that has
# a GPU among its engines. Fails where there is no GPU, so that nothing passes unrun.
#
#   tests/cuda.sh                     with nvcc of CUDA 12 or 13 on the PATH
#   tests/cuda.sh --fetch-compiler    with CUDA 13.0 from PyPI, 1.2 GB under target/cuda-toolkit, whose `env` is for a shell
#   tests/cuda.sh --compile-only      builds and links all of it, needs no GPU, and says that nothing ran
#
# CUDA_VISIBLE_DEVICES chooses the GPU, CUDA_COMPUTE_CAP (90, 89, 86, ...) what is compiled for where none is found.
set -euo pipefail
cd "$(dirname "$0")/.."

fetch=false compile_only=false
for argument in "$@"; do
    case $argument in
        --fetch-compiler) fetch=true ;;
        --compile-only) compile_only=true ;;
        *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done

fail() { # what, hint
    printf 'cuda: FAILED: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

if $fetch; then
    . tests/cuda_toolkit.sh
    fetch_compiler "$PWD/target/cuda-toolkit"
    . target/cuda-toolkit/env
fi
command -v nvcc > /dev/null || fail "there is no nvcc on the PATH" "install CUDA's toolkit, or give --fetch-compiler"
nvcc_version=$(nvcc --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')

gpu=""
if $compile_only; then
    export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90}
else
    command -v nvidia-smi > /dev/null || fail "there is no nvidia-smi" "install NVIDIA's driver, or give --compile-only"
    gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>&1 | head -n 1) && [ -n "$gpu" ] ||
        fail "nvidia-smi finds no GPU: $gpu" "a container needs the GPU handed through; --compile-only needs none"
    driver_cuda=$(nvidia-smi | sed -n 's/.*CUDA Version: *\([0-9.]*\).*/\1/p')
    newest=$(printf '%s\n' "${driver_cuda:-$nvcc_version}" "$nvcc_version" | sort -V | tail -n 1)
    [ "$newest" = "${driver_cuda:-$nvcc_version}" ] ||
        fail "nvcc is CUDA $nvcc_version, the driver takes up to $driver_cuda" "update the driver, or use an older nvcc"
fi

# Tolerances are for products in full f32.
export NVIDIA_TF32_OVERRIDE=0
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target/cuda}
rustup target add wasm32-unknown-unknown > /dev/null
# One choice of packages, so that dependencies are compiled once. The integration tests bring the host's binary.
tests=(cargo test --release --locked --package exgrpo-engine --package exgrpo-models --package exgrpo-train --package exgrpo-host --package exgrpo-tests)
tests+=(--features exgrpo-host/cuda,exgrpo-tests/cuda)
host="$CARGO_TARGET_DIR/release/host-under-test"

if $compile_only; then
    "${tests[@]}" --lib --test integration --no-run
    echo "cuda: COMPILED ONLY with nvcc $nvcc_version for compute capability $CUDA_COMPUTE_CAP: nothing ran on a GPU"
    exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
run() { # least number of tests, target, filters
    local least=$1 target=$2 count
    shift 2
    # One at a time, as all of them share the GPU.
    "${tests[@]}" $target -- "$@" --test-threads=1 2>&1 | tee "$scratch/log" ||
        fail "tests fail on $gpu" "the first failure is above"
    count=$(awk '/^test result: ok/ { sum += $4 } END { print sum + 0 }' "$scratch/log")
    [ "$count" -ge "$least" ] || fail "only $count tests ran" "names have changed: look at the filters in tests/cuda.sh"
    passed=$((passed + count))
}
run 20 --lib actor:: candle:: cpu:: gpu:: objective::
run 3 "--test integration" gpu bad_input

# The two curves to look at; `a_gpu_follows_the_processors_engine` has compared such ones.
for engine in cpu cuda; do
    echo "model.engine = $engine"
    "$host" --steps 10 --seed 1 --set eval.enabled=false --set "model.engine=$engine" --out "$scratch/$engine"
done
"$host" --resume "$scratch/cuda" --steps 12

echo "cuda: all $passed tests passed on $gpu, nvcc $nvcc_version"
