/* SPDX-License-Identifier: Apache-2.0
 *
 * NPY and CSV files and data sets of files: whole, odd, and damaged in every way.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "check.h"

static ls_context *ls;
static char folder[] = "/tmp/lockstep-files-XXXXXX";

struct path {
    char text[256];
};

static struct path in_folder(const char *name)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "%s/%s", folder, name);
    return path;
}

static struct path write_file(const char *name, const void *data, size_t bytes)
{
    struct path path = in_folder(name);
    FILE *file = fopen(path.text, "wb");
    if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) {
        printf("cannot write %s: %s\n", path.text, strerror(errno));
        exit(1);
    }
    return path;
}

static struct path write_gzip(const char *name, const void *data, size_t bytes)
{
    struct path path = in_folder(name);
    gzFile file = gzopen(path.text, "wb");
    gzwrite(file, data, (unsigned)bytes);
    gzclose(file);
    return path;
}

/* ---- NPY ---- */

/* An NPY file of version 1.0: the dictionary, padded, and the elements. Returns its size. */
static size_t make_npy(unsigned char *file, const char *dictionary, const void *elements, size_t bytes)
{
    size_t length = strlen(dictionary), padded = (length + 1 + 10 + 63) / 64 * 64 - 10;
    memcpy(file, "\x93NUMPY\1\0", 8);
    file[8] = (unsigned char)padded;
    file[9] = (unsigned char)(padded >> 8);
    memset(file + 10, ' ', padded);
    memcpy(file + 10, dictionary, length);
    file[10 + padded - 1] = '\n';
    memcpy(file + 10 + padded, elements, bytes);
    return 10 + padded + bytes;
}

/* The elements of an NPY file as doubles; -1 on an error. */
static int read_npy(const void *file, size_t bytes, ls_dtype dtype, double *values, int most)
{
    struct path path = write_file("a.npy", file, bytes);
    int count = -1;
    ls_scope_begin(ls);
    ls_tensor a = ls_read_npy(ls, path.text);
    if (ls_error(ls) == LS_OK && ls_dtype_of(a) == dtype && ls_size(a) <= most) {
        count = (int)ls_size(a);
        float floats[64];
        ls_tensor wide = dtype == LS_FLOAT32 ? a : ls_cast(a, LS_FLOAT32);
        ls_read(wide, floats, (size_t)count * sizeof *floats);
        for (int i = 0; i < count; i++)
            values[i] = (double)floats[i];
    } else if (ls_error(ls) != LS_OK) {
        CHECK(strstr(ls_error_message(ls), path.text), "%s", ls_error_message(ls));
    }
    ls_scope_end(ls);
    return count;
}

/* What numpy.save wrote: int64 (3, 2), -2 to 3; and float64, big-endian: 1.5, -2.25. */
static const char by_numpy[] = "\x93NUMPY\x01\x00v\x00{'descr': '<i8', 'fortran_order': False, 'shape': (3, 2), }"
                               "                                                          \n"
                               "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                               "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0";
static const char big_endian[] = "\x93NUMPY\x01\x00v\x00{'descr': '>f8', 'fortran_order': False, 'shape': (2,), }"
                                 "                                                            \n"
                                 "\x3f\xf8\0\0\0\0\0\0\xc0\x02\0\0\0\0\0";

