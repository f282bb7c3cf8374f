/* SPDX-License-Identifier: Apache-2.0
 *
 * The smaller calls of a dump: of every primitive, each form for each result gives the bits that the whole call
 * gave there, and the smallest one is smaller. And the files: what is damaged is refused, and what somebody forged is
 * refused or runs.
 */
#define _XOPEN_SOURCE 700 /* truncate, mkdtemp */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../backends/verify/dump.h"
#include "cache.h"
#include "check.h"

static struct ls_device *device;
static struct ls_buffer some[5];
static char folder[] = "/tmp/lockstep-test-XXXXXX", path[64];

/* Small integers are valid indices, labels and positions of windows below. */
static void fill(struct ls_call *call)
{
    for (int i = 0; i < call->count; i++) {
        struct ls_call_field *f = &call->field[i];
        union {
            float f;
            int32_t i;
        } *data = malloc((size_t)f->elements * sizeof *data + 1);
        for (int64_t e = 0; e < f->elements; e++)
            if (f->dtype == LS_INT32)
                data[e].i = (int32_t)((e * 5 + i) % 3);
            else
                data[e].f = (float)((e * 7 + i * 3) % 11 - 5) * 0.37f;
        f->before = data;
    }
}

static int64_t elements(const struct ls_call *call)
{
    int64_t n = 0;
    for (int i = 0; i < call->count; i++)
        n += call->field[i].elements;
    return n;
}

static uint32_t result(const struct ls_call *call, struct ls_place place)
{
    uint32_t word;
    memcpy(&word, (const char *)call->field[place.field].after[0] + place.at * 4, sizeof word);
    return word;
}

/* Forms that run the first rows of a program only are not compared here: `rows` is how many a whole one has. */
static void of_one(const struct ls_call *call, struct ls_place place, int rows)
{
    struct ls_call small;
    bool smaller = false;
    int made = 1;
    for (int form = 0; made != 0; form++) {
        struct ls_place there = place;
        made = ls_call_smaller(call, &there, form, &small);
        if (made > 0 && form % rows == rows - 1) {
            smaller |= elements(&small) < elements(call);
            CHECK(ls_call_run(&small, device, 0) == LS_OK, "%s: %s", ls_call_name(call), device->message.text);
            CHECK(there.at >= 0 && there.at < small.field[there.field].elements, "%s, form %d: lost", ls_call_name(call), form);
            CHECK(there.at >= 0 && result(&small, there) == result(call, place), "%s, form %d: result %d of field %d is %08x, not %08x",
                  ls_call_name(call), form, (int)place.at, place.field, (unsigned)result(&small, there),
                  (unsigned)result(call, place));
        }
        ls_call_finish(&small);
    }
    CHECK(smaller, "%s: result %d has no smaller call", ls_call_name(call), (int)place.at);
}

/* ---- Files ---- */

enum { HEAD = 48, HASH = 40 }; /* of a dump; the hash of all that follows is the head's last word */
static unsigned char dump[1 << 14];
static size_t bytes;

static void is_no_dump(const char *name, const char *what, size_t at)
{
    struct ls_call call;
    struct ls_message said = {{0}};
    CHECK(ls_call_load(&call, path, &said) == LS_BAD_FILE && strstr(said.text, path), "%s, %s %zu: %s", name, what, at, said.text);
}

static void put(FILE *file, size_t at, size_t size)
{
    fseek(file, (long)at, SEEK_SET);
    CHECK(fwrite(dump + at, size, 1, file) == 1 && fflush(file) == 0, "%s", path);
}

/* Every byte damaged, every length but the right one. */
static void damaged(const char *name)
{
    FILE *file = fopen(path, "r+b");
    for (size_t i = 0; i < bytes; i++) {
        dump[i] ^= (unsigned char)(1u << i % 8);
        put(file, i, 1);
        is_no_dump(name, "damaged at", i);
        dump[i] ^= (unsigned char)(1u << i % 8);
        put(file, i, 1);
    }
    fclose(file);
    CHECK(truncate(path, (off_t)bytes + 1) == 0, "%s", path);
    is_no_dump(name, "longer than", bytes);
    for (size_t length = bytes; length-- > 0;) {
        CHECK(truncate(path, (off_t)length) == 0, "%s", path);
        is_no_dump(name, "cut to", length);
    }
}

/* Every byte of the arguments changed, and the hash made right: what is then taken for a call runs and has a text. How
 * many are refused. */
