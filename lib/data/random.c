/* SPDX-License-Identifier: Apache-2.0
 *
 * The canonical Philox, compiled for the host.
 */
#include "prelude_c.h"

#include "canon.h"

#include "random.h"

void ls_host_words(uint64_t seed, uint32_t index, enum ls_host_stream stream, uint64_t step, uint32_t words[4])
{
    canon_uint4 four = canon_philox(index, (uint32_t)stream, (uint32_t)step, (uint32_t)(step >> 32), (uint32_t)seed,
                                    (uint32_t)(seed >> 32));
    words[0] = four.x;
    words[1] = four.y;
    words[2] = four.z;
    words[3] = four.w;
}
