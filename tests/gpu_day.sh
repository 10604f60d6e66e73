#!/usr/bin/env bash
# What there is to do on a day with a GPU. Builds here, where Rust is, and runs there, where a GPU is and Python with
# PyTorch, transformers, pyarrow and CUDA's libraries in wheels, but neither Rust nor a network.
#
#   tests/gpu_day.sh pack [FOLDER]              builds and packs everything into FOLDER (target/gpu-day)
#   tests/gpu_day.sh run [FOLDER] [ARGUMENTS]   there: every part, see tests/python/gpu_day.py --help; --only, --budget, --out
#
# FOLDER stands alone: FOLDER/gpu_day.sh run needs no repository. It makes links where the tests look for their files, which is
# at the paths of the machine that built them: root can.
# CUDA_COMPUTE_CAP (90, 80, ...) chooses what candle's kernels are compiled for; ours run on 8.0 and above.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }

fail() { # what, hint
    printf 'gpu-day: FAILED: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

# From cargo's messages: name, kind, whether it is a test, path of every executable; and folders that the tests are told.
artifacts() {
    python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message["reason"] == "compiler-artifact" and message.get("executable"):
        target = message["target"]
        print(target["name"], target["kind"][0], message["profile"]["test"], message["executable"])
    if message["reason"] == "build-script-executed":
        for name, value in message["env"]:
            if name in ("POLICIES_DIR", "GUESTS_DIR"):
                print(name, "folder", False, value)'
}

pack() { # folder
    local folder=$1 tree name kind test path bytes
    . tests/cuda_toolkit.sh
    [ -f target/cuda-toolkit/env ] || fetch_compiler "$PWD/target/cuda-toolkit"
    . target/cuda-toolkit/env
    export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90}
    rustup target add wasm32-unknown-unknown > /dev/null 2>&1
    rm -rf "$folder" && mkdir -p "$folder/tree/bin"
    tree=$folder/tree
    # The integration tests bring the host's binary.
    cargo test --release --locked --workspace --exclude xtask --features exgrpo-host/cuda,exgrpo-tests/cuda \
        --lib --test integration --bench gpu_step --no-run --message-format json-render-diagnostics > "$folder/messages"
    artifacts < "$folder/messages" > "$folder/artifacts"
    while read -r name kind test path; do
        case "$name $kind $test" in
            "exgrpo_engine lib True") strip -o "$tree/bin/lib-tests" "$path" ;;
            "integration test True") strip -o "$tree/bin/integration" "$path" ;;
            "gpu_step bench "*) strip -o "$tree/bin/gpu_step" "$path" ;;
            "host-under-test bin False")
                strip -o "$tree/bin/host-under-test" "$path"
                printf '%s\t%s\n' bin/host-under-test "$path" >> "$tree/links" ;;
            "POLICIES_DIR folder False") keep_folder "$path" policies "$tree" ;;
            "GUESTS_DIR folder False") keep_folder "$path" guests "$tree" ;;
        esac
    done < "$folder/artifacts"
    for path in bin/{lib-tests,integration,gpu_step,host-under-test} policies/gaussian_medium.wasm guests/counter.wasm; do
        [ -f "$tree/$path" ] || fail "cargo's messages don't name $path" "look at $folder/messages"
    done
    (cd "$tree" && find . -type f -print0 | sort -z | xargs -0 stat -c '# %s bytes %n' &&
        find . -type f -print0 | sort -z | xargs -0 sha256sum) > "$folder/manifest"
    # All of the programs hold the same library and kernels, which a dictionary as large as they are finds again.
    tar -C "$tree" -cf - . | xz -T1 --lzma2=preset=3,dict=512MiB > "$folder/pack.tar.xz"
    cp tests/gpu_day.sh tests/python/gpu_day.py bench/peers/gpu_peer.py "$folder"
    rm -rf "$folder/messages" "$folder/artifacts" "$tree"
    bytes=$(du -sb "$folder" | cut -f 1)
    grep '^#' "$folder/manifest"
    [ "$bytes" -lt 60000000 ] || fail "$folder has $bytes bytes" "60 MB are what can be carried"
    echo "gpu-day: packed, $bytes bytes in $folder"
}

keep_folder() { # path here, name, tree
    mkdir -p "$3/$2" && cp "$1"/*.wasm "$3/$2"
    printf '%s\t%s\n' "$2" "$1" >> "$3/links"
}

unpack() { # folder
    local folder=$1 name path
    rm -rf "$folder/unpacked" && mkdir -p "$folder/unpacked"
    if command -v xz > /dev/null; then
        tar -C "$folder/unpacked" -xJf "$folder/pack.tar.xz"
    else
        python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$folder/pack.tar.xz" "$folder/unpacked"
    fi
    grep -v '^#' "$folder/manifest" | (cd "$folder/unpacked" && sha256sum --quiet -c)
    while IFS=$'\t' read -r name path; do
        # What was built here is left alone.
        if [ -L "$path" ] || [ ! -e "$path" ]; then
            { mkdir -p "$(dirname "$path")" && ln -sfn "$folder/unpacked/$name" "$path"; } ||
                echo "gpu-day: can't make $path: some tests will not find their files" >&2
        fi
    done < "$folder/unpacked/links"
}

# Folders with CUDA's libraries in Python's wheels, and that of a driver which the system's list doesn't name.
libraries() {
    python3 - << 'END'
import ctypes, glob, os, sys

found = []
for entry in sys.path:
    found += glob.glob(os.path.join(entry, "nvidia/*/lib"))
try:
    ctypes.CDLL("libcuda.so.1")
except OSError:
    for folder in ("/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/x86_64-linux-gnu", "/usr/local/cuda/compat"):
        found += [folder] if os.path.exists(f"{folder}/libcuda.so.1") else []
print(":".join(found))
END
}

run() { # folder, arguments
    local folder program peer found
    folder=$(cd "$1" && pwd)
    shift
    program=$here/python/gpu_day.py peer=$here/../bench/peers/gpu_peer.py
    [ -f "$program" ] || { program=$here/gpu_day.py peer=$here/gpu_peer.py; }
    unpack "$folder"
    found=$(libraries)
    export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$found"
    PYTHONUNBUFFERED=1 python3 "$program" --bin "$folder/unpacked/bin" --peer "$peer" "$@"
}

command=${1:-}
[ $# -gt 0 ] && shift
folder=""
if [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; then
    folder=$1
    shift
fi
if [ -z "$folder" ]; then
    folder=$here/../target/gpu-day
    [ ! -f "$here/pack.tar.xz" ] || folder=$here
fi
case $command in
    pack) folder=$(realpath -m "$folder") && cd "$here/.." && pack "$folder" ;;
    run) run "$folder" "$@" ;;
    *) usage ;;
esac
