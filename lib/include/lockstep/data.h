/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sets. The elements lie on the device once, in the type of their file; a batch is gathered
 * there by indices that are uploaded once per epoch. Every step of a pipeline returns a new data set
 * that shares the elements with the old one. Data sets belong to their context. Errors are sticky:
 * NULL comes back, and every function accepts NULL. Options as in layers.h. One thread per context.
 */
#ifndef LOCKSTEP_DATA_H
#define LOCKSTEP_DATA_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_dataset ls_dataset;

/* ---- Where data sets come from ---- */

/**
 * Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017): x images (28, 28) uint8, y labels () int32, 0 to 9.
 * The first 55,000 of the training file, its last 5,000, and the 10,000 of the test file. Any of the
 * three may be NULL; without `validation` all 60,000 are for training. Looks for the four IDX files,
 * as they are or .gz, in LOCKSTEP_DATA_DIR, in its folder fashion-mnist, and where Debian's package
 * dataset-fashion-mnist puts them. Blocks while it reads. On an error all three are NULL:
 * LS_NOT_FOUND with how to get the files, LS_FILE_ERROR, LS_BAD_FILE, LS_OUT_OF_MEMORY.
 */
LS_API ls_status ls_fashion_mnist(ls_context *ls, ls_dataset **train, ls_dataset **validation, ls_dataset **test);

/**
 * Made-up images with the shapes, types and counts of ls_fashion_mnist, for machines without the
 * files: ten blurred patterns, shifted, dimmed and covered with noise. The same images for the same
 * seed everywhere; a small network learns them. Takes some tenths of a second.
 */
LS_API ls_status ls_synthetic_images(ls_context *ls, uint64_t seed, ls_dataset **train, ls_dataset **validation,
                                     ls_dataset **test);

/**
 * The elements x[i], y[i]: x (n, …) and y (n, …) of any type, n < 2^31. y may be nil. The tensors may
 * be released afterwards; their storage is shared. tf.data.Dataset.from_tensor_slices((x, y)).
 */
LS_API ls_dataset *ls_dataset_from_tensors(ls_tensor x, ls_tensor y);

/**
 * The array in an IDX file, plain or gzip: uint8 stays, the other integers become int32, floats
 * float32. The result belongs to the innermost scope. Blocks. Only regular files are read; sizes are
 * checked against the file before memory is allocated; the length must be exact; gzip's checksum is
 * verified. Errors: LS_NOT_FOUND, LS_FILE_ERROR, LS_BAD_FILE, LS_OVERFLOW (more than 2 GiB),
 * LS_OUT_OF_MEMORY. Format: yann.lecun.com/exdb/mnist.
 */
LS_API ls_tensor ls_read_idx(ls_context *ls, const char *path);

/* ---- Steps of a pipeline ---- */

typedef struct ls_shuffle_options {
    ls_dataset *dataset;
    int64_t buffer_size; /* as in tf.data: drawn from a window of so many elements; 0: from all */
    uint64_t seed;       /* 0: drawn from the context's random numbers (ls_set_random_seed) */
    bool same_every_epoch; /* reshuffle_each_iteration = False */
} ls_shuffle_options;

/**
 * The elements in a random order, another one each epoch: a function of seed and epoch alone, drawn
 * with integers on the host, so the same on every device. Comes before batch. Blocks once if it
 * draws its seed. LS_INVALID_ARGUMENT when the elements were batched or shuffled before.
 */
LS_API ls_dataset *ls_dataset_shuffle_with(const ls_shuffle_options *options);
/** ls_dataset_shuffle(train), ls_dataset_shuffle(train, 10000), ls_dataset_shuffle(train, .seed = 7). */
#define ls_dataset_shuffle(...) ls_dataset_shuffle_with(&(ls_shuffle_options){.dataset = __VA_ARGS__})

typedef struct ls_batch_options {
    ls_dataset *dataset;
    int64_t batch_size; /* >= 1 */
    bool drop_remainder; /* leave out a last batch that is not full */
} ls_batch_options;

