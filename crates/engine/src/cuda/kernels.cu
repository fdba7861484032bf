// Kernels of the CUDA backend, compiled when the program starts (NVRTC). Activations are channels last: `rows × channels` with
// rows = images × positions. Sums have a fixed order, so that a run repeats to the bit. Numbers of type f32 or bf16; sums in f32 or f64.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

struct bf16 { u16 bits; };

__device__ __forceinline__ float up(float v) { return v; }
__device__ __forceinline__ float up(bf16 v) { return __uint_as_float(((u32)v.bits) << 16); }

template <class T> __device__ __forceinline__ T down(float v);
template <> __device__ __forceinline__ float down<float>(float v) { return v; }
template <> __device__ __forceinline__ bf16 down<bf16>(float v) {
    bf16 r;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r.bits) : "f"(v));
#else
    u32 u = __float_as_uint(v);
    r.bits = (v != v) ? (u16)0x7fff : (u16)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
#endif
    return r;
}

template <class T, int V> struct alignas(sizeof(T) * V) Pack { T v[V]; };

template <class T, int V> __device__ __forceinline__ void load(const T* p, float* out) {
    Pack<T, V> pack = *reinterpret_cast<const Pack<T, V>*>(p);
#pragma unroll
    for (int j = 0; j < V; j++) out[j] = up(pack.v[j]);
}

template <class T, int V> __device__ __forceinline__ void store(T* p, const float* in) {
    Pack<T, V> pack;
#pragma unroll
    for (int j = 0; j < V; j++) pack.v[j] = down<T>(in[j]);
    *reinterpret_cast<Pack<T, V>*>(p) = pack;
}

// Clamps of fused activations: 0 identity, 1 ReLU, 2 ReLU6. NaN passes, so that it shows.
__device__ __forceinline__ float ceiling(int act) { return act == 2 ? 6.f : __int_as_float(0x7f800000); }
__device__ __forceinline__ float clamp(float v, int act) {
    if (act == 0) return v;
    v = v < 0.f ? 0.f : v;
    float high = ceiling(act);
    return v > high ? high : v;
}
__device__ __forceinline__ float masked(float dy, float y, int act) {
    return act == 0 || (y > 0.f && y < ceiling(act)) ? dy : 0.f;
}

// ---- entries ----

template <class A, class B> __device__ void cast_all(const A* a, B* b, u64 n) {
    u64 i = (blockIdx.x * (u64)blockDim.x + threadIdx.x) * 4;
    if (i + 4 <= n) {
        float v[4];
        load<A, 4>(a + i, v);
        store<B, 4>(b + i, v);
    } else {
        for (; i < n; i++) b[i] = down<B>(up(a[i]));
    }
}
extern "C" __global__ void cast_f32_bf16(const float* a, bf16* b, u64 n) { cast_all(a, b, n); }
extern "C" __global__ void cast_bf16_f32(const bf16* a, float* b, u64 n) { cast_all(a, b, n); }

// Functions in the order of `Activation`.
__device__ float value_of(float x, int f) {
    switch (f) {
        case 1: return x < 0.f ? 0.f : x;
        case 2: return x < 0.f ? 0.f : (x > 6.f ? 6.f : x);
        case 3: return x / (1.f + expf(-x));
        case 4: return tanhf(x);
        case 5: return 1.f / (1.f + expf(-x));
        case 6: return x * normcdff(x);
        default: return x;
    }
}
__device__ float slope_of(float x, int f) {
    float s = 1.f / (1.f + expf(-x));
    switch (f) {
        case 1: return x > 0.f ? 1.f : 0.f;
        case 2: return x > 0.f && x < 6.f ? 1.f : 0.f;
        case 3: return s * (1.f + x * (1.f - s));
        case 4: { float t = tanhf(x); return 1.f - t * t; }
        case 5: return s * (1.f - s);
        case 6: return normcdff(x) + x * expf(-0.5f * x * x) * 0.3989422804014327f;
        default: return 1.f;
    }
}
template <class T> __device__ void activate(const T* x, T* y, u64 n, int f) {
    u64 i = (blockIdx.x * (u64)blockDim.x + threadIdx.x) * 4;
    if (i + 4 <= n) {
        float v[4];
        load<T, 4>(x + i, v);
#pragma unroll
        for (int j = 0; j < 4; j++) v[j] = value_of(v[j], f);
        store<T, 4>(y + i, v);
    } else {
        for (; i < n; i++) y[i] = down<T>(value_of(up(x[i]), f));
    }
}
template <class T> __device__ void activate_backward(const T* dy, const T* x, T* dx, u64 n, int f) {
    u64 i = (blockIdx.x * (u64)blockDim.x + threadIdx.x) * 4;
    if (i + 4 <= n) {
        float v[4], d[4];
        load<T, 4>(x + i, v);
        load<T, 4>(dy + i, d);
#pragma unroll
        for (int j = 0; j < 4; j++) v[j] = d[j] * slope_of(v[j], f);
        store<T, 4>(dx + i, v);
    } else {
        for (; i < n; i++) dx[i] = down<T>(up(dy[i]) * slope_of(up(x[i]), f));
    }
}
template <class T> __device__ void add(const T* a, const T* b, T* c, u64 n) {
    u64 i = (blockIdx.x * (u64)blockDim.x + threadIdx.x) * 4;
    if (i + 4 <= n) {
        float v[4], w[4];
        load<T, 4>(a + i, v);
        load<T, 4>(b + i, w);
#pragma unroll
        for (int j = 0; j < 4; j++) v[j] += w[j];
        store<T, 4>(c + i, v);
    } else {
        for (; i < n; i++) c[i] = down<T>(up(a[i]) + up(b[i]));
    }
}
template <class T> __device__ void add_bias(const T* x, const float* b, T* y, u64 n, u32 channels) {
    u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
    if (i < n) y[i] = down<T>(up(x[i]) + b[i % channels]);
}
// Channels as (groups, each), transposed.
template <class T> __device__ void shuffle(const T* x, T* y, u64 n, u32 channels, u32 groups) {
    u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
    if (i >= n) return;
    u32 c = i % channels, each = channels / groups;
    y[i] = x[i - c + (c % groups) * each + c / groups];
}
// One block a channel.
template <class T> __device__ void sum_rows(const T* x, float* sum, u64 rows, u32 channels) {
    __shared__ double part[256];
    double s = 0;
    for (u64 r = threadIdx.x; r < rows; r += 256) s += up(x[r * channels + blockIdx.x]);
    part[threadIdx.x] = s;
    __syncthreads();
    for (int k = 128; k; k >>= 1) {
        if (threadIdx.x < k) part[threadIdx.x] += part[threadIdx.x + k];
        __syncthreads();
    }
    if (threadIdx.x == 0) sum[blockIdx.x] = (float)part[0];
}

