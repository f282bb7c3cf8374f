/* SPDX-License-Identifier: Apache-2.0
 *
 * IDX files, whole and damaged in every way.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "check.h"

static ls_context *ls;
static char folder[] = "/tmp/lockstep-data-XXXXXX";
static char path[256], other_path[256];

static const char *in_folder(char *text, const char *name)
{
    snprintf(text, sizeof path, "%s/%s", folder, name);
    return text;
}

static void write_file(const char *name, const void *data, size_t bytes)
{
    FILE *file = fopen(in_folder(path, name), "wb");
    if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) {
        printf("cannot write %s: %s\n", path, strerror(errno));
        exit(1);
    }
}

/* data as one gzip member; returns its size. */
static size_t compress_into(unsigned char *out, size_t room, const void *data, size_t bytes)
{
    z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)bytes, .next_out = out, .avail_out = (uInt)room};
    deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

/* ---- IDX ---- */

enum { HEADER = 16, ELEMENTS = 24, WHOLE = HEADER + ELEMENTS };

/* uint8 (2, 3, 4): 0, 10, 20, … */
static void make_valid(unsigned char file[WHOLE])
{
    static const unsigned char header[HEADER] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    memcpy(file, header, HEADER);
    for (int i = 0; i < ELEMENTS; i++)
        file[HEADER + i] = (unsigned char)(10 * i);
}

/* Reads the file at `path`: 1 if it is the valid array, 0 if it is another one, -1 on an error. */
static int read_back(void)
{
    int result = -1;
    ls_scope_begin(ls);
    ls_tensor array = ls_read_idx(ls, path);
    if (ls_error(ls) == LS_OK) {
        unsigned char elements[ELEMENTS] = {0}, expected[WHOLE];
        ls_shape shape = ls_shape_of_tensor(array);
        make_valid(expected);
        result = ls_dtype_of(array) == LS_UINT8 && shape.rank == 3 && shape.dim[0] == 2 && shape.dim[1] == 3 &&
                 shape.dim[2] == 4 && ls_read(array, elements, ELEMENTS) == LS_OK &&
                 memcmp(elements, expected + HEADER, ELEMENTS) == 0;
    } else {
        CHECK(ls_is_nil(array) && strstr(ls_error_message(ls), path), "%s", ls_error_message(ls));
    }
    ls_scope_end(ls);
    ls_clear_error(ls);
    return result;
}

static int read_bytes(const void *data, size_t bytes)
{
    write_file("array", data, bytes);
    return read_back();
}

static void test_damage(void)
{
    unsigned char plain[WHOLE + 1] = {0}, packed[512], file[512];
    make_valid(plain);
    CHECK(read_bytes(plain, WHOLE) == 1, "the valid file");
    for (size_t n = 0; n < WHOLE; n++)
        CHECK(read_bytes(plain, n) == -1, "cut off after %zu bytes", n);
    CHECK(read_bytes(plain, WHOLE + 1) == -1, "one byte too many");
    for (int bit = 0; bit < 8 * HEADER; bit++) {
        memcpy(file, plain, WHOLE);
        file[bit / 8] ^= (unsigned char)(1 << bit % 8);
        /* 08 and 09 are types of the same size: only the type differs. */
        CHECK(read_bytes(file, WHOLE) == (bit == 8 * 2 ? 0 : -1), "bit %d of the header flipped", bit);
    }

    size_t size = compress_into(packed, sizeof packed, plain, WHOLE);
    CHECK(read_bytes(packed, size) == 1, "the valid file, compressed");
    for (size_t n = 0; n < size; n++)
        CHECK(read_bytes(packed, n) == -1, "compressed and cut off after %zu bytes", n);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        memcpy(file, packed, size);
        file[bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(read_bytes(file, size) != 0, "compressed, bit %zu flipped: other elements came out", bit);
    }
    size_t half = compress_into(file, sizeof file, plain, 21);
    half += compress_into(file + half, sizeof file - half, plain + 21, WHOLE - 21);
    CHECK(read_bytes(file, half) == 1, "two members joined");
    CHECK(read_bytes(file, half - 3) == -1, "two members, the second cut off");
    memcpy(file, packed, size);
    memcpy(file + size, "x", 1);
    CHECK(read_bytes(file, size + 1) == -1, "something after the compressed data");
    memset(file + size, 0, 8);
    CHECK(read_bytes(file, size + 8) == -1, "zeros after the compressed data");
    size = compress_into(packed, sizeof packed, plain, WHOLE + 1);
    CHECK(read_bytes(packed, size) == -1, "one byte too many, compressed");
    CHECK(read_bytes("\x1f\x8bthis is not gzip", 18) == -1, "gzip by its first bytes only");
}

