/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors: what the package itself wrote is read (tests/golden/files/safetensors.hex), what is written is read
 * back, and every way in which a file can lie is refused.
 *
 *     test_files_safetensors GOLDENS          the test
 *     test_files_safetensors --write FOLDER   writes FOLDER/ours.safetensors, for tests/files_roundtrip.py
 *     test_files_safetensors --read FILE      reads the package's file, as the golden's
 */
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700

#include <math.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../lib/io/bytes.h"
#include "../lib/io/safetensors.h"
#include "files_check.h"

static ls_context *ls;
static char folder[64];
static char path[128];

/* ---- One file with every type ---- */

static ls_status save_example(const char *to)
{
    float f[] = {1.5f, -0.0f, 3.4e38f, 1e-45f, NAN, INFINITY};
    ls_named_tensor tensors[] = {
        {"mlp/dense/kernel", ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 3), f)},
        {"scalar", ls_scalar(ls, 2.25f)},
        {"nothing", ls_zeros(ls, LS_FLOAT32, LS_SHAPE(0, 4))},
        {"i", ls_from_host(ls, LS_INT32, LS_SHAPE(3), (int32_t[]){INT32_MIN, -1, INT32_MAX})},
        {"u", ls_from_host(ls, LS_UINT8, LS_SHAPE(3), (uint8_t[]){0, 7, 255})},
        {"b", ls_from_host(ls, LS_BOOL, LS_SHAPE(2), (uint8_t[]){1, 0})},
        {"h", ls_from_host(ls, LS_FLOAT16, LS_SHAPE(2), (uint16_t[]){0x3c00, 0xc100})},
        {"bf", ls_from_host(ls, LS_BFLOAT16, LS_SHAPE(2), (uint16_t[]){0x3f80, 0xc040})},
        {"n\xc3\xa4me \"quoted\"\n", ls_ones(ls, LS_FLOAT32, LS_SHAPE(1))},
    };
    const char *metadata[] = {"format", "lockstep", "epoch", "3", NULL};
    return ls_save_safetensors(ls, to, tensors, sizeof tensors / sizeof *tensors, metadata);
}

static void check_example(ls_safetensors *file)
{
    float f[6];
    int32_t i[3];
    uint8_t u[3];
    uint16_t h[2];
    CHECK(ls_safetensors_count(file) == 9, "%zu tensors", ls_safetensors_count(file));
    CHECK(ls_read(ls_safetensors_read(file, "mlp/dense/kernel"), f, sizeof f) == LS_OK, "%s", ls_error_message(ls));
    CHECK(f[0] == 1.5f && signbit(f[1]) && f[3] == 1e-45f && isnan(f[4]) && isinf(f[5]), "kernel");
    ls_tensor kernel = ls_safetensors_read(file, "mlp/dense/kernel");
    CHECK(ls_shape_of_tensor(kernel).rank == 2 && ls_shape_of_tensor(kernel).dim[1] == 3, "shape");
    CHECK(ls_item(ls_safetensors_read(file, "scalar")) == 2.25f, "scalar");
    CHECK(ls_size(ls_safetensors_read(file, "nothing")) == 0 && ls_error(ls) == LS_OK, "no elements");
    ls_read(ls_safetensors_read(file, "i"), i, sizeof i);
    CHECK(i[0] == INT32_MIN && i[1] == -1 && i[2] == INT32_MAX, "int32");
    ls_read(ls_safetensors_read(file, "u"), u, sizeof u);
    CHECK(u[0] == 0 && u[1] == 7 && u[2] == 255, "uint8");
    ls_tensor b = ls_safetensors_read(file, "b");
    CHECK(ls_dtype_of(b) == LS_BOOL && ls_read(b, u, 2) == LS_OK && u[0] == 1 && u[1] == 0, "bool");
    ls_tensor half = ls_safetensors_read(file, "h"), brain = ls_safetensors_read(file, "bf");
    CHECK(ls_dtype_of(half) == LS_FLOAT16 && ls_read(half, h, sizeof h) == LS_OK && h[1] == 0xc100, "float16");
    CHECK(ls_dtype_of(brain) == LS_BFLOAT16 && ls_read(brain, h, sizeof h) == LS_OK && h[0] == 0x3f80, "bfloat16");
    CHECK(ls_item(ls_safetensors_read(file, "n\xc3\xa4me \"quoted\"\n")) == 1, "a name with quotes");
}

