/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops of reduce.c for one element type: TYPE, with names made by NAME. Included twice.
 */

/* One block x[0..n), n <= 4096, from `start` on. */
typedef TYPE NAME(block)(const TYPE *x, int64_t n, TYPE start);

LS_FN TYPE NAME(lanes)(enum ls_reduce_op op, const TYPE *x, int64_t n, TYPE start)
{
    TYPE lane[LS_REDUCE_LANES];
    int64_t whole = n / LS_REDUCE_LANES * LS_REDUCE_LANES;
    EACH(l, LS_REDUCE_LANES) lane[l] = start;
    for (int64_t i = 0; i < whole; i += LS_REDUCE_LANES) {
        EACH(l, LS_REDUCE_LANES) lane[l] = NAME(combine)(op, lane[l], x[i + (int64_t)l]);
    }
    for (int64_t l = 0; l < n - whole; l++) {
        lane[l] = NAME(combine)(op, lane[l], x[whole + l]);
    }
    EACH(l, 32) lane[l] = NAME(combine)(op, lane[l], lane[l + 32]);
    EACH(l, 16) lane[l] = NAME(combine)(op, lane[l], lane[l + 16]);
    EACH(l, 8) lane[l] = NAME(combine)(op, lane[l], lane[l + 8]);
    EACH(l, 4) lane[l] = NAME(combine)(op, lane[l], lane[l + 4]);
    EACH(l, 2) lane[l] = NAME(combine)(op, lane[l], lane[l + 2]);
    return NAME(combine)(op, lane[0], lane[1]);
}

/* Rows of at most SHORT elements, whose lanes have one element or none: SIDE rows side by side. A
 * lane without an element holds 0 or 1 for sum and product and is left out. */
LS_FN void NAME(short_rows)(enum ls_reduce_op op, const TYPE *x, TYPE *y, int64_t rows, int64_t r)
{
    TYPE lane[SHORT][SIDE] = {{0}};
    for (int64_t o = 0; o < rows; o += SIDE) {
        int64_t n = rows - o < SIDE ? rows - o : SIDE;
        ISA(transpose)((const word *)(x + o * r), r, (word *)lane[0], SIDE, n, r);
        bool by_order = op == LS_REDUCE_MAX || op == LS_REDUCE_MIN;
        for (int64_t l = 1; l < r && by_order; l++) {
            EACH(j, SIDE) lane[0][j] = NAME(combine)(op, lane[0][j], lane[l][j]);
        }
        for (int64_t half = SHORT / 2; half > 0 && !by_order; half /= 2) {
            for (int64_t l = 0; l < half && l + half < r; l++) {
                EACH(j, SIDE) lane[l][j] = NAME(combine)(op, lane[l][j], lane[l + half][j]);
            }
        }
        EACH(j, n) y[o + (int64_t)j] = lane[0][j];
    }
}

static TYPE NAME(sum_block)(const TYPE *x, int64_t n, TYPE start)
{
    return NAME(lanes)(LS_REDUCE_SUM, x, n, start);
}

static TYPE NAME(prod_block)(const TYPE *x, int64_t n, TYPE start)
{
    return NAME(lanes)(LS_REDUCE_PROD, x, n, start);
}

static TYPE NAME(max_block)(const TYPE *x, int64_t n, TYPE start)
{
    return NAME(lanes)(LS_REDUCE_MAX, x, n, start);
}

static TYPE NAME(min_block)(const TYPE *x, int64_t n, TYPE start)
{
    return NAME(lanes)(LS_REDUCE_MIN, x, n, start);
}

static NAME(block) *const NAME(blocks)[] = {
    [LS_REDUCE_SUM] = NAME(sum_block),
    [LS_REDUCE_PROD] = NAME(prod_block),
    [LS_REDUCE_MAX] = NAME(max_block),
    [LS_REDUCE_MIN] = NAME(min_block),
};

/* What a row starts from: maxima from its first element. */
static TYPE NAME(start)(enum ls_reduce_op op, const TYPE *x)
{
    return op == LS_REDUCE_SUM ? 0 : op == LS_REDUCE_PROD ? 1 : *x;
}

/* A row of any length. A span is what one value of the last level but one covers; a value that is
 * alone in its block passes unchanged, so that shorter last spans may have fewer levels. */
static TYPE NAME(row)(NAME(block) *block, const TYPE *x, int64_t n, TYPE start)
{
    if (n <= LS_REDUCE_BLOCK) {
        return block(x, n, start);
    }
    TYPE partial[LS_REDUCE_BLOCK];
    int64_t span = LS_REDUCE_BLOCK;
    while (span * LS_REDUCE_BLOCK < n) {
        span *= LS_REDUCE_BLOCK;
    }
    int64_t count = (n + span - 1) / span;
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = n - i * span;
        partial[i] = NAME(row)(block, x + i * span, rest < span ? rest : span, start);
    }
    return block(partial, count, start);
}

