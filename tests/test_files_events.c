/* SPDX-License-Identifier: Apache-2.0
 *
 * Event files: the bytes of a file with a fixed clock are those of tests/golden/files/events.hex, which
 * TensorBoard has read (tests/files_roundtrip.py); checksums are those of RFC 3720; files are read back here
 * record by record, whatever was interrupted.
 *
 *     test_files_events GOLDENS          the test
 *     test_files_events --write FOLDER   writes the golden's file there
 */
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <math.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>

#include "../lib/io/bytes.h"
#include "files_check.h"

static ls_context *ls;

/* The writer that TensorBoard is shown: three series, histograms of every kind, a text. */
static void write_example(ls_event_writer *w)
{
    ls_event_scalar(w, "epoch_loss", 0.5f, 3);
    ls_event_scalar(w, "epoch_loss", 0.25f, 4);
    ls_event_scalar(w, "ünïcode/\xf0\x9f\x99\x82", -1.5e-30f, INT64_C(1) << 40);
    float ramp[100];
    for (int i = 0; i < 100; i++)
        ramp[i] = (float)i * 0.125f - 3.0f;
    ls_event_histogram_of(w, "dense/kernel/histogram", ramp, 100, 0);
    ramp[50] = NAN;
    ramp[51] = INFINITY;
    ls_tensor tensor = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(10, 10), ramp);
    ls_event_histogram(w, "dense/kernel/histogram", tensor, 1);
    ls_event_histogram(w, "constant", ls_fill(ls, LS_SHAPE(7), 2.5f), 1);
    ls_event_histogram_of(w, "empty", NULL, 0, 1);
    ls_event_histogram(w, "ids", ls_from_host(ls, LS_INT32, LS_SHAPE(4), (int32_t[]){1, 2, 3, 1000}), 1);
    ls_event_text(w, "notes", "**bold** and ä", 2);
}

/* ---- Reading ---- */

static bool good_crc(const unsigned char *data, size_t count, const unsigned char *stored)
{
    uint32_t turned = ls_get_u32(stored) - UINT32_C(0xa282ead8);
    return (turned << 15 | turned >> 17) == ls_crc32c(0, data, count);
}

/* The number of whole records, -1 where one is damaged or cut off. */
static int count_records(const unsigned char *data, size_t size)
{
    int records = 0;
    for (size_t at = 0; at < size; records++) {
        if (size - at < 16 || !good_crc(data + at, 8, data + at + 8))
            return -1;
        uint64_t length = ls_get_u64(data + at);
        if (length > size - at - 16 || !good_crc(data + at + 12, length, data + at + 12 + length))
            return -1;
        at += 16 + length;
    }
    return records;
}

static int records_of(const char *path)
{
    size_t size = 0;
    unsigned char *data = load_file(path, &size);
    int records = data ? count_records(data, size) : -1;
    free(data);
    return records;
}

/* ---- Tests ---- */

static void test_checksums(void)
{
    unsigned char zeros[32] = {0}, many[1000];
    CHECK(ls_crc32c(0, "123456789", 9) == 0xe3069283u, "digits");
    CHECK(ls_crc32c(0, zeros, 32) == 0x8a9136aau, "zeros");
    for (int i = 0; i < 1000; i++)
        many[i] = (unsigned char)(i * 7 + i / 13);
    /* Short pieces go another way than long ones. */
    for (size_t piece = 1; piece <= 1000; piece = piece * 3 + 1) {
        uint32_t crc = 0;
        for (size_t at = 0; at < 1000; at += piece)
            crc = ls_crc32c(crc, many + at, piece < 1000 - at ? piece : 1000 - at);
        CHECK(crc == ls_crc32c(0, many, 1000), "pieces of %zu", piece);
    }
}

