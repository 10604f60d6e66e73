// Operations on rows: gathering, scattering, norms, biases, gates.
#include "common.cuh"

// A block a row.
template <typename T> __device__ void copy_row(const T* from, T* to, size_t width) {
    const int P = Pack<T>::SIZE;
    if (aligned(from) && aligned(to) && width % P == 0) {
        for (size_t i = threadIdx.x; i < width / P; i += blockDim.x)
            reinterpret_cast<uint4*>(to)[i] = reinterpret_cast<const uint4*>(from)[i];
    } else {
        for (size_t i = threadIdx.x; i < width; i += blockDim.x) to[i] = from[i];
    }
}
template <typename T> __device__ void gather(const T* from, const u32* rows, T* to, size_t num, size_t width) {
    for (size_t row = blockIdx.x; row < num; row += gridDim.x) copy_row(from + rows[row] * width, to + row * width, width);
}
template <typename T> __device__ void scatter(const T* from, const u32* rows, T* to, size_t num, size_t width) {
    for (size_t row = blockIdx.x; row < num; row += gridDim.x) copy_row(from + row * width, to + rows[row] * width, width);
}

// A block an id and 256 columns.
template <typename T>
__device__ void scatter_sums(const T* from, const u32* ids, const u32* starts, const u32* rows, float* to, size_t num, size_t width) {
    size_t column = blockIdx.y * (size_t)blockDim.x + threadIdx.x;
    if (column >= width) return;
    for (size_t unique = blockIdx.x; unique < num; unique += gridDim.x) {
        float sum = 0;
        u32 end = starts[unique + 1];
#pragma unroll 8
        for (u32 i = starts[unique]; i < end; i++) sum += get(from, rows[i] * width + column);
        to[ids[unique] * width + column] += sum;
    }
}