static void test_own(void)
{
    CHECK(save_example(path) == LS_OK, "%s", ls_error_message(ls));
    ls_safetensors *file = ls_safetensors_open(ls, path);
    CHECK(file, "%s", ls_error_message(ls));
    check_example(file);
    const char *epoch = ls_safetensors_metadata(file, "epoch");
    CHECK(epoch && strcmp(epoch, "3") == 0 && !ls_safetensors_metadata(file, "none"), "metadata");
    CHECK(strcmp(ls_safetensors_dtype(file, 4), "F32") == 0 && strcmp(ls_safetensors_dtype(file, 5), "BF16") == 0,
          "the widest come first");
    CHECK(ls_is_nil(ls_safetensors_read(file, "w")), "no such tensor");
    CHECK_ERROR(ls, LS_NOT_FOUND, "mlp/dense/kernel");
    ls_safetensors_close(&file);
    CHECK(!file, "closed");
    size_t size = 0;
    unsigned char *data = load_file(path, &size);
    CHECK(ls_get_u64(data) % 8 == 0, "the header is %llu bytes", (unsigned long long)ls_get_u64(data));
    free(data);
}

/* What the package wrote: the same tensors, and some that need a rule. */
static void check_package(const char *of)
{
    ls_safetensors *file = ls_safetensors_open(ls, of);
    CHECK(file, "%s", ls_error_message(ls));
    int32_t i[2];
    float f[3];
    CHECK(ls_safetensors_count(file) == 7, "%zu tensors", ls_safetensors_count(file));
    CHECK(ls_read(ls_safetensors_read(file, "kernel"), f, sizeof f) == LS_OK && f[0] == 0.5f && f[2] == -2, "kernel");
    CHECK(ls_read(ls_safetensors_read(file, "iteration"), i, sizeof i) == LS_OK && i[0] == -7 && i[1] == INT32_MAX,
          "int64: %d, %d", (int)i[0], (int)i[1]);
    CHECK(ls_is_nil(ls_safetensors_read(file, "wide")), "2^31");
    CHECK_ERROR(ls, LS_OVERFLOW, "wide holds 2147483648");
    CHECK(ls_is_nil(ls_safetensors_read(file, "double")), "float64");
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "double is F64");
    CHECK(ls_is_nil(ls_safetensors_read(file, "deep")) && ls_safetensors_shape(file, 0).rank <= 8, "rank 9");
    CHECK_ERROR(ls, LS_DTYPE_MISMATCH, "rank above 8");
    CHECK(ls_size(ls_safetensors_read(file, "empty")) == 0 && ls_size(ls_safetensors_read(file, "flags")) == 2, "others");
    const char *format = ls_safetensors_metadata(file, "format");
    CHECK(format && strcmp(format, "np") == 0, "metadata");
    ls_safetensors_close(&file);
}

/* ---- Files that lie ---- */

/* A file of a header, padded to its length, and `bytes` zeros. */
static void store(const char *header, size_t bytes)
{
    struct ls_bytes data = {0};
    ls_bytes_u64(&data, strlen(header));
    ls_bytes_text(&data, header);
    for (size_t i = 0; i < bytes; i++)
        ls_bytes_append(&data, "", 1);
    store_file(path, data.data, data.count);
    ls_bytes_free(&data);
}

