// Attention of one new token a sequence over its prompt and its own completion.
#include "common.cuh"
#include <mma.h>

struct Shape {
    int rows, key_heads, repeat, width, prompt_capacity, capacity, len;
    float scale;
};

template <typename T> struct Caches {
    const T *prompt_keys, *prompt_values;
    T *keys, *values;
    const u32 *slots, *groups, *prompt_lens;
};

// A block a row: turns queries and keys, and stores the key and the value.
template <typename T>
__device__ void decode_heads(
    const Shape& shape, const T* qkv, const float* cos, const float* sin, const u32* positions, T* queries, const Caches<T>& caches) {
    int half = shape.width / 2, heads = shape.key_heads * shape.repeat;
    size_t row = blockIdx.x, all = (size_t)(heads + 2 * shape.key_heads);
    const T* from = qkv + row * all * shape.width;
    size_t angle = (size_t)positions[row] * half, slot = caches.slots[row];
    for (int i = threadIdx.x; i < all * half; i += blockDim.x) {
        int head = i / half, pair = i % half;
        float x = get(from, (size_t)head * shape.width + pair), y = get(from, (size_t)head * shape.width + pair + half);
        T* to;
        if (head < heads) {
            to = queries + (row * heads + head) * shape.width;
        } else {
            int key_head = (head - heads) % shape.key_heads;
            size_t place = ((slot * shape.key_heads + key_head) * shape.capacity + shape.len - 1) * shape.width;
            to = (head < heads + shape.key_heads ? caches.keys : caches.values) + place;
        }
        if (head < heads + shape.key_heads) {
            float c = cos[angle + pair], s = sin[angle + pair], turned = x * c - y * s;
            y = x * s + y * c;
            x = turned;
        }
        put(to, pair, x);
        put(to, pair + half, y);
    }
}

// A block a row, key head and group of up to 8 query heads of it. Keys come in chunks of a thread each: scores by threads,
// each with a key of its own; then values by warps, each with a share of the chunk's keys, lanes side by side over the
// head's width.
const int THREADS = 128, WARPS = THREADS / 32, HEADS = 8;

