/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/core/guarded_backend.h: a backend that leaves out what it may is no worse for being guarded, and what it has
 * runs in the canonical environment.
 */
#include "apart.h"
#include "backend.h"

static int steps, closed;
static ls_status reported = LS_OUT_OF_MEMORY;

static void step(struct ls_device *device)
{
    (void)device;
    steps++;
}
static ls_status report(struct ls_device *device)
{
    (void)device;
    return reported;
}
static void close_device(struct ls_device *device)
{
    (void)device;
    closed++;
#if defined __SSE2__ || defined __aarch64__
    CHECK((host_environment() & FLUSHING & ~0x1f80u) == 0, "%#x: subnormals are flushed", host_environment());
#endif
}

static const struct ls_backend unguarded = {.step = step, .report = report, .close = close_device};
#define BACKEND scant
extern const struct ls_backend ls_scant_backend;
#include "guarded_backend.h"

static const struct ls_backend *const scant = &ls_scant_backend;

int main(void)
{
    struct ls_device device = {.backend = scant};
    struct ls_fault fault = {.set = true};
    struct ls_softmax_args softmax = {.outer = 1, .r = 1};
    CHECK(scant->softmax(&device, &softmax) == LS_UNSUPPORTED, "a primitive that is not there");
    CHECK(scant->fault(&device, &fault) == LS_OK && !fault.set, "there is a fault where there can be none");
    scant->step(&device);
    CHECK(steps == 1, "%d steps", steps);
    CHECK(scant->report(&device) == LS_OUT_OF_MEMORY, "the report is lost");
#if defined __SSE2__ || defined __aarch64__
    unsigned before = host_environment();
    set_host_environment(FLUSHING);
    scant->close(&device);
    CHECK(host_environment() == FLUSHING, "%#x is left behind", host_environment());
    set_host_environment(before);
#else
    scant->close(&device);
#endif
    CHECK(closed == 1, "closed %d times", closed);
    return end_of_checks();
}
