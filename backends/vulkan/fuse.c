/* SPDX-License-Identifier: Apache-2.0
 *
 * Placeholder
 */
#include "vulkan.h"
ls_status ls_vk_map_fused(struct ls_vk_device *device, const struct ls_map_args *args)
{
    (void)device;
    (void)args;
    return LS_UNSUPPORTED;
}
