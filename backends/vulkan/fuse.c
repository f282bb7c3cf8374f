/* SPDX-License-Identifier: Apache-2.0
 *
 * A map of several rows as one pipeline: its GLSL is put together from the formulas of
 * lib/ops/elementwise.def and the texts of shaders/, and compiled by libshaderc. A pipeline depends on
 * the program, the types and the pattern of access, never on sizes or strides.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan.h"

enum { GROUP = 128, COMPUTE_SHADER = 2, TARGET_VULKAN = 0, SUCCESS = 0 }; /* the latter as in shaderc.h */

/* ---- Text that grows: after a failed allocation it stays and `failed` is set ---- */

struct text {
    char *data;
    size_t size, capacity;
    bool failed;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    size_t needed = text->size + (size_t)length + 1;
    if (needed > text->capacity && !text->failed) {
        char *data = realloc(text->data, 2 * needed);
        text->failed = data == NULL;
        text->data = data != NULL ? data : text->data;
        text->capacity = data != NULL ? 2 * needed : text->capacity;
    }
    if (text->failed)
        return;
    va_start(arguments, format);
    vsnprintf(text->data + text->size, text->capacity - text->size, format, arguments);
    va_end(arguments);
    text->size += (size_t)length;
}

/* ---- The pattern of access ---- */

enum access { ACCESS_DENSE, ACCESS_SCALAR, ACCESS_STRIDED };

struct pattern {
    int rank; /* of strided inputs; 0: there is none */
    enum access access[LS_MAP_INPUTS];
    uint32_t per; /* elements of an item: as many as the narrowest output has in a word */
};

static enum access access_of(const struct ls_map_args *args, const struct ls_map_input *input)
{
    int64_t step = ls_vk_step(args->rank, args->extent, input->stride);
    return step == 0 ? ACCESS_SCALAR : step == 1 ? ACCESS_DENSE : ACCESS_STRIDED;
}

static uint32_t per_word(ls_dtype dtype)
{
    return 4 / (uint32_t)ls_dtype_size(dtype);
}

static struct pattern pattern_of(const struct ls_map_args *args)
{
    struct pattern pattern = {.per = 1};
    for (int i = 0; i < args->inputs; i++) {
        pattern.access[i] = access_of(args, &args->input[i]);
        if (pattern.access[i] == ACCESS_STRIDED)
            pattern.rank = args->rank;
    }
    for (int i = 0; i < args->outputs; i++)
        if (per_word(args->output[i].dtype) > pattern.per)
            pattern.per = per_word(args->output[i].dtype);
    return pattern;
}

/* The number of push constants: n, the immediates, extents, and the strides of strided inputs. */
static int pushed(const struct ls_map_args *args, const struct pattern *pattern)
{
    int words = 1 + args->immediates + pattern->rank;
    for (int i = 0; i < args->inputs; i++)
        words += pattern->access[i] == ACCESS_STRIDED ? pattern->rank : 0;
    return words;
}

static struct ls_vk_key key_of(const struct ls_map_args *args, const struct pattern *pattern)
{
    struct ls_vk_key key = ls_vk_key_of(LS_VK_FUSED);
    ls_vk_key_add(&key, (uint32_t)pattern->rank << 24 | (uint32_t)args->rows << 16 | (uint32_t)args->inputs << 12 |
                            (uint32_t)args->outputs << 8 | args->immediates);
    for (int i = 0; i < args->rows; i++) {
        const struct ls_map_row *row = &args->row[i];
        size_t arguments = strlen(ls_vk_rows[row->op].arguments);
        ls_vk_key_add(&key, (uint32_t)row->op << 15 | (uint32_t)row->arg[0] << 10 |
                                (uint32_t)(arguments > 1 ? row->arg[1] : 0) << 5 |
                                (uint32_t)(arguments > 2 ? row->arg[2] : 0));
    }
    for (int i = 0; i < args->inputs; i++)
        ls_vk_key_add(&key, (uint32_t)ls_vk_kind_of(args->input[i].dtype) << 4 | pattern->access[i]);
    for (int i = 0; i < args->outputs; i++)
        ls_vk_key_add(&key, (uint32_t)ls_vk_kind_of(args->output[i].dtype) << 8 | args->output[i].source);
    return key;
}

/* ---- The text ---- */

