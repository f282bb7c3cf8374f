/* SPDX-License-Identifier: Apache-2.0
 *
 * Atomic saves. The linker sends the library's system calls here, so that each can fail, be interrupted or do
 * only a part of its work, the Nth time: the old file must stay, no temporary may be left, and the message must
 * say what to do. Real limits, leftovers and killed processes besides.
 */
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lib/io/atomic.h"
#include "check.h"

/* ---- System calls that fail when told to ---- */

enum call { WRITE, FSYNC, RENAME, FCHMOD, CLOSE, CALLS };
static const char *const call_names[] = {"write", "fsync", "rename", "fchmod", "close"};
static struct {
    enum call call;
    int countdown; /* 0: none fails */
    int code;      /* 0: a short write */
    bool stays;    /* every one from then on */
} fault;
static int fsyncs, short_writes;

static bool fails(enum call call)
{
    if (fault.call != call || fault.countdown == 0)
        return false;
    if (fault.countdown > 1) {
        fault.countdown--;
        return false;
    }
    fault.countdown = fault.stays ? 1 : 0;
    errno = fault.code;
    return true;
}

ssize_t __real_write(int fd, const void *data, size_t bytes);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_fchmod(int fd, mode_t mode);
int __real_close(int fd);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_close(int fd);

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    if (!fails(WRITE))
        return __real_write(fd, data, bytes);
    if (fault.code)
        return -1;
    short_writes++;
    return __real_write(fd, data, bytes > 1 ? bytes / 2 : bytes);
}

int __wrap_fsync(int fd)
{
    fsyncs++;
    return fails(FSYNC) ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to) { return fails(RENAME) ? -1 : __real_rename(from, to); }
int __wrap_fchmod(int fd, mode_t mode) { return fails(FCHMOD) ? -1 : __real_fchmod(fd, mode); }

int __wrap_close(int fd)
{
    bool fail = fails(CLOSE);
    int result = __real_close(fd);
    return fail ? -1 : result;
}

/* ---- Files ---- */

static ls_context *ls;
static char folder[] = "/tmp/lockstep-atomic-XXXXXX";
static char path[64], temporary[80];
static unsigned char new_data[300000];
enum { OLD = 1000 };

static void write_old(void)
{
    FILE *f = fopen(path, "wb");
    for (int i = 0; i < OLD; i++)
        fputc('o', f);
    fclose(f);
}

/* 'o' for the old file, 'n' for the new one, 0 for neither. */
static char what_is_there(void)
{
    static unsigned char data[sizeof new_data + 1];
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    size_t n = fread(data, 1, sizeof data, f);
    fclose(f);
    if (n == sizeof new_data && memcmp(data, new_data, n) == 0)
        return 'n';
    for (size_t i = 0; i < n; i++)
        if (data[i] != 'o')
            return 0;
    return n == OLD ? 'o' : 0;
}

static bool exists(const char *name)
{
    struct stat info;
    return lstat(name, &info) == 0;
}

static void test_plain(void)
{
    unlink(path);
    fsyncs = 0;
    CHECK(ls_atomic_save(ls, path, new_data, sizeof new_data) == LS_OK, "%s", ls_error_message(ls));
    CHECK(what_is_there() == 'n' && !exists(temporary), "the new file is not there");
    CHECK(fsyncs == 2, "%d fsyncs: the file and its folder", fsyncs);
    write_old();
    chmod(path, 0640);
    CHECK(ls_atomic_save(ls, path, new_data, sizeof new_data) == LS_OK, "%s", ls_error_message(ls));
    struct stat info;
    CHECK(stat(path, &info) == 0 && (info.st_mode & 0777) == 0640, "mode %o", info.st_mode & 0777);
    CHECK(ls_atomic_save(ls, path, NULL, 0) == LS_OK && stat(path, &info) == 0 && info.st_size == 0, "an empty file");
}

