// What every kernel shares: the two types of activations, vectors of 16 bytes of them, and sums over a block in an
// order that does not depend on how it is scheduled.
#pragma once

#include <cuda_bf16.h>

using bf16 = __nv_bfloat16;
using u32 = unsigned int;
using u64 = unsigned long long;

__device__ inline float get(const float* p, size_t i) { return p[i]; }
__device__ inline float get(const bf16* p, size_t i) { return __bfloat162float(p[i]); }
__device__ inline void put(float* p, size_t i, float x) { p[i] = x; }
__device__ inline void put(bf16* p, size_t i, float x) { p[i] = __float2bfloat16(x); }

// 16 bytes of values.
template <typename T> struct Pack;
template <> struct Pack<float> {
    static const int SIZE = 4;
    __device__ static void load(const float* p, float* x) {
        float4 v = *reinterpret_cast<const float4*>(p);
        x[0] = v.x, x[1] = v.y, x[2] = v.z, x[3] = v.w;
    }
    __device__ static void store(float* p, const float* x) {
        *reinterpret_cast<float4*>(p) = make_float4(x[0], x[1], x[2], x[3]);
    }
};
template <> struct Pack<bf16> {
    static const int SIZE = 8;
    __device__ static void load(const bf16* p, float* x) {
        uint4 v = *reinterpret_cast<const uint4*>(p);
        const __nv_bfloat162* pairs = reinterpret_cast<const __nv_bfloat162*>(&v);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float2 f = __bfloat1622float2(pairs[i]);
            x[2 * i] = f.x, x[2 * i + 1] = f.y;
        }
    }
    __device__ static void store(bf16* p, const float* x) {
        uint4 v;
        __nv_bfloat162* pairs = reinterpret_cast<__nv_bfloat162*>(&v);
#pragma unroll
        for (int i = 0; i < 4; i++) pairs[i] = __floats2bfloat162_rn(x[2 * i], x[2 * i + 1]);
        *reinterpret_cast<uint4*>(p) = v;
    }
};

// Two neighbours at an even place.
__device__ inline float2 get_pair(const float* p, size_t i) { return *reinterpret_cast<const float2*>(p + i); }
__device__ inline float2 get_pair(const bf16* p, size_t i) {
    return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(p + i));
}

// Two and four neighbours stored at once; `p` lies on as many bytes.
__device__ inline void put_pair(float* p, float x, float y) { *reinterpret_cast<float2*>(p) = make_float2(x, y); }
__device__ inline void put_pair(bf16* p, float x, float y) {
    *reinterpret_cast<__nv_bfloat162*>(p) = __floats2bfloat162_rn(x, y);
}
__device__ inline void put_four(float* p, const float* x) { Pack<float>::store(p, x); }
__device__ inline void put_four(bf16* p, const float* x) {
    uint2 v;
    __nv_bfloat162* pairs = reinterpret_cast<__nv_bfloat162*>(&v);
    pairs[0] = __floats2bfloat162_rn(x[0], x[1]), pairs[1] = __floats2bfloat162_rn(x[2], x[3]);
    *reinterpret_cast<uint2*>(p) = v;
}

template <typename T> __device__ inline bool aligned_to(const T* p, int values) {
    return reinterpret_cast<u64>(p) % (values * sizeof(T)) == 0;
}
__device__ inline bool aligned(const void* p) { return (reinterpret_cast<u64>(p) & 15) == 0; }

__device__ inline float warp_sum(float x) {
#pragma unroll
    for (int by = 16; by > 0; by /= 2) x += __shfl_xor_sync(0xffffffff, x, by);
    return x;
}
__device__ inline double warp_sum(double x) {
#pragma unroll
    for (int by = 16; by > 0; by /= 2) x += __shfl_xor_sync(0xffffffff, x, by);
    return x;
}
__device__ inline float warp_max(float x) {
#pragma unroll
    for (int by = 16; by > 0; by /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, by));
    return x;
}

// Every thread of a block of whole warps gets the sum; `shared` has room for 32 values.
template <typename V> __device__ inline V block_sum(V x, V* shared) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    x = warp_sum(x);
    __syncthreads();
    if (lane == 0) shared[warp] = x;
    __syncthreads();
    V sum = 0;
    for (int i = 0; i < warps; i++) sum += shared[i];
    return sum;
}
__device__ inline float block_max(float x, float* shared) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    x = warp_max(x);
    __syncthreads();
    if (lane == 0) shared[warp] = x;
    __syncthreads();
    float most = shared[0];
    for (int i = 1; i < warps; i++) most = fmaxf(most, shared[i]);
    return most;
}

#define FOR_EACH(i, n) for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < (n); i += (size_t)gridDim.x * blockDim.x)