template <typename T, int D>
__device__ void decode_attention(const Shape& shape, const T* queries, const Caches<T>& caches, T* out) {
    const int P = Pack<T>::SIZE, LANE = D / 32;
    __shared__ __align__(16) float query[HEADS][D];
    __shared__ __align__(16) float weights[THREADS][HEADS];
    __shared__ float reduced[WARPS][HEADS];
    __shared__ float gathered[WARPS][HEADS][D];
    int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    size_t row = blockIdx.x;
    int key_head = blockIdx.y, first = blockIdx.z * HEADS;
    int heads = min(HEADS, shape.repeat - first);
    size_t start = ((row * shape.key_heads + key_head) * shape.repeat + first) * D;
    for (int i = thread; i < HEADS * D; i += THREADS)
        query[i / D][i % D] = i / D < heads ? get(queries, start + i) * shape.scale : 0.0f;
    __syncthreads();

    size_t group = caches.groups[row], slot = caches.slots[row];
    int prompt = caches.prompt_lens[group], total = prompt + shape.len;
    size_t of_prompt = (group * shape.key_heads + key_head) * shape.prompt_capacity;
    size_t of_own = (slot * shape.key_heads + key_head) * shape.capacity;
    const T *prompt_keys = caches.prompt_keys + of_prompt * D, *prompt_values = caches.prompt_values + of_prompt * D;
    const T *own_keys = caches.keys + of_own * D, *own_values = caches.values + of_own * D;

    float sums[HEADS], most[HEADS], sum[HEADS];
    float acc[HEADS][LANE];
#pragma unroll
    for (int h = 0; h < HEADS; h++) {
        most[h] = -INFINITY, sum[h] = 0;
#pragma unroll
        for (int j = 0; j < LANE; j++) acc[h][j] = 0;
    }
    for (int chunk = 0; chunk < total; chunk += THREADS) {
        int key = chunk + thread;
#pragma unroll
        for (int h = 0; h < HEADS; h++) sums[h] = key < total ? 0.0f : -INFINITY;
        if (key < total) {
            const T* k = key < prompt ? prompt_keys + (size_t)key * D : own_keys + (size_t)(key - prompt) * D;
#pragma unroll 4
            for (int i = 0; i < D; i += P) {
                float v[P];
                Pack<T>::load(k + i, v);
#pragma unroll
                for (int h = 0; h < HEADS; h++) {
#pragma unroll
                    for (int j = 0; j < P; j += 4) {
                        float4 q = *reinterpret_cast<const float4*>(&query[h][i + j]);
                        sums[h] += q.x * v[j] + q.y * v[j + 1] + q.z * v[j + 2] + q.w * v[j + 3];
                    }
                }
            }
        }
        // The chunk's largest score of each head.
#pragma unroll
        for (int h = 0; h < HEADS; h++) {
            float m = warp_max(sums[h]);
            if (lane == 0) reduced[warp][h] = m;
        }
        __syncthreads();
        float kept[HEADS];
#pragma unroll
        for (int h = 0; h < HEADS; h++) {
            float m = most[h];
#pragma unroll
            for (int w = 0; w < WARPS; w++) m = fmaxf(m, reduced[w][h]);
            kept[h] = most[h] == -INFINITY ? 0.0f : expf(most[h] - m);
            most[h] = m;
            sums[h] = key < total ? expf(sums[h] - m) : 0.0f;
            sum[h] = sum[h] * kept[h] + sums[h];
        }
        *reinterpret_cast<float4*>(&weights[thread][0]) = make_float4(sums[0], sums[1], sums[2], sums[3]);
        *reinterpret_cast<float4*>(&weights[thread][4]) = make_float4(sums[4], sums[5], sums[6], sums[7]);
        __syncthreads();
#pragma unroll
        for (int h = 0; h < HEADS; h++) {
#pragma unroll
            for (int j = 0; j < LANE; j++) acc[h][j] *= kept[h];
        }
        int last = min(THREADS, total - chunk);
#pragma unroll 4
        for (int i = warp; i < last; i += WARPS) {
            int at = chunk + i;
            const T* v = at < prompt ? prompt_values + (size_t)at * D : own_values + (size_t)(at - prompt) * D;
            float x[LANE];
#pragma unroll
            for (int j = 0; j < LANE; j += 2) {
                // Two neighbours a lane, so that a warp reads whole lines.
                float2 pair = get_pair(v, j * 32 + lane * 2);
                x[j] = pair.x, x[j + 1] = pair.y;
            }
            float4 low = *reinterpret_cast<const float4*>(&weights[i][0]), high = *reinterpret_cast<const float4*>(&weights[i][4]);
            float w[HEADS] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
            for (int h = 0; h < HEADS; h++) {
#pragma unroll
                for (int j = 0; j < LANE; j++) acc[h][j] += w[h] * x[j];
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int h = 0; h < HEADS; h++) {
        float s = warp_sum(sum[h]);
        if (lane == 0) reduced[warp][h] = s;
#pragma unroll
        for (int j = 0; j < LANE; j += 2) {
            gathered[warp][h][j * 32 + lane * 2] = acc[h][j];
            gathered[warp][h][j * 32 + lane * 2 + 1] = acc[h][j + 1];
        }
    }
    __syncthreads();
    for (int i = thread; i < heads * D; i += THREADS) {
        float value = 0, whole = 0;
#pragma unroll
        for (int w = 0; w < WARPS; w++) {
            value += gathered[w][i / D][i % D];
            whole += reduced[w][i / D];
        }
        put(out, start + i, value / whole);
    }
}

// The same on tensor cores, bf16 alone. Scores of 32 keys at a time go to shared memory, `[HEADS, columns]`, the prompt's
// keys first, each part padded to 32; then weights take their place, rounded; then values, each warp with a share of the
// keys. Keys and values are read up to 31 places behind the last one: what is there counts nothing, but must be finite.
template <int D>
__device__ void decode_attention_tensor(const Shape& shape, const bf16* queries, const Caches<bf16>& caches, bf16* out) {
    using namespace nvcuda;
    extern __shared__ __align__(32) unsigned char memory[];
    int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    size_t row = blockIdx.x;
    int key_head = blockIdx.y, first = blockIdx.z * HEADS;
    int heads = min(HEADS, shape.repeat - first);
    size_t start = ((row * shape.key_heads + key_head) * shape.repeat + first) * D;
    size_t group = caches.groups[row], slot = caches.slots[row];
    int prompt = caches.prompt_lens[group];
    int of_prompt = (prompt + 31) / 32 * 32, columns = of_prompt + (shape.len + 31) / 32 * 32;
    bf16* query = reinterpret_cast<bf16*>(memory);
    float* scores = reinterpret_cast<float*>(memory + HEADS * D * sizeof(bf16));
    __shared__ float sums[HEADS];
    for (int i = thread; i < HEADS * D; i += THREADS) query[i] = i / D < heads ? queries[start + i] : __float2bfloat16(0.0f);
    __syncthreads();
    const size_t prompts = (group * shape.key_heads + key_head) * shape.prompt_capacity * D;
    const size_t own = (slot * shape.key_heads + key_head) * shape.capacity * D;

    wmma::fragment<wmma::matrix_a, 8, 32, 16, __nv_bfloat16, wmma::row_major> q[D / 16];
#pragma unroll
    for (int i = 0; i < D / 16; i++) wmma::load_matrix_sync(q[i], query + i * 16, D);
    for (int column = warp * 32; column < columns; column += THREADS) {
        const bf16* keys = column < of_prompt ? caches.prompt_keys + prompts + (size_t)column * D
                                              : caches.keys + own + (size_t)(column - of_prompt) * D;
        wmma::fragment<wmma::accumulator, 8, 32, 16, float> s;
        wmma::fill_fragment(s, 0.0f);
#pragma unroll
        for (int i = 0; i < D / 16; i++) {
            wmma::fragment<wmma::matrix_b, 8, 32, 16, __nv_bfloat16, wmma::col_major> k;
            wmma::load_matrix_sync(k, keys + i * 16, D);
            wmma::mma_sync(s, q[i], k, s);
        }
        wmma::store_matrix_sync(scores + column, s, columns, wmma::mem_row_major);
    }
    __syncthreads();

    // A warp two heads: the largest score, then weights. A row of weights starts where its scores did and takes half the
    // room, so that none is overwritten before it is read.
    for (int h = warp; h < HEADS; h += WARPS) {
        float* s = scores + (size_t)h * columns;
        bf16* w = reinterpret_cast<bf16*>(s);
        auto seen = [&](int column) { return column < of_prompt ? column < prompt : column - of_prompt < shape.len; };
        float most = -INFINITY;
        for (int column = lane; column < columns; column += 32)
            if (seen(column)) most = fmaxf(most, s[column]);
        most = warp_max(most);
        float sum = 0;
        for (int base = 0; base < columns; base += 32) {
            int column = base + lane;
            bf16 weight = __float2bfloat16(seen(column) ? expf((s[column] - most) * shape.scale) : 0.0f);
            sum += __bfloat162float(weight);
            __syncwarp();
            w[column] = weight;
            __syncwarp();
        }
        sum = warp_sum(sum);
        if (lane == 0) sums[h] = sum;
    }
    __syncthreads();

    wmma::fragment<wmma::accumulator, 8, 32, 16, float> acc[D / 32];
#pragma unroll
    for (int i = 0; i < D / 32; i++) wmma::fill_fragment(acc[i], 0.0f);
    const bf16* weights = reinterpret_cast<const bf16*>(scores);
    for (int column = warp * 16; column < columns; column += WARPS * 16) {
        const bf16* values = column < of_prompt ? caches.prompt_values + prompts + (size_t)column * D
                                                : caches.values + own + (size_t)(column - of_prompt) * D;
        wmma::fragment<wmma::matrix_a, 8, 32, 16, __nv_bfloat16, wmma::row_major> w;
        wmma::load_matrix_sync(w, weights + column, 2 * columns);
#pragma unroll
        for (int i = 0; i < D / 32; i++) {
            wmma::fragment<wmma::matrix_b, 8, 32, 16, __nv_bfloat16, wmma::row_major> v;
            wmma::load_matrix_sync(v, values + i * 32, D);
            wmma::mma_sync(acc[i], w, v, acc[i]);
        }
    }
    __syncthreads();
    // Weights have been used: their place takes each warp's share, `[WARPS, HEADS, D]`.
#pragma unroll
    for (int i = 0; i < D / 32; i++)
        wmma::store_matrix_sync(scores + (size_t)warp * HEADS * D + i * 32, acc[i], D, wmma::mem_row_major);
    __syncthreads();
    for (int i = thread; i < heads * D; i += THREADS) {
        float value = 0;
#pragma unroll
        for (int w = 0; w < WARPS; w++) value += scores[w * HEADS * D + i];
        put(out, start + i, value / sums[i / D]);
    }
}

// The same for any width, a block a row and query head; scores are computed twice.
template <typename T>
__device__ void decode_attention_any(const Shape& shape, const T* queries, const Caches<T>& caches, T* out) {
    __shared__ float shared[32];
    __shared__ float chunk_weights[THREADS];
    int thread = threadIdx.x;
    size_t row = blockIdx.x;
    int head = blockIdx.y, key_head = head / shape.repeat, D = shape.width;
    const T* q = queries + (row * shape.key_heads * shape.repeat + head) * D;
    size_t group = caches.groups[row], slot = caches.slots[row];
    int prompt = caches.prompt_lens[group], total = prompt + shape.len;
    size_t of_prompt = (group * shape.key_heads + key_head) * shape.prompt_capacity;
    size_t of_own = (slot * shape.key_heads + key_head) * shape.capacity;
    auto place = [&](const T* prompts, const T* own, int key) {
        return key < prompt ? prompts + (of_prompt + key) * D : own + (of_own + key - prompt) * D;
    };
    auto score = [&](int key) {
        const T* k = place(caches.prompt_keys, caches.keys, key);
        float s = 0;
        for (int i = 0; i < D; i++) s += get(q, i) * get(k, i);
        return s * shape.scale;
    };
    float most = -INFINITY;
    for (int key = thread; key < total; key += blockDim.x) most = fmaxf(most, score(key));
    most = block_max(most, shared);
    // Up to two columns a thread: a head is at most 256 wide.
    float acc[2] = {0, 0}, sum = 0;
    for (int chunk = 0; chunk < total; chunk += THREADS) {
        int key = chunk + thread;
        float weight = key < total ? expf(score(key) - most) : 0.0f;
        __syncthreads();
        chunk_weights[thread] = weight;
        sum += weight;
        __syncthreads();
        int last = min(THREADS, total - chunk);
        for (int i = 0; i < last; i++) {
            const T* v = place(caches.prompt_values, caches.values, chunk + i);
            for (int j = 0; j < 2; j++)
                if (thread + j * THREADS < D) acc[j] += chunk_weights[i] * get(v, thread + j * THREADS);
        }
    }
    sum = block_sum(sum, shared);
    T* to = out + (row * shape.key_heads * shape.repeat + head) * D;
    for (int j = 0; j < 2; j++)
        if (thread + j * THREADS < D) put(to, thread + j * THREADS, acc[j] / sum);
}

#define CACHES(T)                                                                                  \
    const T *prompt_keys, const T *prompt_values, T *keys, T *values, const u32 *slots, const u32 *groups, const u32 *prompt_lens
#define ATTENTION(NAME, T, CALL)                                                                   \
    extern "C" __global__ void __launch_bounds__(THREADS) NAME(Shape shape, const T* queries, T* out, CACHES(T)) { \
        Caches<T> caches = {prompt_keys, prompt_values, keys, values, slots, groups, prompt_lens};  \
        CALL(shape, queries, caches, out);                                                         \
    }
#define TURNING(NAME, T)                                                                           \
    extern "C" __global__ void NAME(                                                               \
        Shape shape, const T* qkv, const float* cos, const float* sin, const u32* positions, T* queries, CACHES(T)) { \
        Caches<T> caches = {prompt_keys, prompt_values, keys, values, slots, groups, prompt_lens};  \
        decode_heads<T>(shape, qkv, cos, sin, positions, queries, caches);                         \
    }
TURNING(decode_heads_f32, float)
TURNING(decode_heads_bf16, bf16)
ATTENTION(decode_attention_64_f32, float, (decode_attention<float, 64>))
ATTENTION(decode_attention_64_bf16, bf16, (decode_attention<bf16, 64>))
ATTENTION(decode_attention_128_f32, float, (decode_attention<float, 128>))
ATTENTION(decode_attention_128_bf16, bf16, (decode_attention<bf16, 128>))
ATTENTION(decode_attention_tensor_64_bf16, bf16, decode_attention_tensor<64>)
ATTENTION(decode_attention_tensor_128_bf16, bf16, decode_attention_tensor<128>)
ATTENTION(decode_attention_any_f32, float, decode_attention_any<float>)
ATTENTION(decode_attention_any_bf16, bf16, decode_attention_any<bf16>)
