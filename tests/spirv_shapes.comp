#version 450
/* SPDX-License-Identifier: Apache-2.0
 *
 * Every shape of control flow over a specialization constant, for the pass that prunes: what it leaves
 * must be valid and compute what the driver's own specialization computes.
 */
layout(local_size_x = 64) in;
layout(constant_id = 0) const int OP = 0;
layout(constant_id = 1000) const bool YES = true;
layout(constant_id = 1001) const bool ALSO = true;
const bool both = YES && ALSO;
const uint shifted = uint(OP) + 3u;
const uint side = uint(OP) * 3u + 2u;
const uint wrong = 0xbadbad00u; /* what vulkan_probe looks for */

layout(set = 0, binding = 0) readonly buffer Inputs { uint inputs[]; };
layout(set = 0, binding = 1) writeonly buffer Outputs { uint outputs[]; };

/* Arrays as long as a specialization constant says: side^2 numbers of an item, side for each item of the group.
 * Passed to a function such an array would not arrive: glslang copies its first element only. */
shared uint of_group[gl_WorkGroupSize.x * side + 1u];

bool arrays_are_right()
{
    uint own[side * side];
    for (uint i = 0u; i < side * side; i++)
        own[i] = i + gl_LocalInvocationID.x;
    for (uint i = 0u; i < side; i++)
        of_group[gl_LocalInvocationID.x + gl_WorkGroupSize.x * i] = gl_LocalInvocationID.x + 64u * i;
    barrier();
    uint sum = 0u;
    for (uint i = 0u; i < side * side; i++)
        sum += own[i] - gl_LocalInvocationID.x;
    bool right = own.length() == side * side && sum == side * side * (side * side - 1u) / 2u;
    for (uint i = 0u; i < gl_WorkGroupSize.x * side; i++)
        right = right && of_group[i] == i;
    return right;
}

uint rare(uint x)
{
    return x * 2654435761u;
}

uint deeper(uint x)
{
    return rare(x) ^ 0x5bd1e995u;
}

uint early(uint x)
{
    if (YES)
        return x + 1u;
    return deeper(x);
}

uint nested(uint x)
{
    switch (OP) {
    case 1:
        if (x > 1000u)
            break; /* leaves the decided switch from inside */
        x += 17u;
    case 2: /* falls through */
        x ^= 3u;
        break;
    case 3:
        return early(x) + 5u;
    case 4:
    case 5:
        for (int i = 0; i < 5; i++) {
            if (i == OP - 2)
                break;
            if ((x & 1u) == 0u)
                continue;
            x = x * 3u + 1u;
        }
        break;
    default:
        x = deeper(x);
    }
    return x;
}

void main()
{
    bool right = arrays_are_right();
    uint i = gl_GlobalInvocationID.x;
    if (i >= outputs.length())
        return;
    uint x = inputs[i];
    bool positive = x < 0x80000000u;
    if ((YES && positive) || (ALSO && x > 7u))
        x += 100u;
    if (positive && both)
        x = rare(x);
    else if (OP > 3)
        x -= shifted;
    x ^= (ALSO ? 11u : deeper(x)) + (OP == 2 || positive ? 1u : 2u);
    while (YES && x > 100000u) {
        if (!ALSO && (x & 8u) != 0u)
            break;
        x >>= 1;
        switch (OP & 1) {
        case 0:
            x ^= 1u;
            continue;
        default:
            break;
        }
        x -= 1u;
    }
    x += uint(fma(float(x & 255u), 0.5, 1.0));
    outputs[i] = right ? nested(early(x)) + shifted : wrong + uint(OP);
}
