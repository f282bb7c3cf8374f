/* SPDX-License-Identifier: Apache-2.0
 *
 * Every primitive, called directly on the device and on the reference with the same arguments, and
 * their results compared by bits. Sizes stand at the edges of blocks, lanes and tiles; data reveals
 * the order of a sum, a product that was rounded before it was added, a flushed subnormal, a tail.
 */
#include "duel.h"

static const int64_t sizes[] = {1, 2, 3, 15, 16, 17, 63, 64, 65, 127, 255, 257, 511, 1023, 1024, 1025, 2049, 4095, 4096, 4097,
                                8193, 65535, 65536, 65537, 262147};
enum { SIZES = sizeof sizes / sizeof *sizes };

void suite_primitives(struct suite *s)
{
    struct duel duel = {.s = s}, *d = &duel;
    struct ls_message message = {{0}};
    if (!suite_check(s, ls_device_open("reference", &d->device[0], &message) == LS_OK, "open", "%s", message.text))
        return;
    if (suite_check(s, ls_device_open(s->kind.words, &d->device[1], &message) == LS_OK, "open", "%s", message.text)) {
        d->builds = d->device[1]->backend != d->device[0]->backend;
        duel_rows(d);
        suite_part(s, "map");
        duel_copies(d);
        suite_part(s, "copy_nd");
        duel_reductions(d, sizes, SIZES);
        suite_part(s, "reduce");
        duel_products(d);
        suite_part(s, "gemm");
        duel_convolutions(d);
        suite_part(s, "conv");
        for (int trial = 0; trial < 40; trial++)
            duel_pool(d, trial % 3 ? ORDER : INTEGERS); /* ties */
        suite_part(s, "pool");
        for (int i = 0; i < SIZES; i++) {
            if (!duel_affordable(d, sizes[i]))
                continue;
            duel_program(d, sizes[i]);
            for (int pattern = 0; pattern < 5 && (sizes[i] == 65 || sizes[i] == 1024 || sizes[i] == 4097); pattern++)
                duel_halves(d, sizes[i], pattern);
            duel_fill(d, sizes[i]);
            duel_random(d, sizes[i]);
            duel_digest(d, sizes[i]);
            if (sizes[i] <= 4097) {
                duel_softmax(d, 3, sizes[i]);
                if (duel_affordable(d, sizes[i] * 10))
                    duel_softmax(d, sizes[i], 10);
            }
        }
        suite_part(s, "programs, fill, random, softmax");
        duel_index(d, 1, 10, 1, 5);
        duel_index(d, 1, 7, 13, 29);
        duel_index(d, 3, 5, 2, 17);
        duel_index(d, 2, 4, 1, 60);
        if (duel_affordable(d, 60000)) {
            duel_index(d, 1, 100, 64, 257);
            duel_index(d, 1, 1000, 33, 1025);
        }
        suite_part(s, "gather, scatter_add");
        for (int i = 0; i < SIZES; i++)
            if (duel_affordable(d, 3 * sizes[i]) && sizes[i] <= 65537) {
                duel_scan(d, 3, sizes[i], 1);
                duel_scan(d, 1, sizes[i] % 1000 + 1, 65);
                duel_sort(d, 2, sizes[i]);
            }
        suite_part(s, "scan, sort");
        d->device[1]->backend->close(d->device[1]);
    }
    d->device[0]->backend->close(d->device[0]);
}
