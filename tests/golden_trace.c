/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps what a device computed, and compares it with what another one did.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"

bool golden_trace_add(struct golden_trace *trace, const char *name, ls_dtype dtype, const void *data, size_t bytes)
{
    if (trace->count == trace->capacity) {
        size_t capacity = trace->capacity ? 2 * trace->capacity : 256;
        struct golden_value *more = realloc(trace->value, capacity * sizeof *more);
        if (!more)
            return false;
        trace->value = more;
        trace->capacity = capacity;
    }
    struct golden_value *v = &trace->value[trace->count];
    *v = (struct golden_value){.dtype = dtype, .bytes = bytes, .data = malloc(bytes ? bytes : 1)};
    if (!v->data)
        return false;
    snprintf(v->name, sizeof v->name, "%s", name);
    if (bytes)
        memcpy(v->data, data, bytes);
    trace->count++;
    return true;
}

/* Whether element i is the same in both; if not, `text` says what differs. */
static bool same_element(const struct golden_value *a, const struct golden_value *b, size_t i, char *text, size_t size)
{
    if (a->dtype != LS_FLOAT32) {
        const uint8_t *p = a->data, *q = b->data;
        if (p[i] == q[i])
            return true;
        snprintf(text, size, "byte %zu: %02x, %02x", i, p[i], q[i]);
        return false;
    }
    const float *p = a->data, *q = b->data;
    uint32_t words[2];
    memcpy(&words[0], &p[i], 4);
    memcpy(&words[1], &q[i], 4);
    bool both_zero = !((words[0] | words[1]) << 1);
    if (words[0] == words[1] || both_zero || (isnan(p[i]) && isnan(q[i])))
        return true;
    snprintf(text, size, "element %zu: %.9g (%08" PRIx32 "), %.9g (%08" PRIx32 ")", i, (double)p[i], words[0],
             (double)q[i], words[1]);
    return false;
}

size_t golden_trace_compare(const struct golden_trace *a, const struct golden_trace *b, FILE *report)
{
    size_t differ = 0, most = a->count > b->count ? a->count : b->count;
    for (size_t i = 0; i < most; i++) {
        const struct golden_value *p = i < a->count ? &a->value[i] : NULL, *q = i < b->count ? &b->value[i] : NULL;
        char text[128] = "missing on one side";
        bool equal = p && q && strcmp(p->name, q->name) == 0 && p->dtype == q->dtype && p->bytes == q->bytes;
        size_t elements = !equal ? 0 : p->dtype == LS_FLOAT32 ? p->bytes / 4 : p->bytes;
        for (size_t k = 0; equal && k < elements; k++)
            equal = same_element(p, q, k, text, sizeof text);
        if (equal)
            continue;
        differ++;
        if (report)
            fprintf(report, "%s: %s\n", p ? p->name : q->name, text);
    }
    return differ;
}

void golden_trace_free(struct golden_trace *trace)
{
    for (size_t i = 0; i < trace->count; i++)
        free(trace->value[i].data);
    free(trace->value);
    *trace = (struct golden_trace){0};
}