static void test_npy_types(void)
{
    double v[64] = {0};
    CHECK(read_npy(by_numpy, sizeof by_numpy, LS_INT32, v, 6) == 6 && v[0] == -2 && v[5] == 3, "%s", ls_error_message(ls));
    CHECK(read_npy(big_endian, sizeof big_endian, LS_FLOAT32, v, 2) == 2 && v[0] == 1.5 && v[1] == -2.25, "%s",
          ls_error_message(ls));
    static const struct {
        const char *descr;
        ls_dtype dtype;
        size_t bytes;
        unsigned char data[8];
        double value;
    } types[] = {
        {"|b1", LS_BOOL, 1, {1}, 1},
        {"|u1", LS_UINT8, 1, {255}, 255},
        {"|i1", LS_INT32, 1, {255}, -1},
        {"<u2", LS_INT32, 2, {0xff, 0xff}, 65535},
        {"<i2", LS_INT32, 2, {0xff, 0xff}, -1},
        {">i2", LS_INT32, 2, {0x01, 0x02}, 258},
        {"<u4", LS_INT32, 4, {0, 0, 0, 0x40}, 1073741824},
        {"<i4", LS_INT32, 4, {0, 0, 0, 0x80}, -2147483648.0},
        {"<u8", LS_INT32, 8, {7}, 7},
        {">i8", LS_INT32, 8, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf9}, -7},
        {"<f2", LS_FLOAT16, 2, {0x00, 0x3e}, 1.5},
        {"=f4", LS_FLOAT32, 4, {0, 0, 0x20, 0xc0}, -2.5},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        unsigned char file[512];
        char dictionary[128];
        snprintf(dictionary, sizeof dictionary, "{'shape': (), 'descr': '%s', 'fortran_order': False}", types[i].descr);
        size_t bytes = make_npy(file, dictionary, types[i].data, types[i].bytes);
        CHECK(read_npy(file, bytes, types[i].dtype, v, 1) == 1 && v[0] == types[i].value, "%s: %g %s", types[i].descr,
              v[0], ls_error_message(ls));
        ls_clear_error(ls);
    }
}