/* y[o] = the reduction of row o of x (rows, r). */
static void NAME(rows)(enum ls_reduce_op op, const TYPE *x, TYPE *y, int64_t rows, int64_t r)
{
    if (r <= SHORT && rows >= SIDE / 8) {
        switch (op) {
        case LS_REDUCE_SUM: NAME(short_rows)(LS_REDUCE_SUM, x, y, rows, r); break;
        case LS_REDUCE_PROD: NAME(short_rows)(LS_REDUCE_PROD, x, y, rows, r); break;
        case LS_REDUCE_MAX: NAME(short_rows)(LS_REDUCE_MAX, x, y, rows, r); break;
        default: NAME(short_rows)(LS_REDUCE_MIN, x, y, rows, r); break;
        }
        return;
    }
    for (int64_t o = 0; o < rows; o++, x += r) {
        y[o] = NAME(row)(NAME(blocks)[op], x, r, NAME(start)(op, x));
    }
}

struct NAME(rows_work) {
    enum ls_reduce_op op;
    const TYPE *x;
    TYPE *y;
    int64_t r;
};

static void NAME(reduce_rows)(const void *context, int thread, int64_t begin, int64_t end)
{
    const struct NAME(rows_work) *work = context;
    (void)thread;
    NAME(rows)(work->op, work->x + begin * work->r, work->y + begin, end - begin, work->r);
}

/* Blocks of rows: y is (outer, blocks of a row). */
static void NAME(reduce_blocks)(const void *context, int thread, int64_t begin, int64_t end)
{
    const struct NAME(rows_work) *work = context;
    int64_t blocks = (work->r + LS_REDUCE_BLOCK - 1) / LS_REDUCE_BLOCK;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const TYPE *x = work->x + i / blocks * work->r;
        int64_t at = i % blocks * LS_REDUCE_BLOCK;
        int64_t rest = work->r - at;
        work->y[i] = NAME(blocks)[work->op](x + at, rest < LS_REDUCE_BLOCK ? rest : LS_REDUCE_BLOCK,
                                            NAME(start)(work->op, x));
    }
}

/* Few long rows: all blocks of all rows side by side, then each row's block results. */
static ls_status NAME(reduce_long)(struct reference_device *device, const struct ls_reduce_args *args)
{
    const TYPE *x = data_of(args->src);
    TYPE *y = data_of(args->dst);
    int64_t blocks = (args->r + LS_REDUCE_BLOCK - 1) / LS_REDUCE_BLOCK;
    TYPE *partial = ls_reference_scratch(device, (size_t)(args->outer * blocks) * sizeof *partial);
    if (!partial) {
        return LS_OUT_OF_MEMORY;
    }
    struct NAME(rows_work) work = {args->op, x, partial, args->r};
    ls_reference_parallel(device, args->outer * blocks, PARALLEL_WORK / LS_REDUCE_BLOCK,
                          NAME(reduce_blocks), &work);
    for (int64_t o = 0; o < args->outer; o++) {
        TYPE start = NAME(start)(args->op, x + o * args->r);
        y[o] = NAME(row)(NAME(blocks)[args->op], partial + o * blocks, blocks, start);
    }
    return LS_OK;
}

struct NAME(columns_work) {
    enum ls_reduce_op op;
    const TYPE *x;
    TYPE *y;
    int64_t r, inner, blocks, tile, tiles;
};

/* y[0..n) = the combination of `count` rows of x, from what y holds. */
LS_FN void NAME(add_rows)(enum ls_reduce_op op, TYPE *y, const TYPE *x, int64_t count,
                          int64_t inner, int64_t n)
{
    int64_t k = 0;
    for (; k + 4 <= count; k += 4, x += 4 * inner) {
        EACH(j, n)
        {
            TYPE sum = NAME(combine)(op, y[j], x[j]);
            sum = NAME(combine)(op, sum, x[j + (size_t)inner]);
            sum = NAME(combine)(op, sum, x[j + 2 * (size_t)inner]);
            y[j] = NAME(combine)(op, sum, x[j + 3 * (size_t)inner]);
        }
    }
    for (; k < count; k++, x += inner) {
        EACH(j, n) y[j] = NAME(combine)(op, y[j], x[j]);
    }
}