static const struct {
    ls_status status;
    const char *message;
    size_t size;
    unsigned char bytes[40];
} bad_headers[] = {
    {LS_BAD_FILE, "ends in its header", 0, {0}},
    {LS_BAD_FILE, "is not an IDX file", 5, {'P', 'K', 3, 4, 5}},
    {LS_BAD_FILE, "is not an IDX file", 9, {0, 0, 0x0a, 1, 0, 0, 0, 1, 7}},
    {LS_BAD_FILE, "is not an IDX file", 8, {3, 8, 0, 0, 2, 0, 0, 0}}, /* all little-endian */
    {LS_BAD_FILE, "has rank 9", 4, {0, 0, 8, 9}},
    {LS_BAD_FILE, "has rank 255", 4, {0, 0, 8, 255}},
    {LS_BAD_FILE, "cannot be in a file of its size", 12, {0, 0, 8, 1, 4, 0, 0, 0, 1, 2, 3, 4}}, /* little-endian 4 */
    {LS_BAD_FILE, "cannot be in a file of its size", 12, {0, 0, 0x0e, 2, 255, 255, 255, 255, 15, 255, 255, 255}},
    {LS_BAD_FILE, "overflows", 16, {0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
    {LS_BAD_FILE, "2 bytes are missing", 10, {0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 2}},
    {LS_BAD_FILE, "has more bytes", 13, {0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5}},
    {LS_BAD_FILE, "has more bytes", 9, {0, 0, 8, 1, 0, 0, 0, 0, 1}},
};

static void test_headers(void)
{
    for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++) {
        write_file("array", bad_headers[i].bytes, bad_headers[i].size);
        CHECK(ls_is_nil(ls_read_idx(ls, path)), "header %zu", i);
        CHECK_ERROR(ls, bad_headers[i].status, bad_headers[i].message);
    }
    /* 3 GiB that are really there, in a file with a hole: refused, not allocated. */
    static const unsigned char large[] = {0, 0, 8, 1, 0xc0, 0, 0, 0};
    write_file("array", large, sizeof large);
    if (truncate(path, 8 + (off_t)0xc0000000) == 0) {
        ls_read_idx(ls, path);
        CHECK_ERROR(ls, LS_OVERFLOW, "more than 2 GiB");
    }
    /* The most that so small a compressed file could hold is known before allocating, too. */
    unsigned char packed[128];
    write_file("array", packed, compress_into(packed, sizeof packed, large, sizeof large));
    ls_read_idx(ls, path);
    CHECK_ERROR(ls, LS_BAD_FILE, "cannot be in a file of its size");
}

/* Reads a file of another type; -100 for whatever did not come out. */
static double element(const void *bytes, size_t size, ls_dtype dtype, size_t count, size_t index)
{
    union {
        int32_t ints[4];
        float floats[4];
    } values = {{0}};
    write_file("array", bytes, size);
    ls_tensor array = ls_read_idx(ls, path);
    bool good = ls_dtype_of(array) == dtype && ls_size(array) == (int64_t)count &&
                ls_read(array, &values, 4 * count) == LS_OK;
    ls_release(&array);
    return !good ? -100 : dtype == LS_INT32 ? values.ints[index] : (double)values.floats[index];
}

static void test_types(void)
{
    static const unsigned char int8[] = {0, 0, 9, 1, 0, 0, 0, 2, 0x7f, 0x80};
    static const unsigned char int16[] = {0, 0, 0x0b, 1, 0, 0, 0, 2, 0x7f, 0xff, 0x80, 0x01};
    static const unsigned char int32[] = {0, 0, 0x0c, 0, 0xff, 0xff, 0xff, 0xfe};
    static const unsigned char float32[] = {0, 0, 0x0d, 1, 0, 0, 0, 1, 0xc0, 0x20, 0, 0};
    static const unsigned char float64[] = {0, 0, 0x0e, 1, 0, 0, 0, 1, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a};
    CHECK(element(int8, sizeof int8, LS_INT32, 2, 0) == 127, "int8");
    CHECK(element(int8, sizeof int8, LS_INT32, 2, 1) == -128, "int8");
    CHECK(element(int16, sizeof int16, LS_INT32, 2, 0) == 32767, "int16");
    CHECK(element(int16, sizeof int16, LS_INT32, 2, 1) == -32767, "int16");
    CHECK(element(int32, sizeof int32, LS_INT32, 1, 0) == -2, "int32 of rank 0");
    CHECK(element(float32, sizeof float32, LS_FLOAT32, 1, 0) == -2.5, "float32");
    CHECK(element(float64, sizeof float64, LS_FLOAT32, 1, 0) == (double)0.1f, "float64");
    static const unsigned char none[] = {0, 0, 0x0c, 2, 0, 0, 0, 3, 0, 0, 0, 0};
    write_file("array", none, sizeof none);
    ls_tensor empty = ls_read_idx(ls, path);
    CHECK(ls_error(ls) == LS_OK && ls_shape_of_tensor(empty).rank == 2 && ls_size(empty) == 0, "no elements");
    ls_release(&empty);
}

static void test_places(void)
{
    ls_read_idx(ls, folder);
    CHECK_ERROR(ls, LS_FILE_ERROR, "a directory");
    if (mkfifo(in_folder(other_path, "pipe"), 0600) == 0) {
        ls_read_idx(ls, other_path);
        CHECK_ERROR(ls, LS_FILE_ERROR, "a pipe");
        unlink(other_path);
    }
    ls_read_idx(ls, "/dev/zero");
    CHECK_ERROR(ls, LS_FILE_ERROR, "a device");
    ls_read_idx(ls, in_folder(other_path, "missing"));
    CHECK_ERROR(ls, LS_NOT_FOUND, "missing");
    ls_read_idx(ls, "");
    CHECK_ERROR(ls, LS_NOT_FOUND, "cannot be opened");
    ls_read_idx(ls, NULL);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "NULL");
    if (symlink("loop", in_folder(other_path, "loop")) == 0) {
        ls_read_idx(ls, other_path);
        CHECK_ERROR(ls, LS_FILE_ERROR, "loop");
        unlink(other_path);
    }
    write_file("array", "x", 1);
    if (chmod(path, 0) == 0 && geteuid() != 0) { /* root may read everything */
        ls_read_idx(ls, path);
        CHECK_ERROR(ls, LS_FILE_ERROR, "cannot be opened");
    }
    unlink(path);
}

