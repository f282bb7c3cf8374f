/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache on disk: a file that is cut at any length, has any bit flipped or is another's counts as absent,
 * a folder that cannot be written or a disk that is full does no harm, and several processes write one name at
 * once. The verdicts of the self-test are such files. The linker sends the library's system calls here.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache.h"
#include "check.h"
#include "verdict.h"

static char folder[] = "/tmp/lockstep-cache-XXXXXX";
static char path[64];
enum { NAME = 77, BLOB = 60, HEAD = 32 };

static bool loads(uint64_t name, const void *expected, size_t size)
{
    void *data = NULL;
    size_t got = 0;
    if (!ls_cache_load(folder, name, &data, &got))
        return false;
    CHECK(got == size && memcmp(data, expected, size) == 0, "another blob was loaded");
    free(data);
    return true;
}

static void put(const char *to, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(to, "wb");
    CHECK(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0, "%s", to);
}

static void overwrite(FILE *file, size_t at, int byte)
{
    fseek(file, (long)at, SEEK_SET);
    fputc(byte, file);
    fflush(file);
}

/* ---- System calls that fail when told to ---- */

enum call { WRITE, CLOSE, RENAME, CALLS };
static const char *const call_names[CALLS] = {"write", "close", "rename"};
static enum call fault;
static int fault_code;    /* 0: none fails */
static long fault_room;   /* bytes that can be written before */

ssize_t __real_write(int fd, const void *data, size_t bytes);
int __real_close(int fd);
int __real_rename(const char *from, const char *to);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
int __wrap_close(int fd);
int __wrap_rename(const char *from, const char *to);

static int failed(void)
{
    errno = fault_code;
    if (errno == EINTR)
        fault_code = 0; /* once */
    return -1;
}

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    if (fault_code == 0 || fault != WRITE)
        return __real_write(fd, data, bytes);
    size_t fit = (size_t)fault_room < bytes ? (size_t)fault_room : bytes;
    fault_room -= (long)fit;
    return fit > 0 ? __real_write(fd, data, fit) : failed();
}

int __wrap_close(int fd)
{
    int result = __real_close(fd);
    return fault_code && fault == CLOSE ? failed() : result;
}

int __wrap_rename(const char *from, const char *to)
{
    return fault_code && fault == RENAME ? failed() : __real_rename(from, to);
}

