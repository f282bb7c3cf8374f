/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV files as arrays on the host.
 */
#ifndef LOCKSTEP_IO_CSV_H
#define LOCKSTEP_IO_CSV_H

#include <lockstep/data.h>

/** x (lines, columns) float32, and y (lines) int32 or float32 if there is a label. To be freed. */
struct ls_csv {
    float *x;
    void *y;
    int64_t lines, columns;
};

/** Reads as ls_dataset_from_csv says. On an error `csv` is all zero. */
ls_status ls_csv_load(const ls_csv_options *options, struct ls_csv *csv);

#endif
