/* SPDX-License-Identifier: Apache-2.0
 *
 * What all compute shaders share. A dispatch may have no more than 65,535 groups in a row, so a
 * launch of many groups is a rectangle, and the last ones may be too many: shaders look. */

uint ls_group()
{
    return gl_WorkGroupID.x + gl_NumWorkGroups.x * gl_WorkGroupID.y;
}

uint ls_item()
{
    return ls_group() * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
}

/* Elements in storage, by kind: 0 words, 1 bytes, 2 bools, 3 halves. LS_AT is the word of an element. */
#define LS_PER_WORD(kind) ((kind) == 0u ? 1u : (kind) == 3u ? 2u : 4u)
#define LS_AT(kind, i) ((i) / LS_PER_WORD(kind))

uint ls_unpack(uint kind, uint i, uint word)
{
    if (kind == 0u)
        return word;
    if (kind == 3u)
        return (word >> ((i & 1u) * 16u)) & 0xffffu;
    uint byte = (word >> ((i & 3u) * 8u)) & 0xffu;
    return kind == 2u ? (byte != 0u ? 1u : 0u) : byte;
}

uint ls_pack(uint kind, uint i, uint value)
{
    if (kind == 0u)
        return value;
    if (kind == 3u)
        return (value & 0xffffu) << ((i & 1u) * 16u);
    if (kind == 2u)
        value = value != 0u ? 1u : 0u;
    return (value & 0xffu) << ((i & 3u) * 8u);
}