static const char *type_name(char type) { return type == 'F' ? "float" : type == 'I' ? "int" : "uint"; }
static const char *to_type(char type) { return type == 'F' ? "LS_FLOAT" : type == 'I' ? "LS_INT" : ""; }
static const char *to_word(char type) { return type == 'F' ? "LS_BITS" : type == 'I' ? "LS_UINT" : ""; }

/* Adds those of the files with elementary functions that define one of the formulas', and what they need. */
static void add_canon(struct text *text, const struct ls_map_args *args)
{
    const char *files[] = {ls_vk_file_canon_exp, ls_vk_file_canon_trig, ls_vk_file_canon_special};
    bool wanted[3] = {false};
    for (int i = 0; i < args->rows; i++)
        for (const char *name = ls_vk_rows[args->row[i].op].formula; (name = strstr(name, "canon_")) != NULL; name += 6)
            for (int f = 0; f < 3; f++) {
                char definition[64];
                snprintf(definition, sizeof definition, "LS_FN float %.*s(", (int)strcspn(name, "("), name);
                wanted[f] = wanted[f] || strstr(files[f], definition) != NULL;
            }
    wanted[0] = wanted[0] || wanted[1] || wanted[2];
    for (int f = 0; f < 3; f++)
        if (wanted[f])
            add(text, "%s", files[f]);
}

static void add_interface(struct text *text, const struct ls_map_args *args, const struct pattern *pattern)
{
    for (int i = 0; i < args->inputs; i++)
        add(text, "layout(set = 0, binding = %d) readonly buffer In%d { uint in%d[]; };\n", i, i, i);
    for (int i = 0; i < args->outputs; i++)
        add(text, "layout(set = 0, binding = %d) writeonly buffer Out%d { uint out%d[]; };\n", args->inputs + i, i, i);
    add(text, "layout(push_constant) uniform Push { uint n;");
    for (int i = 0; i < args->immediates; i++)
        add(text, " uint k%d;", LS_REGISTER_IMMEDIATE + i);
    if (pattern->rank > 0)
        add(text, " int extent[%d];", pattern->rank);
    for (int i = 0; i < args->inputs; i++)
        if (pattern->access[i] == ACCESS_STRIDED)
            add(text, " int stride%d[%d];", i, pattern->rank);
    add(text, " };\n");
}

static void add_functions(struct text *text, const struct ls_map_args *args)
{
    bool added[LS_ROW_COUNT] = {false};
    for (int i = 0; i < args->rows; i++) {
        const struct ls_vk_row *row = &ls_vk_rows[args->row[i].op];
        if (added[args->row[i].op])
            continue;
        added[args->row[i].op] = true;
        add(text, "%s row_%s(", type_name(row->result), row->name);
        for (int a = 0; row->arguments[a] != '\0'; a++)
            add(text, "%s%s %c", a == 0 ? "" : ", ", type_name(row->arguments[a]), 'a' + a);
        add(text, ") { return %s; }\n", row->formula);
    }
}

/* Where the strided inputs are: p0.. */
static void add_places(struct text *text, const struct ls_map_args *args, const struct pattern *pattern)
{
    if (pattern->rank == 0)
        return;
    add(text, "uint rest = i; uint quotient; int at;\n");
    for (int i = 0; i < args->inputs; i++)
        if (pattern->access[i] == ACCESS_STRIDED)
            add(text, "int p%d = 0;\n", i);
    for (int d = pattern->rank - 1; d >= 0; d--) {
        if (d > 0)
            add(text, "quotient = rest / uint(extent[%d]); at = int(rest - quotient * uint(extent[%d])); rest = quotient;\n",
                d, d);
        else
            add(text, "at = int(rest);\n");
        for (int i = 0; i < args->inputs; i++)
            if (pattern->access[i] == ACCESS_STRIDED)
                add(text, "p%d += at * stride%d[%d];\n", i, i, d);
    }
}

static void add_loads(struct text *text, const struct ls_map_args *args, const struct pattern *pattern)
{
    for (int i = 0; i < args->inputs; i++) {
        unsigned kind = ls_vk_kind_of(args->input[i].dtype);
        char place[24] = "i";
        if (pattern->access[i] != ACCESS_DENSE)
            snprintf(place, sizeof place, pattern->access[i] == ACCESS_SCALAR ? "0u" : "uint(p%d)", i);
        add(text, "uint r%d = ls_unpack(%uu, %s, in%d[LS_AT(%uu, %s)]);\n", i, kind, place, i, kind, place);
    }
    for (int i = 0; i < args->immediates; i++)
        add(text, "uint r%d = k%d;\n", LS_REGISTER_IMMEDIATE + i, LS_REGISTER_IMMEDIATE + i);
}

