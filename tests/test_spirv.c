/* SPDX-License-Identifier: Apache-2.0
 *
 * The passes over SPIR-V, on the shaders that are built here: test_spirv FILE.spv...
 * What comes out is read again by a walk of this file's own, and by spirv-val where that is installed
 * (LOCKSTEP_TEST_REQUIRE naming spirv-val makes it a must).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "../backends/vulkan/spirv.h"

enum { HEADER = 5, ROWS = 400 };

struct module {
    uint32_t *words;
    size_t count;
};

static char folder[] = "/tmp/lockstep-spirv-XXXXXX";
static bool have_validator;

/* A file of words, or of their numbers with commas if its name ends with .inc. */
static struct module read_module(const char *path)
{
    enum { MOST = 1 << 20 };
    struct module m = {malloc(MOST * 4), 0};
    FILE *file = fopen(path, "rb");
    size_t length = strlen(path);
    if (file && m.words && length > 4 && strcmp(path + length - 4, ".inc") == 0)
        while (m.count < MOST && fscanf(file, " %" SCNx32 " ,", m.words + m.count) == 1)
            m.count++;
    else if (file && m.words)
        m.count = fread(m.words, 4, MOST, file);
    if (file)
        fclose(file);
    CHECK(m.count > 100, "%s cannot be read", path);
    return m;
}

/* A copy that ends where the words end, so that the sanitizers see what reads beyond. */
static struct module copy_of(struct module m, size_t count)
{
    struct module copy = {malloc(count * 4 + (count == 0)), count};
    memcpy(copy.words, m.words, count * 4);
    return copy;
}

static void validate(struct module m, const char *what)
{
    if (!have_validator)
        return;
    char path[64], command[160];
    snprintf(path, sizeof path, "%s/module.spv", folder);
    snprintf(command, sizeof command, "spirv-val --target-env vulkan1.1 %s/module.spv", folder);
    FILE *file = fopen(path, "wb");
    fwrite(m.words, 4, m.count, file);
    fclose(file);
    CHECK(system(command) == 0, "spirv-val refuses %s", what);
}

/* ---- a walk of our own ---- */

#define EACH(m, at) for (const uint32_t *at = (m).words + HEADER; at < (m).words + (m).count; at += at[0] >> 16)

static bool is_op(const uint32_t *at, uint32_t opcode) { return (at[0] & 0xffff) == opcode; }

static uint32_t glsl_of(struct module m)
{
    EACH(m, at)
        if (is_op(at, 11) && strcmp((const char *)(at + 2), "GLSL.std.450") == 0)
            return at[1];
    return 0;
}

static bool is_float_op(const uint32_t *at, uint32_t glsl)
{
    switch (at[0] & 0xffff) {
    case 127: /* OpFNegate, Add, Sub, Mul, Div, FmaKHR */
    case 129:
    case 131:
    case 133:
    case 136:
    case 4427: return true;
    default: return is_op(at, 12) && at[3] == glsl && at[4] == 50;
    }
}

static unsigned count_of(struct module m, uint32_t length, uint32_t opcode, uint32_t word, uint32_t value)
{
    unsigned count = 0;
    EACH(m, at)
        count += is_op(at, opcode) && (length == 0 || at[0] >> 16 == length) && (word == 0 || at[word] == value);
    return count;
}

static void check_decorations(struct module m)
{
    unsigned char *decorated = calloc(m.words[3], 1);
    unsigned operations = 0, decorations = 0, bare = 0, twice = 0;
    EACH(m, at)
        if (is_op(at, 71) && at[2] == 42) {
            twice += decorated[at[1]]++ > 0;
            decorations++;
        }
    uint32_t glsl = glsl_of(m);
    EACH(m, at)
        if (is_float_op(at, glsl)) {
            operations++;
            bare += decorated[at[2]] == 0;
        }
    CHECK(operations == decorations && bare == 0 && twice == 0, "%u float operations, %u decorations, %u bare, %u twice",
          operations, decorations, bare, twice);
    free(decorated);
}

static void check_control(struct module m, unsigned widths, bool doubles, uint32_t capability, uint32_t mode)
{
    unsigned entries = count_of(m, 0, 15, 0, 0), wanted_64 = (widths & LS_SPIRV_64) && doubles;
    unsigned any = (widths & LS_SPIRV_32) || wanted_64, modes_32 = 0, modes_64 = 0;
    EACH(m, at)
    {
        modes_32 += is_op(at, 16) && at[2] == mode && at[3] == 32;
        modes_64 += is_op(at, 16) && at[2] == mode && at[3] == 64;
    }
    CHECK(entries == 1 && count_of(m, 2, 17, 1, capability) == any, "capability %u", capability);
    CHECK(modes_32 == (widths & LS_SPIRV_32) && modes_64 == wanted_64, "mode %u: %u for 32 bits, %u for 64", mode, modes_32, modes_64);
}