static int forged(size_t size)
{
    static const unsigned char change[] = {0x01, 0x3f, 0x80, 0xff};
    FILE *file = fopen(path, "w+b");
    int refused = 0;
    put(file, 0, bytes);
    for (size_t i = 0; i < size * 4; i++) {
        size_t at = HEAD + offsetof(struct ls_node, args) + i / 4;
        dump[at] ^= change[i % 4];
        uint64_t hash = ls_cache_hash(LS_CACHE_HASH, dump + HEAD, bytes - HEAD);
        memcpy(dump + HASH, &hash, sizeof hash);
        put(file, HASH, sizeof hash);
        put(file, at, 1);
        struct ls_call call;
        struct ls_message said = {{0}};
        char text[512];
        ls_status status = ls_call_load(&call, path, &said);
        refused += status == LS_BAD_FILE;
        if (status == LS_OK) {
            ls_node_text(&call.node, text, sizeof text);
            ls_call_run(&call, device, 0);
            ls_call_finish(&call);
        }
        dump[at] ^= change[i % 4];
        put(file, at, 1);
    }
    fclose(file);
    return refused;
}

static void files(const struct ls_call *call, size_t size)
{
    struct ls_call again;
    struct ls_message said = {{0}};
    const char *name = ls_call_name(call);
    CHECK(ls_call_save(call, path), "%s", path);
    CHECK(ls_call_load(&again, path, &said) == LS_OK, "%s: %s", name, said.text);
    CHECK(again.count == call->count && memcmp(&again.node, &call->node, sizeof again.node) == 0, "%s is another call", name);
    ls_call_finish(&again);
    FILE *file = fopen(path, "rb");
    bytes = fread(dump, 1, sizeof dump, file);
    fclose(file);
    CHECK(bytes < sizeof dump, "%s: too long for this test", name);
    damaged(name);
    CHECK(forged(size) > 0, "%s: nothing is refused", name);
}

/* ---- */

static void of_call(enum ls_prim prim, const void *args, size_t size, bool (*is_made)(int64_t at))
{
    struct ls_call call;
    ls_call_init(&call, prim, args, size);
    fill(&call);
    CHECK(ls_call_run(&call, device, 0) == LS_OK, "%s: %s", ls_call_name(&call), device->message.text);
    for (int i = 0; i < call.count; i++)
        for (int64_t at = 0; call.field[i].written && at < call.field[i].elements; at++)
            if (!is_made || is_made(at))
                of_one(&call, (struct ls_place){i, at}, prim == LS_PRIM_map ? call.node.args.map.rows : 1);
    files(&call, size);
    ls_call_finish(&call);
}
#define OF(prim, ...) of_call(LS_PRIM_##prim, &(struct ls_##prim##_args){__VA_ARGS__}, sizeof(struct ls_##prim##_args), NULL)

static bool is_copied(int64_t at) { return at % 20 < 15 && at % 20 % 4 < 3; } /* what the copy below writes */

static bool is_before_last(int64_t at) { return at < 29; } /* random numbers are cut off behind the result */

static void moves(void)
{
    OF(fill, &some[0], LS_INT32, 7, 3, 21);
    struct ls_copy_nd_args copy = {&some[0], &some[1], LS_FLOAT32, 3, {2, 4, 3}, 11, 0, {12, -1, 3}, {20, 4, 1}};
    of_call(LS_PRIM_copy_nd, &copy, sizeof copy, is_copied);
    OF(gather, &some[0], &some[1], &some[2], LS_FLOAT32, 2, 3, 4, 5);
    OF(gather, &some[0], &some[1], &some[2], LS_FLOAT32, 2, 2, 4, 5); /* index 2 is outside */
    OF(scatter_add, &some[0], &some[1], &some[2], 2, 4, 3, 7); /* row 3 is not met */
    struct ls_random_args random = {LS_RANDOM_NORMAL, &some[0], &some[1], 12345, 3, 30};
    of_call(LS_PRIM_random, &random, sizeof random, is_before_last);
}

static void rows(void)
{
    for (int64_t inner = 1; inner < 4; inner += 2)
        OF(reduce, LS_REDUCE_SUM, LS_FLOAT32, &some[0], &some[1], 4, 70, inner);
    OF(reduce, LS_REDUCE_ARGMAX, LS_FLOAT32, &some[0], &some[1], 4, 70, 3);
    for (int way = 0; way < 4; way++)
        OF(scan, LS_FLOAT32, &some[0], way & 1 ? &some[1] : NULL, &some[2], 2, 5, 3, way & 2, way & 1);
    OF(sort, LS_FLOAT32, &some[0], &some[1], 3, 8, true);
    OF(softmax, &some[0], &some[1], 3, 8, false);
    OF(sparse_xent, &some[0], &some[1], &some[2], &some[3], 4, 6);
    OF(sparse_xent, &some[0], &some[1], &some[2], NULL, 4, 6);
}