static void add_rows(struct text *text, const struct ls_map_args *args)
{
    for (int i = 0; i < args->rows; i++) {
        const struct ls_vk_row *row = &ls_vk_rows[args->row[i].op];
        add(text, "uint r%d = %s(row_%s(", LS_REGISTER_ROW + i, to_word(row->result), row->name);
        for (int a = 0; row->arguments[a] != '\0'; a++)
            add(text, "%s%s(r%d)", a == 0 ? "" : ", ", to_type(row->arguments[a]), args->row[i].arg[a]);
        add(text, "));\n");
    }
}

/* A word of narrow elements is written with its last one. */
static void add_stores(struct text *text, const struct ls_map_args *args)
{
    for (int i = 0; i < args->outputs; i++) {
        unsigned kind = ls_vk_kind_of(args->output[i].dtype), per = per_word(args->output[i].dtype);
        if (per == 1)
            add(text, "out%d[i] = r%d;\n", i, args->output[i].source);
        else
            add(text, "packed%d |= ls_pack(%uu, i, r%d);\n"
                      "if ((i & %uu) == %uu || i == n - 1u) { out%d[i / %uu] = packed%d; packed%d = 0u; }\n",
                i, kind, args->output[i].source, per - 1, per - 1, i, per, i, i);
    }
}

static void write_text(struct text *text, const struct ls_vk_device *device, const struct ls_map_args *args,
                       const struct pattern *pattern)
{
    add(text, "#version 450\n#define LS_EMULATE_FMA %d\nlayout(local_size_x = %d) in;\n", (int)device->fma, GROUP);
    add_interface(text, args, pattern);
    add(text, "%s%s", ls_vk_file_prelude_glsl, ls_vk_file_canon);
    add_canon(text, args);
    add(text, "%s", ls_vk_file_kernel);
    add_functions(text, args);
    add(text, "void main() {\nuint first = ls_item() * %uu;\n", pattern->per);
    for (int i = 0; i < args->outputs; i++)
        add(text, "uint packed%d = 0u;\n", i);
    add(text, "for (uint i = first; i < first + %uu; i++) {\nif (i >= n) return;\n", pattern->per);
    add_places(text, args, pattern);
    add_loads(text, args, pattern);
    add_rows(text, args);
    add_stores(text, args);
    add(text, "}\n}\n");
}

/* ---- Compiling ---- */

/* The compiler, made once. Without one, maps are not fused. */
bool ls_vk_has_compiler(struct ls_vk_device *device)
{
    if (device->compiler != NULL || !device->fuses)
        return device->fuses;
    if (ls_shaderc_load()) {
        device->compiler = ls_shaderc.shaderc_compiler_initialize();
        device->compiler_options = ls_shaderc.shaderc_compile_options_initialize();
    }
    device->fuses = device->compiler != NULL && device->compiler_options != NULL;
    if (device->fuses) /* nothing is optimised here, for that would fuse */
        ls_shaderc.shaderc_compile_options_set_target_env(device->compiler_options, TARGET_VULKAN, VK_API_VERSION_1_1);
    return device->fuses;
}

void ls_vk_release_compiler(struct ls_vk_device *device)
{
    if (device->compiler_options != NULL)
        ls_shaderc.shaderc_compile_options_release(device->compiler_options);
    if (device->compiler != NULL)
        ls_shaderc.shaderc_compiler_release(device->compiler);
}

