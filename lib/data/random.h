/* SPDX-License-Identifier: Apache-2.0
 *
 * Random integers on the host, by the same Philox as on the device (canon.md rule 15). Functions of
 * their arguments alone.
 */
#ifndef LOCKSTEP_DATA_RANDOM_H
#define LOCKSTEP_DATA_RANDOM_H

#include <stdint.h>

/** What the words are for: two uses of one seed never share words. */
enum ls_host_stream {
    LS_STREAM_SHUFFLE = 0x73687566,
    LS_STREAM_ELEMENT = 0x656c656d,
    LS_STREAM_PATTERN = 0x70617474,
    LS_STREAM_IMAGE = 0x696d6167,
};

/** Words 4 * index to 4 * index + 3 of `stream` in `step`. */
void ls_host_words(uint64_t seed, uint32_t index, enum ls_host_stream stream, uint64_t step, uint32_t words[4]);

/** A number in 0..bound-1 from a word; its bias is below bound / 2^32. */
static inline uint32_t ls_bounded(uint32_t word, uint32_t bound) { return (uint32_t)((uint64_t)word * bound >> 32); }

#endif