// ---- batch normalisation ----
// Threads x: packs of V channels; threads y and blocks y: rows. `partial` has two sums a channel for each block y.

template <class T, int V> __device__ void fold(float (*sums)[V], float* partial, u32 channels, u32 pack, bool inside) {
    // Sums over threads y, in a fixed order.
    __shared__ float shared[2 * 256 * V];
    u32 tx = blockDim.x, at = threadIdx.y * tx + threadIdx.x;
#pragma unroll
    for (int k = 0; k < 2; k++)
#pragma unroll
        for (int j = 0; j < V; j++) shared[(k * V + j) * 256 + at] = sums[k][j];
    __syncthreads();
    for (u32 half = blockDim.y / 2; half; half >>= 1) {
        if (threadIdx.y < half)
#pragma unroll
            for (int k = 0; k < 2 * V; k++) shared[k * 256 + at] += shared[k * 256 + at + half * tx];
        __syncthreads();
    }
    if (threadIdx.y == 0 && inside)
#pragma unroll
        for (int k = 0; k < 2; k++)
#pragma unroll
            for (int j = 0; j < V; j++)
                partial[(blockIdx.y * 2 + k) * channels + pack * V + j] = shared[(k * V + j) * 256 + threadIdx.x];
}

// Sums of x - s and (x - s)^2, s the first row: without a shift the variance loses its digits where the mean is large.
template <class T, int V> __device__ void norm_sums(const T* x, float* partial, u64 rows, u32 channels) {
    u32 pack = blockIdx.x * blockDim.x + threadIdx.x;
    bool inside = pack * V < channels;
    float sums[2][V] = {};
    if (inside) {
        float s[V];
        load<T, V>(x + pack * V, s);
        u64 step = (u64)gridDim.y * blockDim.y;
#pragma unroll 4
        for (u64 r = blockIdx.y * blockDim.y + threadIdx.y; r < rows; r += step) {
            float v[V];
            load<T, V>(x + r * channels + pack * V, v);
#pragma unroll
            for (int j = 0; j < V; j++) {
                float d = v[j] - s[j];
                sums[0][j] += d;
                sums[1][j] += d * d;
            }
        }
    }
    fold<T, V>(sums, partial, channels, pack, inside);
}

// Sums of a channel over the blocks, by 32 threads y.
__device__ void gather_sums(const float* partial, u32 blocks, u32 channels, u32 c, double* a, double* b) {
    __shared__ double shared[2][32][33];
    double s = 0, q = 0;
    if (c < channels)
        for (u32 k = threadIdx.y; k < blocks; k += 32) {
            s += partial[(k * 2) * channels + c];
            q += partial[(k * 2 + 1) * channels + c];
        }
    shared[0][threadIdx.y][threadIdx.x] = s;
    shared[1][threadIdx.y][threadIdx.x] = q;
    __syncthreads();
    for (int half = 16; half; half >>= 1) {
        if (threadIdx.y < half)
            for (int k = 0; k < 2; k++) shared[k][threadIdx.y][threadIdx.x] += shared[k][threadIdx.y + half][threadIdx.x];
        __syncthreads();
    }
    *a = shared[0][0][threadIdx.x];
    *b = shared[1][0][threadIdx.x];
}

// Statistics of the batch: mean, inverse deviation, scale and shift; the running statistics in place.
template <class T>
__device__ void norm_finish(const T* x, const float* partial, u32 blocks, const float* gamma, const float* beta, float* mean,
                            float* inverse, float* scale, float* shift, float* running_mean, float* running_variance,
                            double rows, u32 channels, double epsilon, double momentum) {
    u32 c = blockIdx.x * 32 + threadIdx.x;
    double s, q;
    gather_sums(partial, blocks, channels, c, &s, &q);
    if (threadIdx.y || c >= channels) return;
    double d = s / rows, variance = q / rows - d * d;
    // A NaN passes, so that it shows.
    if (variance < 0) variance = 0;
    double m = up(x[c]) + d, i = rsqrt(variance + epsilon), g = gamma[c] * i;
    mean[c] = (float)m;
    inverse[c] = (float)i;
    scale[c] = (float)g;
    shift[c] = (float)(beta[c] - g * m);
    double unbiased = rows / (rows > 2 ? rows - 1 : 1);
    running_mean[c] = (float)((1 - momentum) * running_mean[c] + momentum * m);
    running_variance[c] = (float)((1 - momentum) * running_variance[c] + momentum * variance * unbiased);
}
extern "C" __global__ void norm_running(const float* gamma, const float* beta, const float* running_mean,
                                        const float* running_variance, float* mean, float* inverse, float* scale,
                                        float* shift, u32 channels, double epsilon) {
    u32 c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    double i = rsqrt(running_variance[c] + epsilon), g = gamma[c] * i;
    mean[c] = running_mean[c];
    inverse[c] = (float)i;
    scale[c] = (float)g;
    shift[c] = (float)(beta[c] - g * running_mean[c]);
}

template <class T, int V>
__device__ void norm_apply(const T* x, const T* z, T* y, const float* scale, const float* shift, u64 rows, u32 channels, int act) {
    u32 pack = blockIdx.x * blockDim.x + threadIdx.x;
    if (pack * V >= channels) return;
    float a[V], b[V];
#pragma unroll
    for (int j = 0; j < V; j++) a[j] = scale[pack * V + j], b[j] = shift[pack * V + j];
    u64 step = (u64)gridDim.y * blockDim.y;
#pragma unroll 2
    for (u64 r = blockIdx.y * blockDim.y + threadIdx.y; r < rows; r += step) {
        u64 at = r * channels + pack * V;
        float v[V];
        load<T, V>(x + at, v);
        if (z) {
            float w[V];
            load<T, V>(z + at, w);
#pragma unroll
            for (int j = 0; j < V; j++) v[j] = clamp(v[j] * a[j] + b[j] + w[j], act);
        } else {
#pragma unroll
            for (int j = 0; j < V; j++) v[j] = clamp(v[j] * a[j] + b[j], act);
        }
        store<T, V>(y + at, v);
    }
}

