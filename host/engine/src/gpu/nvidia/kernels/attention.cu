// Attention over whole sequences: heads by key head, the softmax of a block of scores, and its backward.
#include "common.cuh"

// A thread a pair of values. Rows hold heads side by side, heads hold `[B, K, T, R, D]`.
template <typename T>
__device__ void turn_heads(
    size_t sequences, size_t len, size_t row, int key_heads, int repeat, int width, const T* from, const float* cos,
    const float* sin, T* to, bool split) {
    int half = width / 2, heads = key_heads * repeat;
    FOR_EACH(i, sequences * len * heads * half) {
        int pair = i % half;
        size_t rest = i / half;
        int head = rest % heads;
        size_t token = rest / heads, position = token % len, sequence = token / len;
        int key_head = head / repeat, member = head % repeat;
        size_t rows = token * row + (size_t)head * width + pair;
        size_t grouped = (((sequence * key_heads + key_head) * len + position) * repeat + member) * width + pair;
        size_t source = split ? rows : grouped, target = split ? grouped : rows;
        float x = get(from, source), y = get(from, source + half);
        if (cos) {
            float c = cos[position * half + pair], s = sin[position * half + pair];
            if (!split) s = -s;
            float turned = x * c - y * s;
            y = x * s + y * c;
            x = turned;
        }
        put(to, target, x);
        put(to, target + half, y);
    }
}
template <typename T>
__device__ void split_heads(
    size_t sequences, size_t len, size_t row, int key_heads, int repeat, int width, const T* from, const float* cos,
    const float* sin, T* to) {
    turn_heads(sequences, len, row, key_heads, repeat, width, from, cos, sin, to, true);
}
template <typename T>
__device__ void merge_heads(
    size_t sequences, size_t len, size_t row, int key_heads, int repeat, int width, const T* from, const float* cos,
    const float* sin, T* to) {
    turn_heads(sequences, len, row, key_heads, repeat, width, from, cos, sin, to, false);
}

// A warp a row of scores.
template <typename T>
__device__ void softmax(
    size_t batch, size_t rows, size_t keys, size_t first_query, int repeat, size_t stat_step, float scale, const float* scores,
    float* log_sums, T* probs) {
    size_t all = batch * rows, lane = threadIdx.x % 32, warps = blockDim.x / 32;
    for (size_t at = blockIdx.x * warps + threadIdx.x / 32; at < all; at += gridDim.x * warps) {
        size_t member = at / rows, row = at % rows;
        size_t seen = first_query + row / repeat + 1;
        if (seen > keys) seen = keys;
        const float* s = scores + at * keys;
        T* p = probs + at * keys;
        float most = -INFINITY, sum = 0;
        for (size_t key = lane; key < seen; key += 32) {
            float z = s[key] * scale;
            if (z > most) {
                sum *= expf(most - z);
                most = z;
            }
            sum += expf(z - most);
        }
        float top = warp_max(most);
        sum = warp_sum(most == -INFINITY ? 0.0f : sum * expf(most - top));
        float log_sum = top + logf(sum);
        if (lane == 0) log_sums[member * stat_step + row] = log_sum;
        if (keys % 4 == 0 && aligned_to(s, 4) && aligned_to(p, 4)) {
            for (size_t key = lane * 4; key < keys; key += 128) {
                float z[4] = {0, 0, 0, 0};
                if (key < seen) Pack<float>::load(s + key, z);
#pragma unroll
                for (int j = 0; j < 4; j++) z[j] = key + j < seen ? expf(z[j] * scale - log_sum) : 0.0f;
                put_four(p + key, z);
            }
        } else {
            for (size_t key = lane; key < keys; key += 32) put(p, key, key < seen ? expf(s[key] * scale - log_sum) : 0.0f);
        }
    }
}