/* ---- Fashion-MNIST from a folder that is not as it should be ---- */

static void write_zeros(const char *name, const unsigned char *header, size_t header_size, size_t zeros, int label)
{
    gzFile file = gzopen(in_folder(path, name), "wb1");
    static unsigned char block[1 << 16];
    gzwrite(file, header, (unsigned)header_size);
    while (zeros > 0) {
        unsigned n = zeros < sizeof block ? (unsigned)zeros : (unsigned)sizeof block;
        block[n / 2] = (unsigned char)label;
        gzwrite(file, block, n);
        zeros -= n;
    }
    gzclose(file);
}

static void expect_no_fashion(ls_status status, const char *message)
{
    ls_dataset *train = NULL, *validation = NULL, *test = NULL;
    ls_fashion_mnist(ls, &train, &validation, &test);
    CHECK(!train && !validation && !test, "data sets in spite of an error");
    CHECK_ERROR(ls, status, message);
}

static void test_fashion_mnist(void)
{
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0xea, 0x60, 0, 0, 0, 28, 0, 0, 0, 28};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0xea, 0x60};
    setenv("LOCKSTEP_DATA_DIR", folder, 1);
    write_zeros("train-images-idx3-ubyte.gz", labels, sizeof labels, 60000, 0);
    expect_no_fashion(LS_BAD_FILE, "holds uint8 (60000,)");
    write_zeros("train-images-idx3-ubyte.gz", images, sizeof images, 60000 * 784, 0);
    expect_no_fashion(LS_NOT_FOUND, "no train-labels-idx1-ubyte");
    write_zeros("train-labels-idx1-ubyte.gz", labels, sizeof labels, 60000, 10);
    expect_no_fashion(LS_BAD_FILE, "label 10 at 30000");
    unlink(path);
    unlink(in_folder(path, "train-images-idx3-ubyte.gz"));
    unsetenv("LOCKSTEP_DATA_DIR");
}

int main(int argc, char **argv)
{
    ls = ls_open(argc > 1 ? argv[1] : "reference");
    if (ls_error(ls) != LS_OK || !mkdtemp(folder)) {
        printf("%s\n", ls_error_message(ls));
        return 1;
    }
    test_damage();
    test_headers();
    test_types();
    test_places();
    test_fashion_mnist();
    CHECK(rmdir(folder) == 0, "%s: %s", folder, strerror(errno));
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