/* In pieces, of which none fits the chunk exactly. */
static void test_pieces(void)
{
    struct ls_atomic save;
    CHECK(ls_atomic_begin(&save, ls, path) == LS_OK, "%s", ls_error_message(ls));
    for (size_t at = 0, piece = 1; at < sizeof new_data; at += piece, piece = piece * 7 % 40961 + 1) {
        if (piece > sizeof new_data - at)
            piece = sizeof new_data - at;
        ls_atomic_write(&save, new_data + at, piece);
    }
    CHECK(ls_atomic_commit(&save) == LS_OK && what_is_there() == 'n', "%s", ls_error_message(ls));
    write_old();
    ls_atomic_begin(&save, ls, path);
    ls_atomic_write(&save, new_data, 5);
    ls_atomic_abandon(&save);
    CHECK(what_is_there() == 'o' && !exists(temporary), "abandoned");
}

static const struct {
    enum call call;
    int code;
    const char *says;
} cases[] = {
    {WRITE, ENOSPC, "free space"}, {WRITE, EIO, "disk may be failing"}, {WRITE, EDQUOT, "free space"},
    {FSYNC, EIO, "disk may be failing"}, {FSYNC, ENOSPC, "free space"}, {RENAME, ENOSPC, "free space"},
    {RENAME, EXDEV, "put in its place"}, {RENAME, EACCES, "may write to"}, {FCHMOD, EIO, "mode"},
};

static void test_faults(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int n = 1; n <= (cases[i].call == WRITE ? 2 : 1); n++)
            for (int stays = 0; stays < 2; stays++) {
                write_old();
                fault.call = cases[i].call, fault.countdown = n, fault.code = cases[i].code, fault.stays = stays;
                fsyncs = 0;
                struct ls_atomic save;
                ls_status status = ls_atomic_begin(&save, ls, path);
                for (size_t at = 0; status == LS_OK && at < sizeof new_data; at += 100000)
                    status = ls_atomic_write(&save, new_data + at, 100000);
                if (status == LS_OK)
                    status = ls_atomic_commit(&save);
                fault.countdown = 0;
                const char *name = call_names[cases[i].call];
                CHECK(status == LS_FILE_ERROR, "%s %d: %s", name, cases[i].code, ls_status_name(status));
                CHECK(strstr(ls_error_message(ls), cases[i].says) && strstr(ls_error_message(ls), path), "%s: %s", name,
                      ls_error_message(ls));
                CHECK(what_is_there() == 'o', "%s %d: the old file is gone", name, cases[i].code);
                CHECK(!exists(temporary), "%s %d: a temporary is left", name, cases[i].code);
                CHECK(cases[i].call != FSYNC || fsyncs == 1, "fsync was tried again");
                ls_clear_error(ls);
            }
}

/* What must not matter. */
static void test_interruptions(void)
{
    static const int codes[] = {EINTR, 0};
    for (int i = 0; i < 2; i++)
        for (int n = 1; n <= 5; n++) {
            write_old();
            fault.call = WRITE, fault.countdown = n, fault.code = codes[i], fault.stays = false;
            CHECK(ls_atomic_save(ls, path, new_data, sizeof new_data) == LS_OK, "%s", ls_error_message(ls));
            fault.countdown = 0;
            CHECK(what_is_there() == 'n', "write %d interrupted", n);
        }
    CHECK(short_writes > 0, "no write was short");
    fault.call = CLOSE, fault.countdown = 1, fault.code = EINTR;
    CHECK(ls_atomic_save(ls, path, new_data, sizeof new_data) == LS_OK, "%s", ls_error_message(ls));
    fault.call = FSYNC, fault.countdown = 2, fault.code = EIO;
    CHECK(ls_atomic_save(ls, path, new_data, sizeof new_data) != LS_OK && what_is_there() == 'n', "of the folder");
    CHECK_ERROR(ls, LS_FILE_ERROR, "power failure");
    fault.countdown = 0;
}

