/* SPDX-License-Identifier: Apache-2.0
 *
 * LOCKSTEP_CHECK=numerics: every op's result is read back, and the first NaN or Inf is an error that
 * names the op and the ops that led there. For finding a fault, not for speed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "record.h"

enum { LINKS = 4096, MOST_SHOWN = 16 };

/* How a value came to be. `leaf` names the tensor it starts with when no op is known to have made it. */
struct link {
    uint64_t id, parent;
    char op[64], leaf[64];
};

struct ls_numerics {
    const char *backward; /* the op whose gradient is being computed, or NULL */
    uint64_t count;
    struct link link[LINKS]; /* the latest, in turn */
};

void ls_numerics_open(ls_context *ls)
{
    const char *check = ls_env("LOCKSTEP_CHECK");
    if (!check)
        return;
    if (strcmp(check, "numerics") != 0) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "LOCKSTEP_CHECK=%s: the only check is numerics", check);
        return;
    }
    ls->numerics = calloc(1, sizeof *ls->numerics);
    if (!ls->numerics)
        ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for LOCKSTEP_CHECK");
}

const char *ls_numerics_backward(ls_context *ls, const char *op)
{
    if (!ls->numerics)
        return NULL;
    const char *before = ls->numerics->backward;
    ls->numerics->backward = op;
    return before;
}

static const struct link *find(const struct ls_numerics *n, uint64_t id)
{
    for (uint64_t back = 1; id && back <= n->count && back <= LINKS; back++)
        if (n->link[(n->count - back) % LINKS].id == id)
            return &n->link[(n->count - back) % LINKS];
    return NULL;
}

static void describe(const struct ls_slot *slot, char *text, size_t size)
{
    if (slot->name)
        snprintf(text, size, "%s", slot->name);
    else
        snprintf(text, size, "%s %.40s", ls_dtype_name(slot->value.dtype), ls_text(slot->value.shape).text);
}

/* Notes what made `out`: of the inputs, the first that an op made counts as where it came from. */
static void note(struct ls_numerics *n, const struct ls_op *op, const ls_tensor *in, int inputs, uint64_t id)
{
    struct link link = {.id = id};
    snprintf(link.op, sizeof link.op, "%s%s%s", op->name, n->backward ? " in the gradient of " : "",
             n->backward ? n->backward : "");
    for (int i = 0; i < inputs && !link.parent; i++) {
        const struct ls_slot *slot = ls_slot_of(in[i]);
        if (slot && find(n, slot->value.id))
            link.parent = slot->value.id;
        else if (slot && !link.leaf[0])
            describe(slot, link.leaf, sizeof link.leaf);
    }
    n->link[n->count++ % LINKS] = link;
}

/* "x -> matmul -> relu -> log" for the newest link. */
static void chain(const struct ls_numerics *n, char *text, size_t size)
{
    const struct link *shown[MOST_SHOWN];
    int count = 0;
    for (const struct link *link = &n->link[(n->count - 1) % LINKS]; link && count < MOST_SHOWN;
         link = find(n, link->parent))
        shown[count++] = link;
    const struct link *first = shown[count - 1];
    size_t used = (size_t)snprintf(text, size, "%s", first->parent ? "..." : first->leaf[0] ? first->leaf : "nothing");
    while (count-- > 0 && used < size)
        used += (size_t)snprintf(text + used, size - used, " -> %s", shown[count]->op);
}

struct finding {
    int64_t count, first; /* how many are not finite, and where the first is */
    const char *kind;     /* what the first is */
};

/* "NaN", "Inf", "-Inf", or NULL for the bits of a finite number. */
static const char *kind_of(ls_dtype dtype, uint32_t bits)
{
    uint32_t sign = dtype == LS_FLOAT32 ? 0x80000000u : 0x8000u, size = bits & (sign - 1);
    uint32_t infinity = dtype == LS_FLOAT32 ? 0x7f800000u : dtype == LS_FLOAT16 ? 0x7c00u : 0x7f80u;
    return size < infinity ? NULL : size > infinity ? "NaN" : bits & sign ? "-Inf" : "Inf";
}

static bool examine(ls_context *ls, const struct ls_value *value, struct finding *f)
{
    *f = (struct finding){0};
    int64_t n = ls_shape_elements(&value->shape);
    if (!ls_dtype_is_float(value->dtype) || n == 0 || !value->storage)
        return true;
    if (value->storage->constant && !value->storage->buffer) {
        f->kind = kind_of(value->dtype, value->storage->word);
        f->count = f->kind ? n : 0;
        return true;
    }
    size_t size = ls_dtype_size(value->dtype);
    void *elements = malloc((size_t)n * size);
    if (!elements)
        return ls_fail(ls, LS_OUT_OF_MEMORY, "no host memory for LOCKSTEP_CHECK"), false;
    ls_status status = ls->device->backend->read(ls->device, value->storage->buffer, 0, elements, (size_t)n * size);
    for (int64_t i = n; i-- > 0 && status == LS_OK;) {
        uint32_t bits = size == 4 ? ((const uint32_t *)elements)[i] : ((const uint16_t *)elements)[i];
        const char *kind = kind_of(value->dtype, bits);
        if (!kind)
            continue;
        f->count++;
        f->first = i;
        f->kind = kind;
    }
    free(elements);
    return status == LS_OK || (ls_fail_device(ls, status, "LOCKSTEP_CHECK"), false);
}

static void complain(ls_context *ls, const struct ls_op *op, const ls_tensor *in, int inputs,
                     const struct ls_value *out, const struct finding *made)
{
    struct ls_numerics *n = ls->numerics;
    char way[640], given[120] = "its inputs were finite";
    chain(n, way, sizeof way);
    for (int i = 0; i < inputs; i++) {
        const struct ls_slot *slot = ls_slot_of(in[i]);
        struct finding found;
        if (slot && examine(ls, &slot->value, &found) && found.count > 0) {
            char name[64];
            describe(slot, name, sizeof name);
            snprintf(given, sizeof given, "its input %d, %s, had %s already", i, name, found.kind);
            break;
        }
    }
    ls_fail(ls, LS_NOT_FINITE, "%s%s%s made %s at element %lld of %s (%lld not finite): %s; the way there: %s",
            op->name, n->backward ? " in the gradient of " : "", n->backward ? n->backward : "", made->kind,
            (long long)made->first, ls_text(out->shape).text, (long long)made->count, given, way);
}

bool ls_numerics_check(ls_context *ls, const struct ls_op *op, const ls_tensor *in, int inputs, ls_tensor out)
{
    const struct ls_slot *slot = ls_slot_of(out);
    struct finding found;
    note(ls->numerics, op, in, inputs, slot->value.id);
    if (!examine(ls, &slot->value, &found))
        return false;
    if (found.count > 0)
        complain(ls, op, in, inputs, &slot->value, &found);
    return found.count == 0;
}
