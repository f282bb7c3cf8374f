/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of a receipt: lines of fields between tabs. The last field of each is a check of the others.
 *
 *     lockstep receipt  1
 *     library   VERSION        canon   NUMBER
 *     device    WORDS  NAME  DRIVER  CLASS
 *     layout    NUMBER  OPTIMIZER  TENSOR...     what the digests of a step are of, in order
 *     step      NUMBER  ITERATION  DIGEST...     by the layout of that number
 *     end       STEPS                            how many there are since the head
 *
 * A run that continues a file writes all of this again behind it. If the run before was killed, its last line may be torn.
 */
#ifndef LOCKSTEP_CORE_RECEIPT_FILE_H
#define LOCKSTEP_CORE_RECEIPT_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <lockstep/context.h>

/** The first field of a file. */
#define LS_RECEIPT_MAGIC "lockstep receipt"

/** A line being made. After a failed allocation `failed` stays set and nothing is written. */
struct ls_receipt_line {
    char *text;
    size_t size, capacity;
    bool failed;
};

/** Starts a line with its first field; adds a field (tabs, ends of lines and \ are escaped); two words as hex. */
void ls_receipt_begin(struct ls_receipt_line *line, const char *field);
void ls_receipt_field(struct ls_receipt_line *line, const char *field);
void ls_receipt_number(struct ls_receipt_line *line, int64_t number);
void ls_receipt_digest(struct ls_receipt_line *line, uint32_t first, uint32_t second);
/** Writes the line and its check. */
bool ls_receipt_write(struct ls_receipt_line *line, FILE *file);

/** The check of a line's first bytes. */
uint32_t ls_receipt_check(const char *text, size_t size);

/** The lines before the first layout. */
bool ls_receipt_head(struct ls_receipt_line *line, FILE *file, const ls_device_info *device);

#endif
