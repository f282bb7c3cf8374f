/* SPDX-License-Identifier: Apache-2.0
 *
 * A training step with a receipt, written to nowhere, and without one: in turns, so that both meet the same machine.
 * The weights of both must be the same bits.
 */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 100000, LEAST_STEPS = 5 };

struct trainer {
    ls_context *ls;
    struct mlp net;
    double seconds[MOST_STEPS];
};

static void open_trainer(struct trainer *t, const struct bench *b, const char *receipt)
{
    if (receipt)
        setenv("LOCKSTEP_RECEIPT", receipt, 1);
    t->ls = ls_open(b->words);
    unsetenv("LOCKSTEP_RECEIPT");
    mlp_init(&t->net, t->ls, false);
}

static void take_step(struct trainer *t, size_t i)
{
    double begin = bench_now();
    mlp_step(&t->net);
    ls_synchronize(t->ls);
    t->seconds[i] = bench_now() - begin;
}

static size_t take_steps(const struct bench *b, struct trainer *without, struct trainer *with)
{
    enum { WARM_UP = 20 };
    size_t count = 0;
    double end = bench_now() + 2 * b->seconds;
    for (int i = 0; i < WARM_UP; i++) {
        take_step(without, 0);
        take_step(with, 0);
    }
    while (count < MOST_STEPS && (count < LEAST_STEPS || bench_now() < end) && ls_error(with->ls) == LS_OK) {
        take_step(without, count);
        take_step(with, count++);
    }
    return count;
}

/* Ends a trainer; what is wrong with it goes to `bits`. */
static ls_fingerprint_text close_trainer(struct trainer *t, struct bench_bits *bits)
{
    ls_fingerprint_text weights = mlp_fingerprint(&t->net);
    if (ls_error(t->ls) != LS_OK)
        snprintf(bits->text, sizeof bits->text, "%s", ls_error_message(t->ls));
    mlp_finish(&t->net);
    ls_status status = ls_close(&t->ls);
    if (status != LS_OK && strcmp(bits->text, "equal") == 0)
        snprintf(bits->text, sizeof bits->text, "ls_close: %s", ls_status_text(status));
    return weights;
}

void bench_receipt(struct bench *b, ls_context *ls)
{
    static struct trainer without, with;
    struct bench_bits bits = {"equal"};
    open_trainer(&without, b, NULL);
    open_trainer(&with, b, "/dev/null");
    size_t count = take_steps(b, &without, &with);
    ls_fingerprint_text one = close_trainer(&without, &bits), other = close_trainer(&with, &bits);
    if (strcmp(one.text, other.text) != 0 && strcmp(bits.text, "equal") == 0)
        snprintf(bits.text, sizeof bits.text, "weights %s without, %s with a receipt", one.text, other.text);
    bool good = strcmp(bits.text, "equal") == 0;
    bench_report(b, ls, "without_receipt", good ? bench_middle(without.seconds, count) : NAN, MLP_FLOP, &bits);
    bench_report(b, ls, "with_receipt", good ? bench_middle(with.seconds, count) : NAN, MLP_FLOP, &bits);
}