// Without a residual the sign of the output is found from x, which is read anyway: `y` is null then.
template <class T, int V>
__device__ __forceinline__ void behind(const T* dy, const T* x, const T* y, u64 at, const float* scale, const float* shift, int act,
                                       float* g, float* v) {
    load<T, V>(dy + at, g);
    load<T, V>(x + at, v);
    if (act == 0) return;
    if (y) {
        float w[V];
        load<T, V>(y + at, w);
#pragma unroll
        for (int j = 0; j < V; j++) g[j] = masked(g[j], w[j], act);
    } else {
#pragma unroll
        for (int j = 0; j < V; j++) g[j] = masked(g[j], v[j] * scale[j] + shift[j], act);
    }
}

// Sums of g and g (x - mean), g the derivative behind the clamp.
template <class T, int V>
__device__ void norm_back_sums(const T* dy, const T* x, const T* y, const float* mean, const float* scale, const float* shift,
                               float* partial, u64 rows, u32 channels, int act) {
    u32 pack = blockIdx.x * blockDim.x + threadIdx.x;
    bool inside = pack * V < channels;
    float sums[2][V] = {};
    if (inside) {
        float m[V], a[V], b[V];
#pragma unroll
        for (int j = 0; j < V; j++) m[j] = mean[pack * V + j], a[j] = scale[pack * V + j], b[j] = shift[pack * V + j];
        u64 step = (u64)gridDim.y * blockDim.y;
#pragma unroll 2
        for (u64 r = blockIdx.y * blockDim.y + threadIdx.y; r < rows; r += step) {
            float g[V], v[V];
            behind<T, V>(dy, x, y, r * channels + pack * V, a, b, act, g, v);
#pragma unroll
            for (int j = 0; j < V; j++) {
                sums[0][j] += g[j];
                sums[1][j] += g[j] * (v[j] - m[j]);
            }
        }
    }
    fold<T, V>(sums, partial, channels, pack, inside);
}

// dx = by_g g + by_x x + constant, coefficients after (dgamma, dbeta).
extern "C" __global__ void norm_back_finish(const float* partial, u32 blocks, const float* gamma, const float* mean,
                                            const float* inverse, float* dgamma, float* dbeta, float* by_g, float* by_x,
                                            float* constant, double rows, u32 channels) {
    u32 c = blockIdx.x * 32 + threadIdx.x;
    double s, q;
    gather_sums(partial, blocks, channels, c, &s, &q);
    if (threadIdx.y || c >= channels) return;
    double i = inverse[c], a = gamma[c] * i, b = -a * i * i * q / rows;
    dgamma[c] = (float)(q * i);
    dbeta[c] = (float)s;
    by_g[c] = (float)a;
    by_x[c] = (float)b;
    constant[c] = (float)(-a * s / rows - b * mean[c]);
}

template <class T, int V>
__device__ void norm_back_apply(const T* dy, const T* x, const T* y, const float* scale, const float* shift, const float* by_g,
                                const float* by_x, const float* constant, T* dx, T* dz, u64 rows, u32 channels, int act) {
    u32 pack = blockIdx.x * blockDim.x + threadIdx.x;
    if (pack * V >= channels) return;
    float a[V], b[V], k[V], l[V], c[V];
#pragma unroll
    for (int j = 0; j < V; j++) {
        u32 i = pack * V + j;
        a[j] = scale[i], b[j] = shift[i], k[j] = by_g[i], l[j] = by_x[i], c[j] = constant[i];
    }
    u64 step = (u64)gridDim.y * blockDim.y;
    for (u64 r = blockIdx.y * blockDim.y + threadIdx.y; r < rows; r += step) {
        u64 at = r * channels + pack * V;
        float g[V], v[V];
        behind<T, V>(dy, x, y, at, a, b, act, g, v);
        if (dz) store<T, V>(dz + at, g);
#pragma unroll
        for (int j = 0; j < V; j++) v[j] = k[j] * g[j] + l[j] * v[j] + c[j];
        store<T, V>(dx + at, v);
    }
}

// ---- windows ----

struct Window { int input[3], kernel[3], stride[3], padding[3], dilation[3], output[3]; };

__device__ __forceinline__ void split(u32 at, const int* size, int* place) {
    place[2] = at % size[2];
    at /= size[2];
    place[1] = at % size[1];
    place[0] = at / size[1];
}

