// The optimizer: one step of AdamW, the square of a norm; and rounding.
#include "common.cuh"

struct Step {
    float scale, lr, beta1, beta2, eps, decay, first_correction, second_correction;
};

template <typename T>
__device__ void adam(const Step& s, float* weights, const float* grads, float* first, float* second, T* rounded, size_t len) {
    auto move = [&](float g, float& m, float& v, float& w) {
        g *= s.scale;
        m = s.beta1 * m + (1 - s.beta1) * g;
        v = s.beta2 * v + (1 - s.beta2) * g * g;
        w = w * (1 - s.decay) - s.lr * (m * s.first_correction) / (sqrtf(v * s.second_correction) + s.eps);
    };
    if (len % 4 == 0 && aligned(weights) && aligned(grads) && aligned(first) && aligned(second) && aligned_to(rounded, 4)) {
        FOR_EACH(i, len / 4) {
            float g[4], m[4], v[4], w[4];
            Pack<float>::load(grads + i * 4, g);
            Pack<float>::load(first + i * 4, m);
            Pack<float>::load(second + i * 4, v);
            Pack<float>::load(weights + i * 4, w);
#pragma unroll
            for (int j = 0; j < 4; j++) move(g[j], m[j], v[j], w[j]);
            Pack<float>::store(first + i * 4, m);
            Pack<float>::store(second + i * 4, v);
            Pack<float>::store(weights + i * 4, w);
            put_four(rounded + i * 4, w);
        }
    } else {
        FOR_EACH(i, len) {
            move(grads[i], first[i], second[i], weights[i]);
            put(rounded, i, weights[i]);
        }
    }
}
extern "C" __global__ void adam_f32(Step s, float* weights, const float* grads, float* first, float* second, float* rounded, size_t len) {
    adam<float>(s, weights, grads, first, second, rounded, len);
}
extern "C" __global__ void adam_bf16(Step s, float* weights, const float* grads, float* first, float* second, bf16* rounded, size_t len) {
    adam<bf16>(s, weights, grads, first, second, rounded, len);
}

extern "C" __global__ void round_f32(const float* from, float* to, size_t len) {
    FOR_EACH(i, len) to[i] = from[i];
}
extern "C" __global__ void round_bf16(const float* from, bf16* to, size_t len) {
    FOR_EACH(i, len) put(to, i, from[i]);
}

// Each block's share, then the shares in order.
extern "C" __global__ void squares(const float* x, double* partial, size_t len) {
    __shared__ double shared[32];
    double sum = 0;
    FOR_EACH(i, len) sum += (double)x[i] * x[i];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
extern "C" __global__ void sum_squares(double* partial, int num) {
    __shared__ double shared[32];
    double sum = 0;
    for (int i = threadIdx.x; i < num; i += blockDim.x) sum += partial[i];
    __syncthreads();
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) partial[0] = sum;
}
