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

/* ---- The cases ---- */

struct verify_suite {
    size_t (*count)(void);
    const char *(*name)(size_t i);
    void (*run)(size_t i, ls_context *ls, struct verify_result *result);
};
/** The ops that are rows of the random graphs; the other ops; networks: some steps of training. */
extern const struct verify_suite verify_ops, verify_others, verify_networks;

/** What `call` makes on small inputs, the gradient of the sum of its squares, and that of the sum of the first
 * gradients' squares; by no more than 96 sources. */
void verify_derive(ls_context *ls, ls_tensor (*call)(void *user), void *user, const ls_tensor *source, size_t sources,
                   struct verify_result *result);

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
    size_t case_count, networks; /* networks: the last of them */
    /* Of each device, against all others, by family; and of pairs. */
    struct verify_counts (*family)[VERIFY_DEVICES];
    struct verify_counts pair[VERIFY_DEVICES][VERIFY_DEVICES];
    int families;
    struct verify_difference *differences;
    size_t difference_count;
    double seconds;
    char date[24]; /* when it began, "2026-01-31 12:00 UTC" */
    char scope[1024]; /* what kind of devices these are, where that is not plain: no GPU, or none but the reference */
};

/** The name of a family: a primitive, or "networks". */
const char *verify_family(int family);
/** Whether a device can be opened; if not, says on stderr why, and which there are. */
bool verify_is_there(const char *words);
/**
 * The devices of a report: those named, else all that were found; and before them the reference, which is the definition.
 * Where nothing is beside it, the reference's plainest build, if that is another one than the reference runs.
 */
void verify_choose_devices(struct verify_report *report, int named, char **names, const ls_device_info *found, size_t count);
/** Sets the report's scope once its devices were verified. */
void verify_describe_scope(struct verify_report *report, bool named, const ls_device_info *found, size_t count);
/** How many devices were verified. With fewer than two nothing was compared. */
int verify_opened(const struct verify_report *report);
/** Whether a family has a case. */
bool verify_family_used(const struct verify_report *report, int family);

void verify_write_text(const struct verify_report *report);
void verify_write_json(const struct verify_report *report);
bool verify_write_html(const struct verify_report *report, const char *path);

#endif
