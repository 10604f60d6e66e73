// Log-probs and entropies of tokens from logits, and their backward.
#include "common.cuh"

// Σ exp(z) and Σ exp(z) z of what a thread has seen, relative to the largest.
struct Online {
    float most = -INFINITY, sum = 0, weighted = 0;

    __device__ void rise(float to) {
        // With z' = z - (to - most): Σ e^z' z' = e^(most - to) (Σ e^z z + (most - to) Σ e^z).
        if (most != -INFINITY) {
            float by = most - to, factor = expf(by);
            weighted = factor * (weighted + by * sum);
            sum *= factor;
        }
        most = to;
    }
    __device__ void see(float z) {
        float e = expf(z - most);
        sum += e;
        weighted += e * (z - most);
    }
};

// What a block has seen: the log of the sum, and the entropy. A logit that is not finite makes both not a number.
struct Found {
    float log_sum, entropy;
};
__device__ Found log_sum_and_entropy(const float* logits, size_t vocab, float sharpness, double* shared) {
    Online online;
    if (vocab % 4 == 0 && aligned(logits)) {
        for (size_t i = threadIdx.x * 4; i < vocab; i += blockDim.x * 4) {
            float z[4];
            Pack<float>::load(logits + i, z);
            float top = -INFINITY;
#pragma unroll
            for (int j = 0; j < 4; j++) z[j] *= sharpness, top = fmaxf(top, z[j]);
            if (top > online.most) online.rise(top);
#pragma unroll
            for (int j = 0; j < 4; j++) online.see(z[j]);
        }
    } else {
        for (size_t i = threadIdx.x; i < vocab; i += blockDim.x) {
            float z = logits[i] * sharpness;
            if (z > online.most) online.rise(z);
            online.see(z);
        }
    }
    float most = block_max(online.most, reinterpret_cast<float*>(shared));
    online.rise(most);
    double sum = block_sum((double)online.sum, shared);
    double weighted = block_sum((double)online.weighted, shared);
    double log_sum = log(sum);
    return {(float)(most + log_sum), (float)(log_sum - weighted / sum)};
}

extern "C" __global__ void token_scores(
    const float* logits, const u32* targets, float* logprobs, float* entropies, float* log_sums, size_t vocab, float sharpness) {
    __shared__ double shared[32];
    size_t row = blockIdx.x;
    const float* z = logits + row * vocab;
    Found found = log_sum_and_entropy(z, vocab, sharpness, shared);
    if (threadIdx.x == 0) {
        log_sums[row] = found.log_sum;
        logprobs[row] = z[targets[row]] * sharpness - found.log_sum;
        entropies[row] = found.entropy;
    }
}

template <typename T>
__device__ void token_scores_grad(
    const float* logits, const u32* targets, const float* entropies, const float* log_sums, const float* dlogprobs,
    const float* dentropies, T* dlogits, size_t vocab, float sharpness) {
    size_t row = blockIdx.x, target = targets[row];
    logits += row * vocab;
    dlogits += row * vocab;
    float log_sum = log_sums[row], entropy = entropies[row], dl = dlogprobs[row], de = dentropies[row];
    auto slope = [&](float logit) {
        float log_prob = logit * sharpness - log_sum, prob = expf(log_prob);
        return -sharpness * prob * (dl + de * (log_prob + entropy));
    };
    if (vocab % 8 == 0 && aligned(logits) && aligned(dlogits)) {
        for (size_t i = threadIdx.x * 8; i < vocab; i += blockDim.x * 8) {
            float z[8];
            Pack<float>::load(logits + i, z);
            Pack<float>::load(logits + i + 4, z + 4);
#pragma unroll
            for (int j = 0; j < 8; j++) z[j] = slope(z[j]) + (i + j == target ? sharpness * dl : 0.0f);
            Pack<T>::store(dlogits + i, z);
            if (Pack<T>::SIZE == 4) Pack<T>::store(dlogits + i + 4, z + 4);
        }
    } else {
        for (size_t i = threadIdx.x; i < vocab; i += blockDim.x)
            put(dlogits, i, slope(logits[i]) + (i == target ? sharpness * dl : 0.0f));
    }
}

#define GRAD(T)                                                                                    \
    (const float* logits, const u32* targets, const float* entropies, const float* log_sums, const float* dlogprobs, \
     const float* dentropies, T* dlogits, size_t vocab, float sharpness)
