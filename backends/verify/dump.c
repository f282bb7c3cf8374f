/* SPDX-License-Identifier: Apache-2.0 */
#include "dump.h"

#include <stdlib.h>
#include <string.h>

#include <lockstep/context.h>

#include "cache.h"

static struct ls_buffer **buffer_of(struct ls_node *node, const struct ls_call_field *field)
{
    return (struct ls_buffer **)(void *)((char *)node + field->at);
}

static size_t bytes_of(const struct ls_call_field *field)
{
    return (size_t)field->elements * ls_dtype_size(field->dtype);
}

/* Where a buffer's pointer is in the node. */
static size_t place_in(const struct ls_node *node, const struct ls_extent *extent)
{
    return (size_t)((const char *)extent->buffer - (const char *)node);
}

/* What the fields of a call are, by its node: which buffers, of what size, which of them are the same. */
static void describe(struct ls_call *call)
{
    struct ls_extent extents[LS_NODE_BUFFERS];
    call->count = ls_node_extents(&call->node, extents);
    for (int i = 0; i < call->count; i++) {
        struct ls_call_field *f = &call->field[i];
        *f = (struct ls_call_field){.at = place_in(&call->node, &extents[i]),
                                    .same = -1,
                                    .elements = extents[i].elements,
                                    .dtype = extents[i].dtype,
                                    .written = extents[i].written};
        for (int k = 0; k < i && f->same < 0; k++)
            if (*extents[k].buffer == *extents[i].buffer)
                f->same = k;
    }
}

void ls_call_init(struct ls_call *call, enum ls_prim prim, const void *args, size_t size)
{
    memset(call, 0, sizeof *call);
    call->node.prim = prim;
    memcpy(&call->node.args, args, size);
    describe(call);
}

void ls_call_finish(struct ls_call *call)
{
    for (int i = 0; i < call->count; i++) {
        free(call->field[i].before);
        free(call->field[i].after[0]);
        free(call->field[i].after[1]);
    }
}

/* ---- Running ---- */

static ls_status fetch(struct ls_device *device, struct ls_buffer *buffer, size_t bytes, void **data)
{
    free(*data);
    *data = malloc(bytes + 1);
    if (!*data)
        return LS_OUT_OF_MEMORY;
    return bytes ? device->backend->read(device, buffer, 0, *data, bytes) : LS_OK;
}

ls_status ls_call_fetch(struct ls_call *call, struct ls_device *device)
{
    ls_status status = LS_OK;
    for (int i = 0; i < call->count && status == LS_OK; i++)
        status = fetch(device, *buffer_of(&call->node, &call->field[i]), bytes_of(&call->field[i]),
                       &call->field[i].before);
    return status;
}

ls_status ls_call_results(struct ls_call *call, struct ls_device *device, int side)
{
    ls_status status = LS_OK;
    for (int i = 0; i < call->count && status == LS_OK; i++)
        if (call->field[i].written)
            status = fetch(device, *buffer_of(&call->node, &call->field[i]), bytes_of(&call->field[i]),
                           &call->field[i].after[side]);
    return status;
}

ls_status ls_call_slot(struct ls_device *device, const struct ls_node *node)
{
    switch (node->prim) {
#define PRIM(name, need, meaning)                                                                  \
    case LS_PRIM_##name:                                                                           \
        return device->backend->name ? device->backend->name(device, &node->args.name) : LS_UNSUPPORTED;
#include "prims.def"
#undef PRIM
    case LS_PRIM_COUNT: break;
    }
    return LS_INTERNAL;
}

static ls_status fill_buffer(struct ls_device *device, const struct ls_call_field *field, size_t room,
                             struct ls_buffer **buffer)
{
    size_t rounded = (room + 64) / 64 * 64;
    ls_status status = device->backend->create(device, rounded, buffer);
    if (status != LS_OK)
        return status;
    (*buffer)->bytes = rounded;
    return bytes_of(field) ? device->backend->write(device, *buffer, 0, field->before, bytes_of(field)) : LS_OK;
}

ls_status ls_call_run(struct ls_call *call, struct ls_device *device, int side)
{
    struct ls_buffer *buffer[LS_NODE_BUFFERS] = {NULL};
    struct ls_node theirs = call->node;
    ls_status status = LS_OK;
    for (int i = 0; i < call->count && status == LS_OK; i++) {
        const struct ls_call_field *f = &call->field[i];
        size_t room = 0;
        for (int k = i; k < call->count; k++)
            if ((k == i || call->field[k].same == i) && bytes_of(&call->field[k]) > room)
                room = bytes_of(&call->field[k]);
        if (f->same < 0)
            status = fill_buffer(device, f, room, &buffer[i]);
        *buffer_of(&call->node, f) = f->same < 0 ? buffer[i] : *buffer_of(&call->node, &call->field[f->same]);
    }
    if (status == LS_OK)
        status = ls_call_slot(device, &call->node);
    if (status == LS_OK)
        status = ls_call_results(call, device, side);
    for (int i = 0; i < call->count; i++)
        if (buffer[i])
            device->backend->destroy(device, buffer[i]);
    call->node = theirs;
    return status;
}

