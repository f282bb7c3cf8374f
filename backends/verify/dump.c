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

void ls_call_init(struct ls_call *call, enum ls_prim prim, const void *args, size_t size)
{
    struct ls_extent extents[LS_NODE_BUFFERS];
    memset(call, 0, sizeof *call);
    call->node.prim = prim;
    memcpy(&call->node.args, args, size);
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

/* Whether a call from a file is one that dispatch could have made: it reads what the file has. */
static bool is_sound(const struct ls_call *call)
{
    const struct ls_map_args *map = &call->node.args.map;
    if (call->node.prim == LS_PRIM_map) {
        if (map->rows > LS_MAP_ROWS || map->inputs > LS_MAP_INPUTS || map->outputs > LS_MAP_OUTPUTS ||
            map->immediates > LS_MAP_IMMEDIATES || map->rank < 1 || map->rank > LS_MAX_RANK)
            return false;
        for (int i = 0; i < map->rows; i++)
            if (map->row[i].op >= LS_ROW_COUNT)
                return false;
    }
    if (call->node.prim == LS_PRIM_digest &&
        (call->node.args.digest.inputs < 0 || call->node.args.digest.inputs > LS_DIGEST_INPUTS))
        return false;
    const struct ls_copy_nd_args *copy = &call->node.args.copy_nd;
    return call->node.prim != LS_PRIM_copy_nd || (copy->rank >= 1 && copy->rank <= LS_MAX_RANK);
}

/* Where the buffers are, what is written and how much is known here, not from the file. */
static bool has_its_extents(struct ls_call *call)
{
    struct ls_extent extents[LS_NODE_BUFFERS];
    if (ls_node_extents(&call->node, extents) != call->count)
        return false;
    for (int i = 0; i < call->count; i++) {
        struct ls_call_field *f = &call->field[i];
        if (extents[i].elements != f->elements || extents[i].dtype != f->dtype)
            return false;
        f->at = place_in(&call->node, &extents[i]);
        f->written = extents[i].written;
    }
    return true;
}

static bool load_field(FILE *file, struct ls_call_field *f, uint64_t left, uint64_t *checksum)
{
    void **data[] = {&f->before, &f->after[0], &f->after[1]};
    bool there[3];
    for (int k = 0; k < 3; k++) { /* in the file they are only marks */
        there[k] = *data[k] != NULL;
        *data[k] = NULL;
    }
    if (f->elements < 0 || (unsigned)f->dtype >= LS_DTYPE_COUNT || (uint64_t)f->elements > left)
        return false;
    for (int k = 0; k < 3; k++) {
        if (!there[k])
            continue;
        *data[k] = malloc(bytes_of(f) + 1);
        if (!*data[k] || (bytes_of(f) && fread(*data[k], bytes_of(f), 1, file) != 1))
            return false;
        *checksum = ls_cache_hash(*checksum, *data[k], bytes_of(f));
    }
    return f->before != NULL;
}

ls_status ls_call_load(struct ls_call *call, const char *path, struct ls_message *message)
{
    FILE *file = fopen(path, "rb");
    memset(call, 0, sizeof *call);
    if (!file)
        return bad(message, LS_FILE_ERROR, path, "cannot be opened");
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    struct head head = {{0}}, mine;
    bool good = fread(&head, sizeof head, 1, file) == 1 && memcmp(head.magic, "lsdump2", 8) == 0;
    mine = head_of((int)head.count);
    mine.checksum = head.checksum;
    bool foreign = good && (memcmp(&head, &mine, sizeof head) != 0 || head.count > LS_NODE_BUFFERS);
    if (!good || foreign) {
        fclose(file);
        return good ? bad(message, LS_BAD_FILE, path, "was written by another version of Lockstep; replay it with that one")
                    : bad(message, LS_BAD_FILE, path, "is not a dump of LOCKSTEP_BACKEND=verify:");
    }
    int loaded = 0;
    good = fread(call, sizeof *call, 1, file) == 1 && call->count == (int)head.count &&
           (unsigned)call->node.prim < LS_PRIM_COUNT && is_sound(call);
    uint64_t checksum = ls_cache_hash(LS_CACHE_HASH, call, sizeof *call);
    call->device[0][63] = call->device[1][63] = call->name[0][127] = call->name[1][127] = '\0';
    good = good && has_its_extents(call);
    for (int i = 0; good && i < call->count; i = ++loaded)
        good = load_field(file, &call->field[i], (uint64_t)length, &checksum) && call->field[i].same < i;
    good = good && checksum == head.checksum && fgetc(file) == EOF;
    for (int i = loaded; i < LS_NODE_BUFFERS; i++)
        if (!good)
            call->field[i] = (struct ls_call_field){.same = -1};
    fclose(file);
    if (good)
        return LS_OK;
    call->count = loaded;
    ls_call_finish(call);
    return bad(message, LS_BAD_FILE, path, "is cut off or damaged");
}