extern "C" __global__ void token_scores_grad_f32 GRAD(float) {
    token_scores_grad<float>(logits, targets, entropies, log_sums, dlogprobs, dentropies, dlogits, vocab, sharpness);
}
extern "C" __global__ void token_scores_grad_bf16 GRAD(bf16) {
    token_scores_grad<bf16>(logits, targets, entropies, log_sums, dlogprobs, dentropies, dlogits, vocab, sharpness);
}

// Drawing: a block a row. The vocabulary is cut into at most 1024 tiles, a warp sums a tile at a time.
const int TILES = 1024;

struct Draw {
    u64 vocab;
    float temperature, score_temperature, top_p;
};

// Tokens that count: all of weight above `cut`, and those of just that weight up to `last`.
struct Kept {
    float cut;
    size_t last;
    __device__ bool has(float weight, size_t id) const { return weight > cut || (weight == cut && id <= last); }
};

__device__ float weight_of(float logit, float most, float temperature) { return expf((logit - most) / temperature); }

// Sums of kept weights by tile, in f64.
__device__ void sum_tiles(const float* logits, const Draw& shape, float most, size_t tile, const Kept& kept, double* tiles) {
    int lane = threadIdx.x % 32, warps = blockDim.x / 32;
    for (size_t at = threadIdx.x / 32; at < TILES; at += warps) {
        double sum = 0;
        size_t begin = at * tile, end = min((u64)(begin + tile), shape.vocab);
        for (size_t i = begin + lane; i < end; i += 32) {
            float weight = weight_of(logits[i], most, shape.temperature);
            if (kept.has(weight, i)) sum += weight;
        }
        sum = warp_sum(sum);
        if (lane == 0) tiles[at] = sum;
    }
    __syncthreads();
}

// The nucleus: the largest cut whose tokens hold `wanted`, found among the bits of weights, which order as the weights do.
__device__ Kept nucleus(const float* logits, const Draw& shape, float most, double wanted, double* shared) {
    u32 low = 0, high = 0x3f800001;
    while (high - low > 1) {
        u32 middle = low + (high - low) / 2;
        float cut = __uint_as_float(middle);
        double held = 0;
        for (size_t i = threadIdx.x; i < shape.vocab; i += blockDim.x) {
            float weight = weight_of(logits[i], most, shape.temperature);
            if (weight >= cut) held += weight;
        }
        held = block_sum(held, shared);
        if (held >= wanted) low = middle;
        else high = middle;
    }
    float cut = __uint_as_float(low);
    double above = 0, equals = 0;
    for (size_t i = threadIdx.x; i < shape.vocab; i += blockDim.x) {
        float weight = weight_of(logits[i], most, shape.temperature);
        if (weight > cut) above += weight;
        if (weight == cut) equals++;
    }
    above = block_sum(above, shared);
    equals = block_sum(equals, shared);
    // How many of the equal ones: most often there is one, which needs no search.
    u64 needed = 0;
    for (double held = above; held < wanted && needed < equals; needed++) held += cut;
    if (needed == equals) return {cut, (size_t)shape.vocab};
    // Equal weights count in the order of their ids until they hold what is wanted.
    __shared__ u64 last;
    if (threadIdx.x < 32) {
        double held = above;
        u64 found = shape.vocab;
        for (size_t base = 0; base < shape.vocab && held < wanted; base += 32) {
            size_t id = base + threadIdx.x;
            bool equal = id < shape.vocab && weight_of(logits[id], most, shape.temperature) == cut;
            u32 ballot = __ballot_sync(0xffffffff, equal);
            for (; ballot && held < wanted; ballot &= ballot - 1) {
                held += cut;
                found = base + __ffs(ballot) - 1;
            }
        }
        if (threadIdx.x == 0) last = found;
    }
    __syncthreads();
    return {cut, (size_t)last};
}

