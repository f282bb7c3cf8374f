/* SPDX-License-Identifier: Apache-2.0
 *
 * Fashion-MNIST from the four IDX files that Zalando Research publishes.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <lockstep/data.h>

#include "../core/env.h"
#include "../core/internal.h"
#include "dataset.h"
#include "../io/array_file.h"

enum { SIZE = 28, CLASSES = 10, TRAIN = 60000, VALIDATION = 5000, TEST = 10000 };

static const char *const debian = "/usr/share/datasets/fashion-mnist";

struct path {
    char text[1024];
};

/* folder/file or folder/file.gz, whichever is there; false if neither. */
static bool find_in(const char *folder, const char *file, struct path *path)
{
    static const char *const endings[] = {"", ".gz"};
    for (int e = 0; e < 2; e++) {
        int length = snprintf(path->text, sizeof path->text, "%s/%s%s", folder, file, endings[e]);
        if (length > 0 && (size_t)length < sizeof path->text && access(path->text, F_OK) == 0)
            return true;
    }
    return false;
}

/* The folder that has the data set. */
static bool find_folder(struct path *folder)
{
    struct path ignored;
    const char *data = ls_env("LOCKSTEP_DATA_DIR");
    static const char *const below[] = {"", "/fashion-mnist"};
    for (int b = 0; data && b < 2; b++) {
        int length = snprintf(folder->text, sizeof folder->text, "%s%s", data, below[b]);
        if (length > 0 && (size_t)length < sizeof folder->text &&
            find_in(folder->text, "train-images-idx3-ubyte", &ignored))
            return true;
    }
    snprintf(folder->text, sizeof folder->text, "%s", debian);
    return find_in(debian, "train-images-idx3-ubyte", &ignored);
}

/* Reads a file whose shape is known: uint8 (count, 28, 28), or (count) for labels. */
static ls_status load(ls_context *ls, const struct path *folder, const char *file, ls_shape shape, ls_array *array,
                      struct path *path)
{
    if (!find_in(folder->text, file, path))
        return ls_fail(ls, LS_NOT_FOUND, "fashion_mnist: %s has no %s and no %s.gz", folder->text, file, file);
    if (ls_array_load(ls, path->text, ls_idx_header, array) != LS_OK)
        return ls_error(ls);
    if (array->dtype == LS_UINT8 && ls_shape_equal(&array->shape, &shape))
        return LS_OK;
    ls_fail(ls, LS_BAD_FILE, "%s: holds %s %s, but fashion-mnist has uint8 %s here", path->text,
            ls_dtype_name(array->dtype), ls_text(array->shape).text, ls_text(shape).text);
    free(array->data);
    return ls_error(ls);
}

static ls_tensor load_images(ls_context *ls, const struct path *folder, const char *file, int64_t count)
{
    ls_array array;
    struct path path;
    if (load(ls, folder, file, LS_SHAPE(count, SIZE, SIZE), &array, &path) != LS_OK)
        return (ls_tensor){0};
    ls_tensor images = ls_from_host(ls, LS_UINT8, array.shape, array.data);
    free(array.data);
    return images;
}

static ls_tensor load_labels(ls_context *ls, const struct path *folder, const char *file, int64_t count)
{
    ls_array array;
    struct path path;
    if (load(ls, folder, file, LS_SHAPE(count), &array, &path) != LS_OK)
        return (ls_tensor){0};
    int32_t *labels = malloc((size_t)count * sizeof *labels);
    if (!labels)
        ls_fail(ls, LS_OUT_OF_MEMORY, "fashion_mnist: no host memory for %lld labels", (long long)count);
    for (int64_t i = 0; labels && i < count; i++) {
        labels[i] = ((const unsigned char *)array.data)[i];
        if (labels[i] >= CLASSES) {
            ls_fail(ls, LS_BAD_FILE, "%s: label %d at %lld is no class; they are 0 to %d", path.text, (int)labels[i],
                    (long long)i, CLASSES - 1);
            break;
        }
    }
    ls_tensor tensor = ls_from_host(ls, LS_INT32, array.shape, labels);
    free(labels);
    free(array.data);
    return tensor;
}

ls_status ls_fashion_mnist(ls_context *ls, ls_dataset **train, ls_dataset **validation, ls_dataset **test)
{
    struct ls_image_files files = {0};
    struct path folder;
    if (!ls_failed(ls) && !find_folder(&folder))
        ls_fail(ls, LS_NOT_FOUND,
                "fashion_mnist: the data set is neither in LOCKSTEP_DATA_DIR (%s) nor in %s; get it with `apt install "
                "dataset-fashion-mnist`, or train on made-up images: ls_synthetic_images, --synthetic in the examples",
                ls_env("LOCKSTEP_DATA_DIR") ? ls_env("LOCKSTEP_DATA_DIR") : "not set", debian);
    if (!ls_failed(ls) && (train || validation)) {
        files.train_x = load_images(ls, &folder, "train-images-idx3-ubyte", TRAIN);
        files.train_y = load_labels(ls, &folder, "train-labels-idx1-ubyte", TRAIN);
    }
    if (!ls_failed(ls) && test) {
        files.test_x = load_images(ls, &folder, "t10k-images-idx3-ubyte", TEST);
        files.test_y = load_labels(ls, &folder, "t10k-labels-idx1-ubyte", TEST);
    }
    return ls_split_images(ls, "fashion_mnist", &files, VALIDATION, train, validation, test);
}