/* Chains of at most 1024 rows: task (outer, block, tile of columns) gives y (outer, block, inner). */
static void NAME(reduce_columns)(const void *context, int thread, int64_t begin, int64_t end)
{
    const struct NAME(columns_work) *work = context;
    (void)thread;
    for (int64_t task = begin; task < end; task++) {
        int64_t column = task % work->tiles * work->tile;
        int64_t chain = task / work->tiles;
        int64_t row = chain % work->blocks * LS_CHAIN_BLOCK;
        const TYPE *top = work->x + chain / work->blocks * work->r * work->inner + column;
        TYPE *y = work->y + chain * work->inner + column;
        int64_t n = work->inner - column < work->tile ? work->inner - column : work->tile;
        int64_t count = work->r - row < LS_CHAIN_BLOCK ? work->r - row : LS_CHAIN_BLOCK;
        const TYPE *x = top + row * work->inner;
        TYPE sum[TILE];
        for (int64_t j = 0; j < n; j++) {
            sum[j] = NAME(start)(work->op, top + j);
        }
        switch (work->op) {
        case LS_REDUCE_SUM: NAME(add_rows)(LS_REDUCE_SUM, sum, x, count, work->inner, n); break;
        case LS_REDUCE_PROD: NAME(add_rows)(LS_REDUCE_PROD, sum, x, count, work->inner, n); break;
        case LS_REDUCE_MAX: NAME(add_rows)(LS_REDUCE_MAX, sum, x, count, work->inner, n); break;
        default: NAME(add_rows)(LS_REDUCE_MIN, sum, x, count, work->inner, n); break;
        }
        memcpy(y, sum, (size_t)n * sizeof *y);
    }
}

/* y[o] = the combination of the chains of `o` in ascending order, the first one copied. */
static void NAME(join_chains)(enum ls_reduce_op op, TYPE *y, const TYPE *partial, int64_t outer,
                              int64_t blocks, int64_t inner)
{
    for (int64_t o = 0; o < outer; o++, y += inner, partial += blocks * inner) {
        memcpy(y, partial, (size_t)inner * sizeof *y);
        for (int64_t b = 1; b < blocks; b++) {
            const TYPE *x = partial + b * inner;
            switch (op) {
            case LS_REDUCE_SUM: EACH(j, inner) y[j] = NAME(combine)(LS_REDUCE_SUM, y[j], x[j]); break;
            case LS_REDUCE_PROD: EACH(j, inner) y[j] = NAME(combine)(LS_REDUCE_PROD, y[j], x[j]); break;
            case LS_REDUCE_MAX: EACH(j, inner) y[j] = NAME(combine)(LS_REDUCE_MAX, y[j], x[j]); break;
            default: EACH(j, inner) y[j] = NAME(combine)(LS_REDUCE_MIN, y[j], x[j]); break;
            }
        }
    }
}

/* inner > 1 */
static ls_status NAME(reduce_slow_axis)(struct reference_device *device,
                                        const struct ls_reduce_args *args)
{
    TYPE *y = data_of(args->dst);
    int64_t blocks = (args->r + LS_CHAIN_BLOCK - 1) / LS_CHAIN_BLOCK;
    int64_t rows = args->r < LS_CHAIN_BLOCK ? args->r : LS_CHAIN_BLOCK;
    int64_t tile = args->inner < TILE ? args->inner : TILE;
    while (tile > CACHE_LINE && args->outer * blocks * (args->inner / tile) < 2 * device->threads) {
        tile = (tile / 2 + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    }
    struct NAME(columns_work) work = {.op = args->op, .x = data_of(args->src), .y = y, .r = args->r,
                                      .inner = args->inner, .blocks = blocks, .tile = tile,
                                      .tiles = (args->inner + tile - 1) / tile};
    if (blocks > 1) {
        size_t bytes = (size_t)(args->outer * blocks * args->inner) * sizeof *y;
        work.y = ls_reference_scratch(device, bytes);
        if (!work.y) {
            return LS_OUT_OF_MEMORY;
        }
    }
    ls_reference_parallel(device, args->outer * blocks * work.tiles, PARALLEL_WORK / (rows * tile) + 1,
                          NAME(reduce_columns), &work);
    if (blocks > 1) {
        NAME(join_chains)(args->op, y, work.y, args->outer, blocks, args->inner);
    }
    return LS_OK;
}

static ls_status NAME(reduce)(struct reference_device *device, const struct ls_reduce_args *args)
{
    const TYPE *x = data_of(args->src);
    TYPE *y = data_of(args->dst);
    if (args->r == 0) {
        for (int64_t i = 0; i < args->outer * args->inner; i++) {
            y[i] = args->op == LS_REDUCE_PROD ? 1 : 0;
        }
        return LS_OK;
    }
    if (args->inner == 1) {
        if (args->r > LS_REDUCE_BLOCK && args->outer < 4 * device->threads) {
            return NAME(reduce_long)(device, args);
        }
        struct NAME(rows_work) work = {args->op, x, y, args->r};
        ls_reference_parallel(device, args->outer, PARALLEL_WORK / args->r + 1, NAME(reduce_rows),
                              &work);
        return LS_OK;
    }
    return NAME(reduce_slow_axis)(device, args);
}