static int files_there(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* A store that fails leaves what was there, and nothing else; one that is interrupted, or writes in pieces, does not fail. */
static void full_disks(const unsigned char *blob)
{
    static const int codes[] = {ENOSPC, EIO, EDQUOT, EROFS, EINTR};
    unsigned char other[BLOB] = {1};
    for (size_t c = 0; c < sizeof codes / sizeof *codes; c++)
        for (int call = 0; call < CALLS; call++)
            for (long room = 0; room < (call == WRITE ? HEAD + BLOB : 1); room++) {
                if (codes[c] == EINTR && call != WRITE)
                    continue;
                fault = (enum call)call;
                fault_code = codes[c];
                fault_room = room;
                ls_cache_store(folder, NAME, other, BLOB);
                fault_code = 0;
                CHECK(files_there() == 1 && loads(NAME, codes[c] == EINTR ? other : blob, BLOB), "%s: %s after %ld bytes",
                      call_names[call], strerror(codes[c]), room);
                ls_cache_store(folder, NAME, blob, BLOB);
                CHECK(loads(NAME, blob, BLOB), "the next store");
            }
}

/* ---- Verdicts ---- */

static void verdicts(void)
{
    static unsigned char file[HEAD + sizeof(struct ls_verdict)];
    struct ls_device_info info = {.available = true, .exactness = "untested"}, other;
    struct ls_verdict verdict = {.exactness = "T", .reasons = "gemm", .checks = 7}, found;
    snprintf(info.backend, sizeof info.backend, "opencl");
    snprintf(info.name, sizeof info.name, "a device");
    snprintf(info.driver, sizeof info.driver, "1.0");
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    ls_verdict_store(&info, NULL, &verdict);
    CHECK(ls_verdict_load(&info, NULL, &found) && strcmp(found.exactness, "T") == 0 && strcmp(found.reasons, "gemm") == 0,
          "what was stored is not there");
    other = info;
    snprintf(other.driver, sizeof other.driver, "1.1");
    CHECK(!ls_verdict_load(&other, NULL, &found), "another driver's verdict");
    other = info;
    snprintf(other.name, sizeof other.name, "another device");
    CHECK(!ls_verdict_load(&other, NULL, &found) && !ls_verdict_load(&info, "fault:order", &found), "another device's verdict");
    setenv("LOCKSTEP_GEMM", "own", 1);
    CHECK(!ls_verdict_load(&info, NULL, &found), "a verdict of other settings");
    unsetenv("LOCKSTEP_GEMM");

    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            snprintf(path, sizeof path, "%s/%.16s", folder, entry->d_name);
    closedir(dir);
    FILE *in = fopen(path, "rb");
    CHECK(in && fread(file, 1, sizeof file, in) == sizeof file && fgetc(in) == EOF, "the file is not %zu bytes", sizeof file);
    fclose(in);
    FILE *out = fopen(path, "r+b");
    for (size_t i = 0; i < sizeof file; i++) {
        overwrite(out, i, file[i] ^ 1 << i % 8);
        struct ls_device_info asked = info;
        ls_verdict_apply(&asked, NULL);
        CHECK(strcmp(asked.exactness, "untested") == 0, "byte %zu damaged: %s", i, asked.exactness);
        overwrite(out, i, file[i]);
    }
    fclose(out);
    CHECK(ls_verdict_load(&info, NULL, &found), "as it was");
    for (size_t size = sizeof file; size-- > 0;)
        CHECK(truncate(path, (off_t)size) == 0 && !ls_verdict_load(&info, NULL, &found), "cut to %zu bytes", size);
    ls_verdict_store(&info, NULL, &verdict);
    ls_verdict_apply(&info, NULL);
    CHECK(strcmp(info.exactness, "T") == 0, "stored again: %s", info.exactness);
    unlink(path);
}

int main(void)
{
    unsigned char blob[BLOB], file[HEAD + BLOB];
    CHECK(mkdtemp(folder) != NULL, "no folder below /tmp");
    verdicts();
    for (int i = 0; i < BLOB; i++)
        blob[i] = (unsigned char)(i * 37);
    snprintf(path, sizeof path, "%s/%016x", folder, NAME);
    ls_cache_store(folder, NAME, blob, BLOB);
    CHECK(loads(NAME, blob, BLOB), "what was stored is not there");
    FILE *in = fopen(path, "rb");
    CHECK(in && fread(file, 1, sizeof file, in) == sizeof file && fgetc(in) == EOF, "the file is not %zu bytes", sizeof file);
    fclose(in);

    FILE *out = fopen(path, "r+b");
    for (size_t bit = 0; bit < 8 * sizeof file; bit++) {
        overwrite(out, bit / 8, file[bit / 8] ^ 1 << bit % 8);
        CHECK(!loads(NAME, blob, BLOB), "bit %zu flipped", bit);
        overwrite(out, bit / 8, file[bit / 8]);
    }
    fclose(out);
    for (size_t size = sizeof file; size-- > 0;)
        CHECK(truncate(path, (off_t)size) == 0 && !loads(NAME, blob, BLOB), "cut to %zu bytes", size);
    char other[64];
    snprintf(other, sizeof other, "%s/%016x", folder, NAME + 1);
    put(other, file, sizeof file);
    CHECK(!loads(NAME + 1, blob, BLOB), "a renamed file");
    CHECK(unlink(other) == 0 && mkdir(other, 0700) == 0 && !loads(NAME + 1, blob, BLOB), "a folder of that name");
    ls_cache_store(folder, NAME + 1, blob, BLOB); /* cannot replace it, and leaves nothing */
    CHECK(rmdir(other) == 0 && mkfifo(other, 0600) == 0 && !loads(NAME + 1, blob, BLOB), "a pipe");
    CHECK(unlink(other) == 0 && symlink(other, other) == 0 && !loads(NAME + 1, blob, BLOB), "a link to itself");
    ls_cache_store(folder, NAME + 1, blob, BLOB);
    CHECK(loads(NAME + 1, blob, BLOB), "a link is replaced");
    unlink(other);
    ls_cache_store(folder, NAME, blob, BLOB);
    full_disks(blob);

    for (int child = 0; child < 4; child++)
        if (fork() == 0) {
            for (int i = 0; i < 200; i++) {
                ls_cache_store(folder, NAME, blob, BLOB);
                if (!loads(NAME, blob, BLOB))
                    _exit(1);
            }
            _exit(checks_failed ? 1 : 0);
        }
    for (int status, child = 0; child < 4; child++)
        CHECK(wait(&status) > 0 && status == 0, "a process saw a torn file");

    CHECK(unlink(path) == 0 && rmdir(folder) == 0, "something is left in %s", folder);
    ls_cache_store("/proc/nothing", NAME, blob, BLOB);
    ls_cache_store("/dev/null", NAME, blob, BLOB);
    ls_cache_store("", NAME, blob, BLOB);
    return end_of_checks();
}
