/* SPDX-License-Identifier: Apache-2.0
 *
 * For those that make data sets.
 */
#ifndef LOCKSTEP_DATA_DATASET_H
#define LOCKSTEP_DATA_DATASET_H

#include <lockstep/data.h>

/** Images and labels as two pairs of files hold them. */
struct ls_image_files {
    ls_tensor train_x, train_y; /* (n, height, width), (n) */
    ls_tensor test_x, test_y;   /* nil where nobody asked for them */
};

/**
 * Makes the data sets of an image collection from its files' tensors, which are released. The last
 * `validation_count` training images are for validation, none if `validation` is NULL. Any of the
 * pointers may be NULL; all data sets are NULL on an error.
 */
ls_status ls_split_images(ls_context *ls, const char *name, struct ls_image_files *files, int64_t validation_count,
                          ls_dataset **train, ls_dataset **validation, ls_dataset **test);

#endif
