/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sets, in the manner of tf.data: a source, then steps. Each step returns a new data set that uses the
 * old one, which may be used in other pipelines too and may be destroyed at any time. A data set describes;
 * nothing is read before a loop (LS_FOR_BATCHES) asks for it. An element has one or several components; by
 * custom they are x, y and sample_weight. Elements that come from tensors stay on the device: the pipeline
 * moves their numbers, and a batch is gathered there. All others are arrays on the host.
 *
 * Which elements come, in which order and with which bits, depends on the pipeline and its seeds alone: not
 * on workers, prefetching, time or device. Data sets belong to their context. Errors are sticky: NULL
 * comes back, and every function accepts NULL. Options as in layers.h. One thread per context; what
 * runs on other threads is said where it does. See docs/data.md.
 */
#ifndef LOCKSTEP_DATA_H
#define LOCKSTEP_DATA_H

#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_dataset ls_dataset;

enum { LS_MAX_COMPONENTS = 8, LS_INFINITE_CARDINALITY = -1, LS_UNKNOWN_CARDINALITY = -2 };

/* ---- Elements on the host: what generators, map and filter see ---- */

/** An array on the host, row-major; or, without data, what it has to be: -1 in `shape` is any size. */
typedef struct ls_array {
    ls_dtype dtype;
    ls_shape shape;
    void *data;
} ls_array;

/** One element, as a callback gets it. Valid during the call. */
typedef struct ls_element {
    const ls_array *inputs; /* its components; none in a generator */
    int input_count;
    ls_array *outputs; /* to be written, as the step declared them; data is NULL where a size is -1: ls_array_allocate */
    int output_count;
    int64_t index;   /* 0, 1, … in the order of this step, anew each epoch */
    uint64_t epoch;  /* 0 for the first loop over the data set, or the first pass of ls_dataset_repeat */
    uint64_t random; /* a random number of its own: a function of the step's seed, epoch and index */
    char *message;   /* room for LS_ELEMENT_MESSAGE bytes: what was wrong, when the callback fails */
    bool drop;       /* a filter sets it to leave the element out */
    bool end;        /* a generator sets it instead of writing an element, after the last one */
} ls_element;

enum { LS_ELEMENT_MESSAGE = 256 };

/**
 * Reads or writes one element. Anything but LS_OK ends the loop with that error, which names the step and the
 * element and repeats `message`. It runs where the step says, perhaps on several threads at once, with
 * different elements: it must not touch the context nor change what `user` points to without a lock.
 */
typedef ls_status ls_element_fn(void *user, ls_element *element);

/**
 * Gives an output of unknown size its shape and memory, which belongs to the pipeline. Returns the data; NULL
 * when the shape is not of the declared kind or memory is exhausted: return LS_OUT_OF_MEMORY then.
 */
LS_API void *ls_array_allocate(ls_array *output, ls_shape shape);

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
/** The same with 1 to LS_MAX_COMPONENTS components, (n, …) each: {x, y, sample_weight}. None may be nil. */
LS_API ls_dataset *ls_dataset_from_tensor_slices(const ls_tensor *components, int count);

/**
 * The array in an IDX file, plain or gzip: uint8 stays, the other integers become int32, floats
 * float32. The result belongs to the innermost scope. Blocks. Only regular files are read; sizes are
 * checked against the file before memory is allocated; the length must be exact; gzip's checksum is
 * verified. Errors: LS_NOT_FOUND, LS_FILE_ERROR, LS_BAD_FILE, LS_OVERFLOW (more than 2 GiB),
 * LS_OUT_OF_RANGE (an integer that is no int32), LS_OUT_OF_MEMORY. Format: yann.lecun.com/exdb/mnist.
 */
LS_API ls_tensor ls_read_idx(ls_context *ls, const char *path);
/** The same of an NPY file, as numpy.save writes numbers: bool, uint8 and float16 stay, the other integers become
 * int32, float64 float32; either byte order. No pickled objects, structures or fortran_order: LS_BAD_FILE. */
LS_API ls_tensor ls_read_npy(ls_context *ls, const char *path);

typedef struct ls_files_options {
    ls_context *context;
    const char *x, *y, *sample_weight; /* paths of IDX or NPY files, of arrays (n, …); x is needed */
} ls_files_options;

/**
 * The rows of arrays in files, types as in ls_read_idx and ls_read_npy. Plain files stay open and are read
 * row by row as batches need them, so they may be larger than memory: sizes are checked now, and
 * a file that is changed meanwhile is an error or gives other elements, but nothing worse. Files in gzip
 * are read into the host's memory now. Errors as in ls_read_idx, and LS_SHAPE_MISMATCH.
 */