static const struct {
    const char *header;
    size_t bytes;
    const char *says;
} lies[] = {
    {"[]", 0, "begin with {"},
    {"{ ", 0, "JSON"},
    {"{}x", 0, "JSON"},
    {" {}", 0, "begin with {"},
    {"{\"a\":1}", 0, "lacks"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "lacks"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "lacks"},
    {"{\"a\":{\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "unknown dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "whole number"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "whole number"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4e0]}}", 4, "do not lie"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "do not lie"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "do not lie"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "do not lie"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,99999999999999999999]}}", 4, "JSON"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "does not fit"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "does not fit"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,9223372036854775807],\"data_offsets\":[0,4]}}", 4, "too large"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4, "does not fit"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, "follows the data"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "hole"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "overlap"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "duplicate"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "not a string"},
    {"{\"__metadata__\":[]}", 0, "not an object"},
    {"{\"a\xff\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "JSON"},
};

static bool opens(const char *name)
{
    ls_safetensors *file = ls_safetensors_open(ls, name);
    bool good = file != NULL;
    ls_safetensors_close(&file);
    return good;
}

static void check_refused(const char *says)
{
    CHECK(!opens(path), "accepted, though: %s", says);
    CHECK(strstr(ls_error_message(ls), path), "%s", ls_error_message(ls));
    CHECK_ERROR(ls, LS_BAD_FILE, says);
}

static void test_lies(void)
{
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        store(lies[i].header, lies[i].bytes);
        check_refused(lies[i].says);
    }
    /* Legal and odd. */
    store("{} \n", 0);
    CHECK(opens(path), "white space behind the header: %s", ls_error_message(ls));
    store("{\"/../a\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807,3],\"data_offsets\":[0,0]}}", 0);
    CHECK(opens(path), "%s", ls_error_message(ls));
    unsigned char lengths[][8] = {{0}, {0, 0, 0, 0, 0, 0, 0, 0x80}, {0, 0xe1, 0xf5, 0x05, 1}, {9}};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        store_file(path, lengths[i], 8);
        check_refused("length of its header");
    }
    store_file(path, "\x89HDF\r\n\x1a\n", 8);
    check_refused(".weights.h5");
    store_file(path, "PK\3\4____", 8);
    check_refused("ZIP");
    /* Deep and wide. */
    size_t many = 300000;
    char *text = malloc(many + 64);
    memset(text, '[', many);
    text[0] = '{';
    memcpy(text + 1, "\"a\":", 4);
    text[many] = '\0';
    store(text, 0);
    check_refused("JSON");
    free(text);
    struct ls_bytes wide = {0};
    ls_bytes_text(&wide, "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4],\"shape\":[1");
    for (int i = 0; i < 100000; i++)
        ls_bytes_text(&wide, ",1");
    ls_bytes_text(&wide, "]}}");
    ls_bytes_append(&wide, "", 1);
    store((char *)wide.data, 4);
    CHECK(opens(path), "rank 100001: %s", ls_error_message(ls));
    ls_bytes_free(&wide);
    for (int i = 0; i < 100000; i++) {
        char entry[96];
        snprintf(entry, sizeof entry, "%s\"%d\":{\"dtype\":\"F32\",\"data_offsets\":[0,0],\"shape\":[0]}", i ? "," : "{", i);
        ls_bytes_text(&wide, entry);
    }
    ls_bytes_append(&wide, "}", 2);
    store((char *)wide.data, 0);
    CHECK(opens(path), "100000 tensors: %s", ls_error_message(ls));
    ls_bytes_free(&wide);
    store("{\"b\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2);
    size_t size = 0;
    unsigned char *data = load_file(path, &size);
    data[size - 1] = 2;
    store_file(path, data, size);
    free(data);
    ls_safetensors *file = ls_safetensors_open(ls, path);
    CHECK(ls_is_nil(ls_safetensors_read(file, "b")), "a BOOL of 2");
    CHECK_ERROR(ls, LS_BAD_FILE, "neither 0 nor 1");
    ls_safetensors_close(&file);
}