template <class T> __device__ void average(const T* x, T* y, Window w, u64 n, u32 channels) {
    u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
    if (i >= n) return;
    u32 c = i % channels, outputs = w.output[0] * w.output[1] * w.output[2], inputs = w.input[0] * w.input[1] * w.input[2];
    u64 row = i / channels, image = row / outputs;
    int at[3];
    split(row % outputs, w.output, at);
    float s = 0;
    for (int a = 0; a < w.kernel[0]; a++) {
        int d = at[0] * w.stride[0] + a - w.padding[0];
        if (d < 0 || d >= w.input[0]) continue;
        for (int b = 0; b < w.kernel[1]; b++) {
            int h = at[1] * w.stride[1] + b - w.padding[1];
            if (h < 0 || h >= w.input[1]) continue;
            for (int e = 0; e < w.kernel[2]; e++) {
                int l = at[2] * w.stride[2] + e - w.padding[2];
                if (l < 0 || l >= w.input[2]) continue;
                s += up(x[(image * inputs + (d * w.input[1] + h) * w.input[2] + l) * channels + c]);
            }
        }
    }
    y[i] = down<T>(s / (float)(w.kernel[0] * w.kernel[1] * w.kernel[2]));
}
template <class T> __device__ void maximum(const T* x, T* y, u32* winners, Window w, u64 n, u32 channels) {
    u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
    if (i >= n) return;
    u32 c = i % channels, outputs = w.output[0] * w.output[1] * w.output[2], inputs = w.input[0] * w.input[1] * w.input[2];
    u64 row = i / channels, image = row / outputs;
    int at[3];
    split(row % outputs, w.output, at);
    float best = __int_as_float(0xff800000);
    u32 winner = 0;
    for (int a = 0; a < w.kernel[0]; a++) {
        int d = at[0] * w.stride[0] + a - w.padding[0];
        if (d < 0 || d >= w.input[0]) continue;
        for (int b = 0; b < w.kernel[1]; b++) {
            int h = at[1] * w.stride[1] + b - w.padding[1];
            if (h < 0 || h >= w.input[1]) continue;
            for (int e = 0; e < w.kernel[2]; e++) {
                int l = at[2] * w.stride[2] + e - w.padding[2];
                if (l < 0 || l >= w.input[2]) continue;
                u32 place = (d * w.input[1] + h) * w.input[2] + l;
                float v = up(x[(image * inputs + place) * channels + c]);
                if (v > best || v != v) best = v, winner = place;
            }
        }
    }
    y[i] = down<T>(best);
    winners[i] = winner;
}
// Derivatives of both pools: every input entry adds up what its windows send back. `winners` is null for averages.
template <class T> __device__ void pool_backward(const T* dy, const u32* winners, T* dx, Window w, u64 n, u32 channels) {
    u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
    if (i >= n) return;
    u32 c = i % channels, outputs = w.output[0] * w.output[1] * w.output[2], inputs = w.input[0] * w.input[1] * w.input[2];
    u64 row = i / channels, image = row / inputs;
    u32 place = row % inputs;
    int at[3], from[3], to[3];
    split(place, w.input, at);
#pragma unroll
    for (int j = 0; j < 3; j++) {
        int last = at[j] + w.padding[j], first = last - w.kernel[j] + 1;
        from[j] = first > 0 ? (first + w.stride[j] - 1) / w.stride[j] : 0;
        to[j] = min(last / w.stride[j], w.output[j] - 1);
    }
    float s = 0;
    for (int a = from[0]; a <= to[0]; a++)
        for (int b = from[1]; b <= to[1]; b++)
            for (int e = from[2]; e <= to[2]; e++) {
                u64 o = (image * outputs + (a * w.output[1] + b) * w.output[2] + e) * channels + c;
                if (!winners || winners[o] == place) s += up(dy[o]);
            }
    dx[i] = down<T>(winners ? s : s / (float)(w.kernel[0] * w.kernel[1] * w.kernel[2]));
}

// ---- convolution as a product: columns (group, row, tap, channel of the group) ----

template <class T> __device__ void columns(const T* x, T* cols, Window w, u64 rows, u32 channels, u32 groups) {
    u32 each = channels / groups, taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
    u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
    if (i >= rows * taps * channels) return;
    u32 c = i % each;
    u64 rest = i / each;
    u32 tap = rest % taps;
    rest /= taps;
    u64 row = rest % rows;
    u32 group = rest / rows;
    u32 outputs = w.output[0] * w.output[1] * w.output[2], inputs = w.input[0] * w.input[1] * w.input[2];
    int at[3], k[3], p[3];
    split(row % outputs, w.output, at);
    split(tap, w.kernel, k);
    bool valid = true;
#pragma unroll
    for (int j = 0; j < 3; j++) {
        p[j] = at[j] * w.stride[j] + k[j] * w.dilation[j] - w.padding[j];
        valid = valid && p[j] >= 0 && p[j] < w.input[j];
    }
    T v = down<T>(0.f);
    if (valid) v = x[((row / outputs) * inputs + (p[0] * w.input[1] + p[1]) * w.input[2] + p[2]) * channels + group * each + c];
    cols[i] = v;
}
// The derivative by x from that by the columns.
template <class T> __device__ void columns_backward(const T* cols, T* dx, Window w, u64 rows, u64 n, u32 channels, u32 groups) {
    u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
    if (i >= n) return;
    u32 each = channels / groups, taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
    u32 c = i % channels, group = c / each, inputs = w.input[0] * w.input[1] * w.input[2];
    u32 outputs = w.output[0] * w.output[1] * w.output[2];
    u64 image = i / channels / inputs;
    int at[3], k[3];
    split(i / channels % inputs, w.input, at);
    float s = 0;
    for (u32 tap = 0; tap < taps; tap++) {
        split(tap, w.kernel, k);
        bool valid = true;
        int o[3];
#pragma unroll
        for (int j = 0; j < 3; j++) {
            int t = at[j] + w.padding[j] - k[j] * w.dilation[j];
            o[j] = t / w.stride[j];
            valid = valid && t >= 0 && t % w.stride[j] == 0 && o[j] < w.output[j];
        }
        if (!valid) continue;
        u64 row = image * outputs + (o[0] * w.output[1] + o[1]) * w.output[2] + o[2];
        s += up(cols[((group * rows + row) * taps + tap) * each + c % each]);
    }
    dx[i] = down<T>(s);
}

// ---- depthwise convolution: one tap vector a channel; weights (channels, taps) ----

// Block: threads x packs of channels, threads y output positions or strips of them. Weights of the block's channels are kept
// as (tap, channel), mirrored if the pass asks for it.
template <class T, int V> __device__ float* depthwise_weights(const T* w, u32 channels, u32 taps, int mirrored) {
    extern __shared__ float shared[];
    u32 width = blockDim.x * V, first = blockIdx.x * width;
    for (u32 i = threadIdx.y * blockDim.x + threadIdx.x; i < width * taps; i += blockDim.x * blockDim.y) {
        u32 c = i / taps, t = i % taps, to = mirrored ? taps - 1 - t : t;
        if (first + c < channels) shared[to * width + c] = up(w[(first + c) * taps + t]);
    }
    __syncthreads();
    return shared;
}
// Outputs that a thread of the strip kernels makes, one after another on the last axis.
constexpr int STRIP = 4;

