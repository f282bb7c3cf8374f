/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the benchmark share. A figure is only measured after its bits were checked.
 */
#ifndef LOCKSTEP_TOOLS_BENCH_H
#define LOCKSTEP_TOOLS_BENCH_H

#include <lockstep/lockstep.h>

struct bench {
    const char *program; /* this program's own file, for `start` */
    const char *words;   /* as for ls_open; NULL: LOCKSTEP_BACKEND */
    double seconds;      /* to measure each figure for */
    bool json;
    double peak;         /* FLOP/s, host_peak */
    bool wrong;          /* a figure's bits differed or a device failed */
};

struct bench_bits {
    char text[192]; /* "equal", or what differed */
};

/** Seconds of a clock that only grows. */
double bench_now(void);

/** The median time in seconds of job(user), which waits for its own end; after a warm-up. Stops early
 * when the context has an error. */
double bench_median(const struct bench *b, ls_context *ls, void (*job)(void *user), void *user);

/** The median of `count` samples, at least one; sorts them. */
double bench_middle(double *samples, size_t count);

/** Prints one figure. `flop` 0: not counted in operations. */
void bench_report(struct bench *b, ls_context *ls, const char *name, double median_s, double flop,
                  const struct bench_bits *bits);

/** Reports a context's error as the figure's bits; true if there was one. */
bool bench_failed(struct bench *b, ls_context *ls, const char *name);

/**
 * A context to compare with, never the device itself where that can be avoided: reference, or for the
 * reference its plainest instruction set.
 */
ls_context *bench_open_other(const ls_context *ls);

/** Floats from -1 to 1, the same everywhere. */
void bench_random(float *x, size_t n, uint64_t seed);

/* ---- The benchmarks, each with an open context ---- */

void bench_gemm(struct bench *b, ls_context *ls);
void bench_conv(struct bench *b, ls_context *ls);
void bench_mlp(struct bench *b, ls_context *ls);
void bench_eager(struct bench *b, ls_context *ls);
void bench_fit(struct bench *b, ls_context *ls);
void bench_receipt(struct bench *b, ls_context *ls);
void bench_start(struct bench *b, ls_context *ls);

/* ---- The network of `mlp` and `start` (mlp.c) ---- */

enum { MLP_BATCH = 128, MLP_INPUTS = 784, MLP_CLASSES = 10 };

/** Operations of one step: three products per layer, without the first layer's input gradient. */
#define MLP_FLOP (2.0 * MLP_BATCH * (2 * 784 * 256 + 3 * 256 * 128 + 3 * 128 * 10))

struct mlp {
    ls_context *ls;
    ls_model *model;
    ls_optimizer *adam;
    ls_tensor batch[2];    /* x (128, 784) float32, y (128) int32 */
    ls_function *captured; /* NULL: eager */
};

/** Makes the network and its batch; the same values on every device. Errors are sticky. */
void mlp_init(struct mlp *net, ls_context *ls, bool captured);
void mlp_finish(struct mlp *net);

/** One training step; returns its loss. Blocks. */
float mlp_step(struct mlp *net);

ls_fingerprint_text mlp_fingerprint(struct mlp *net);

#endif