/* Only where the words of the inputs are: what lies before them is not written. */
static bool is_word(int64_t at) { return at >= 3; }

static void digests(void)
{
    struct ls_digest_args a = {3, {{&some[0], LS_FLOAT32, 5}, {&some[1], LS_INT32, 7}, {&some[2], LS_FLOAT32, 30}}, &some[3], 3};
    of_call(LS_PRIM_digest, &a, sizeof a, is_word);
}

static void products(void)
{
    for (int form = 0; form < 8; form++)
        OF(gemm, .a = &some[0], .b = &some[1], .c = &some[2], .bias = form & 4 ? &some[3] : NULL, .batch = 2, .m = 3, .n = 4,
           .k = 5, .stride_a = form & 4 ? 0 : 15, .stride_b = 20, .trans_a = form & 1, .trans_b = form & 2,
           .activation = form & 4 ? LS_ROW_tanh : LS_ROW_NONE);
}

static void windows(void)
{
    struct ls_window w = {.batch = 3, .in = {5, 4, 1}, .out = {4, 3, 1}, .size = {2, 2, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
    struct ls_window padded = w;
    padded.before[0] = padded.before[1] = 1;
    padded.out[0] = 6;
    padded.out[1] = 5;
    for (int pass = LS_CONV_FORWARD; pass <= LS_CONV_KERNEL; pass++)
        for (int bias = 0; bias < 2; bias++)
            OF(conv, (enum ls_conv_pass)pass, padded, 2, 3, 2, &some[0], &some[1], &some[2],
               bias && pass != LS_CONV_KERNEL ? &some[3] : NULL, LS_ROW_NONE);
    for (int op = LS_POOL_MAX; op <= LS_POOL_SPREAD_AVERAGE; op++)
        OF(pool, (enum ls_pool_op)op, w, 2, &some[0], &some[1],
           op == LS_POOL_AVERAGE || op == LS_POOL_SPREAD_AVERAGE ? NULL : &some[2]);
}

/* Of a program also the first rows: the result of the last of them. */
static void programs(void)
{
    struct ls_map_args m = {.rows = 3, .inputs = 2, .outputs = 1, .rank = 2, .n = 12, .extent = {3, 4},
                            .row = {{LS_ROW_mul, {0, 1}}, {LS_ROW_less, {LS_REGISTER_ROW, 1}}, {LS_ROW_add, {LS_REGISTER_ROW, 1}}},
                            .input = {{&some[0], LS_FLOAT32, {4, 1}}, {&some[1], LS_FLOAT32, {0, 1}}},
                            .output = {{&some[2], LS_FLOAT32, LS_REGISTER_ROW + 2}}};
    of_call(LS_PRIM_map, &m, sizeof m, NULL);
    m.output[0].buffer = &some[0]; /* in place */
    of_call(LS_PRIM_map, &m, sizeof m, NULL);
    struct ls_call call, small;
    ls_call_init(&call, LS_PRIM_map, &m, sizeof m);
    fill(&call);
    for (int form = 0; form < 12; form++)
        for (int64_t at = 0; at < 12; at++) {
            float product = ((float *)call.field[0].before)[at] * ((float *)call.field[1].before)[at % 4];
            int32_t less = product < ((float *)call.field[1].before)[at % 4];
            struct ls_place place = {2, at};
            CHECK(ls_call_smaller(&call, &place, form, &small) == 1 && ls_call_run(&small, device, 0) == LS_OK, "form %d", form);
            const void *got = (const char *)small.field[2].after[0] + place.at * 4;
            CHECK(form % 3 == 2 || memcmp(got, form % 3 == 0 ? (void *)&product : (void *)&less, 4) == 0, "form %d of %d", form, (int)at);
            ls_call_finish(&small);
        }
    CHECK(ls_call_smaller(&call, &(struct ls_place){2, 0}, 15, &small) == 0, "a form too many");
    ls_call_finish(&call);
}

int main(void)
{
    struct ls_message message;
    CHECK(ls_device_open("reference", &device, &message) == LS_OK, "%s", message.text);
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(path, sizeof path, "%s/dump.lsd", folder);
    moves();
    rows();
    digests();
    products();
    windows();
    programs();
    device->backend->close(device);
    struct ls_call none;
    CHECK(remove(path) == 0 && ls_call_load(&none, path, &message) == LS_FILE_ERROR, "no file: %s", message.text);
    CHECK(ls_call_load(&none, folder, &message) == LS_BAD_FILE, "a folder: %s", message.text);
    CHECK(rmdir(folder) == 0, "%s", folder);
    return end_of_checks();
}
