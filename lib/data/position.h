/* SPDX-License-Identifier: Apache-2.0
 *
 * A place in the course of a data set, and its bytes.
 */
#ifndef LOCKSTEP_DATA_POSITION_H
#define LOCKSTEP_DATA_POSITION_H

#include <lockstep/data.h>

struct ls_place {
    uint64_t signature; /* of the pipeline */
    uint64_t epoch;     /* 0 for the first loop */
    int64_t taken;      /* batches of that epoch */
    uint32_t contents;  /* a hash of the elements; 0: not known */
};

void ls_position_write(ls_dataset_position *position, const struct ls_place *place);
/** LS_BAD_FILE for bytes that are none, are of another version, or were changed. */
ls_status ls_position_read(ls_context *ls, const ls_dataset_position *position, struct ls_place *place);

#endif
