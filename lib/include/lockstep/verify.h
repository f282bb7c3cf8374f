/* SPDX-License-Identifier: Apache-2.0
 *
 * Proof, on the user's own device, of what the library promises. docs/verify.md tells the whole story.
 */
#ifndef LOCKSTEP_VERIFY_H
#define LOCKSTEP_VERIFY_H

#include <lockstep/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ls_selftest_result {
    ls_device_info device; /* with the verdict in `exactness`: "E", "E-slow", "N" or "T" */
    char reasons[1024];    /* why it is not E: sentences, each on a line of its own; "" for E */
    int checks;            /* how many results were compared */
    double seconds;        /* what the test took when it ran */
    bool full, kept;       /* kept: the verdict is from an earlier run */
} ls_selftest_result;

typedef struct ls_selftest_options {
    ls_selftest_result *result;
    const char *device; /* as ls_open takes it; NULL reads LOCKSTEP_BACKEND */
    bool full;          /* every row, every form and more sizes; takes minutes where kernels are built */
    bool again;         /* even if a verdict is kept */
} ls_selftest_options;

/**
 * Tests a device's arithmetic by running the kernels that training runs, and comparing their results,
 * bit for bit, with the reference's and with known answers (canon.md section 2). The verdict is
 *
 *     E       exact
 *     E-slow  exact, with an emulated fma
 *     N       exact as long as no subnormal number is read or made
 *     T       tolerance only: fingerprints of such a device are marked and mean nothing elsewhere
 *
 * It is kept in the cache folder for this device, driver, build of the library and version of the
 * arithmetic; from then on ls_open and ls_list_devices report it. Blocks: seconds, if kernels must be
 * built. Returns LS_OK when there is a verdict, whatever it is; else the status of opening or running
 * the device, with the message in `reasons`. Any thread.
 */
LS_API ls_status ls_selftest_with(const ls_selftest_options *options);
/** ls_selftest(&result) or ls_selftest(&result, .device = "opencl", .full = true). */
#define ls_selftest(...) ls_selftest_with(&(ls_selftest_options){.result = __VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