static const struct {
    const char *message, *dictionary;
    int elements;
} bad_npy[] = {
    {"the type 'O'", "{'descr': 'O', 'fortran_order': False, 'shape': (1,), }", 8},
    {"the type '|S5'", "{'descr': '|S5', 'fortran_order': False, 'shape': (1,), }", 5},
    {"the type '<c8'", "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8},
    {"a structured type", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4},
    {"fortran_order", "{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", 4},
    {"neither True nor False", "{'descr': '<f4', 'fortran_order': 1, 'shape': (1,), }", 4},
    {"no tuple", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4},
    {"no tuple", "{'descr': '<f4', 'fortran_order': False, 'shape': (1), }", 4},
    {"no tuple", "{'descr': '<f4', 'fortran_order': False, 'shape': 1, }", 4},
    {"no tuple", "{'descr': '<f4', 'fortran_order': False, 'shape': (1", 4},
    {"no tuple", "{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}", 4},
    {"overflows", "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 4},
    {"overflows", "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 4},
    {"rank above 8", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4},
    {"cannot be in a file", "{'descr': '<f8', 'fortran_order': False, 'shape': (1000,), }", 4},
    {"4 bytes are missing", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 4},
    {"has more bytes", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9},
    {"lacks", "{'descr': '<f4', 'shape': (1,), }", 4},
    {"is not a dictionary", "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4},
    {"is not a dictionary", "{'descr': '<f4', 'other': False, 'shape': (1,)}", 4},
    {"is not a dictionary", "['descr']", 4},
    {"a comma is missing", "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", 4},
    {"goes on", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", 4},
    {"is not a dictionary", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 4},
};

static void test_npy_damage(void)
{
    static const unsigned char zeros[16];
    unsigned char file[1024];
    double v[64];
    for (size_t i = 0; i < sizeof bad_npy / sizeof *bad_npy; i++) {
        size_t bytes = make_npy(file, bad_npy[i].dictionary, zeros, (size_t)bad_npy[i].elements);
        struct path path = write_file("a.npy", file, bytes);
        ls_read_npy(ls, path.text);
        CHECK_ERROR(ls, LS_BAD_FILE, bad_npy[i].message);
    }
    size_t bytes = make_npy(file, "{'descr': '<u4', 'fortran_order': False, 'shape': (1,)}", "\0\0\0\x80", 4);
    ls_read_npy(ls, write_file("a.npy", file, bytes).text);
    CHECK_ERROR(ls, LS_OUT_OF_RANGE, "uint32 at 0 does not fit int32");
    bytes = make_npy(file, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", "\1\2", 2);
    ls_read_npy(ls, write_file("a.npy", file, bytes).text);
    CHECK_ERROR(ls, LS_OUT_OF_RANGE, "bool at 1 is neither 0 nor 1");

    /* Cut off anywhere, and every bit flipped: an error, or an array, but never anything worse. */
    for (size_t n = 0; n < sizeof by_numpy; n++) {
        CHECK(read_npy(by_numpy, n, LS_INT32, v, 64) == -1 && ls_error(ls) != LS_OK, "cut off after %zu bytes", n);
        ls_clear_error(ls);
    }
    for (size_t bit = 0; bit < 8 * sizeof by_numpy; bit++) {
        memcpy(file, by_numpy, sizeof by_numpy);
        file[bit / 8] ^= (unsigned char)(1 << bit % 8);
        read_npy(file, sizeof by_numpy, LS_INT32, v, 64);
        CHECK(bit >= 8 * 10 || ls_error(ls) != LS_OK, "bit %zu of what is not the dictionary", bit);
        ls_clear_error(ls);
    }
}

/* ---- Data sets of files ---- */

enum { ROWS = 23, HEADER = 8 };

/* IDX: x uint8 (23, 2): 3i, 3i + 1; y int16 (23): -i. */
static void make_files(struct path *x, struct path *y, struct path *packed)
{
    unsigned char images[12 + 2 * ROWS] = {0, 0, 8, 2, 0, 0, 0, ROWS, 0, 0, 0, 2};
    unsigned char labels[HEADER + 2 * ROWS] = {0, 0, 0x0b, 1, 0, 0, 0, ROWS};
    for (int i = 0; i < ROWS; i++) {
        images[12 + 2 * i] = (unsigned char)(3 * i);
        images[13 + 2 * i] = (unsigned char)(3 * i + 1);
        labels[HEADER + 2 * i] = (unsigned char)((unsigned)-i >> 8);
        labels[HEADER + 1 + 2 * i] = (unsigned char)-i;
    }
    *x = write_file("x.idx", images, sizeof images);
    *y = write_file("y.idx", labels, sizeof labels);
    *packed = write_gzip("y.idx.gz", labels, sizeof labels);
}

static ls_status halve(void *user, ls_element *e)
{
    (void)user;
    const unsigned char *in = e->inputs[0].data;
    *(float *)e->outputs[0].data = 0.5f * (float)in[0];
    return LS_OK;
}

static void test_from_files(void)
{
    struct path x, y, packed;
    make_files(&x, &y, &packed);
    for (int gzip = 0; gzip < 2; gzip++) {
        ls_dataset *d = ls_dataset_from_files(ls, x.text, gzip ? packed.text : y.text);
        CHECK(ls_dataset_size(d) == ROWS && ls_dataset_components(d) == 2, "%s", ls_error_message(ls));
        bool seen[ROWS] = {false};
        int count = 0;
        LS_FOR_BATCHES(batch, ls_dataset_prefetch(ls_dataset_batch(ls_dataset_shuffle(d, 9, .seed = 2), 5), 2)) {
            unsigned char images[10];
            int32_t labels[5];
            ls_read(batch.x, images, 2 * (size_t)batch.size);
            ls_read(batch.y, labels, 4 * (size_t)batch.size);
            for (int i = 0; i < batch.size; i++, count++) {
                int n = -labels[i];
                CHECK(n >= 0 && n < ROWS && !seen[n] && images[2 * i] == 3 * n && images[2 * i + 1] == 3 * n + 1, "row %d", n);
                seen[n >= 0 && n < ROWS ? n : 0] = true;
            }
        }
        CHECK(count == ROWS && ls_error(ls) == LS_OK, "%d rows; %s", count, ls_error_message(ls));
        ls_array half = {LS_FLOAT32, LS_SCALAR_SHAPE, NULL};
        LS_FOR_BATCHES(batch, ls_dataset_batch(ls_dataset_map(d, halve, .outputs = &half, .output_count = 1, .workers = 2), ROWS)) {
            float halves[ROWS];
            ls_read(batch.x, halves, sizeof halves);
            CHECK(halves[0] == 0 && halves[22] == 33, "mapped: %g", (double)halves[22]);
        }
        LS_FOR_BATCHES(batch, ls_dataset_batch(ls_dataset_concatenate(d, ls_dataset_take(d, 2)), 30))
            CHECK(batch.size == ROWS + 2, "twice the same table: %lld", (long long)batch.size);
    }
    ls_dataset_position position;
    ls_dataset_save_position(ls_dataset_from_files(ls, x.text, y.text), &position);
    ls_dataset *twin = ls_dataset_from_files(ls, x.text, packed.text);
    CHECK(ls_dataset_restore_position(twin, &position) == LS_OK, "the same elements in gzip: %s", ls_error_message(ls));
    FILE *file_y = fopen(y.text, "r+b");
    fseek(file_y, -1, SEEK_END);
    fputc(77, file_y);
    fclose(file_y);
    ls_dataset_restore_position(ls_dataset_from_files(ls, x.text, y.text), &position);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "elements are not those");
    ls_dataset *d = ls_dataset_batch(ls_dataset_from_files(ls, x.text), 5);
    ls_dataset *kept = ls_dataset_batch(ls_dataset_cache(ls_dataset_from_files(ls, x.text)), ROWS);
    LS_FOR_BATCHES(batch, kept) { }
    CHECK(truncate(x.text, 12 + 20) == 0, "truncate");
    LS_FOR_BATCHES(batch, kept)
        CHECK(batch.size == ROWS, "what is kept does not need the file");
    int64_t before = 0;
    LS_FOR_BATCHES(batch, d)
        before += batch.size;
    CHECK(before == 10, "%lld rows before the end of a file that shrank", (long long)before);
    CHECK_ERROR(ls, LS_BAD_FILE, "row 10 cannot be read: the file became shorter");

    ls_dataset_from_files(ls, x.text);
    CHECK_ERROR(ls, LS_BAD_FILE, "cannot be in a file of its size");
    make_files(&x, &y, &packed);
    unsigned char file[512];
    size_t bytes = make_npy(file, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "\0\0\0\0\0\0\0\0", 8);
    ls_dataset_from_files(ls, x.text, write_file("w.npy", file, bytes).text);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "is (23, 2)");
    bytes = make_npy(file, "{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "\0\0\0\0", 4);
    ls_dataset_from_files(ls, write_file("w.npy", file, bytes).text);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "first dimension");
    ls_dataset_from_files(ls, write_gzip("w.npy.gz", file, bytes).text);
    CHECK_ERROR(ls, LS_SHAPE_MISMATCH, "first dimension");
    ls_dataset_from_files(ls, folder);
    CHECK_ERROR(ls, LS_FILE_ERROR, "a directory");
    ls_dataset_from_files(ls, in_folder("missing").text, y.text);
    CHECK_ERROR(ls, LS_NOT_FOUND, "missing");
    ls_dataset_from_files(ls, NULL);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "x, the path");
    ls_dataset_from_files(ls, x.text, .sample_weight = y.text);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "needs y");
    bytes = make_npy(file, "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1)}", "\0\0\0\0\1\0\0\0", 8);
    LS_FOR_BATCHES(batch, ls_dataset_batch(ls_dataset_from_files(ls, write_file("w.npy", file, bytes).text), 2)) { }
    CHECK_ERROR(ls, LS_OUT_OF_RANGE, "row 0: the int64 at 0 does not fit int32");
    bytes = make_npy(file, "{'descr': '<i8', 'fortran_order': False, 'shape': (0, 1)}", "", 0);
    LS_FOR_BATCHES(batch, ls_dataset_batch(ls_dataset_from_files(ls, write_file("w.npy", file, bytes).text), 2))
        CHECK(false, "a batch of nothing");
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

/* ---- CSV ---- */

struct table {
    int64_t rows, columns;
    float x[64];
    int32_t y[16];
    float float_y[16];
};

/* All elements of a CSV text. */
static struct table read_csv(const char *text, size_t bytes, ls_csv_options options)
{
    struct table table = {0};
    struct path path = write_file("t.csv", text, bytes);
    options.context = ls;
    options.path = path.text;
    ls_dataset *d = ls_dataset_from_csv_with(&options);
    table.rows = d ? ls_dataset_size(d) : -1;
    LS_FOR_BATCHES(batch, ls_dataset_batch(d, 16)) {
        table.columns = ls_shape_of_tensor(batch.x).dim[1];
        ls_read(batch.x, table.x, (size_t)ls_size(batch.x) * 4);
        if (options.label)
            ls_read(batch.y, options.float_label ? (void *)table.float_y : (void *)table.y, (size_t)batch.size * 4);
    }
    CHECK(d || strstr(ls_error_message(ls), path.text) || ls_error(ls) == LS_INVALID_ARGUMENT, "%s", ls_error_message(ls));
    ls_dataset_destroy(&d);
    return table;
}

#define CSV(text, ...) read_csv(text, sizeof text - 1, (ls_csv_options){__VA_ARGS__})

static void test_csv(void)
{
    struct table t = CSV("a,b,label\r\n1,2.5,0\r\n-3e2,.5,7\r\n", .label = "label");
    CHECK(t.rows == 2 && t.columns == 2 && t.x[0] == 1 && t.x[1] == 2.5f && t.x[2] == -300 && t.x[3] == 0.5f &&
          t.y[0] == 0 && t.y[1] == 7, "plain; %s", ls_error_message(ls));
    t = CSV("\xef\xbb\xbf\"a \"\"q\"\", x\",\"b\nc\"\n\"1\", 2 \n\n3,\"4\"", .columns = (const char *const[]){"b\nc", "a \"q\", x", NULL});
    CHECK(t.rows == 2 && t.x[0] == 2 && t.x[1] == 1 && t.x[2] == 4 && t.x[3] == 3, "quotes; %s", ls_error_message(ls));
    t = CSV("1;2\n3;4\n", .no_header = true, .delimiter = ';', .label = "1", .float_label = true);
    CHECK(t.rows == 2 && t.columns == 1 && t.x[1] == 3 && t.float_y[1] == 4, "no header; %s", ls_error_message(ls));
    t = CSV("a,b\nnan,-inf\n,3\n", .missing_is_nan = true);
    CHECK(t.rows == 2 && isnan(t.x[0]) && isinf(t.x[1]) && isnan(t.x[2]) && t.x[3] == 3, "nan; %s", ls_error_message(ls));
    t = CSV("a,b\n", .label = "b");
    CHECK(t.rows == 0, "a header only; %s", ls_error_message(ls));
    t = CSV("a\n16777217\n0.1\n1e-45\n3.4028235e38\n", .label = NULL);
    CHECK(t.x[0] == 16777216.0f && t.x[1] == 0.1f && t.x[2] == 0x1p-149f && t.x[3] == 0x1.fffffep127f, "rounding");
    t = CSV("x,text,y\n1,hello,3\n", .columns = (const char *const[]){"x", NULL}, .label = "y");
    CHECK(t.rows == 1 && t.columns == 1 && t.y[0] == 3, "a column of words is left out; %s", ls_error_message(ls));

    struct path packed = write_gzip("t.csv.gz", "a,b\n1,2\n", 8);
    ls_dataset *d = ls_dataset_from_csv(ls, packed.text, "b");
    CHECK(ls_dataset_size(d) == 1, "gzip; %s", ls_error_message(ls));
    char *before = setlocale(LC_ALL, NULL), kept[64];
    snprintf(kept, sizeof kept, "%s", before);
    if (setlocale(LC_ALL, "de_DE.UTF-8") || setlocale(LC_ALL, "fr_FR.UTF-8")) {
        t = CSV("a\n1.5\n", .label = NULL);
        CHECK(t.rows == 1 && t.x[0] == 1.5f, "a locale with commas: %g", (double)t.x[0]);
        setlocale(LC_ALL, kept);
    }
    CHECK(ls_error(ls) == LS_OK, "%s", ls_error_message(ls));
}

static const struct {
    ls_status status;
    const char *message, *text, *label;
} bad_csv[] = {
    {LS_BAD_FILE, "line 3 has 1 fields, not 2", "a,b\n1,2\n3\n", NULL},
    {LS_BAD_FILE, "line 2 has 3 fields, not 2", "a,b\n1,2,3\n", NULL},
    {LS_BAD_FILE, "line 3, column \"b\": \"x\" is not a number", "a,b\n1,2\n3,x\n", NULL},
    {LS_BAD_FILE, "line 4, column \"b\": \"x\" is not a number", "a,\"b\"\n\n1,2\n\"3\",x\n", NULL},
    {LS_BAD_FILE, "\"1,5\" is not a number", "a,b\n1,\"1,5\"\n", NULL},
    {LS_BAD_FILE, "\"0x10\" is not a number", "a\n0x10\n", NULL},
    {LS_BAD_FILE, "\"1e999\" does not fit float32", "a\n1e999\n", NULL},
    {LS_BAD_FILE, "\"1.2.3\" is not a number", "a\n1.2.3\n", NULL},
    {LS_BAD_FILE, "\"-\" is not a number", "a\n-\n", NULL},
    {LS_BAD_FILE, "is empty; .missing_is_nan", "a,b\n1,\n", NULL},
    {LS_BAD_FILE, "ends inside quotes", "a,b\n1,\"2\n", NULL},
    {LS_BAD_FILE, "after a closing quote", "a,b\n1,\"2\"3\n", NULL},
    {LS_BAD_FILE, "a quote inside a field", "a,b\n1,2\"3\n", NULL},
    {LS_BAD_FILE, "a carriage return", "a,b\r1,2\n", NULL},
    {LS_BAD_FILE, "\"2.5\" is no int32", "a,b\n1,2.5\n", "b"},
    {LS_BAD_FILE, "\"3000000000\" is no int32", "a,b\n1,3000000000\n", "b"},
    {LS_BAD_FILE, "two columns are called \"b\"", "a,b,b\n1,2,3\n", "b"},
    {LS_NOT_FOUND, "there is no column \"c\"; there are: a, b", "a,b\n1,2\n", "c"},
};

static void test_bad_csv(void)
{
    for (size_t i = 0; i < sizeof bad_csv / sizeof *bad_csv; i++) {
        struct table t = read_csv(bad_csv[i].text, strlen(bad_csv[i].text), (ls_csv_options){.label = bad_csv[i].label});
        CHECK(t.rows == -1, "case %zu", i);
        CHECK_ERROR(ls, bad_csv[i].status, bad_csv[i].message);
    }
    CSV("a,b\n1,\0\n", .label = NULL);
    CHECK_ERROR(ls, LS_BAD_FILE, "line 2: contains a NUL");
    CSV("a,b\n1,2\n", .label = "b", .columns = (const char *const[]){"a", "b", NULL});
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "among the columns");
    CSV("a,b\n1,2\n", .columns = (const char *const[]){"a", "a", NULL});
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "named twice");
    ls_dataset_from_csv(ls, NULL);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "path is NULL");
    ls_dataset_from_csv(ls, in_folder("missing").text);
    CHECK_ERROR(ls, LS_NOT_FOUND, "missing");
    ls_dataset_from_csv(ls, "/dev/zero");
    CHECK_ERROR(ls, LS_FILE_ERROR, "a device");
    static char wide[1 << 18];
    memset(wide, ',', sizeof wide);
    read_csv(wide, sizeof wide, (ls_csv_options){0});
    CHECK_ERROR(ls, LS_BAD_FILE, "more than 65536 columns");
    memset(wide, '1', sizeof wide);
    read_csv(wide, sizeof wide, (ls_csv_options){0});
    CHECK_ERROR(ls, LS_BAD_FILE, "more than 64 KiB");

    static const char valid[] = "\"a\",b,c\r\n1,\"2.5\",3\r\n\n4,5e1,-6\n";
    char text[sizeof valid];
    for (size_t n = 0; n < sizeof valid; n++) {
        read_csv(valid, n, (ls_csv_options){.label = "c"});
        ls_clear_error(ls);
    }
    for (size_t bit = 0; bit < 8 * (sizeof valid - 1); bit++) {
        memcpy(text, valid, sizeof valid);
        text[bit / 8] ^= (char)(1 << bit % 8);
        struct table t = read_csv(text, sizeof valid - 1, (ls_csv_options){.label = "c"});
        CHECK(t.rows >= 0 || ls_error(ls) != LS_OK, "bit %zu", bit);
        ls_clear_error(ls);
    }
}

int main(int argc, char **argv)
{
    ls = ls_open(argc > 1 ? argv[1] : "reference");
    if (ls_error(ls) != LS_OK || !mkdtemp(folder)) {
        printf("%s\n", ls_error_message(ls));
        return 1;
    }
    test_npy_types();
    test_npy_damage();
    test_from_files();
    test_csv();
    test_bad_csv();
    static const char *const files[] = {"a.npy", "w.npy", "w.npy.gz", "x.idx", "y.idx", "y.idx.gz", "t.csv", "t.csv.gz"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(in_folder(files[i]).text);
    CHECK(rmdir(folder) == 0, "%s: %s", folder, strerror(errno));
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
