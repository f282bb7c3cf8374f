/* SPDX-License-Identifier: Apache-2.0 */
#include "native_calls.h"

#include <string.h>

long native_live[NATIVE_KINDS];

static struct {
    struct native_call *call;
    long ordinal;
    int code;
    bool met;
} plan;

void native_replace(struct native_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memcpy(&calls[i].real, calls[i].entry, sizeof calls[i].real);
        memcpy(calls[i].entry, &calls[i].replacement, sizeof calls[i].replacement);
    }
}

void native_plan(struct native_call *calls, size_t count, struct native_call *call, long ordinal, int code)
{
    for (size_t i = 0; i < count; i++)
        calls[i].calls = 0;
    plan.call = call;
    plan.ordinal = ordinal;
    plan.code = code;
    plan.met = false;
}

bool native_met(void) { return plan.met; }

int native_due(struct native_call *call)
{
    if (++call->calls != plan.ordinal || call != plan.call)
        return 0;
    plan.met = true;
    return plan.code;
}

static native_word run(const struct native_call *call, const native_word *w)
{
    return call->real(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11]);
}

/* Whether there is a new object: in the result, or where an argument points to, which may be NULL. */
static bool made(const struct native_call *call, const native_word *words, native_word result)
{
    if (call->made_argument == 0)
        return result != 0;
    void **object = (void **)words[call->made_argument - 1];
    return (int)result == 0 && object != NULL && *object != NULL;
}

native_word native_pass(struct native_call *call, const native_word *words)
{
    int code = native_due(call);
    native_word result = 0;
    if (code == 0 || call->done_anyway) {
        result = run(call, words);
        if (call->makes != 0 && made(call, words, result))
            native_live[call->makes]++;
        if (call->releases != 0)
            native_live[call->releases]--;
    }
    if (code == 0)
        return result;
    if (call->code_argument == 0)
        return (native_word)code;
    int *told = (int *)words[call->code_argument - 1];
    if (told != NULL)
        *told = code;
    return 0;
}

long native_balance(void)
{
    long sum = 0;
    for (int kind = 0; kind < NATIVE_KINDS; kind++)
        sum += native_live[kind] < 0 ? -native_live[kind] : native_live[kind];
    return sum;
}