static void test_bad_paths(void)
{
    char name[128];
    ls_atomic_save(ls, "", "x", 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "no path");
    ls_atomic_save(ls, NULL, "x", 1);
    CHECK_ERROR(ls, LS_INVALID_ARGUMENT, "no path");
    ls_atomic_save(ls, folder, "x", 1);
    CHECK_ERROR(ls, LS_FILE_ERROR, "a directory");
    ls_atomic_save(ls, "/dev/full", "x", 1);
    CHECK_ERROR(ls, LS_FILE_ERROR, "not a regular file");
    snprintf(name, sizeof name, "%s/none/weights", folder);
    ls_atomic_save(ls, name, "x", 1);
    CHECK_ERROR(ls, LS_NOT_FOUND, "make its folder");
    /* A symbolic link stays one. */
    write_old();
    snprintf(name, sizeof name, "%s/link", folder);
    CHECK(symlink(path, name) == 0, "symlink");
    CHECK(ls_atomic_save(ls, name, new_data, sizeof new_data) == LS_OK, "%s", ls_error_message(ls));
    struct stat info;
    CHECK(what_is_there() == 'n' && lstat(name, &info) == 0 && S_ISLNK(info.st_mode), "through a link");
    unlink(name);
}

/* A real limit, without a handler for its signal. */
static void test_limit(void)
{
    write_old();
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000});
        ls_status status = ls_atomic_save(ls, path, new_data, sizeof new_data);
        _exit(status == LS_FILE_ERROR && strstr(ls_error_message(ls), "ulimit") ? 7 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %x", (unsigned)status);
    CHECK(what_is_there() == 'o' && !exists(temporary), "over the limit");
}

static void test_leftovers(void)
{
    write_old();
    int fd = open(temporary, O_RDWR | O_CREAT, 0666);
    flock(fd, LOCK_EX);
    ls_atomic_save(ls, path, new_data, sizeof new_data);
    CHECK_ERROR(ls, LS_FILE_ERROR, "another process is saving it");
    CHECK(what_is_there() == 'o' && exists(temporary), "it was taken away");
    close(fd);
    CHECK(ls_atomic_save(ls, path, new_data, sizeof new_data) == LS_OK, "%s", ls_error_message(ls));
    CHECK(what_is_there() == 'n' && !exists(temporary), "the leftover stays");
}

/* Killed at any moment, one of the two files is there, and the next save works. Two save at once. */
static void test_kill(void)
{
    int old = 0, new = 0;
    for (int i = 0; i < 60; i++) {
        write_old();
        pid_t children[2];
        for (int c = 0; c < 2; c++)
            if ((children[c] = fork()) == 0)
                for (;;) {
                    ls_atomic_save(ls, path, new_data, sizeof new_data);
                    ls_clear_error(ls);
                }
        nanosleep(&(struct timespec){0, 40000L * i}, NULL);
        for (int c = 0; c < 2; c++)
            kill(children[c], SIGKILL);
        for (int c = 0; c < 2; c++)
            waitpid(children[c], NULL, 0);
        char there = what_is_there();
        CHECK(there == 'o' || there == 'n', "neither file is whole");
        old += there == 'o';
        new += there == 'n';
        CHECK(ls_atomic_save(ls, path, new_data, sizeof new_data) == LS_OK, "%s", ls_error_message(ls));
        ls_clear_error(ls);
        CHECK(what_is_there() == 'n' && !exists(temporary), "after a kill");
    }
    CHECK(old > 0 && new > 0, "killed before the first save %d times, after it %d times", old, new);
}

int main(void)
{
    ls = ls_open("reference");
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/weights", folder);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    for (size_t i = 0; i < sizeof new_data; i++)
        new_data[i] = (unsigned char)(i * i / 7);
    test_plain();
    test_pieces();
    test_faults();
    test_interruptions();
    test_bad_paths();
    test_limit();
    test_leftovers();
    test_kill();
    unlink(path);
    rmdir(folder);
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
