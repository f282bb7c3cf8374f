/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce: rows (inner == 1) block by block until one value is left, columns (inner > 1) as chains.
 */
#include "vulkan.h"

enum { GROUP = 64 };

/* What shaders/reduce.comp calls LS_FORM. */
enum form { FORM_ROWS, FORM_PLACES, FORM_COLUMNS, FORM_COLUMN_PLACES };

static bool is_place(enum ls_reduce_op op)
{
    return op == LS_REDUCE_ARGMAX || op == LS_REDUCE_ARGMIN;
}

/* One pass over (outer, r, inner): `blocks` results for each row or column, from `part` elements each. */
struct pass {
    struct ls_buffer *src, *dst;
    int64_t outer, r, inner, blocks, part;
    int64_t chain; /* columns: elements that are joined first (canon rule 8) */
};

/* What a launch takes of a pass: some of r and of inner, all unless outer is 1. */
struct window {
    int64_t row, rows, column, columns;
    struct ls_buffer *best; /* where places keep the best from one launch to the next, or NULL */
};

/* How much of r a launch of places or columns walks. */
static int64_t walk_of(const struct ls_vk_device *device, enum form form)
{
    return ls_vk_walk_part(device) * (form == FORM_PLACES ? GROUP : 1);
}

static ls_status run_window(struct ls_vk_device *device, const struct ls_reduce_args *args, enum form form,
                            const struct pass *pass, const struct window *w)
{
    const struct ls_vk_pipeline *pipeline;
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_reduce);
    ls_vk_key_add(&key, args->op);
    ls_vk_key_add(&key, args->dtype == LS_INT32);
    ls_vk_key_add(&key, form);
    ls_status status = ls_vk_pipeline(device, "reduce", &key, 3, &pipeline);
    if (status != LS_OK)
        return status;
    int64_t blocks = pass->blocks == 1 ? 1 : ls_vk_groups(w->rows, pass->part), results = pass->outer * blocks * w->columns;
    int64_t first = (pass->blocks == 1 ? 0 : w->row / pass->part) * pass->inner + w->column; /* result */
    struct ls_vk_buffer src, dst;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    ls_vk_bind(&launch,
               w->rows == 0 ? NULL
                            : ls_vk_box(&src, pass->src, (w->row * pass->inner + w->column) * 4, w->rows,
                                        w->columns * 4, pass->inner * 4),
               pass->outer * w->rows * w->columns * 4, LS_VK_READ);
    ls_vk_bind(&launch, ls_vk_box(&dst, pass->dst, first * 4, blocks, w->columns * 4, pass->inner * 4), results * 4,
               LS_VK_READ | LS_VK_WRITE);
    ls_vk_bind(&launch, w->best, results * 4, LS_VK_READ | LS_VK_WRITE);
    ls_vk_push(&launch, results);
    ls_vk_push(&launch, w->rows);
    ls_vk_push(&launch, blocks);
    ls_vk_push(&launch, w->columns);
    ls_vk_push(&launch, pass->part);
    ls_vk_push(&launch, pass->chain);
    ls_vk_push(&launch, pass->blocks == 1 ? w->row : 0);
    ls_vk_push(&launch, w->best != NULL);
    int64_t groups = form <= FORM_PLACES ? results : ls_vk_groups(results, GROUP);
    bool walks = pass->blocks == 1 && form != FORM_ROWS;
    return ls_vk_run_parts(&launch, groups, 0, w->rows, walks ? walk_of(device, form) : w->rows);
}

/* As many columns as can be bound of `unit` rows, a multiple of which a launch has to take, and as many rows as can be
 * bound of these. */
static ls_status run_windows(struct ls_vk_device *device, const struct ls_reduce_args *args, enum form form,
                             const struct pass *pass, int64_t unit)
{
    int64_t most = ls_vk_most(device), least = pass->r < unit ? pass->r : unit;
    int64_t width = pass->inner * least <= most ? pass->inner : most / least;
    int64_t height = width > 0 ? most / width / unit * unit : 0;
    width = width > 0 ? width : 1;
    height = height > 0 ? height : least;
    struct window w = {.column = 0};
    ls_status status = is_place(args->op) ? ls_vk_scratch(device, 0, (size_t)width * 4, &w.best) : LS_OK;
    for (; w.column < pass->inner; w.column += width) {
        w.columns = pass->inner - w.column < width ? pass->inner - w.column : width;
        for (w.row = 0; w.row < pass->r && status == LS_OK; w.row += height) {
            w.rows = pass->r - w.row < height ? pass->r - w.row : height;
            status = run_window(device, args, form, pass, &w);
        }
    }
    return status;
}