// A warp a vector.
template <typename T>
__device__ void norm(size_t rows, int groups, int width, size_t in_row, size_t out_row, float eps, const T* x, const T* weight, T* y) {
    const int P = Pack<T>::SIZE;
    size_t vector = blockIdx.x * (size_t)(blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (vector >= rows * groups) return;
    size_t row = vector / groups, group = vector % groups;
    x += row * in_row + group * width;
    y += row * out_row + group * width;
    float squares = 0;
    if (width % P == 0 && aligned(x) && aligned(y) && aligned(weight)) {
        for (int i = lane * P; i < width; i += 32 * P) {
            float v[P];
            Pack<T>::load(x + i, v);
#pragma unroll
            for (int j = 0; j < P; j++) squares += v[j] * v[j];
        }
        float scale = rsqrtf(warp_sum(squares) / width + eps);
        for (int i = lane * P; i < width; i += 32 * P) {
            float v[P], w[P];
            Pack<T>::load(x + i, v);
            Pack<T>::load(weight + i, w);
#pragma unroll
            for (int j = 0; j < P; j++) v[j] *= scale * w[j];
            Pack<T>::store(y + i, v);
        }
    } else {
        for (int i = lane; i < width; i += 32) squares += get(x, i) * get(x, i);
        float scale = rsqrtf(warp_sum(squares) / width + eps);
        for (int i = lane; i < width; i += 32) put(y, i, get(x, i) * scale * get(weight, i));
    }
}

// A warp a vector, warp after warp through a block's share of the vectors. A lane has the same columns of every vector, so
// that it sums the weight's gradient in registers; a block's sum goes to `partial`, `[blocks, width]`. Vectors of up to
// 32 * PACKS packs, all of them aligned.
template <typename T, int PACKS>
__device__ void norm_grad_packed(
    size_t vectors, int groups, int width, size_t in_row, size_t out_row, float eps, const T* x, const T* weight, const T* dy,
    T* dx, int add, float* partial, float* shared) {
    const int P = Pack<T>::SIZE;
    int warp = threadIdx.x / 32, warps = blockDim.x / 32, lane = threadIdx.x % 32;
    float own[PACKS * P];
#pragma unroll
    for (int i = 0; i < PACKS * P; i++) own[i] = 0;
    size_t share = (vectors + gridDim.x - 1) / gridDim.x;
    size_t begin = blockIdx.x * share, end = begin + share < vectors ? begin + share : vectors;
    for (size_t vector = begin + warp; vector < end; vector += warps) {
        size_t row = vector / groups, group = vector % groups;
        const T* xs = x + row * in_row + group * width;
        const T* ds = dy + row * out_row + group * width;
        T* out = dx + row * in_row + group * width;
        float v[PACKS * P], d[PACKS * P];
        float squares = 0, pulled = 0;
#pragma unroll
        for (int i = 0; i < PACKS; i++) {
            int column = (i * 32 + lane) * P;
            if (column < width) {
                Pack<T>::load(xs + column, v + i * P);
                Pack<T>::load(ds + column, d + i * P);
            }
        }
#pragma unroll
        for (int i = 0; i < PACKS; i++) {
            int column = (i * 32 + lane) * P;
            if (column >= width) continue;
            float w[P];
            Pack<T>::load(weight + column, w);
#pragma unroll
            for (int j = 0; j < P; j++) {
                float x = v[i * P + j];
                squares += x * x;
                pulled += d[i * P + j] * w[j] * x;
            }
        }
        float scale = rsqrtf(warp_sum(squares) / width + eps);
        pulled = warp_sum(pulled) * scale / width;
#pragma unroll
        for (int i = 0; i < PACKS; i++) {
            int column = (i * 32 + lane) * P;
            if (column >= width) continue;
            float w[P], before[P];
            Pack<T>::load(weight + column, w);
            if (add) Pack<T>::load(out + column, before);
#pragma unroll
            for (int j = 0; j < P; j++) {
                float normed = v[i * P + j] * scale;
                own[i * P + j] += d[i * P + j] * normed;
                float share = scale * (d[i * P + j] * w[j] - normed * pulled);
                before[j] = add ? before[j] + share : share;
            }
            Pack<T>::store(out + column, before);
        }
    }
    // Warp after warp, in order.
    for (int turn = 0; turn < warps; turn++) {
        if (turn == warp) {
#pragma unroll
            for (int i = 0; i < PACKS; i++) {
                int column = (i * 32 + lane) * P;
                if (column >= width) continue;
#pragma unroll
                for (int j = 0; j < P; j++) shared[column + j] = (turn == 0 ? 0 : shared[column + j]) + own[i * P + j];
            }
        }
        __syncthreads();
    }
    for (int i = threadIdx.x; i < width; i += blockDim.x) partial[blockIdx.x * (size_t)width + i] = shared[i];
}

// The same for any width and alignment. Each warp sums the weight's gradient in shared memory of its own, `[warps, width]`.
template <typename T>
__device__ void norm_grad_any(
    size_t vectors, int groups, int width, size_t in_row, size_t out_row, float eps, const T* x, const T* weight, const T* dy,
    T* dx, int add, float* partial, float* sums) {
    int warp = threadIdx.x / 32, warps = blockDim.x / 32, lane = threadIdx.x % 32;
    float* own = sums + (size_t)warp * width;
    for (int i = lane; i < width; i += 32) own[i] = 0;
    __syncwarp();
    size_t share = (vectors + gridDim.x - 1) / gridDim.x;
    size_t begin = blockIdx.x * share, end = begin + share < vectors ? begin + share : vectors;
    for (size_t vector = begin + warp; vector < end; vector += warps) {
        size_t row = vector / groups, group = vector % groups;
        const T* xs = x + row * in_row + group * width;
        const T* ds = dy + row * out_row + group * width;
        T* out = dx + row * in_row + group * width;
        float squares = 0, pulled = 0;
        for (int i = lane; i < width; i += 32) {
            float v = get(xs, i);
            squares += v * v;
            pulled += get(ds, i) * get(weight, i) * v;
        }
        float scale = rsqrtf(warp_sum(squares) / width + eps);
        pulled = warp_sum(pulled) * scale / width;
        for (int i = lane; i < width; i += 32) {
            float normed = get(xs, i) * scale, d = get(ds, i);
            own[i] += d * normed;
            float dv = scale * (d * get(weight, i) - normed * pulled);
            put(out, i, add ? get(out, i) + dv : dv);
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float sum = 0;
        for (int j = 0; j < warps; j++) sum += sums[(size_t)j * width + i];
        partial[blockIdx.x * (size_t)width + i] = sum;
    }
}

template <typename T>
__device__ void norm_grad(
    size_t rows, int groups, int width, size_t in_row, size_t out_row, float eps, const T* x, const T* weight, const T* dy,
    T* dx, int add, float* partial) {
    extern __shared__ float shared[];
    const int P = Pack<T>::SIZE;
    bool packed = width % P == 0 && in_row % P == 0 && out_row % P == 0 && aligned(x) && aligned(weight) && aligned(dy) && aligned(dx);
#define PACKED(PACKS)                                                                              \
    if (packed && width <= 32 * P * PACKS)                                                         \
        return norm_grad_packed<T, PACKS>(rows * groups, groups, width, in_row, out_row, eps, x, weight, dy, dx, add, partial, shared);
    PACKED(1)
    PACKED(4)
    PACKED(6)
    norm_grad_any<T>(rows * groups, groups, width, in_row, out_row, eps, x, weight, dy, dx, add, partial, shared);
}

// grad[column] += the sum of a column of `partial`, `[blocks, width]`.
extern "C" __global__ void add_partials(const float* partial, float* grad, int blocks, size_t width) {
    size_t column = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (column >= width) return;
    float sum = 0;
#pragma unroll 8
    for (int i = 0; i < blocks; i++) sum += partial[i * width + column];
    grad[column] += sum;
}

template <typename T> __device__ void add_bias(T* x, const T* bias, size_t num, size_t width) {
    const int P = Pack<T>::SIZE;
    if (width % P == 0 && aligned(x) && aligned(bias)) {
        FOR_EACH(i, num * width / P) {
            float v[P], b[P];
            Pack<T>::load(x + i * P, v);
            Pack<T>::load(bias + i * P % width, b);
#pragma unroll
            for (int j = 0; j < P; j++) v[j] += b[j];
            Pack<T>::store(x + i * P, v);
        }
    } else {
        FOR_EACH(i, num * width) put(x, i, get(x, i) + get(bias, i % width));
    }
}

// Sums of a block's share of rows, a thread a column.
template <typename T> __device__ void column_sums(const T* dy, float* partial, size_t num, size_t width) {
    size_t column = blockIdx.y * (size_t)blockDim.x + threadIdx.x;
    if (column >= width) return;
    size_t share = (num + gridDim.x - 1) / gridDim.x;
    size_t begin = blockIdx.x * share, end = begin + share < num ? begin + share : num;
    float sum = 0;
#pragma unroll 8
    for (size_t row = begin; row < end; row++) sum += get(dy, row * width + column);
    partial[blockIdx.x * width + column] = sum;
}

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

template <typename T> __device__ void gated(const T* gate_up, T* out, size_t num, size_t width) {
    const int P = Pack<T>::SIZE;
    if (width % P == 0 && aligned(gate_up) && aligned(out)) {
        FOR_EACH(i, num * width / P) {
            size_t row = i * P / width, column = i * P % width;
            const T* gates = gate_up + row * 2 * width + column;
            float g[P], u[P];
            Pack<T>::load(gates, g);
            Pack<T>::load(gates + width, u);
#pragma unroll
            for (int j = 0; j < P; j++) g[j] = g[j] * sigmoid(g[j]) * u[j];
            Pack<T>::store(out + i * P, g);
        }
    } else {
        FOR_EACH(i, num * width) {
            size_t place = i / width * 2 * width + i % width;
            float g = get(gate_up, place);
            put(out, i, g * sigmoid(g) * get(gate_up, place + width));
        }
    }
}

template <typename T> __device__ void gated_grad(T* gate_up, const T* dout, size_t num, size_t width) {
    const int P = Pack<T>::SIZE;
    if (width % P == 0 && aligned(gate_up) && aligned(dout)) {
        FOR_EACH(i, num * width / P) {
            size_t row = i * P / width, column = i * P % width;
            T* gates = gate_up + row * 2 * width + column;
            float g[P], u[P], d[P];
            Pack<T>::load(gates, g);
            Pack<T>::load(gates + width, u);
            Pack<T>::load(dout + i * P, d);
#pragma unroll
            for (int j = 0; j < P; j++) {
                float s = sigmoid(g[j]), dg = d[j] * u[j] * s * (1 + g[j] * (1 - s));
                u[j] = d[j] * g[j] * s;
                g[j] = dg;
            }
            Pack<T>::store(gates, g);
            Pack<T>::store(gates + width, u);
        }
    } else {
        FOR_EACH(i, num * width) {
            size_t place = i / width * 2 * width + i % width;
            float g = get(gate_up, place), u = get(gate_up, place + width), d = get(dout, i), s = sigmoid(g);
            put(gate_up, place, d * u * s * (1 + g * (1 - s)));
            put(gate_up, place + width, d * g * s);
        }
    }
}

#define BOTH(NAME, PARAMETERS, ARGUMENTS)                                                          \
    extern "C" __global__ void NAME##_f32 PARAMETERS(float) { NAME<float> ARGUMENTS; }             \
    extern "C" __global__ void NAME##_bf16 PARAMETERS(bf16) { NAME<bf16> ARGUMENTS; }
#define NORM_THREADS 128

#define GATHER(T) (const T* from, const u32* rows, T* to, size_t num, size_t width)
BOTH(gather, GATHER, (from, rows, to, num, width))
BOTH(scatter, GATHER, (from, rows, to, num, width))
#define SCATTER_SUMS(T) (const T* from, const u32* ids, const u32* starts, const u32* rows, float* to, size_t num, size_t width)
BOTH(scatter_sums, SCATTER_SUMS, (from, ids, starts, rows, to, num, width))
#define NORM(T) (size_t rows, int groups, int width, size_t in_row, size_t out_row, float eps, const T* x, const T* weight, T* y)
BOTH(norm, NORM, (rows, groups, width, in_row, out_row, eps, x, weight, y))
#define NORM_GRAD(T)                                                                               \
    (size_t rows, int groups, int width, size_t in_row, size_t out_row, float eps, const T* x, const T* weight, const T* dy, \
     T* dx, int add, float* partial)
extern "C" __global__ void __launch_bounds__(NORM_THREADS) norm_grad_f32 NORM_GRAD(float) {
    norm_grad<float>(rows, groups, width, in_row, out_row, eps, x, weight, dy, dx, add, partial);
}
extern "C" __global__ void __launch_bounds__(NORM_THREADS) norm_grad_bf16 NORM_GRAD(bf16) {
    norm_grad<bf16>(rows, groups, width, in_row, out_row, eps, x, weight, dy, dx, add, partial);
}
#define ADD_BIAS(T) (T* x, const T* bias, size_t num, size_t width)
BOTH(add_bias, ADD_BIAS, (x, bias, num, width))
#define COLUMN_SUMS(T) (const T* dy, float* partial, size_t num, size_t width)
BOTH(column_sums, COLUMN_SUMS, (dy, partial, num, width))
#define GATED(T) (const T* gate_up, T* out, size_t num, size_t width)
BOTH(gated, GATED, (gate_up, out, num, width))
#define GATED_GRAD(T) (T* gate_up, const T* dout, size_t num, size_t width)
BOTH(gated_grad, GATED_GRAD, (gate_up, dout, num, width))
