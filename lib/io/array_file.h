/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrays in files, IDX or NPY: read as a whole, or row by row where they are larger than memory.
 */
#ifndef LOCKSTEP_IO_ARRAY_FILE_H
#define LOCKSTEP_IO_ARRAY_FILE_H

#include <lockstep/data.h>

#include "input.h"

struct ls_problem;

/** The types of numbers in files, and what they become: NUMBER(name, bytes, dtype). */
#define LS_NUMBERS(NUMBER)         \
    NUMBER(bool, 1, LS_BOOL)       \
    NUMBER(uint8, 1, LS_UINT8)     \
    NUMBER(int8, 1, LS_INT32)      \
    NUMBER(uint16, 2, LS_INT32)    \
    NUMBER(int16, 2, LS_INT32)     \
    NUMBER(uint32, 4, LS_INT32)    \
    NUMBER(int32, 4, LS_INT32)     \
    NUMBER(uint64, 8, LS_INT32)    \
    NUMBER(int64, 8, LS_INT32)     \
    NUMBER(float16, 2, LS_FLOAT16) \
    NUMBER(float32, 4, LS_FLOAT32) \
    NUMBER(float64, 8, LS_FLOAT32)

enum ls_number {
#define NUMBER(name, bytes, dtype) LS_NUMBER_##name,
    LS_NUMBERS(NUMBER)
#undef NUMBER
};

/** What a header says. */
struct ls_array_header {
    enum ls_number number;
    bool big_endian;
    ls_shape shape;
    int64_t offset; /* of the first element in the file */
    int64_t bytes;  /* of all elements in the file: set by array_file.c */
};

/** Reads a header, after which the elements follow. LS_BAD_FILE when it is none of that format (idx.c, npy.c). */
ls_status ls_idx_header(struct ls_input *in, struct ls_array_header *header);
ls_status ls_npy_header(struct ls_input *in, struct ls_array_header *header);
/** For them: reads all of `bytes` bytes. */
ls_status ls_input_read_exactly(struct ls_input *in, void *data, size_t bytes, const char *what);

typedef ls_status ls_array_header_fn(struct ls_input *in, struct ls_array_header *header);
/** IDX or NPY, by the first bytes. */
ls_status ls_array_header_any(struct ls_input *in, struct ls_array_header *header);

/** Reads a file, plain or gzip, of at most 2 GiB. `array->data` is to be freed; on an error it is NULL. */
ls_status ls_array_load(ls_context *ls, const char *path, ls_array_header_fn *format, ls_array *array);

/** A file that stays open and is read row by row. */
struct ls_array_file {
    char *path;
    int fd;
    struct ls_array_header header;
    int64_t row_elements, row_bytes; /* in the file */
};

/** Opens a plain file; `*file` is NULL, without an error, for a gzip file, which has no rows that could be found. */
ls_status ls_array_file_open(ls_context *ls, const char *path, struct ls_array_file **file, ls_array *array);
/** Reads one row; any thread. False: problem. */
bool ls_array_file_read(const struct ls_array_file *file, int64_t row, void *to, struct ls_problem *problem);
/** Accepts a pointer to NULL. */
void ls_array_file_close(struct ls_array_file **file);

#endif