static void check_fma(struct module before, struct module after, bool wanted)
{
    unsigned had = 0, has = 0, khr = count_of(after, 6, 4427, 0, 0);
    EACH(before, at) had += is_op(at, 12) && at[3] == glsl_of(before) && at[4] == 50;
    EACH(after, at) has += is_op(at, 12) && at[3] == glsl_of(after) && at[4] == 50;
    CHECK(wanted ? has == 0 && khr == had : has == had && khr == 0, "%u fma before, %u after and %u of the extension", had, has, khr);
    CHECK(count_of(after, 2, 17, 1, 6030) == (wanted && had > 0), "capability FMAKHR");
}

/* What was there is still there in its order, but for an fma that became another. */
static void check_kept(struct module before, struct module after)
{
    const uint32_t *b = before.words + HEADER;
    EACH(after, a)
        if (b < before.words + before.count &&
            (memcmp(a, b, (b[0] >> 16) * 4) == 0 || (is_op(a, 4427) && is_op(b, 12) && a[2] == b[2] && memcmp(a + 3, b + 5, 12) == 0)))
            b += b[0] >> 16;
    CHECK(b == before.words + before.count, "an instruction is lost at word %zu", (size_t)(b - before.words));
}

static void check_canonical(struct module m, struct ls_spirv_options o, bool validated, const char *what)
{
    struct module made, again;
    enum ls_spirv_result result = ls_spirv_canonicalize(m.words, m.count, &o, &made.words, &made.count);
    CHECK(result == LS_SPIRV_OK, "%s: %s", what, ls_spirv_error(result));
    if (result != LS_SPIRV_OK)
        return;
    bool doubles = count_of(m, 2, 17, 1, 10) > 0;
    check_decorations(made);
    check_control(made, o.preserve_denormals, doubles, 4464, 4459);
    check_control(made, o.preserve_special, doubles, 4466, 4461);
    check_control(made, o.round_to_even, doubles, 4467, 4462);
    check_fma(m, made, o.fma_khr);
    check_kept(m, made);
    if (validated && !o.fma_khr) /* spirv-val may be too old for OpFmaKHR */
        validate(made, what);
    result = ls_spirv_canonicalize(made.words, made.count, &o, &again.words, &again.count);
    CHECK(result == LS_SPIRV_OK && again.count == made.count && memcmp(again.words, made.words, made.count * 4) == 0,
          "%s: a second pass changes something", what);
    free(again.words);
    free(made.words);
}

static void check_option_sets(struct module m, const char *what)
{
    for (unsigned set = 0; set < 16; set++)
        for (unsigned width = set & 7 ? 1 : 3; width <= 3; width++) {
            struct ls_spirv_options o = {set & 1 ? width : 0, set & 2 ? width : 0, set & 4 ? width : 0, (set & 8) != 0};
            check_canonical(m, o, width == 3, what);
        }
}

/* ---- what glslang gets wrong ---- */

/* An array as long as a specialization constant, passed to a function, arrives with its first element only. So no
 * shader may have a function with such a parameter. */
static void check_parameters(struct module m, const char *what)
{
    enum { OPEN = 1, ARRAY = 2, POINTER = 4 };
    unsigned char *kind = calloc(m.words[3], 1);
    unsigned passed = 0;
    EACH(m, at)
    {
        if (is_op(at, 50) || is_op(at, 52))
            kind[at[2]] |= OPEN;
        else if (is_op(at, 28))
            kind[at[1]] |= kind[at[3]] & OPEN ? ARRAY : 0;
        else if (is_op(at, 32))
            kind[at[1]] |= kind[at[3]] & ARRAY ? POINTER : 0;
        else if (is_op(at, 33)) /* a type of functions: result, parameters */
            for (uint32_t i = 3; i < at[0] >> 16; i++)
                passed += (kind[at[i]] & (ARRAY | POINTER)) != 0;
    }
    CHECK(passed == 0, "%s: %u parameters are arrays sized by a specialization constant, which glslang does not copy", what, passed);
    free(kind);
}

/* ---- specialization ---- */

/* Names and decorations of ids that nothing else mentions: of what was left out. */
static unsigned count_dangling(struct module m)
{
    unsigned char *mentioned = calloc(m.words[3], 1);
    unsigned dangling = 0;
    EACH(m, at)
        for (uint32_t i = 1; i < at[0] >> 16 && !is_op(at, 5) && !is_op(at, 71); i++)
            if (at[i] < m.words[3])
                mentioned[at[i]] = 1;
    EACH(m, at) dangling += (is_op(at, 5) || is_op(at, 71)) && !mentioned[at[1]];
    free(mentioned);
    return dangling;
}