// Stride and dilation 1 on the last axis, KW taps there: what the strip reads is read once. The derivative by the input at
// stride 1 is this with mirrored weights.
template <class T, int V, int KW>
__device__ void depthwise_strip(const T* x, const T* w, T* y, const Window& win, u32 strips, u32 channels, int mirrored) {
    u32 taps = win.kernel[0] * win.kernel[1] * KW, width = blockDim.x * V;
    float* weights = depthwise_weights<T, V>(w, channels, taps, mirrored) + threadIdx.x * V;
    u32 pack = blockIdx.x * blockDim.x + threadIdx.x;
    if (pack * V >= channels) return;
    u32 each = (win.output[2] + STRIP - 1) / STRIP, inputs = win.input[0] * win.input[1] * win.input[2];
    for (u32 i = blockIdx.y * blockDim.y + threadIdx.y; i < strips; i += gridDim.y * blockDim.y) {
        u32 line = i / each, h = line % win.output[1], rest = line / win.output[1];
        u32 d = rest % win.output[0], image = rest / win.output[0];
        int l0 = (i - line * each) * STRIP, from = l0 - win.padding[2];
        const T* base = x + (u64)image * inputs * channels + pack * V;
        float s[STRIP][V] = {};
        const float* k = weights;
        for (int a = 0; a < win.kernel[0]; a++) {
            int p = (int)d * win.stride[0] + a * win.dilation[0] - win.padding[0];
            for (int b = 0; b < win.kernel[1]; b++, k += KW * width) {
                int q = (int)h * win.stride[1] + b * win.dilation[1] - win.padding[1];
                if (p < 0 || p >= win.input[0] || q < 0 || q >= win.input[1]) continue;
                float f[KW][V];
#pragma unroll
                for (int e = 0; e < KW; e++)
#pragma unroll
                    for (int j = 0; j < V; j++) f[e][j] = k[e * width + j];
                const T* row = base + (u64)((p * win.input[1] + q) * win.input[2]) * channels;
#pragma unroll
                for (int c = 0; c < STRIP + KW - 1; c++) {
                    int l = from + c;
                    if (l < 0 || l >= win.input[2]) continue;
                    float v[V];
                    load<T, V>(row + (u64)l * channels, v);
#pragma unroll
                    for (int e = 0; e < KW; e++)
                        if (c - e >= 0 && c - e < STRIP)
#pragma unroll
                            for (int j = 0; j < V; j++) s[c - e][j] += v[j] * f[e][j];
                }
            }
        }
        T* out = y + ((u64)line * win.output[2] + l0) * channels + pack * V;
#pragma unroll
        for (int c = 0; c < STRIP; c++)
            if (l0 + c < win.output[2]) store<T, V>(out + (u64)c * channels, s[c]);
    }
}
// Any stride and dilation.
template <class T, int V> __device__ void depthwise(const T* x, const T* w, T* y, const Window& win, u32 rows, u32 channels) {
    u32 taps = win.kernel[0] * win.kernel[1] * win.kernel[2], width = blockDim.x * V;
    float* weights = depthwise_weights<T, V>(w, channels, taps, 0) + threadIdx.x * V;
    u32 pack = blockIdx.x * blockDim.x + threadIdx.x;
    if (pack * V >= channels) return;
    u32 outputs = win.output[0] * win.output[1] * win.output[2], inputs = win.input[0] * win.input[1] * win.input[2];
    for (u32 row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {
        int at[3];
        split(row % outputs, win.output, at);
        const T* image = x + (u64)(row / outputs) * inputs * channels + pack * V;
        float s[V] = {};
        const float* k = weights;
        for (int a = 0; a < win.kernel[0]; a++) {
            int d = at[0] * win.stride[0] + a * win.dilation[0] - win.padding[0];
            for (int b = 0; b < win.kernel[1]; b++) {
                int h = at[1] * win.stride[1] + b * win.dilation[1] - win.padding[1];
                bool line = d >= 0 && d < win.input[0] && h >= 0 && h < win.input[1];
                int l = at[2] * win.stride[2] - win.padding[2];
                const T* p = image + ((d * win.input[1] + h) * win.input[2]) * (i64)channels;
#pragma unroll 3
                for (int e = 0; e < win.kernel[2]; e++, l += win.dilation[2], k += width) {
                    if (!line || l < 0 || l >= win.input[2]) continue;
                    float v[V];
                    load<T, V>(p + l * (i64)channels, v);
#pragma unroll
                    for (int j = 0; j < V; j++) s[j] += v[j] * k[j];
                }
            }
        }
        store<T, V>(y + (u64)row * channels + pack * V, s);
    }
}
template <class T, int V> __device__ void depthwise_by_input(const T* dy, const T* w, T* dx, const Window& win, u32 rows, u32 channels) {
    u32 taps = win.kernel[0] * win.kernel[1] * win.kernel[2], width = blockDim.x * V;
    float* weights = depthwise_weights<T, V>(w, channels, taps, 0) + threadIdx.x * V;
    u32 pack = blockIdx.x * blockDim.x + threadIdx.x;
    if (pack * V >= channels) return;
    u32 outputs = win.output[0] * win.output[1] * win.output[2], inputs = win.input[0] * win.input[1] * win.input[2];
    for (u32 row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {
        int at[3];
        split(row % inputs, win.input, at);
        const T* image = dy + (u64)(row / inputs) * outputs * channels + pack * V;
        float s[V] = {};
        const float* k = weights;
        for (int a = 0; a < win.kernel[0]; a++) {
            int d = at[0] + win.padding[0] - a * win.dilation[0];
            bool plane = d >= 0 && d % win.stride[0] == 0 && d / win.stride[0] < win.output[0];
            d /= win.stride[0];
            for (int b = 0; b < win.kernel[1]; b++) {
                int h = at[1] + win.padding[1] - b * win.dilation[1];
                bool line = plane && h >= 0 && h % win.stride[1] == 0 && h / win.stride[1] < win.output[1];
                h /= win.stride[1];
#pragma unroll 3
                for (int e = 0; e < win.kernel[2]; e++, k += width) {
                    int l = at[2] + win.padding[2] - e * win.dilation[2];
                    if (!line || l < 0 || l % win.stride[2] || l / win.stride[2] >= win.output[2]) continue;
                    float v[V];
                    load<T, V>(image + ((d * win.output[1] + h) * win.output[2] + l / win.stride[2]) * (i64)channels, v);
#pragma unroll
                    for (int j = 0; j < V; j++) s[j] += v[j] * k[j];
                }
            }
        }
        store<T, V>(dx + (u64)row * channels + pack * V, s);
    }
}
// Sums over threads y of what each has for a tap, to (block y, tap, channel).
template <int V> __device__ void depthwise_fold(const float* s, float* partial, u32 taps, u32 tap, u32 channels, u32 pack, bool inside) {
    __shared__ float shared[256 * V];
    u32 tx = blockDim.x, at = threadIdx.y * tx + threadIdx.x;
#pragma unroll
    for (int j = 0; j < V; j++) shared[j * 256 + at] = s[j];
    __syncthreads();
    for (u32 half = blockDim.y / 2; half; half >>= 1) {
        if (threadIdx.y < half)
#pragma unroll
            for (int j = 0; j < V; j++) shared[j * 256 + at] += shared[j * 256 + at + half * tx];
        __syncthreads();
    }
    if (threadIdx.y == 0 && inside)
#pragma unroll
        for (int j = 0; j < V; j++)
            partial[((u64)blockIdx.y * taps + tap) * channels + pack * V + j] = shared[j * 256 + at];
    __syncthreads();
}
// As `depthwise_strip`; blocks z: three lines of the kernel each.
template <class T, int V, int KW>
__device__ void depthwise_strip_by_weight(const T* dy, const T* x, float* partial, const Window& win, u32 strips, u32 channels) {
    constexpr int LINES = 3;
    int lines = win.kernel[0] * win.kernel[1], first = blockIdx.z * LINES;
    u32 pack = blockIdx.x * blockDim.x + threadIdx.x;
    bool inside = pack * V < channels;
    u32 each = (win.output[2] + STRIP - 1) / STRIP, inputs = win.input[0] * win.input[1] * win.input[2];
    float s[LINES][KW][V] = {};
    if (inside)
        for (u32 i = blockIdx.y * blockDim.y + threadIdx.y; i < strips; i += gridDim.y * blockDim.y) {
            u32 line = i / each, h = line % win.output[1], rest = line / win.output[1];
            u32 d = rest % win.output[0], image = rest / win.output[0];
            int l0 = (i - line * each) * STRIP, from = l0 - win.padding[2];
            const T* base = x + (u64)image * inputs * channels + pack * V;
            const T* back = dy + ((u64)line * win.output[2] + l0) * channels + pack * V;
            float g[STRIP][V];
#pragma unroll
            for (int c = 0; c < STRIP; c++) {
                if (l0 + c < win.output[2]) {
                    load<T, V>(back + (u64)c * channels, g[c]);
                } else {
#pragma unroll
                    for (int j = 0; j < V; j++) g[c][j] = 0.f;
                }
            }
#pragma unroll
            for (int t = 0; t < LINES; t++) {
                int a = (first + t) / win.kernel[1], b = (first + t) - a * win.kernel[1];
                int p = (int)d * win.stride[0] + a * win.dilation[0] - win.padding[0];
                int q = (int)h * win.stride[1] + b * win.dilation[1] - win.padding[1];
                if (first + t >= lines || p < 0 || p >= win.input[0] || q < 0 || q >= win.input[1]) continue;
                const T* row = base + (u64)((p * win.input[1] + q) * win.input[2]) * channels;
#pragma unroll
                for (int c = 0; c < STRIP + KW - 1; c++) {
                    int l = from + c;
                    if (l < 0 || l >= win.input[2]) continue;
                    float v[V];
                    load<T, V>(row + (u64)l * channels, v);
#pragma unroll
                    for (int e = 0; e < KW; e++)
                        if (c - e >= 0 && c - e < STRIP)
#pragma unroll
                            for (int j = 0; j < V; j++) s[t][e][j] += g[c - e][j] * v[j];
                }
            }
        }
    u32 taps = lines * KW;
#pragma unroll
    for (int t = 0; t < LINES; t++)
        if (first + t < lines)
#pragma unroll
            for (int e = 0; e < KW; e++)
                depthwise_fold<V>(s[t][e], partial, taps, (first + t) * KW + e, channels, pack, inside);
}
// Any stride and dilation; blocks z: up to 9 taps each.
template <class T, int V> __device__ void depthwise_by_weight(const T* dy, const T* x, float* partial, const Window& win, u32 rows, u32 channels) {
    constexpr int MOST = 9;
    u32 taps = win.kernel[0] * win.kernel[1] * win.kernel[2], first = blockIdx.z * MOST;
    u32 pack = blockIdx.x * blockDim.x + threadIdx.x;
    bool inside = pack * V < channels;
    u32 outputs = win.output[0] * win.output[1] * win.output[2], inputs = win.input[0] * win.input[1] * win.input[2];
    float s[MOST][V] = {};
    if (inside)
        for (u32 row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {
            int at[3], k[3];
            split(row % outputs, win.output, at);
            const T* image = x + (u64)(row / outputs) * inputs * channels + pack * V;
            float g[V];
            load<T, V>(dy + (u64)row * channels + pack * V, g);
            split(first, win.kernel, k);
#pragma unroll
            for (int t = 0; t < MOST; t++) {
                int d = at[0] * win.stride[0] + k[0] * win.dilation[0] - win.padding[0];
                int h = at[1] * win.stride[1] + k[1] * win.dilation[1] - win.padding[1];
                int l = at[2] * win.stride[2] + k[2] * win.dilation[2] - win.padding[2];
                if (first + t < taps && d >= 0 && d < win.input[0] && h >= 0 && h < win.input[1] && l >= 0 && l < win.input[2]) {
                    float v[V];
                    load<T, V>(image + ((d * win.input[1] + h) * win.input[2] + l) * (i64)channels, v);
#pragma unroll
                    for (int j = 0; j < V; j++) s[t][j] += g[j] * v[j];
                }
                if (++k[2] == win.kernel[2]) {
                    k[2] = 0;
                    if (++k[1] == win.kernel[1]) k[1] = 0, k[0]++;
                }
            }
        }
#pragma unroll
    for (int t = 0; t < MOST; t++)
        if (first + t < taps) depthwise_fold<V>(s[t], partial, taps, first + t, channels, pack, inside);
}
// Sums of the partial sums, as (channel, tap): one warp an entry.
extern "C" __global__ void depthwise_finish(const float* partial, float* dw, u32 blocks, u32 taps, u32 channels) {
    u32 i = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (i >= taps * channels) return;
    u32 t = i / channels, c = i % channels;
    float s = 0;
    for (u32 k = lane; k < blocks; k += 32) s += partial[((u64)k * taps + t) * channels + c];
    for (int d = 16; d; d >>= 1) s += __shfl_xor_sync(~0u, s, d);
    if (lane == 0) dw[c * taps + t] = s;
}

// ---- samples to activations ----

struct View { u64 offset; int size[3], start[3], step[3], flip, from[3], to[3]; };

__device__ __forceinline__ int reflect(int a, int n) {
    a = abs(a);
    return a < n ? a : 2 * (n - 1) - a;
}
// One thread a position of a sample (three axes `shape`); `table` has 256 values a channel.
template <class T>
__device__ void samples(const u8* bytes, const View* views, const float* table, T* x, u64 positions, int3 shape, u32 channels) {
    u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
    if (i >= positions) return;
    int size[3] = {shape.x, shape.y, shape.z}, at[3];
    u32 each = shape.x * shape.y * shape.z;
    View v = views[i / each];
    split(i % each, size, at);
    bool blank = true;
#pragma unroll
    for (int j = 0; j < 3; j++) blank = blank && at[j] >= v.from[j] && at[j] < v.to[j];
    if (v.flip) at[2] = size[2] - 1 - at[2];
    int a = (v.start[0] + v.step[0] * at[0]) % v.size[0];
    if (a < 0) a += v.size[0];
    int b = reflect(v.start[1] + v.step[1] * at[1], v.size[1]), c = reflect(v.start[2] + v.step[2] * at[2], v.size[2]);
    const u8* p = bytes + v.offset + ((a * (u64)v.size[1] + b) * v.size[2] + c) * channels;
    for (u32 k = 0; k < channels; k++) x[i * channels + k] = down<T>(blank ? 0.f : table[k * 256 + p[k]]);
}

// ---- loss ----

// One warp a row: derivative, and the row's loss.
extern "C" __global__ void cross_entropy(const float* logits, const u32* labels, float* gradient, double* losses, u32 rows, u32 classes,
                                         double smoothing) {
    u32 row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;
    const float* v = logits + (u64)row * classes;
    float most = __int_as_float(0xff800000);
    for (u32 c = lane; c < classes; c += 32) most = v[c] > most || v[c] != v[c] ? v[c] : most;
    for (int d = 16; d; d >>= 1) { float o = __shfl_xor_sync(~0u, most, d); most = o > most || o != o ? o : most; }
    double total = 0;
    for (u32 c = lane; c < classes; c += 32) total += exp((double)(v[c] - most));
    for (int d = 16; d; d >>= 1) total += __shfl_xor_sync(~0u, total, d);
    double log_total = most + log(total), rest = smoothing / classes, loss = 0;
    u32 label = labels[row];
    for (u32 c = lane; c < classes; c += 32) {
        double target = rest + (c == label ? 1 - smoothing : 0), lp = v[c] - log_total;
        loss -= target * lp;
        gradient[(u64)row * classes + c] = (float)((exp(lp) - target) / rows);
    }
    for (int d = 16; d; d >>= 1) loss += __shfl_xor_sync(~0u, loss, d);
    if (lane == 0) losses[row] = loss;
}
extern "C" __global__ void mean_loss(const double* losses, double* mean, u32 rows) {
    __shared__ double part[256];
    double s = 0;
    for (u32 r = threadIdx.x; r < rows; r += 256) s += losses[r];
    part[threadIdx.x] = s;
    __syncthreads();
    for (int k = 128; k; k >>= 1) {
        if (threadIdx.x < k) part[threadIdx.x] += part[threadIdx.x + k];
        __syncthreads();
    }
    if (threadIdx.x == 0) *mean = part[0] / rows;
}
extern "C" __global__ void accumulate(double* sum, const double* value) { *sum += *value; }

// ---- optimisers: many parameters a launch ----

struct Slot { float *parameter, *mean, *square; const void* gradient; u32 size, flags; };  // flags: 1 bf16 gradient, 2 weight decay
struct Slots { u32 count; u32 pad; Slot slot[64]; };

__device__ __forceinline__ float gradient_of(const Slot& s, u32 i) {
    return s.flags & 1 ? up(((const bf16*)s.gradient)[i]) : ((const float*)s.gradient)[i];
}
// Blocks y: slots; blocks x run over entries. `numbers` are the step's.
extern "C" __global__ void sgd(const __grid_constant__ Slots slots, const float* numbers, float momentum, float weight_decay, int nesterov) {
    const Slot& s = slots.slot[blockIdx.y];
    float rate = numbers[0], shrink = s.flags & 2 ? weight_decay : 0.f;
    for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < s.size; i += gridDim.x * blockDim.x) {
        float p = s.parameter[i], g = gradient_of(s, i) + shrink * p, m = momentum * s.mean[i] + g;
        s.mean[i] = m;
        s.parameter[i] = p - rate * (nesterov ? g + momentum * m : m);
    }
}
extern "C" __global__ void adamw(const __grid_constant__ Slots slots, const float* numbers, float new1, float beta2, float new2, float epsilon) {
    const Slot& s = slots.slot[blockIdx.y];
    float shrink = s.flags & 2 ? numbers[1] : 1.f, size = numbers[2], correction = numbers[3];
    for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < s.size; i += gridDim.x * blockDim.x) {
        float g = gradient_of(s, i), m = s.mean[i], v = s.square[i];
        m += new1 * (g - m);
        v = beta2 * v + new2 * g * g;
        s.mean[i] = m;
        s.square[i] = v;
        s.parameter[i] = s.parameter[i] * shrink - size * (m / (sqrtf(v) / correction + epsilon));
    }
}
extern "C" __global__ void moving_average(float* mean, const float* value, const float* numbers, u64 n) {
    u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
    if (i < n) mean[i] = numbers[4] * mean[i] + numbers[5] * value[i];
}

// ---- contraction of two tensors: out[o] = sum over s of a[o, s] b[o, s] ----

struct Axes { int outer, inner; u32 size[16]; u32 a[16], b[16]; };  // the outer axes first, then the summed ones; strides of a and b

extern "C" __global__ void contract(const float* a, const float* b, float* out, const __grid_constant__ Axes axes, u64 n, u64 terms) {
    u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x;
    if (i >= n) return;
    u64 rest = i, pa = 0, pb = 0;
    for (int j = axes.outer - 1; j >= 0; j--) {
        u32 k = rest % axes.size[j];
        rest /= axes.size[j];
        pa += (u64)k * axes.a[j];
        pb += (u64)k * axes.b[j];
    }
    double s = 0;
    for (u64 t = 0; t < terms; t++) {
        u64 q = t, qa = pa, qb = pb;
        for (int j = axes.outer + axes.inner - 1; j >= axes.outer; j--) {
            u32 k = q % axes.size[j];
            q /= axes.size[j];
            qa += (u64)k * axes.a[j];
            qb += (u64)k * axes.b[j];
        }
        s += (double)a[qa] * (double)b[qb];
    }
    out[i] = (float)s;
}

// ---- one entry point a type (and, where channels are read in packs, a width) ----

#define TYPED(T, S)                                                                                                                  \
    extern "C" __global__ void activate_##S(const T* x, T* y, u64 n, int f) { activate(x, y, n, f); }                               \
    extern "C" __global__ void activate_backward_##S(const T* dy, const T* x, T* dx, u64 n, int f) { activate_backward(dy, x, dx, n, f); } \
    extern "C" __global__ void add_##S(const T* a, const T* b, T* c, u64 n) { add(a, b, c, n); }                                    \
    extern "C" __global__ void add_bias_##S(const T* x, const float* b, T* y, u64 n, u32 c) { add_bias(x, b, y, n, c); }            \
    extern "C" __global__ void shuffle_##S(const T* x, T* y, u64 n, u32 c, u32 g) { shuffle(x, y, n, c, g); }                       \
    extern "C" __global__ void sum_rows_##S(const T* x, float* s, u64 r, u32 c) { sum_rows(x, s, r, c); }                           \
    extern "C" __global__ void norm_finish_##S(const T* x, const float* partial, u32 blocks, const float* gamma, const float* beta, \
        float* mean, float* inverse, float* scale, float* shift, float* rm, float* rv, double rows, u32 c, double e, double m) {    \
        norm_finish(x, partial, blocks, gamma, beta, mean, inverse, scale, shift, rm, rv, rows, c, e, m); }                         \
    extern "C" __global__ void average_##S(const T* x, T* y, const __grid_constant__ Window w, u64 n, u32 c) { average(x, y, w, n, c); } \
    extern "C" __global__ void maximum_##S(const T* x, T* y, u32* winners, const __grid_constant__ Window w, u64 n, u32 c) { maximum(x, y, winners, w, n, c); } \
    extern "C" __global__ void pool_backward_##S(const T* dy, const u32* winners, T* dx, const __grid_constant__ Window w, u64 n, u32 c) { pool_backward(dy, winners, dx, w, n, c); } \
    extern "C" __global__ void columns_##S(const T* x, T* cols, const __grid_constant__ Window w, u64 rows, u32 c, u32 g) { columns(x, cols, w, rows, c, g); } \
    extern "C" __global__ void columns_backward_##S(const T* cols, T* dx, const __grid_constant__ Window w, u64 rows, u64 n, u32 c, u32 g) { columns_backward(cols, dx, w, rows, n, c, g); } \
    extern "C" __global__ void samples_##S(const u8* b, const View* v, const float* t, T* x, u64 n, int3 s, u32 c) { samples(b, v, t, x, n, s, c); }

