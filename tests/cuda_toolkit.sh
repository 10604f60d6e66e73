# To be sourced: CUDA's compiler and libraries from PyPI, for building where no toolkit is installed.

# A venv with the wheels, a folder of library names as a linker wants them, and a libcuda.so to link with where no
# driver is. That one's functions return CUDA_ERROR_STUB_LIBRARY; its folder is not on the path of libraries at run time.
fetch_compiler() { # folder
    local kit=$1 home library
    [ -x "$kit/bin/pip" ] || python3 -m venv "$kit"
    "$kit/bin/pip" install --quiet --requirement tests/python/requirements-cuda.txt
    home=$(echo "$kit"/lib/python3.*/site-packages/nvidia/cu13)
    mkdir -p "$kit/link"
    for library in cublas cublasLt cudart curand nvrtc; do
        ln -sf "$(echo "$home/lib/lib$library".so.*)" "$kit/link/lib$library.so"
    done
    grep -ohE '\bcu[A-Z][A-Za-z0-9_]*' "$home/include/cuda.h" | sort -u |
        awk '{ print "int " $1 "(void) { return 34; }" }' |
        cc -x c -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$kit/link/libcuda.so" -
    cat > "$kit/env" <<- END
	export PATH="$home/bin:\$PATH" CUDA_HOME="$home" CUDA_PATH="$home" CUDA_ROOT="$home" NVCC="$home/bin/nvcc"
	export LIBRARY_PATH="$kit/link\${LIBRARY_PATH:+:\$LIBRARY_PATH}"
	export LD_LIBRARY_PATH="$home/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
	END
}
