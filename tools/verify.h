/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of `lockstep verify` share: cases that run on a context and leave named arrays, and what
 * came of comparing them.
 */
#ifndef LOCKSTEP_TOOLS_VERIFY_H
#define LOCKSTEP_TOOLS_VERIFY_H

#include <lockstep/lockstep.h>

/** What a case left: arrays in an order of its own, or why it failed. */
struct verify_part {
    char name[48];
    ls_dtype dtype;
    int64_t n;
    void *data;
};
struct verify_result {
    struct verify_part *part;
    size_t count;
    char failure[512]; /* "" if it ran */
};

/** Reads a tensor into the result; nil leaves an empty part. */
void verify_note(struct verify_result *result, const char *name, ls_tensor t);

/* ---- The cases: every op of the rows of the random graphs, and networks ---- */

size_t verify_op_count(void);
const char *verify_op_name(size_t i);
/** The op on small random inputs, with its first and its second gradients. */
void verify_op_run(size_t i, ls_context *ls, struct verify_result *result);

size_t verify_network_count(void);
const char *verify_network_name(size_t i);
/** Some steps of training: losses, gradients, weights. */
void verify_network_run(size_t i, ls_context *ls, struct verify_result *result);

/* ---- What was found ---- */

enum { VERIFY_DEVICES = 16 };

struct verify_device {
    char words[128];
    ls_selftest_result verdict;
    bool opened;
    char why[512]; /* why it was not */
};

/** A case on which two devices part. */
struct verify_difference {
    int device[2];
    size_t the_case;
    char text[400];  /* where, and by how much */
    char named[640]; /* what verify: says of it: the primitive; "" if it was not asked */
};

struct verify_counts {
    int same, close, apart; /* close: within what the classes of the two promise, not the same bits */
};

struct verify_report {
    struct verify_device device[VERIFY_DEVICES];
    int devices;
    struct verify_case {
        const char *name;
        int family;
    } *cases;
    size_t case_count;
    /* Of each device, against all others, by family; and of pairs. */
    struct verify_counts (*family)[VERIFY_DEVICES];
    struct verify_counts pair[VERIFY_DEVICES][VERIFY_DEVICES];
    int families;
    struct verify_difference *differences;
    size_t difference_count;
    double seconds;
    bool any_gpu;
};

/** The name of a family: a primitive, or "networks". */
const char *verify_family(int family);
/** Whether a family has a case. */
bool verify_family_used(const struct verify_report *report, int family);

void verify_write_text(const struct verify_report *report);
void verify_write_json(const struct verify_report *report);
bool verify_write_html(const struct verify_report *report, const char *path);

#endif