/** Batches of consecutive elements. LS_INVALID_ARGUMENT when batch_size < 1 or batched before. */
LS_API ls_dataset *ls_dataset_batch_with(const ls_batch_options *options);
/** ls_dataset_batch(train, 128) or ls_dataset_batch(train, 128, .drop_remainder = true). */
#define ls_dataset_batch(...) ls_dataset_batch_with(&(ls_batch_options){.dataset = __VA_ARGS__})

/** The number of elements; 0 for NULL. */
LS_API int64_t ls_dataset_size(const ls_dataset *dataset);
/** The number of batches of an epoch; 0 for NULL or before ls_dataset_batch. */
LS_API int64_t ls_dataset_batches(const ls_dataset *dataset);

/** Releases a data set, and its elements with the last that shares them. Accepts NULL. */
LS_API void ls_dataset_destroy(ls_dataset **dataset);

/* ---- Going through it ---- */

/** One batch. The tensors belong to the batch's scope. */
typedef struct ls_batch {
    ls_tensor x, y; /* (size, …), in the types of the data set; y nil where it has none */
    int64_t size;   /* elements in this batch; the last one may have fewer */
    int64_t index;  /* 0 for the first of the epoch */
    /* private */
    ls_dataset *dataset;
    ls_tensor order;
    bool open;
} ls_batch;

/**
 * `LS_FOR_BATCHES(batch, train) { … }` runs the block for every batch of an epoch, each in a scope of
 * its own: what the block makes and does not keep goes with it. Every such loop is a new epoch of the
 * data set. Ends early when the context has an error. `break` and `continue` do what they do in any
 * loop. `return` and `goto` out of it leave the batch's scope open: end it first, with
 * ls_batch_end(&batch). Does not block, and uploads nothing but one array of indices per epoch.
 */
#define LS_FOR_BATCHES(batch, dataset)                                                             \
    for (ls_batch batch = ls_batches_begin(dataset); ls_batch_next(&batch);)                       \
        for (; batch.open; ls_batch_end(&batch))

/** What LS_FOR_BATCHES is made of: starts an epoch; LS_INVALID_ARGUMENT if it was not batched. */
LS_API ls_batch ls_batches_begin(ls_dataset *dataset);
/** Opens a scope with the next batch in it. False after the last one, after an error, and, having
 * closed it, when the batch before was not ended (that is what break does). */
LS_API bool ls_batch_next(ls_batch *batch);
/** Ends the scope of the batch. No effect when it was ended. */
LS_API void ls_batch_end(ls_batch *batch);

/* ---- Where training stands, and what it waits for ---- */

enum { LS_POSITION_BYTES = 40 };

/** A place in the course of a data set, to be written to a file as it is. Equal on every machine. */
typedef struct ls_dataset_position {
    unsigned char bytes[LS_POSITION_BYTES];
} ls_dataset_position;

/**
 * Where the loop over `dataset` stands that last took a batch. Inside the loop, the batch at hand counts as
 * taken: save after the step. After a loop that ended, or was left by break, it is the start of the next epoch.
 * What was prefetched does not count. Does not wait for the device.
 */
LS_API ls_status ls_dataset_save_position(const ls_dataset *dataset, ls_dataset_position *position);

/**
 * The next loop over `dataset` goes on from there: it gives the batches that would have followed, the first
 * with the index that it would have had, and later loops are the epochs after that. The data set must be made
 * as it was, by the same steps with the same seeds, over as many elements. Errors: LS_BAD_FILE for bytes that
 * are no position or were damaged; LS_INVALID_ARGUMENT for the position of another pipeline. On an error the data
 * set stays where it was.
 */
LS_API ls_status ls_dataset_restore_position(ls_dataset *dataset, const ls_dataset_position *position);

/** Seconds that loops over `dataset` ever waited for its next batch. */
LS_API double ls_dataset_wait_seconds(const ls_dataset *dataset);

/**
 * For the end of an epoch: the share of the time of the last loop over `dataset`, 0 to 1, that was spent
 * waiting for data. When that is more than a fifth of at least a tenth of a second, a warning goes to the log:
 * "input-bound: 63 % of the step waits for data; …". On a device that computes while the host goes on, it may
 * have been busy meanwhile.
 */
LS_API float ls_dataset_report_waiting(ls_dataset *dataset);

#ifdef __cplusplus
}
#endif
#endif