#define PACKED(T, S, V)                                                                                                              \
    extern "C" __global__ void norm_sums_##S##_##V(const T* x, float* p, u64 r, u32 c) { norm_sums<T, V>(x, p, r, c); }             \
    extern "C" __global__ void norm_apply_##S##_##V(const T* x, const T* z, T* y, const float* a, const float* b, u64 r, u32 c, int f) { norm_apply<T, V>(x, z, y, a, b, r, c, f); } \
    extern "C" __global__ void norm_back_sums_##S##_##V(const T* dy, const T* x, const T* y, const float* m, const float* a,        \
        const float* b, float* p, u64 r, u32 c, int f) { norm_back_sums<T, V>(dy, x, y, m, a, b, p, r, c, f); }                     \
    extern "C" __global__ void norm_back_apply_##S##_##V(const T* dy, const T* x, const T* y, const float* a, const float* b,       \
        const float* k, const float* l, const float* m, T* dx, T* dz, u64 r, u32 c, int f) { norm_back_apply<T, V>(dy, x, y, a, b, k, l, m, dx, dz, r, c, f); } \
    extern "C" __global__ void depthwise_##S##_##V(const T* x, const T* w, T* y, const __grid_constant__ Window win, u32 r, u32 c) { depthwise<T, V>(x, w, y, win, r, c); } \
    extern "C" __global__ void depthwise_by_input_##S##_##V(const T* dy, const T* w, T* dx, const __grid_constant__ Window win, u32 r, u32 c) { depthwise_by_input<T, V>(dy, w, dx, win, r, c); } \
    extern "C" __global__ void depthwise_by_weight_##S##_##V(const T* dy, const T* x, float* p, const __grid_constant__ Window win, u32 r, u32 c) { depthwise_by_weight<T, V>(dy, x, p, win, r, c); }