static void test_paths(void)
{
    char name[160];
    CHECK(!opens("/nonexistent/a"), "no file");
    CHECK_ERROR(ls, LS_NOT_FOUND, "/nonexistent/a");
    CHECK(!opens(folder), "a folder");
    CHECK_ERROR(ls, LS_FILE_ERROR, "regular");
    CHECK(!opens("/dev/zero"), "a device");
    CHECK_ERROR(ls, LS_FILE_ERROR, "regular");
    snprintf(name, sizeof name, "%s/fifo", folder);
    CHECK(mkfifo(name, 0600) == 0 && !opens(name), "a pipe that nobody writes to");
    CHECK_ERROR(ls, LS_FILE_ERROR, "regular");
    unlink(name);
    CHECK(!opens(NULL) && ls_error(ls) == LS_INVALID_ARGUMENT, "NULL");
    ls_clear_error(ls);
    CHECK(ls_safetensors_count(NULL) == 0 && !ls_safetensors_metadata(NULL, "a") &&
          ls_is_nil(ls_safetensors_read(NULL, "a")) && !ls_safetensors_name(NULL, 3)[0], "NULL files");
    ls_safetensors_close(NULL);
}

static void test_bad_saves(void)
{
    ls_tensor a = ls_scalar(ls, 1), stale = ls_scalar(ls, 2);
    ls_int_scalar(ls, 1);
    save_example(path);
    ls_named_tensor twice[] = {{"a", a}, {"b", a}, {"a", ls_zeros(ls, LS_UINT8, LS_SHAPE(1))}};
    ls_save_safetensors(ls, path, twice, 3);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "called a");
    ls_save_safetensors(ls, path, (ls_named_tensor[]){{"\xff", a}}, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "UTF-8");
    ls_save_safetensors(ls, path, (ls_named_tensor[]){{NULL, a}}, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "NULL");
    ls_save_safetensors(ls, path, (ls_named_tensor[]){{"__metadata__", a}}, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "__metadata__");
    ls_save_safetensors(ls, path, (ls_named_tensor[]){{"a", {0}}}, 1);
    CHECK_ERROR(ls, LS_STALE_HANDLE, "nil");
    ls_tensor copy = stale;
    ls_release(&stale);
    ls_save_safetensors(ls, path, (ls_named_tensor[]){{"a", copy}}, 1);
    CHECK_ERROR(ls, LS_STALE_HANDLE, "released");
    ls_save_safetensors(ls, path, twice, 1, (const char *[]){"a", "\xff", NULL});
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "metadata");
    ls_save_safetensors(ls, path, twice, 1, (const char *[]){"a", "1", "a", "2", NULL});
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "once");
    ls_save_safetensors(ls, NULL, twice, 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "path");
    CHECK(opens(path), "the file from before: %s", ls_error_message(ls));
    CHECK(ls_save_safetensors(ls, path, NULL, 0) == LS_OK && opens(path), "no tensors: %s", ls_error_message(ls));
}

int main(int argc, char **argv)
{
    ls = ls_open("reference");
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        snprintf(path, sizeof path, "%.100s/ours.safetensors", argv[2]);
        save_example(path);
        return ls_close(&ls) == LS_OK ? 0 : 1;
    }
    if (argc == 3 && strcmp(argv[1], "--read") == 0) {
        check_package(argv[2]);
        ls_close(&ls);
        return end_of_checks();
    }
    if (argc != 2)
        return 2;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    test_own();
    size_t size = 0;
    unsigned char *data = load_hex(argv[1], "safetensors.hex", &size);
    store_file(path, data, size);
    check_package(path);
    /* Without a checksum, turned bits of data and of names cannot be noticed. */
    try_damages(ls, path, data, size, 1, 40, opens);
    free(data);
    save_example(path);
    data = load_file(path, &size);
    /* With one, none but those that turn the name of the checksum's entry. */
    try_damages(ls, path, data, size, 1, 98, opens);
    free(data);
    test_lies();
    test_paths();
    test_bad_saves();
    unlink(path);
    rmdir(folder);
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
