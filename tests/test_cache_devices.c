/* SPDX-License-Identifier: Apache-2.0
 *
 *     test_cache_devices KIND
 *
 * What a device keeps on disk (programs, pipelines, SPIR-V) is cut off, damaged, another's, or cannot be
 * written: the device trains to the reference's bits, and what is kept is made again. Each time in a process
 * of its own; the linker sends the library's writes here.
 */
#define _GNU_SOURCE /* asprintf */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "apart.h"
#include "cache.h"
#include "devices.h"

static char folder[] = "/tmp/lockstep-test-XXXXXX";
static const char *words;
static bool disk_full;

ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    static size_t written; /* the disk takes a hundred bytes more */
    if (!disk_full)
        return __real_write(fd, data, bytes);
    size_t fit = written < 100 ? 100 - written : 0;
    fit = fit < bytes ? fit : bytes;
    written += fit;
    errno = ENOSPC;
    return fit ? __real_write(fd, data, fit) : -1;
}

/* A step of training and a program of several rows. */
static ls_fingerprint_text train(const char *device)
{
    ls_context *ls = ls_open(device);
    ls_tensor x = ls_random_normal(ls, LS_SHAPE(5, 6), 0, 1), w = ls_variable(ls_random_normal(ls, LS_SHAPE(6, 3), 0, 1), "w", true);
    ls_tensor g, m = ls_variable(ls_zeros_like(w), "m", false);
    LS_TAPE(tape, ls)
        x = ls_sum(ls_softmax(ls_tanh(ls_matmul(x, w)), 1), NULL, 0, false);
    ls_gradient(tape, x, &w, 1, &g);
    ls_update_sgd(w, m, g, ls_scalar(ls, 0.5f), 0.9f, true);
    ls_fingerprint_text text = ls_fingerprint((ls_tensor[]){w, m, g}, 3);
    CHECK(ls_error(ls) == LS_OK, "%s: %s", device, ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "%s: close", device);
    return text;
}

static void trains(void)
{
    ls_fingerprint_text want = train("reference"), got = train(words);
    const char *digits = strchr(got.text, ':'); /* behind the class */
    CHECK(digits && strcmp(strchr(want.text, ':'), digits) == 0, "%s, not %s", got.text, want.text);
}

static void trains_on_a_full_disk(void)
{
    disk_full = true;
    trains();
}

/* ---- Files ---- */

enum { MOST = 64 };
static char *path[MOST];
static int count;

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void list(void)
{
    DIR *dir = opendir(folder);
    while (count > 0)
        free(path[--count]);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && count < MOST && asprintf(&path[count], "%s/%s", folder, entry->d_name) > 0)
            count++;
    closedir(dir);
    qsort(path, (size_t)count, sizeof *path, compare);
}

static bool is_intact(const char *file)
{
    void *data;
    size_t size;
    bool loaded = ls_cache_load(folder, strtoull(file + strlen(folder) + 1, NULL, 16), &data, &size);
    if (loaded)
        free(data);
    return loaded;
}

/* After damage to every file: the right bits; the same files, whole again. */
static void survives(int expected, const char *what)
{
    apart(trains, what);
    list();
    CHECK(count == expected, "%s: %d files are kept, not %d", what, count, expected);
    for (int i = 0; i < count; i++)
        CHECK(is_intact(path[i]), "%s: %s was not made again", what, path[i]);
}

static void flip(const char *file, long at)
{
    FILE *f = fopen(file, "r+b");
    CHECK(f && fseek(f, at, SEEK_SET) == 0, "%s", file);
    int byte = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(byte ^ 0x10, f);
    fclose(f);
}

/* -1 is the last byte, HALF half the file. */
enum { HALF = 1 << 30 };

/* Every file gets another damage in each round, until every damage was tried on two files. */
static void damaged(int files)
{
    static const long offsets[] = {0, 16, 31, 33, HALF, -1};
    enum { DAMAGES = 2 * sizeof offsets / sizeof *offsets };
    for (int tried = 0; tried < 2 * DAMAGES; tried += files) {
        for (int i = 0; i < files; i++) {
            struct stat info;
            CHECK(stat(path[i], &info) == 0, "%s", path[i]);
            int damage = (tried + i) % DAMAGES;
            long offset = offsets[damage / 2], size = (long)info.st_size, at = offset == HALF ? size / 2 : offset < 0 ? size - 1 : offset;
            if (damage % 2)
                CHECK(truncate(path[i], at) == 0, "%s", path[i]);
            else
                flip(path[i], at);
        }
        survives(files, "cut off and damaged");
    }
}

/* Each file has the name of the next one; contents that no driver made, with everything else right. */
static void foreign(int files)
{
    char other[512];
    for (int i = 0; i < files && files > 1; i++) {
        snprintf(other, sizeof other, "%s/.%s", folder, path[(i + 1) % files] + strlen(folder) + 1);
        CHECK(rename(path[i], other) == 0, "%s", path[i]);
    }
    for (int i = 0; i < files && files > 1; i++) {
        snprintf(other, sizeof other, "%s/.%s", folder, path[i] + strlen(folder) + 1);
        CHECK(rename(other, path[i]) == 0, "%s", other);
    }
    survives(files, "another's files");
    for (int i = 0; i < files; i++) {
        unsigned char nonsense[200];
        for (size_t k = 0; k < sizeof nonsense; k++)
            nonsense[k] = (unsigned char)(k * k * 31 + k);
        ls_cache_store(folder, strtoull(path[i] + strlen(folder) + 1, NULL, 16), nonsense, sizeof nonsense);
    }
    survives(files, "nonsense");
}

static void unwritable(void)
{
    setenv("LOCKSTEP_CACHE_DIR", "/proc/nothing", 1);
    apart(trains, "a folder that cannot be made");
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    for (int i = 0; i < count; i++)
        CHECK(unlink(path[i]) == 0, "%s", path[i]);
    apart(trains_on_a_full_disk, "a full disk");
    list();
    CHECK(count == 0, "%d files on a full disk: %s", count, path[0]);
}

int main(int argc, char **argv)
{
    struct device_kind kind = device_kind_of(argc > 1 ? argv[1] : "pocl");
    words = kind.words;
    CHECK(mkdtemp(folder) != NULL, "no folder below /tmp");
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    if (!there_is(strncmp(words, "vulkan", 6) == 0 ? "vulkan" : "opencl"))
        device_absent(&kind, "it is not in the list of devices");
    apart(trains, "an empty cache");
    list();
    int files = count;
    if (files == 0)
        device_absent(&kind, "it keeps nothing here");
    survives(files, "a full cache");
    damaged(files);
    foreign(files);
    unwritable();
    rmdir(folder);
    return end_of_checks();
}