/* `unit`: see run_windows. */
static ls_status run_pass(struct ls_vk_device *device, const struct ls_reduce_args *args, enum form form,
                          const struct pass *pass, int64_t unit)
{
    if (pass->outer == 1 && !ls_vk_fits(device, pass->r * pass->inner, 4))
        return run_windows(device, args, form, pass, unit);
    struct window w = {.rows = pass->r, .columns = pass->inner};
    ls_status status = LS_OK;
    if (is_place(args->op) && pass->r > walk_of(device, form))
        status = ls_vk_scratch(device, 0, (size_t)(pass->outer * pass->inner) * 4, &w.best);
    return status == LS_OK ? run_window(device, args, form, pass, &w) : status;
}

static ls_status reduce_rows(struct ls_vk_device *device, const struct ls_reduce_args *args)
{
    struct pass pass = {args->src, args->dst, args->outer, args->r, 1, 1, LS_REDUCE_BLOCK, 1};
    if (is_place(args->op))
        return run_pass(device, args, FORM_PLACES, &pass, 1);
    for (int number = 0;; number++) {
        pass.blocks = pass.r == 0 ? 1 : ls_vk_groups(pass.r, LS_REDUCE_BLOCK);
        pass.dst = args->dst;
        ls_status status = LS_OK;
        if (pass.blocks > 1)
            status = ls_vk_scratch(device, number % 2, (size_t)(args->outer * pass.blocks) * 4, &pass.dst);
        if (status == LS_OK)
            status = run_pass(device, args, FORM_ROWS, &pass, LS_REDUCE_BLOCK);
        if (status != LS_OK || pass.blocks == 1)
            return status;
        pass.src = pass.dst;
        pass.r = pass.blocks;
    }
}

/* How many parts to cut r into: one, unless the columns alone leave the device idle. */
static int64_t parts_of(const struct ls_vk_device *device, const struct ls_reduce_args *args)
{
    int64_t blocks = ls_vk_groups(args->r, LS_CHAIN_BLOCK), wanted = device->base.info.is_gpu ? 32768 : 256;
    return blocks > 1 && args->inner * args->outer < wanted ? blocks : 1;
}

static ls_status reduce_columns(struct ls_vk_device *device, const struct ls_reduce_args *args)
{
    struct pass pass = {args->src, args->dst, args->outer, args->r, args->inner, 1, args->r, LS_CHAIN_BLOCK};
    if (is_place(args->op))
        return run_pass(device, args, FORM_COLUMN_PLACES, &pass, 1);
    int64_t parts = parts_of(device, args);
    if (parts == 1)
        return run_pass(device, args, FORM_COLUMNS, &pass, LS_CHAIN_BLOCK);
    pass.blocks = parts;
    pass.part = LS_CHAIN_BLOCK;
    ls_status status = ls_vk_scratch(device, 1, (size_t)(args->outer * parts * args->inner) * 4, &pass.dst);
    if (status == LS_OK)
        status = run_pass(device, args, FORM_COLUMNS, &pass, LS_CHAIN_BLOCK);
    if (status != LS_OK)
        return status;
    pass = (struct pass){pass.dst, args->dst, args->outer, parts, args->inner, 1, parts, 1}; /* joins what is joined */
    return run_pass(device, args, FORM_COLUMNS, &pass, 1);
}

ls_status ls_vk_reduce(struct ls_device *base, const struct ls_reduce_args *args)
{
    struct ls_vk_device *device = ls_vk_device_of(base);
    int64_t row = (args->r > 0 ? args->r : 1) * args->inner;
    if (args->outer > 1 && !ls_vk_fits(device, args->outer * row, 4)) {
        struct ls_vk_buffer src, dst;
        struct ls_reduce_args half = *args;
        half.outer = ls_vk_middle(args->outer);
        ls_status status = ls_vk_reduce(base, &half);
        half.src = ls_vk_part(&src, args->src, half.outer * args->r * args->inner * 4);
        half.dst = ls_vk_part(&dst, args->dst, half.outer * args->inner * 4);
        half.outer = args->outer - half.outer;
        return status == LS_OK ? ls_vk_reduce(base, &half) : status;
    }
    return args->inner == 1 ? reduce_rows(device, args) : reduce_columns(device, args);
}