// The first kept token at which the running sum exceeds `wanted`. One warp.
__device__ size_t walk(
    const float* logits, const Draw& shape, float most, size_t tile, const Kept& kept, const double* tiles, double uniform) {
    int lane = threadIdx.x;
    double own = 0;
    for (int i = 0; i < 32; i++) own += tiles[lane * 32 + i];
    double before = 0, whole = 0;
    for (int i = 0; i < 32; i++) {
        double other = __shfl_sync(0xffffffff, own, i);
        if (i < lane) before += other;
        whole += other;
    }
    double wanted = uniform * whole;
    // The first lane whose tiles pass what is wanted, then its first such tile.
    u32 passing = __ballot_sync(0xffffffff, before + own > wanted);
    size_t first = TILES;
    double held = 0;
    if (passing) {
        int chosen = __ffs(passing) - 1;
        held = __shfl_sync(0xffffffff, before, chosen);
        for (int i = 0; i < 32; i++) {
            double sum = tiles[chosen * 32 + i];
            if (held + sum > wanted) {
                first = chosen * 32 + i;
                break;
            }
            held += sum;
        }
    }
    for (size_t at = first; at < TILES; at++) {
        size_t begin = at * tile, end = min((u64)(begin + tile), shape.vocab);
        for (size_t base = begin; base < end; base += 32) {
            size_t id = base + lane;
            float weight = id < end ? weight_of(logits[id], most, shape.temperature) : 0.0f;
            if (id < end && !kept.has(weight, id)) weight = 0;
            double running = weight;
            for (int by = 1; by < 32; by *= 2) {
                double left = __shfl_up_sync(0xffffffff, running, by);
                if (lane >= by) running += left;
            }
            u32 passed = __ballot_sync(0xffffffff, weight > 0 && held + running > wanted);
            if (passed) return base + __ffs(passed) - 1;
            held += __shfl_sync(0xffffffff, running, 31);
        }
    }
    // Rounding left nothing above the wanted sum: the last token that has a weight.
    for (size_t back = 0; back * 32 < shape.vocab; back++) {
        long long id = (long long)shape.vocab - 1 - (long long)(back * 32) - lane;
        float weight = id >= 0 ? weight_of(logits[id], most, shape.temperature) : 0.0f;
        u32 some = __ballot_sync(0xffffffff, id >= 0 && weight > 0 && kept.has(weight, id));
        if (some) return shape.vocab - 1 - back * 32 - (__ffs(some) - 1);
    }
    return 0;
}

extern "C" __global__ void draw(
    Draw shape, const float* all, const u32* logit_rows, const u32* slots, const u32* uniforms, u32* latest, u32* ids,
    float* logprobs, float* entropies) {
    __shared__ double shared[32];
    __shared__ double tiles[TILES];
    size_t row = blockIdx.x, slot = slots[row];
    const float* logits = all + logit_rows[row] * shape.vocab;
    float most = -INFINITY, zero = 0;
    for (size_t i = threadIdx.x; i < shape.vocab; i += blockDim.x) {
        most = fmaxf(most, logits[i]);
        zero += logits[i] * 0.0f;
    }
    most = block_max(most, reinterpret_cast<float*>(shared));
    // 0 times what is not finite is not a number.
    zero = block_sum(zero, reinterpret_cast<float*>(shared));
    if (!(zero == 0.0f)) {
        if (threadIdx.x == 0) latest[row] = ids[slot] = 0xffffffff;
        return;
    }
    Found found = log_sum_and_entropy(logits, shape.vocab, 1.0f / shape.score_temperature, shared);
    size_t id = 0;
    if (shape.temperature == 0.0f) {
        // The likeliest token of lowest id.
        __shared__ u64 least;
        if (threadIdx.x == 0) least = shape.vocab;
        __syncthreads();
        for (size_t i = threadIdx.x; i < shape.vocab; i += blockDim.x)
            if (logits[i] == most) {
                atomicMin(&least, (u64)i);
                break;
            }
        __syncthreads();
        id = least;
    } else {
        size_t tile = (shape.vocab + TILES - 1) / TILES;
        tile = (tile + 31) / 32 * 32;
        Kept kept = {-1.0f, 0};
        sum_tiles(logits, shape, most, tile, kept, tiles);
        if (shape.top_p < 1.0f) {
            double whole = 0;
            for (int i = threadIdx.x; i < TILES; i += blockDim.x) whole += tiles[i];
            whole = block_sum(whole, shared);
            kept = nucleus(logits, shape, most, (double)shape.top_p * whole, shared);
            sum_tiles(logits, shape, most, tile, kept, tiles);
        }
        if (threadIdx.x < 32) {
            u64 bits = (u64)uniforms[2 * slot + 1] << 32 | uniforms[2 * slot];
            id = walk(logits, shape, most, tile, kept, tiles, (double)(bits >> 11) / 9007199254740992.0);
        }
    }
    if (threadIdx.x == 0) {
        latest[row] = ids[slot] = (u32)id;
        logprobs[slot] = logits[id] * (1.0f / shape.score_temperature) - found.log_sum;
        entropies[slot] = found.entropy;
    }
}