// A warp a row of scores.
template <typename T>
__device__ void softmax_grad(
    size_t batch, size_t rows, size_t keys, size_t first_query, int repeat, size_t stat_step, float scale, const float* scores,
    const float* dprobs, const float* log_sums, const float* deltas, T* probs, T* dscores) {
    size_t all = batch * rows, lane = threadIdx.x % 32, warps = blockDim.x / 32;
    for (size_t at = blockIdx.x * warps + threadIdx.x / 32; at < all; at += gridDim.x * warps) {
        size_t member = at / rows, row = at % rows;
        size_t seen = first_query + row / repeat + 1;
        float log_sum = log_sums[member * stat_step + row], delta = deltas[member * stat_step + row];
        size_t start = at * keys;
        bool pairs = keys % 2 == 0 && aligned_to(scores, 2) && aligned_to(dprobs, 2) && aligned_to(probs, 2) && aligned_to(dscores, 2);
        if (pairs) {
            for (size_t key = lane * 2; key < keys; key += 64) {
                float2 s = make_float2(0, 0), d = s;
                if (key < seen) {
                    s = *reinterpret_cast<const float2*>(scores + start + key);
                    d = *reinterpret_cast<const float2*>(dprobs + start + key);
                }
                float p0 = key < seen ? expf(s.x * scale - log_sum) : 0, p1 = key + 1 < seen ? expf(s.y * scale - log_sum) : 0;
                put_pair(probs + start + key, p0, p1);
                put_pair(
                    dscores + start + key, key < seen ? scale * p0 * (d.x - delta) : 0,
                    key + 1 < seen ? scale * p1 * (d.y - delta) : 0);
            }
        } else {
            for (size_t key = lane; key < keys; key += 32) {
                float p = 0, d = 0;
                if (key < seen) {
                    p = expf(scores[start + key] * scale - log_sum);
                    d = scale * p * (dprobs[start + key] - delta);
                }
                put(probs, start + key, p);
                put(dscores, start + key, d);
            }
        }
    }
}

// A warp a row.
template <typename T> __device__ void row_products(const T* a, const T* b, float* out, size_t num, size_t width) {
    size_t lane = threadIdx.x % 32, warps = blockDim.x / 32;
    for (size_t row = blockIdx.x * warps + threadIdx.x / 32; row < num; row += gridDim.x * warps) {
        float sum = 0;
        for (size_t i = lane; i < width; i += 32) sum += get(a, row * width + i) * get(b, row * width + i);
        sum = warp_sum(sum);
        if (lane == 0) out[row] = sum;
    }
}

#define BOTH(NAME, PARAMETERS, ARGUMENTS)                                                          \
    extern "C" __global__ void NAME##_f32 PARAMETERS(float) { NAME<float> ARGUMENTS; }             \
    extern "C" __global__ void NAME##_bf16 PARAMETERS(bf16) { NAME<bf16> ARGUMENTS; }

#define HEADS(T)                                                                                   \
    (size_t sequences, size_t len, size_t row, int key_heads, int repeat, int width, const T* from, const float* cos, \
     const float* sin, T* to)
BOTH(split_heads, HEADS, (sequences, len, row, key_heads, repeat, width, from, cos, sin, to))
BOTH(merge_heads, HEADS, (sequences, len, row, key_heads, repeat, width, from, cos, sin, to))
#define SOFTMAX(T)                                                                                 \
    (size_t batch, size_t rows, size_t keys, size_t first_query, int repeat, size_t stat_step, float scale, \
     const float* scores, float* log_sums, T* probs)
BOTH(softmax, SOFTMAX, (batch, rows, keys, first_query, repeat, stat_step, scale, scores, log_sums, probs))
#define SOFTMAX_GRAD(T)                                                                            \
    (size_t batch, size_t rows, size_t keys, size_t first_query, int repeat, size_t stat_step, float scale, \
     const float* scores, const float* dprobs, const float* log_sums, const float* deltas, T* probs, T* dscores)
BOTH(softmax_grad, SOFTMAX_GRAD,
     (batch, rows, keys, first_query, repeat, stat_step, scale, scores, dprobs, log_sums, deltas, probs, dscores))
#define ROW_PRODUCTS(T) (const T* a, const T* b, float* out, size_t num, size_t width)
BOTH(row_products, ROW_PRODUCTS, (a, b, out, num, width))
