/* SPDX-License-Identifier: Apache-2.0
 *
 *     test_kernels_small [DEVICE]
 *
 * Every kernel family of the OpenCL backend once, with small shapes, forward and backward: what an
 * interpreter that watches each access can run in seconds. The bits are those of the reference.
 */
#include <string.h>

#include "check.h"
#include "devices.h"

/* Everything that is compared goes through here: parts are numbered by their place. */
enum { PARTS = 24 };

static int compute(ls_context *ls, ls_fingerprint_text parts[PARTS])
{
    ls_tensor kept[PARTS], g[4];
    int count = 0;
    ls_set_random_seed(ls, 5);
    ls_tensor image = ls_random_normal(ls, LS_SHAPE(2, 5, 6, 3), 0, 1), filter = ls_random_normal(ls, LS_SHAPE(3, 2, 3, 4), 0, 1);
    ls_tensor a = ls_random_uniform(ls, LS_SHAPE(5, 70), -1, 1), b = ls_random_uniform(ls, LS_SHAPE(70, 3), -1, 1);
    ls_tensor ids = ls_from_host(ls, LS_INT32, LS_SHAPE(5), (int32_t[]){2, 0, 2, 1, 2});
    LS_TAPE(tape, ls, .persistent = true) {
        ls_tensor sources[] = {image, filter, a, b};
        for (int i = 0; i < 4; i++)
            ls_watch(tape, sources[i]);
        ls_tensor conv = ls_conv(image, filter, .strides = {2, 1}, .padding = LS_SAME);
        ls_tensor pooled = ls_add(ls_max_pool(conv, .pool_size = {2, 2}), ls_average_pool(conv, .pool_size = {2, 2}));
        ls_tensor product = ls_matmul(a, b, .activation = LS_TANH), rows = ls_gather(product, ids, 0);
        ls_tensor loss = ls_add(ls_sum(ls_square(pooled), NULL, 0, false),
                                ls_mean(ls_sparse_softmax_cross_entropy(ids, rows), NULL, 0, false));
        kept[count++] = conv, kept[count++] = pooled, kept[count++] = product, kept[count++] = rows, kept[count++] = loss;
        ls_tape_end(tape);
        ls_gradient(tape, loss, sources, 4, g);
        ls_tape_destroy(&tape);
    }
    for (int i = 0; i < 4; i++)
        kept[count++] = g[i];
    ls_tensor bt = ls_transpose(b, (int[]){1, 0});
    kept[count++] = ls_matmul(bt, a, .transpose_a = false, .transpose_b = true);
    kept[count++] = ls_softmax(a, 1);
    kept[count++] = ls_sum(a, (int[]){0}, 1, false);
    kept[count++] = ls_argmax(a, 1);
    kept[count++] = ls_cumsum(a, 1, false, false);
    kept[count++] = ls_sort(a, 1, true);
    kept[count++] = ls_scatter_add(b, ids, ls_slice(b, (int64_t[]){0, 0}, (int64_t[]){5, 3}, NULL), 0);
    kept[count++] = ls_concat((ls_tensor[]){a, a}, 2, 0);
    kept[count++] = ls_depthwise_conv(image, ls_ones_like(ls_slice(filter, (int64_t[]){0, 0, 0, 0}, (int64_t[]){3, 2, 3, 1}, NULL)));
    for (int i = 0; i < count; i++)
        parts[i] = ls_fingerprint(&kept[i], 1);
    return count;
}

int main(int argc, char **argv)
{
    const struct device_kind kind = device_kind_of(argc > 1 ? argv[1] : "oclgrind");
    ls_context *ls = ls_open(kind.words), *reference = ls_open("reference");
    ls_fingerprint_text here[PARTS], there[PARTS];
    if (ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE)
        device_absent(&kind, ls_error_message(ls));
    int count = compute(ls, here);
    CHECK(compute(reference, there) == count && ls_error(reference) == LS_OK, "%s", ls_error_message(reference));
    for (int i = 0; i < count; i++)
        CHECK(strcmp(here[i].text, there[i].text) == 0, "part %d: %s, not %s: %s", i, here[i].text, there[i].text,
              ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
    ls_close(&reference);
    return end_of_checks();
}
