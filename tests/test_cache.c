/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache on disk: a file that is cut at any length, has any bit flipped or is another's counts as absent,
 * a folder that cannot be written does no harm, and several processes write one name at once.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache.h"
#include "check.h"

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

int main(void)
{
    unsigned char blob[BLOB], file[HEAD + BLOB];
    CHECK(mkdtemp(folder) != NULL, "no folder below /tmp");
    for (int i = 0; i < BLOB; i++)
        blob[i] = (unsigned char)(i * 37);
    snprintf(path, sizeof path, "%s/%016x", folder, NAME);
    ls_cache_store(folder, NAME, blob, BLOB);
    CHECK(loads(NAME, blob, BLOB), "what was stored is not there");
    FILE *in = fopen(path, "rb");
    CHECK(in && fread(file, 1, sizeof file, in) == sizeof file && fgetc(in) == EOF, "the file is not %zu bytes", sizeof file);
    fclose(in);

    for (size_t size = 0; size < sizeof file; size++) {
        put(path, file, size);
        CHECK(!loads(NAME, blob, BLOB), "cut to %zu bytes", size);
    }
    for (size_t bit = 0; bit < 8 * sizeof file; bit++) {
        file[bit / 8] ^= (unsigned char)(1u << bit % 8);
        put(path, file, sizeof file);
        CHECK(!loads(NAME, blob, BLOB), "bit %zu flipped", bit);
        file[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    char other[64];
    snprintf(other, sizeof other, "%s/%016x", folder, NAME + 1);
    put(other, file, sizeof file);
    CHECK(!loads(NAME + 1, blob, BLOB), "a renamed file");
    CHECK(unlink(other) == 0 && mkdir(other, 0700) == 0 && !loads(NAME + 1, blob, BLOB), "a folder of that name");
    ls_cache_store(folder, NAME + 1, blob, BLOB); /* cannot replace it, and leaves nothing */
    CHECK(rmdir(other) == 0 && mkfifo(other, 0600) == 0 && !loads(NAME + 1, blob, BLOB), "a pipe");
    unlink(other);

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
