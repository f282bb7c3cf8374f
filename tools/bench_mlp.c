/* SPDX-License-Identifier: Apache-2.0
 *
 * A training step, eager and captured, against the same steps on another device.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"

enum { CHECKED_STEPS = 5 };

struct checked {
    ls_fingerprint_text weights;
    float loss;
};

static void take_step(void *net) { mlp_step(net); }

static struct checked train(struct mlp *net)
{
    struct checked result = {{""}, 0};
    for (int i = 0; i < CHECKED_STEPS; i++)
        result.loss = mlp_step(net);
    result.weights = mlp_fingerprint(net);
    return result;
}

/* The right result, computed eagerly elsewhere. */
static struct bench_bits compare(const ls_context *ls, const struct checked *here)
{
    struct bench_bits bits = {"equal"};
    struct mlp net;
    ls_context *other = bench_open_other(ls);
    mlp_init(&net, other, false);
    struct checked there = train(&net);
    if (ls_error(other) != LS_OK)
        snprintf(bits.text, sizeof bits.text, "not compared: %.160s", ls_error_message(other));
    else if (strcmp(here->weights.text, there.weights.text) != 0 || memcmp(&here->loss, &there.loss, sizeof(float)) != 0)
        snprintf(bits.text, sizeof bits.text, "after %d steps loss %a, weights %s; on %s %a, %s", CHECKED_STEPS,
                 (double)here->loss, here->weights.text, ls_device_id(other), (double)there.loss, there.weights.text);
    ls_close(&other);
    return bits;
}

void bench_mlp(struct bench *b, ls_context *ls)
{
    static const char *const names[] = {"mlp", "mlp_captured"};
    for (int captured = 0; captured < 2; captured++) {
        LS_SCOPE(ls) {
            struct mlp net;
            mlp_init(&net, ls, captured != 0);
            struct checked here = train(&net);
            if (bench_failed(b, ls, names[captured]))
                break;
            struct bench_bits bits = compare(ls, &here);
            double median = bench_median(b, ls, take_step, &net);
            if (!bench_failed(b, ls, names[captured]))
                bench_report(b, ls, names[captured], median, MLP_FLOP, &bits);
            mlp_finish(&net);
        }
    }
}