/* ---- Comparing ---- */

const char *ls_call_name(const struct ls_call *call)
{
    static const char *const names[] = {
#define PRIM(name, need, meaning) #name,
#include "prims.def"
#undef PRIM
    };
    return names[call->node.prim];
}

size_t ls_node_kind(const struct ls_node *node, char *text, size_t size)
{
    static const char *const reductions[] = {"sum", "prod", "max", "min", "argmax", "argmin"};
    static const char *const passes[] = {"forward", "input gradient", "kernel gradient"};
    static const char *const pools[] = {"max", "average", "take", "spread max", "spread average"};
    static const char *const rows[] = {
#define ROW(name) #name,
#include "elementwise_names.h"
#undef ROW
    };
    int used = 0;
    text[0] = '\0';
    if (node->prim == LS_PRIM_reduce)
        used = snprintf(text, size, " %s", reductions[node->args.reduce.op]);
    else if (node->prim == LS_PRIM_conv)
        used = snprintf(text, size, " %s", passes[node->args.conv.pass]);
    else if (node->prim == LS_PRIM_pool)
        used = snprintf(text, size, " %s", pools[node->args.pool.op]);
    for (int i = 0; node->prim == LS_PRIM_map && i < node->args.map.rows && (size_t)used + 24 < size; i++)
        used += snprintf(text + used, size - (size_t)used, " %s", rows[node->args.map.row[i].op]);
    return (size_t)used;
}

/* The kind and the sizes of a call, in the words of backend.h. */
void ls_node_text(const struct ls_node *node, char *text, size_t size)
{
    const struct ls_reduce_args *r = &node->args.reduce;
    const struct ls_gemm_args *g = &node->args.gemm;
    const struct ls_conv_args *c = &node->args.conv;
    size_t used = ls_node_kind(node, text, size);
    if (node->prim == LS_PRIM_reduce)
        snprintf(text + used, size - used, " (%lld, %lld, %lld)", (long long)r->outer, (long long)r->r, (long long)r->inner);
    else if (node->prim == LS_PRIM_gemm)
        snprintf(text + used, size - used, " %lld x (%lld, %lld, %lld) %c%c", (long long)g->batch, (long long)g->m,
                 (long long)g->n, (long long)g->k, g->trans_a ? 'T' : 'N', g->trans_b ? 'T' : 'N');
    else if (node->prim == LS_PRIM_conv)
        snprintf(text + used, size - used, " %lld x (%lld, %lld, %lld), %lld -> %lld channels, %lld groups",
                 (long long)c->window.batch, (long long)c->window.in[0], (long long)c->window.in[1],
                 (long long)c->window.in[2], (long long)c->channels, (long long)c->filters, (long long)c->groups);
}

/* How many results of a field differ, and the first that does. */
static int64_t count_different(const struct ls_call_field *f, enum ls_closeness closeness, int64_t *first)
{
    return ls_count_different(f->dtype, closeness, f->after[0], f->after[1], f->elements, first);
}

struct ls_place ls_call_first(const struct ls_call *call, enum ls_closeness closeness)
{
    struct ls_place place = {-1, -1};
    while (place.at < 0 && ++place.field < call->count) {
        const struct ls_call_field *f = &call->field[place.field];
        if (f->written && f->after[0] && f->after[1])
            count_different(f, closeness, &place.at);
    }
    return place;
}

bool ls_call_differs(const struct ls_call *call, enum ls_closeness closeness, char *text, size_t size)
{
    for (int i = 0; i < call->count; i++) {
        const struct ls_call_field *f = &call->field[i];
        if (!f->written || !f->after[0] || !f->after[1])
            continue;
        int64_t first = 0, different = count_different(f, closeness, &first);
        if (different == 0)
            continue;
        char sizes[160];
        ls_node_text(&call->node, sizes, sizeof sizes);
        int used = snprintf(text, size, "%s%s: %lld of %lld results differ, the first at %lld: ", ls_call_name(call), sizes,
                            (long long)different, (long long)f->elements, (long long)first);
        if (used >= 0 && (size_t)used < size)
            ls_difference_text(text + used, size - (size_t)used, f->dtype, first, f->after[0], call->device[0], f->after[1],
                               call->device[1]);
        return true;
    }
    return false;
}

/* ---- Files ---- */

struct head {
    char magic[8];
    uint32_t node, prims, canon, count; /* sizes that another build may have otherwise */
    char version[16];
    uint64_t checksum; /* of all that follows */
};

static struct head head_of(int count)
{
    struct head head = {"lsdump2", sizeof(struct ls_node), LS_PRIM_COUNT, (uint32_t)ls_canon_version(), (uint32_t)count,
                        {0}, 0};
    snprintf(head.version, sizeof head.version, "%s", ls_version());
    return head;
}

