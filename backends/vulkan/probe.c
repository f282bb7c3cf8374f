/* SPDX-License-Identifier: Apache-2.0
 *
 * Which fma, division and square root the device has: asked with cases where a wrong one shows, when
 * the device is opened. The specification promises none of them. What is not right is emulated. And whether
 * loops run to their end.
 * Subnormal operands and results are left out: a device that flushes them is class N, however it
 * multiplies. The self-test (lib/verify) looks closer, at the kernels themselves.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan.h"

enum { CASES = 4096, GROUP = 64, ROUNDS = 1 << 17, FEWEST_ROUNDS = 1 << 14 };

struct probe {
    struct {
        uint32_t a, b, c;
    } in[CASES];
    struct {
        uint32_t fma, quotient, root;
    } out[CASES];
    struct {
        uint32_t place, rounds;
    } walk; /* where a walk of ROUNDS has come to, and after how many; behind the results */
};

/* As probe.comp walks. */
static uint32_t place_after(uint32_t rounds)
{
    uint32_t place = 1;
    for (uint32_t i = 0; i < rounds; i++)
        place = (place ^ place >> 15) * 0x9e3779b1u + i;
    return place;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Zero counts as normal, what is not finite does not. */
static bool is_normal(float x)
{
    uint32_t magnitude = bits_of(x) & 0x7fffffffu;
    return magnitude == 0 || (magnitude >= 0x00800000u && magnitude < 0x7f800000u);
}

static uint32_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* A float of magnitude 2^-spread to 2^spread; every fourth with few bits set, where ties are. */
static float draw(uint64_t *state, int spread)
{
    uint32_t word = next(state);
    uint32_t mantissa = word & 0x007fffffu, exponent = 127u - (uint32_t)spread + next(state) % (2u * (uint32_t)spread);
    if ((word >> 28 & 3u) == 0)
        mantissa &= 0x00400001u << (next(state) % 12u) & 0x007fffffu;
    return float_of((word & 0x40000000u) << 1 | exponent << 23 | mantissa);
}

/* a b + c nearly cancels: what is left shows whether the product was rounded. Divisions and roots of
 * neighbours of powers of two and of quotients near the middle between two floats. */
static void make_cases(struct probe *probe)
{
    uint64_t state = 20240229;
    for (int i = 0; i < CASES; i++) {
        float a = draw(&state, i % 2 ? 3 : 30), b = draw(&state, i % 2 ? 3 : 30), c = draw(&state, 40);
        switch (i % 8) {
        case 0: /* (1 + 2^-12)^2 - (1 + 2^-11) and the like */
            a = float_of(0x3f800000u | 1u << (next(&state) % 12u));
            b = a;
            c = -(a * b);
            break;
        case 1:
        case 2:
        case 3:
            c = -(a * b);
            break;
        case 4: /* half a unit apart */
            c = a * b * float_of(0x4b800000u);
            break;
        case 5:
            b = float_of(0x3f800000u | (0x007fffffu - next(&state) % 16u));
            break;
        case 6:
            a = b * draw(&state, 2);
            break;
        default:
            break;
        }
        probe->in[i].a = bits_of(a);
        probe->in[i].b = bits_of(b);
        probe->in[i].c = bits_of(c);
    }
}

static ls_status run(struct ls_vk_device *device, enum ls_vk_fma form, struct probe *probe)
{
    struct ls_buffer *in = NULL, *out = NULL;
    struct ls_vk_key key = ls_vk_key_of(LS_VK_SHADER_probe);
    key.form = (uint8_t)form;
    const struct ls_vk_pipeline *pipeline;
    ls_status status = ls_vk_pipeline(device, "probe", &key, 2, &pipeline);
    if (status == LS_OK)
        status = ls_vk_create(&device->base, sizeof probe->in, &in);
    if (status == LS_OK)
        status = ls_vk_create(&device->base, sizeof probe->out + sizeof probe->walk, &out);
    if (status == LS_OK)
        status = ls_vk_write(&device->base, in, 0, probe->in, sizeof probe->in);
    if (status == LS_OK) {
        struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
        ls_vk_bind(&launch, in, sizeof probe->in, LS_VK_READ);
        ls_vk_bind(&launch, out, sizeof probe->out + sizeof probe->walk, LS_VK_WRITE);
        ls_vk_push(&launch, CASES);
        ls_vk_push(&launch, ROUNDS);
        status = ls_vk_run(&launch, ls_vk_groups(CASES + 1, GROUP));
    }
    if (status == LS_OK)
        status = ls_vk_read(&device->base, out, 0, probe->out, sizeof probe->out);
    if (status == LS_OK)
        status = ls_vk_read(&device->base, out, sizeof probe->out, &probe->walk, sizeof probe->walk);
    ls_vk_destroy(&device->base, in);
    ls_vk_destroy(&device->base, out);
    return status;
}

/* NaNs are alike, and so are zeros (canon rules 18 and 19). */
static bool same(float want, uint32_t got)
{
    return bits_of(want) == got || (want == 0 && (got & 0x7fffffffu) == 0) || (want != want && float_of(got) != float_of(got));
}

static void judge(const struct probe *probe, bool *fma_right, bool *division_right, bool *root_right)
{
    *fma_right = *division_right = *root_right = true;
    for (int i = 0; i < CASES; i++) {
        float a = float_of(probe->in[i].a), b = float_of(probe->in[i].b), c = float_of(probe->in[i].c);
        float sum = fmaf(a, b, c), quotient = a / b, root = sqrtf(a);
        if (!is_normal(a) || !is_normal(b) || !is_normal(c))
            continue;
        if (is_normal(sum) && !same(sum, probe->out[i].fma))
            *fma_right = false;
        if (is_normal(quotient) && !same(quotient, probe->out[i].quotient))
            *division_right = false;
        if (!same(root, probe->out[i].root))
            *root_right = false;
    }
}

/* Mesa's llvmpipe ends the loops of a shader, all together, after 65,535 rounds, without a word. Who comes to the
 * end of a walk of ROUNDS runs as many; nothing shows that more would do, and no launch should keep a device busy for long. */
static ls_status set_rounds(struct ls_vk_device *device, const struct probe *probe)
{
    const char *imitated = ls_vk_test_option("rounds");
    device->rounds = imitated != NULL                           ? strtoll(imitated, NULL, 10)
                     : probe->walk.place == place_after(ROUNDS) ? ROUNDS
                                                                : probe->walk.rounds;
    if (device->rounds >= FEWEST_ROUNDS && device->rounds <= ROUNDS)
        return LS_OK;
    snprintf(device->base.message.text, sizeof device->base.message.text,
             "the driver ends the loops of shaders after %lld rounds; %d are needed. Use another driver",
             (long long)device->rounds, FEWEST_ROUNDS);
    return LS_UNAVAILABLE;
}

/* The first form of fma that is right, from the fastest on. */
ls_status ls_vk_probe(struct ls_vk_device *device)
{
    static const char *const names[] = {"native", "double", "integer"};
    const char *wanted = ls_vk_test_option("fma");
    struct probe probe;
    make_cases(&probe);
    for (int form = LS_VK_FMA_NATIVE; form < LS_VK_FMA_FORMS; form++) {
        if (form == LS_VK_FMA_DOUBLE && !device->has_double)
            continue;
        if (wanted != NULL && strncmp(wanted, names[form], strlen(names[form])) != 0)
            continue;
        bool right;
        ls_status status = run(device, (enum ls_vk_fma)form, &probe);
        if (status != LS_OK)
            return status;
        judge(&probe, &right, &device->native_division, &device->native_root);
        device->fma = (enum ls_vk_fma)form;
        if (right)
            break;
    }
    device->base.info.emulates_fma = device->fma != LS_VK_FMA_NATIVE;
    return set_rounds(device, &probe);
}