static void test_utf8(void)
{
    static const char *const good[] = {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"};
    static const char *const bad[] = {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80", "\xf0\x80\x80\x80", "a\xff", "\xe2\x82"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(ls_is_utf8(good[i], strlen(good[i])), "good %zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!ls_is_utf8(bad[i], strlen(bad[i])), "bad %zu", i);
}

static void test_golden(const char *folder, const char *goldens)
{
    char path[512];
    ls_event_writer *w = ls_event_writer_open(ls, folder, .wall_time = 1700000000.5, .filename_suffix = ".x");
    CHECK(w, "%s", ls_error_message(ls));
    snprintf(path, sizeof path, "%s", ls_event_writer_path(w));
    const char *name = strrchr(path, '/');
    CHECK(name && strncmp(name, "/events.out.tfevents.1700000000.", 32) == 0 && path[strlen(path) - 1] == 'x', "%s", path);
    write_example(w);
    CHECK(ls_event_writer_close(&w) == LS_OK && !w, "%s", ls_error_message(ls));
    size_t size = 0, golden_size = 0;
    unsigned char *data = load_file(path, &size);
    CHECK(count_records(data, size) == 10, "%d records", count_records(data, size));
    unsigned char *golden = load_hex(goldens, "events.hex", &golden_size);
    size_t i = 0;
    while (i < size && i < golden_size && data[i] == golden[i])
        i++;
    CHECK(i == size && i == golden_size, "byte %zu of %zu is not the golden's", i, size);
    free(data);
    free(golden);
    unlink(path);
}

static void test_flush(const char *folder)
{
    char path[512], folders[512];
    snprintf(folders, sizeof folders, "%s/a/b", folder);
    ls_event_writer *w = ls_event_writer_open(ls, folders), *other = ls_event_writer_open(ls, folders);
    CHECK(w && other && strcmp(ls_event_writer_path(w), ls_event_writer_path(other)) != 0, "two writers, one file");
    snprintf(path, sizeof path, "%s", ls_event_writer_path(w));
    CHECK(records_of(path) == 1, "the first record");
    ls_event_scalar(w, "a", 1, 0);
    CHECK(records_of(path) == 1 && ls_event_flush(w) == LS_OK && records_of(path) == 2, "flush");
    for (int i = 0; i < 30000; i++)
        ls_event_scalar(w, "a", (float)i, i);
    CHECK(records_of(path) > 10000, "a full buffer is flushed");
    CHECK(ls_event_writer_close(&w) == LS_OK && records_of(path) == 30002, "%d", records_of(path));
    unlink(path);
    unlink(ls_event_writer_path(other));
    ls_event_writer_close(&other);
    rmdir(folders);
    snprintf(folders, sizeof folders, "%s/a", folder);
    rmdir(folders);
}

static void test_bad_calls(const char *folder)
{
    ls_event_writer *w = ls_event_writer_open(ls, folder);
    char path[512];
    snprintf(path, sizeof path, "%s", ls_event_writer_path(w));
    char *name = calloc(70000, 1);
    memset(name, 'a', 69999);
    ls_event_scalar(w, name, 1, 0);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "too long");
    ls_event_scalar(w, "", 1, 0);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "empty");
    ls_event_scalar(w, "\xff", 1, 0);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "not UTF-8");
    ls_event_scalar(w, NULL, 1, 0);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "NULL");
    ls_event_text(w, "a", "\xc0\x80", 0);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "not UTF-8");
    ls_event_histogram_of(w, "a", NULL, 3, 0);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "NULL");
    ls_event_histogram(w, "a", (ls_tensor){0}, 0);
    CHECK(ls_error(ls) != LS_OK, "a nil tensor");
    ls_clear_error(ls);
    CHECK(ls_event_scalar(NULL, "a", 1, 0) == LS_INVALID_ARGUMENT && ls_event_flush(NULL) == LS_INVALID_ARGUMENT,
          "NULL writers");
    CHECK(ls_event_writer_close(NULL) == LS_OK && ls_event_writer_close(&(ls_event_writer *){NULL}) == LS_OK, "close");
    CHECK(ls_event_writer_close(&w) == LS_OK && records_of(path) == 1, "nothing bad was written");
    CHECK(!ls_event_writer_open(ls, "/dev/null/x"), "a folder in a device");
    CHECK_ERROR(ls, LS_FILE_ERROR, "/dev/null/x");
    CHECK(!ls_event_writer_open(ls, ""), "no folder");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "folder");
    CHECK(!ls_event_writer_open(ls, folder, .wall_time = NAN), "no time");
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "time");
    unlink(path);
    free(name);
}

/* Where the disk is full, the file ends behind a whole record; later the rest can be written. */
static void test_full(const char *folder)
{
    pid_t child = fork();
    if (child == 0) {
        ls_event_writer *w = ls_event_writer_open(ls, folder);
        for (int i = 0; i < 100; i++)
            ls_event_scalar(w, "a", (float)i, i);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, RLIM_INFINITY});
        bool good = ls_event_flush(w) == LS_FILE_ERROR && strstr(ls_error_message(ls), "ulimit") &&
                    records_of(ls_event_writer_path(w)) == 1;
        ls_clear_error(ls);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
        good = good && ls_event_flush(w) == LS_OK && records_of(ls_event_writer_path(w)) == 101;
        unlink(ls_event_writer_path(w));
        _exit(good ? 7 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %x", (unsigned)status);
}

/* Closed by its context. */
static void test_owned(const char *folder)
{
    ls_context *own = ls_open("reference");
    ls_event_writer *w = ls_event_writer_open(own, folder);
    char path[512];
    snprintf(path, sizeof path, "%s", ls_event_writer_path(w));
    ls_event_scalar(w, "a", 1, 0);
    CHECK(ls_close(&own) == LS_OK && records_of(path) == 2, "%d records", records_of(path));
    unlink(path);
}

int main(int argc, char **argv)
{
    ls = ls_open("reference");
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        ls_event_writer *w = ls_event_writer_open(ls, argv[2], .wall_time = 1700000000.5);
        write_example(w);
        ls_event_writer_close(&w);
        return ls_close(&ls) == LS_OK ? 0 : 1;
    }
    char folder[] = "/tmp/lockstep-events-XXXXXX";
    if (argc != 2 || !mkdtemp(folder))
        return 2;
    test_checksums();
    test_utf8();
    test_golden(folder, argv[1]);
    test_flush(folder);
    test_bad_calls(folder);
    test_full(folder);
    test_owned(folder);
    rmdir(folder);
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