LS_API ls_dataset *ls_dataset_from_files_with(const ls_files_options *options);
/** ls_dataset_from_files(ls, "images.npy", "labels.npy") */
#define ls_dataset_from_files(...) ls_dataset_from_files_with(&(ls_files_options){.context = __VA_ARGS__})

typedef struct ls_csv_options {
    ls_context *context;
    const char *path;
    const char *label;          /* the column that is y; NULL: there is no y */
    const char *const *columns; /* those of x, in that order, NULL after the last; NULL: all but the label */
    bool float_label;           /* y is float32, not int32 */
    bool no_header;             /* the first line is data: the columns are called "0", "1", … */
    bool missing_is_nan;        /* an empty field of x is NaN, not an error */
    char delimiter;             /* 0: a comma */
} ls_csv_options;

/**
 * The lines of a CSV file, plain or gzip: x (columns) float32, y () int32. Quotes and line ends as in RFC
 * 4180, LF too; a byte order mark and empty lines are passed over. Numbers are decimal, nan or inf, whatever
 * the locale. Read as a whole, now, and then on the device. Errors name line and column: LS_BAD_FILE for
 * lines of different lengths, for what is no number or fits no float32; LS_NOT_FOUND for a column that is
 * not there; and as in ls_read_idx.
 */
LS_API ls_dataset *ls_dataset_from_csv_with(const ls_csv_options *options);
/** ls_dataset_from_csv(ls, "iris.csv", "species") or ls_dataset_from_csv(ls, "prices.csv", .label = "price",
 * .float_label = true). */
#define ls_dataset_from_csv(...) ls_dataset_from_csv_with(&(ls_csv_options){.context = __VA_ARGS__})

typedef struct ls_generator_options {
    ls_context *context;
    ls_element_fn *next; /* writes element->outputs, or sets element->end */
    void *user;          /* handed to the callbacks; must live as long as the data set */
    const ls_array *outputs; /* the components: dtype and shape of one element, -1 for a size that varies; copied */
    int output_count;
    void *(*begin)(void *user, uint64_t epoch); /* optional: starts an epoch; what it returns (not NULL) is
                                                   handed to `next` and `finish` instead of `user` */
    void (*finish)(void *state);                /* optional: ends what begin began */
    int64_t cardinality;                        /* how many elements come, if that is known; 0: not */
    uint64_t seed; /* of element->random; 0: drawn from the context's random numbers */
} ls_generator_options;

/**
 * Elements that a callback makes, one after another, on the thread of the loop or of ls_dataset_prefetch. It
 * must give the same elements for the same epoch, if positions are to be restored: they are made again then.
 * tf.data.Dataset.from_generator.
 */
LS_API ls_dataset *ls_dataset_from_generator_with(const ls_generator_options *options);
/** ls_dataset_from_generator(ls, next, &state, .outputs = (ls_array[]){{LS_FLOAT32, LS_SHAPE(3)}}, .output_count = 1). */
#define ls_dataset_from_generator(...)                                                             \
    ls_dataset_from_generator_with(&(ls_generator_options){.context = __VA_ARGS__})


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
 * draws its seed. LS_INVALID_ARGUMENT when the elements were batched before. Shuffle before map:
 * restoring a position draws the order again, and makes all elements that come before it.
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

typedef struct ls_map_options {
    ls_dataset *dataset;
    ls_element_fn *function; /* reads element->inputs, writes element->outputs */
    void *user;              /* must live as long as the data set */
    const ls_array *outputs; /* what comes out; NULL: components of the types and sizes that come in. Copied */
    int output_count;
    int workers;   /* threads that call `function`; 0: none, the thread of the loop does */
    uint64_t seed; /* of element->random; 0: drawn from the context's random numbers */
} ls_map_options;

/**
 * function(element) for every element, in the order of the elements whatever the number of workers. Elements
 * from tensors are read back to the host once, now: blocks. The function must depend on the
 * element alone (use element->random for chance). After ls_dataset_batch its inputs are whole batches.
 * tf.data.Dataset.map(num_parallel_calls=workers, deterministic=True).
 */
LS_API ls_dataset *ls_dataset_map_with(const ls_map_options *options);
/** ls_dataset_map(train, augment), ls_dataset_map(train, augment, &settings, .workers = 4). */
#define ls_dataset_map(...) ls_dataset_map_with(&(ls_map_options){.dataset = __VA_ARGS__})

/**
 * The elements for which `predicate` does not set element->drop; it runs on the thread of the loop or of
 * ls_dataset_prefetch. Elements from tensors are read back to the host once, now: blocks. When all elements
 * of two passes of an endless data set are dropped, that is an error, not an endless loop.
 */
LS_API ls_dataset *ls_dataset_filter(ls_dataset *dataset, ls_element_fn *predicate, void *user);