static ls_status compile(struct ls_vk_device *device, const char *name, const struct text *text, uint32_t **words,
                         size_t *size)
{
    void *result = ls_shaderc.shaderc_compile_into_spv(device->compiler, text->data, text->size, COMPUTE_SHADER, name,
                                                       "main", device->compiler_options);
    if (result == NULL)
        return ls_vk_failed(device, VK_ERROR_OUT_OF_HOST_MEMORY, "shaderc_compile_into_spv(%s)", name);
    ls_status status = LS_OK;
    *size = ls_shaderc.shaderc_result_get_length(result);
    *words = NULL;
    if (ls_shaderc.shaderc_result_get_compilation_status(result) != SUCCESS) {
        snprintf(device->base.message.text, sizeof device->base.message.text, "shaderc_compile_into_spv(%s): %s", name,
                 ls_shaderc.shaderc_result_get_error_message(result));
        status = LS_COMPILE_ERROR;
    } else if ((*words = malloc(*size + 1)) == NULL) {
        status = ls_vk_failed(device, VK_ERROR_OUT_OF_HOST_MEMORY, "the shader %s", name);
    } else {
        memcpy(*words, ls_shaderc.shaderc_result_get_bytes(result), *size);
    }
    ls_shaderc.shaderc_result_release(result);
    return status;
}

/* From the SPIR-V that an earlier process kept; if there is none, or it is of no use, compiled and kept. */
static ls_status build(struct ls_vk_device *device, const struct ls_map_args *args, const struct pattern *pattern,
                       const struct ls_vk_key *key, const struct ls_vk_pipeline **pipeline)
{
    const char *name = ls_vk_rows[args->row[0].op].name;
    struct text text = {.data = NULL};
    int buffers = args->inputs + args->outputs;
    void *kept = NULL;
    uint32_t *words = NULL;
    size_t size = 0;
    write_text(&text, device, args, pattern);
    uint64_t blob = ls_cache_hash(LS_CACHE_HASH, ls_version(), strlen(ls_version()));
    blob = ls_cache_hash(blob, text.data, text.failed ? 0 : text.size);
    ls_status status = text.failed ? ls_vk_failed(device, VK_ERROR_OUT_OF_HOST_MEMORY, "the shader %s", name) : LS_COMPILE_ERROR;
    if (!text.failed && ls_cache_load(device->cache_folder, blob, &kept, &size))
        status = ls_vk_build(device, name, key, kept, size / sizeof *words, buffers, pipeline);
    if (status == LS_COMPILE_ERROR && (status = compile(device, name, &text, &words, &size)) == LS_OK) {
        ls_cache_store(device->cache_folder, blob, words, size);
        status = ls_vk_build(device, name, key, words, size / sizeof *words, buffers, pipeline);
    }
    free(text.data);
    free(kept);
    free(words);
    return status;
}

/* ---- Launching ---- */

ls_status ls_vk_map_fused(struct ls_vk_device *device, const struct ls_map_args *args)
{
    struct pattern pattern = pattern_of(args);
    int buffers = args->inputs + args->outputs;
    if (pushed(args, &pattern) * 4 > LS_VK_PUSH || buffers > LS_VK_BINDINGS ||
        (uint32_t)buffers > device->limits.maxPerStageDescriptorStorageBuffers || !ls_vk_has_compiler(device))
        return LS_UNSUPPORTED;
    struct ls_vk_key key = key_of(args, &pattern);
    const struct ls_vk_pipeline *pipeline = ls_vk_find(device, &key);
    ls_status status = pipeline == NULL ? build(device, args, &pattern, &key, &pipeline) : LS_OK;
    if (status != LS_OK)
        return status;
    struct ls_vk_launch launch = ls_vk_begin(device, pipeline);
    for (int i = 0; i < args->inputs; i++) {
        const struct ls_map_input *input = &args->input[i];
        int64_t reach = ls_vk_reach(args->rank, args->extent, input->stride);
        ls_vk_bind(&launch, input->buffer, reach * (int64_t)ls_dtype_size(input->dtype), LS_VK_READ);
    }
    for (int i = 0; i < args->outputs; i++)
        ls_vk_bind(&launch, args->output[i].buffer, args->n * (int64_t)ls_dtype_size(args->output[i].dtype),
                   LS_VK_WRITE);
    ls_vk_push(&launch, args->n);
    for (int i = 0; i < args->immediates; i++)
        ls_vk_push_bits(&launch, args->immediate[i]);
    for (int d = 0; d < pattern.rank; d++)
        ls_vk_push(&launch, args->extent[d]);
    for (int i = 0; i < args->inputs; i++)
        for (int d = 0; d < pattern.rank && pattern.access[i] == ACCESS_STRIDED; d++)
            ls_vk_push(&launch, args->input[i].stride[d]);
    return ls_vk_run(&launch, ls_vk_groups(ls_vk_groups(args->n, pattern.per), GROUP));
}