/* Constant 0, which most shaders switch over, and both choices of the prelude. */
static void check_specialized(struct module m, const char *what)
{
    size_t largest = 0;
    for (uint32_t row = 0; row < ROWS; row++) {
        struct ls_spirv_constant constants[] = {{0, row}, {1000, row & 1}, {1001, row >> 1 & 1}, {54321, 7}};
        struct module made, again;
        enum ls_spirv_result result = ls_spirv_specialize(m.words, m.count, constants, 4, &made.words, &made.count);
        CHECK(result == LS_SPIRV_OK, "%s: %s", what, ls_spirv_error(result));
        if (result != LS_SPIRV_OK)
            return;
        largest = made.count > largest ? made.count : largest;
        unsigned open = 0;
        EACH(made, at) open += is_op(at, 71) && at[2] == 1 && (at[3] == 0 || at[3] >= 1000);
        CHECK(open == 0, "%u specialization constants are left open", open);
        CHECK(count_dangling(made) == 0, "names or decorations of what is not there");
        result = ls_spirv_specialize(made.words, made.count, constants, 4, &again.words, &again.count);
        CHECK(result == LS_SPIRV_OK && again.count == made.count, "%s: a second pass finds more", what);
        free(again.words);
        if (row % 57 == 0) {
            validate(made, what);
            struct ls_spirv_options o = {LS_SPIRV_32, LS_SPIRV_32, LS_SPIRV_32, false};
            result = ls_spirv_canonicalize(made.words, made.count, &o, &again.words, &again.count);
            CHECK(result == LS_SPIRV_OK, "%s: %s", what, ls_spirv_error(result));
            validate(again, what);
            free(again.words);
        }
        free(made.words);
    }
    printf("%s: %zu words, at most %zu when specialized\n", what, m.count, largest);
}

/* ---- what is not SPIR-V ---- */

/* Both passes over any words, which must not read beyond; whether both refuse them. */
static bool refused(struct module m)
{
    struct ls_spirv_options o = {3, 3, 3, true};
    struct ls_spirv_constant constants[] = {{0, 12}, {1000, 0}, {1001, 0}};
    struct module made;
    bool bad = ls_spirv_canonicalize(m.words, m.count, &o, &made.words, &made.count) != LS_SPIRV_OK;
    CHECK(bad == (made.words == NULL) && bad == (made.count == 0), "a result beside an error");
    free(made.words);
    bool worse = ls_spirv_specialize(m.words, m.count, constants, 3, &made.words, &made.count) != LS_SPIRV_OK;
    CHECK(worse == (made.words == NULL) && worse == (made.count == 0), "a result beside an error");
    free(made.words);
    return bad && worse;
}

/* Whether a module cut off there still ends at an instruction and has a function. */
static bool is_whole(struct module m, size_t count)
{
    bool function = false;
    EACH(m, at)
    {
        if (at == m.words + count)
            return function;
        function |= is_op(at, 54);
    }
    return count == m.count;
}

static void check_damaged(struct module m)
{
    struct ls_spirv_options o = {1, 1, 1, true};
    for (size_t i = 0; i < m.count; i++) {
        struct module cut = copy_of(m, i), made;
        bool refuses = refused(cut);
        enum ls_spirv_result result = ls_spirv_canonicalize(cut.words, cut.count, &o, &made.words, &made.count);
        CHECK((result != LS_SPIRV_OK) == !is_whole(m, i) && (result == LS_SPIRV_OK || made.words == NULL), "cut at %zu of %zu: %s", i, m.count,
              ls_spirv_error(result));
        CHECK(!refuses || result != LS_SPIRV_OK, "cut at %zu", i);
        free(made.words);
        free(cut.words);
    }
    static const uint32_t damage[] = {0, 1, 0xffffffff, 0x00010000, 0xffff0047, 0x7fffffff};
    for (size_t i = 0; i < m.count; i++)
        for (size_t d = 0; d < sizeof damage / sizeof *damage; d++) {
            struct module damaged = copy_of(m, m.count);
            damaged.words[i] = damage[d];
            bool refuses = refused(damaged);
            CHECK(refuses || i > 0, "the magic number is %#x", damage[d]);
            free(damaged.words);
        }
    uint64_t state = 1;
    for (int round = 0; round < 20000; round++) {
        struct module damaged = copy_of(m, m.count);
        for (int k = 0; k < 3; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            damaged.words[HEADER + (state >> 33) % (m.count - HEADER)] = m.words[(state >> 13) % m.count];
        }
        refused(damaged);
        free(damaged.words);
    }
}