/** The elements `count` times, or for ever if count < 0; each pass is an epoch of what comes before. A data set
 * without elements ends at once when count >= 0, and is LS_INVALID_ARGUMENT, met by the loop, for ever. */
LS_API ls_dataset *ls_dataset_repeat(ls_dataset *dataset, int64_t count);

/** The first `count` elements, or all if there are fewer; and all but the first `count`. count < 0 means all, as in tf.data. */
LS_API ls_dataset *ls_dataset_take(ls_dataset *dataset, int64_t count);
LS_API ls_dataset *ls_dataset_skip(ls_dataset *dataset, int64_t count);

/** The elements index, index + shards, index + 2 shards, …: one of `shards` parts. 0 <= index < shards. */
LS_API ls_dataset *ls_dataset_shard(ls_dataset *dataset, int64_t shards, int64_t index);

/** Elements with the components of all: (a0, b0), (a1, b1), … as far as the shortest goes. Elements from
 * tensors are read back to the host once, now: blocks. At most LS_MAX_COMPONENTS components. */
LS_API ls_dataset *ls_dataset_zip(ls_dataset *const *datasets, int count);

/** The elements of `first`, then those of `second`; components must agree in number and type, and in rank. Elements
 * from different tensors are read back to the host once, now: blocks. */
LS_API ls_dataset *ls_dataset_concatenate(ls_dataset *first, ls_dataset *second);

/** Keeps the elements of the first whole pass in the host's memory and gives those from then on: what stands before
 * it is run as in epoch 0, once. Elements that are on the device stay there; only their order is kept. */
LS_API ls_dataset *ls_dataset_cache(ls_dataset *dataset);

/** Runs what stands before it on a thread of its own, up to `buffer_size` >= 1 elements ahead; usually the last step,
 * ls_dataset_prefetch(train, 2). The thread lives as long as the loop. No effect on data that are on the device. */
LS_API ls_dataset *ls_dataset_prefetch(ls_dataset *dataset, int64_t buffer_size);

/** The number of elements, not batches; 0 for NULL; LS_INFINITE_CARDINALITY, LS_UNKNOWN_CARDINALITY. Steps after
 * ls_dataset_batch do not change it. */
LS_API int64_t ls_dataset_size(const ls_dataset *dataset);
/** The number of batches of an epoch, with all steps; 0 for NULL or before ls_dataset_batch. Else as above. */
LS_API int64_t ls_dataset_batches(const ls_dataset *dataset);
/** How many components an element has; type and shape of one, -1 for sizes that vary or are not known (the first of a
 * batch's). An empty ls_array when there is no such component. */
LS_API int ls_dataset_components(const ls_dataset *dataset);
LS_API ls_array ls_dataset_component(const ls_dataset *dataset, int component);

/** Releases a data set, and its elements with the last that uses them. A loop that is in it ends, its threads are
 * waited for. Accepts NULL. */
LS_API void ls_dataset_destroy(ls_dataset **dataset);

/* ---- Going through it ---- */

/** One batch. The tensors belong to the batch's scope. */
typedef struct ls_batch {
    ls_tensor x, y, sample_weight; /* components 0, 1, 2: (size, …), in the types of the data set; nil where it has none */
    ls_tensor components[LS_MAX_COMPONENTS];
    int64_t size;  /* elements in this batch; the last one may have fewer */
    int64_t index; /* 0 for the first of the epoch */
    /* private */
    ls_context *context;
    struct ls_loop *loop;
    bool open;
} ls_batch;

/**
 * `LS_FOR_BATCHES(batch, train) { … }` runs the block for every batch of an epoch, each in a scope of
 * its own: what the block makes and does not keep goes with it. Every such loop is a new epoch of the
 * data set. Ends early when the context has an error. `break` and `continue` do what they do in any
 * loop. `return` and `goto` out of it leave the batch's scope open: end it first, with
 * ls_batch_end(&batch); its threads end with the data set or the context. Elements from tensors
 * need one upload of indices per epoch (or per batch, where the epoch has more than 2^24 elements) and nothing
 * blocks; others are waited for and uploaded batch by batch.
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
 * What was prefetched does not count. The first call reads the elements of tensors back, to know them again; later
 * ones do not wait for the device.
 */
LS_API ls_status ls_dataset_save_position(const ls_dataset *dataset, ls_dataset_position *position);

/**
 * The next loop over `dataset` goes on from there: it gives the batches that would have followed, the first
 * with the index that it would have had, and later loops are the epochs after that. The data set must be made
 * as it was, by the same steps with the same seeds, over the same elements, which a hash tells (of
 * files it is one of 64 rows; of generators there is none). Errors: LS_BAD_FILE for bytes that
 * are no position or were damaged; LS_INVALID_ARGUMENT for the position of another
 * pipeline or of other elements. On an error the data
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