#define STRIPS(T, S, V, K)                                                                                                           \
    extern "C" __global__ void depthwise_strip_##S##_##V##_##K(const T* x, const T* w, T* y, const __grid_constant__ Window win, u32 r, u32 c, int m) { depthwise_strip<T, V, K>(x, w, y, win, r, c, m); }
#define STRIPS_BY_WEIGHT(T, S, V, K)                                                                                                 \
    extern "C" __global__ void depthwise_strip_by_weight_##S##_##V##_##K(const T* dy, const T* x, float* p, const __grid_constant__ Window win, u32 r, u32 c) { depthwise_strip_by_weight<T, V, K>(dy, x, p, win, r, c); }

TYPED(float, f32)
TYPED(bf16, bf16)
PACKED(float, f32, 1)
PACKED(float, f32, 4)
PACKED(bf16, bf16, 1)
PACKED(bf16, bf16, 8)
STRIPS(float, f32, 4, 1)
STRIPS(float, f32, 4, 3)
STRIPS(float, f32, 4, 5)
STRIPS(bf16, bf16, 8, 1)
STRIPS(bf16, bf16, 8, 3)
STRIPS(bf16, bf16, 8, 5)
STRIPS_BY_WEIGHT(float, f32, 4, 1)
STRIPS_BY_WEIGHT(float, f32, 4, 3)
STRIPS_BY_WEIGHT(float, f32, 4, 5)
STRIPS_BY_WEIGHT(bf16, bf16, 4, 1)
STRIPS_BY_WEIGHT(bf16, bf16, 4, 3)
STRIPS_BY_WEIGHT(bf16, bf16, 4, 5)
