/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the check of the elementary functions share: the table, and what is measured of a function.
 */
#ifndef LOCKSTEP_TOOLS_ULP_H
#define LOCKSTEP_TOOLS_ULP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ULP_BLOCK = 4096 }; /* inputs of one call of a function */

/** A function of one argument (block, oracle) or of two (block2, oracle2). */
struct ulp_function {
    const char *name;
    const char *domain;
    double stated_ulp;
    uint64_t full_hash;
    uint64_t sample_hash;
    void (*block)(const float *x, float *y);
    void (*block2)(const float *x, const float *y, float *z);
    double (*oracle)(double);
    double (*oracle2)(double, double);
};

/** Those of shaders/canon_functions.def. */
extern const struct ulp_function ulp_functions[];
extern const size_t ulp_function_count;

/** An error, and the input where it is. */
struct ulp_worst {
    double error;
    float x;
    float y;
};

struct ulp_report {
    uint64_t hash;
    struct ulp_worst normal;
    struct ulp_worst subnormal;
    uint64_t kept;        /* results that are not 0 where the exact one is subnormal */
    uint64_t wrong_class; /* NaN where there is a number, or a number where there is none */
    struct ulp_worst example;
};

/** sample 0: all inputs. A sample is rounded up to whole chunks. */
struct ulp_report ulp_measure(const struct ulp_function *function, uint64_t sample, uint64_t seed);

/** The value, with Inf and what is beyond as 2^128. */
double ulp_in_range(double v);

#endif