#define RESULT_OF(...)                                                                             \
    result_of((uint32_t[]){0x07230203, 0x10300, 0, 20, 0, __VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4 + HEADER)

static enum ls_spirv_result result_of(const uint32_t *words, size_t count)
{
    struct ls_spirv_options o = {LS_SPIRV_32, LS_SPIRV_32, LS_SPIRV_32, false};
    struct module made;
    enum ls_spirv_result result = ls_spirv_canonicalize(words, count, &o, &made.words, &made.count);
    free(made.words);
    return result;
}

#define OP(length, opcode) ((length) << 16 | (opcode))

static void check_errors(void)
{
    struct ls_spirv_options none = {0};
    struct module made;
    CHECK(ls_spirv_canonicalize(NULL, 0, &none, &made.words, &made.count) == LS_SPIRV_NOT_SPIRV, "nothing");
    CHECK(result_of((uint32_t[]){0x03022307, 0, 0, 0, 0}, 5) == LS_SPIRV_BYTE_ORDER, "byte order");
    CHECK(result_of((uint32_t[]){0x07230203, 0, 0}, 3) == LS_SPIRV_TRUNCATED, "short header");
    CHECK(result_of((uint32_t[]){0x07230203, 0x10300, 0, 0xffffffff, 0}, 5) == LS_SPIRV_BAD_ID, "bound");
    CHECK(RESULT_OF(OP(2, 17), 1) == LS_SPIRV_TRUNCATED, "no function");
    CHECK(RESULT_OF(OP(3, 17), 1) == LS_SPIRV_TRUNCATED, "cut off");
    CHECK(RESULT_OF(OP(1, 17)) == LS_SPIRV_BAD_INSTRUCTION, "too short");
    CHECK(RESULT_OF(OP(3, 22), 3, 32, OP(2, 17), 1) == LS_SPIRV_BAD_ORDER, "a capability after a type");
    CHECK(RESULT_OF(OP(3, 22), 20, 32) == LS_SPIRV_BAD_ID, "a type at the bound");
    CHECK(RESULT_OF(OP(4, 16), 4, 4463, 32, OP(5, 54), 1, 2, 0, 3) == LS_SPIRV_CONFLICT, "rounds toward zero");
    CHECK(RESULT_OF(OP(4, 16), 4, 4460, 32, OP(5, 54), 1, 2, 0, 3) == LS_SPIRV_CONFLICT, "flushes");
    CHECK(RESULT_OF(OP(4, 16), 4, 4463, 64, OP(5, 54), 1, 2, 0, 3) == LS_SPIRV_OK, "doubles may");
    /* A group that is decorated decorates its members: none of them twice. */
    uint32_t grouped[] = {0x07230203, 0x10300, 0, 20, 0, OP(3, 71), 7, 42, OP(2, 73), 7, OP(3, 74), 7, 8,
                          OP(5, 54), 1, 2, 0, 3, OP(5, 129), 1, 8, 9, 9, OP(5, 133), 1, 10, 9, 9};
    CHECK(ls_spirv_canonicalize(grouped, sizeof grouped / 4, &none, &made.words, &made.count) == LS_SPIRV_OK &&
              made.count == sizeof grouped / 4 + 3 && count_of(made, 3, 71, 1, 10) == 1 && count_of(made, 3, 71, 1, 8) == 0, "a group");
    free(made.words);
}

int main(int argc, char **argv)
{
    const char *required = getenv("LOCKSTEP_TEST_REQUIRE");
    have_validator = system("spirv-val --version > /dev/null 2>&1") == 0;
    CHECK(have_validator || !required || !strstr(required, "spirv-val"), "spirv-val is missing; install spirv-tools");
    if (!have_validator)
        printf("spirv-val is not installed: results are not validated\n");
    if (!mkdtemp(folder))
        return 1;
    check_errors();
    int damaged = 0;
    for (int i = 1; i < argc; i++) {
        struct module m = read_module(argv[i]);
        check_option_sets(m, argv[i]);
        check_parameters(m, argv[i]);
        check_specialized(m, argv[i]);
        if (m.count < 2200 && ++damaged) /* one run per word */
            check_damaged(m);
        free(m.words);
    }
    CHECK(argc == 1 || damaged, "none of the files is small enough to be damaged at each word");
    char path[64];
    snprintf(path, sizeof path, "%s/module.spv", folder);
    unlink(path);
    rmdir(folder);
    return end_of_checks();
}