bool ls_call_save(const struct ls_call *call, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return false;
    struct head head = head_of(call->count);
    head.checksum = ls_cache_hash(LS_CACHE_HASH, call, sizeof *call);
    bool good = fseek(file, sizeof head, SEEK_SET) == 0 && fwrite(call, sizeof *call, 1, file) == 1;
    for (int i = 0; i < call->count && good; i++) {
        const struct ls_call_field *f = &call->field[i];
        const void *data[] = {f->before, f->after[0], f->after[1]};
        for (int k = 0; k < 3 && good; k++) {
            if (!data[k] || bytes_of(f) == 0)
                continue;
            head.checksum = ls_cache_hash(head.checksum, data[k], bytes_of(f));
            good = fwrite(data[k], bytes_of(f), 1, file) == 1;
        }
    }
    good = good && fseek(file, 0, SEEK_SET) == 0 && fwrite(&head, sizeof head, 1, file) == 1;
    return fclose(file) == 0 && good;
}

static ls_status bad(struct ls_message *message, ls_status status, const char *path, const char *why)
{
    snprintf(message->text, sizeof message->text, "%s: %s", path, why);
    return status;
}

/* What is left of a file. */
struct bytes {
    const char *at;
    size_t left;
};

static bool take(struct bytes *from, void *to, size_t size)
{
    if (from->left < size)
        return false;
    memcpy(to, from->at, size);
    from->at += size;
    from->left -= size;
    return true;
}

/* `there`: which of the arrays the file has. */
static bool load_field(struct bytes *from, struct ls_call_field *f, const bool *there)
{
    void **data[] = {&f->before, &f->after[0], &f->after[1]};
    bool good = there[0] && (uint64_t)f->elements <= from->left;
    for (int k = 0; k < 3 && good; k++)
        if (there[k])
            good = (*data[k] = malloc(bytes_of(f) + 1)) != NULL && take(from, *data[k], bytes_of(f));
    return good;
}

/* Nothing of the file but the call, the names and the arrays is believed: pointers are only marks in it. */
static bool parse(struct ls_call *call, struct bytes from, uint32_t count)
{
    bool there[LS_NODE_BUFFERS][3];
    int64_t most = (int64_t)from.left;
    if (!take(&from, call, sizeof *call))
        return false;
    for (int i = 0; i < LS_NODE_BUFFERS; i++) {
        struct ls_call_field *f = &call->field[i];
        memcpy(there[i], (bool[]){f->before != NULL, f->after[0] != NULL, f->after[1] != NULL}, sizeof there[i]);
        *f = (struct ls_call_field){.same = -1};
    }
    call->device[0][63] = call->device[1][63] = call->name[0][127] = call->name[1][127] = '\0';
    call->count = 0;
    if (!ls_node_is_sound(&call->node, most))
        return false;
    describe(call);
    bool good = call->count == (int)count;
    for (int i = 0; i < call->count && good; i++)
        good = load_field(&from, &call->field[i], there[i]);
    return good && from.left == 0;
}

/* All that follows in a file; false if there is no room for it. */
static bool read_rest(FILE *file, char **data, size_t *length)
{
    size_t room = 1 << 16;
    *data = NULL;
    *length = 0;
    do {
        char *more = realloc(*data, room *= 2);
        if (!more)
            return false;
        *data = more;
        *length += fread(more + *length, 1, room - *length, file);
    } while (*length == room);
    return true;
}

ls_status ls_call_load(struct ls_call *call, const char *path, struct ls_message *message)
{
    FILE *file = fopen(path, "rb");
    memset(call, 0, sizeof *call);
    if (!file)
        return bad(message, LS_FILE_ERROR, path, "cannot be opened");
    struct head head = {{0}}, mine;
    char *data = NULL;
    size_t length = 0;
    bool good = fread(&head, sizeof head, 1, file) == 1 && memcmp(head.magic, "lsdump2", 8) == 0;
    mine = head_of((int)head.count);
    mine.checksum = head.checksum;
    bool foreign = good && (memcmp(&head, &mine, sizeof head) != 0 || head.count > LS_NODE_BUFFERS);
    bool room = !good || foreign || read_rest(file, &data, &length);
    fclose(file);
    ls_status status = LS_BAD_FILE;
    if (!good)
        bad(message, status, path, "is not a dump of LOCKSTEP_BACKEND=verify:");
    else if (foreign)
        bad(message, status, path, "was written by another version of Lockstep; replay it with that one");
    else if (!room)
        status = bad(message, LS_OUT_OF_MEMORY, path, "is larger than the memory there is");
    else if (ls_cache_hash(LS_CACHE_HASH, data, length) != head.checksum || !parse(call, (struct bytes){data, length}, head.count))
        bad(message, status, path, "is cut off or damaged");
    else
        status = LS_OK;
    free(data);
    if (status != LS_OK)
        ls_call_finish(call);
    return status;
}
