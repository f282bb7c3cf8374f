/* SPDX-License-Identifier: Apache-2.0
 *
 * The backends of this build. A new one is a folder, an option and a line here.
 */
#include "backend.h"

extern const struct ls_backend ls_reference_backend;
extern const struct ls_backend ls_opencl_backend;
extern const struct ls_backend ls_vulkan_backend;
extern const struct ls_backend ls_fault_backend;
extern const struct ls_backend ls_verify_backend;
extern const struct ls_backend ls_profile_backend;

const struct ls_backend *const ls_backends[] = {
    &ls_reference_backend,
#ifdef LS_HAVE_VULKAN
    &ls_vulkan_backend,
#endif
#ifdef LS_HAVE_OPENCL
    &ls_opencl_backend,
#endif
    &ls_fault_backend,
    &ls_verify_backend,
    &ls_profile_backend,
    NULL,
};
