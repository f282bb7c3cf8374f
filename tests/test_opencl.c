/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenCL on machines that are not as they should be: no driver, no such device, kernels that do not
 * build, a cache that is damaged, foreign or not writable. Each case in a process of its own, since
 * drivers read the environment once.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static char folder[] = "/tmp/lockstep-test-XXXXXX";

/* The sum that a healthy device computes; NaN otherwise. */
static float compute(ls_context *ls)
{
    ls_tensor x = ls_from_host(ls, LS_FLOAT32, LS_SHAPE(2, 2), (float[]){1, 2, 3, 4});
    return ls_item(ls_sum(ls_matmul(x, ls_exp(ls_zeros_like(x))), NULL, 0, false));
}

static void without_driver(void)
{
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    ls_context *ls = ls_open("opencl");
    CHECK(ls_error(ls) == LS_UNAVAILABLE || ls_error(ls) == LS_NOT_FOUND, "%s", ls_status_name(ls_error(ls)));
    CHECK(strstr(ls_error_message(ls), "install"), "\"%s\" does not say what to install", ls_error_message(ls));
    ls_exp(ls_scalar(ls, 1.0f)); /* does nothing */
    ls_close(&ls);
    ls_device_info found[16];
    size_t count = ls_list_devices(found, 16);
    bool explained = false;
    for (size_t i = 0; i < count; i++)
        explained |= strcmp(found[i].backend, "opencl") == 0 && !found[i].available && found[i].reason[0];
    CHECK(explained, "the list does not say why OpenCL is not there");
    ls = ls_open("auto");
    CHECK(ls_error(ls) == LS_OK && compute(ls) == 20.0f, "auto: %s", ls_error_message(ls));
    ls_close(&ls);
}

static void without_device(void)
{
    static const char *const words[] = {"opencl:99", "opencl:no such thing", "opencl:-1", "nonsense", "opencl:99999999999999999999",
                                        "reference:mmx", "", ":", "fault:alloc", "fault:order,nonsense"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        ls_context *ls = ls_open(words[i]);
        CHECK(ls_error(ls) == LS_NOT_FOUND || ls_error(ls) == LS_UNAVAILABLE, "\"%s\": %s", words[i],
              ls_status_name(ls_error(ls)));
        CHECK(strlen(ls_error_message(ls)) > 20, "\"%s\": \"%s\"", words[i], ls_error_message(ls));
        CHECK(ls_close(&ls) != LS_OK && !ls, "\"%s\": close", words[i]);
    }
}

static void broken_kernels(void)
{
    setenv("LOCKSTEP_CL_BUILD_OPTIONS", "-D__kernel=broken(", 1);
    ls_context *ls = ls_open("opencl");
    compute(ls);
    CHECK(ls_error(ls) == LS_COMPILE_ERROR, "%s: %s", ls_status_name(ls_error(ls)), ls_error_message(ls));
    CHECK(strstr(ls_error_message(ls), "error"), "\"%s\" does not show the build log", ls_error_message(ls));
    ls_clear_error(ls);
    CHECK(ls_error(ls) == LS_OK, "the context cannot be used again");
    ls_close(&ls);
}

static void healthy(void)
{
    ls_context *ls = ls_open("opencl");
    CHECK(compute(ls) == 20.0f, "%s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
}

/* A child of a process that started a driver: an error, not a wait for threads that are not there. */
static void forked(void)
{
    ls_context *ls = ls_open("opencl");
    CHECK(compute(ls) == 20.0f, "%s", ls_error_message(ls));
    ls_tensor x = ls_fill(ls, LS_SHAPE(3), 2.0f);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        float data[3];
        alarm(60);
        checks_failed = 0;
        CHECK(ls_read(x, data, sizeof data) == LS_DEVICE_LOST, "a child read from its parent's device");
        CHECK(strstr(ls_error_message(ls), "before it forked"), "%s", ls_error_message(ls));
        CHECK(ls_close(&ls) == LS_DEVICE_LOST && !ls, "close in a child");
        ls = ls_open("opencl");
        CHECK(ls_error(ls) == LS_UNAVAILABLE && strstr(ls_error_message(ls), "before it forked"), "%s",
              ls_error_message(ls));
        ls_close(&ls);
        ls = ls_open("reference");
        CHECK(compute(ls) == 20.0f, "%s", ls_error_message(ls));
        CHECK(ls_close(&ls) == LS_OK, "close");
        fflush(stdout);
        _exit(checks_failed ? 1 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %#x", (unsigned)status);
    CHECK(compute(ls) == 20.0f, "the parent: %s", ls_error_message(ls));
    CHECK(ls_close(&ls) == LS_OK, "close");
}

/* Does something to every file below a folder. Returns how many there are. */
static int each_file(const char *path, void (*act)(const char *path))
{
    int count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char inside[1024];
        struct stat info;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (stat(inside, &info) == 0 && S_ISDIR(info.st_mode)) {
            count += each_file(inside, act);
        } else {
            act(inside);
            count++;
        }
    }
    if (dir)
        closedir(dir);
    return count;
}

static void leave(const char *path) { (void)path; }
static void discard(const char *path) { unlink(path); }
static void cut(const char *path) { CHECK(truncate(path, 40) == 0, "%s", path); }
static void empty(const char *path) { CHECK(truncate(path, 0) == 0, "%s", path); }

static void flip(const char *path)
{
    FILE *f = fopen(path, "r+b");
    if (!f)
        return;
    fseek(f, 0, SEEK_END);
    long half = ftell(f) / 2;
    fseek(f, half, SEEK_SET);
    int byte = fgetc(f);
    fseek(f, half, SEEK_SET);
    fputc(byte ^ 0x10, f);
    fclose(f);
}

static void unwritable(void)
{
    setenv("LOCKSTEP_CACHE_DIR", "/proc/nothing", 1);
    healthy();
}

/* Runs a case in a process of its own and adds its counts. */
static void apart(void (*test)(void), const char *name)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        checks_passed = checks_failed = 0;
        test();
        fflush(stdout);
        _exit(checks_failed ? 1 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s ended with %#x", name, (unsigned)status);
}

/* Asked in a process of its own too: a driver that was started does not survive a fork. */
static bool there_is_opencl(void)
{
    pid_t child = fork();
    if (child == 0) {
        ls_device_info found[32];
        size_t count = ls_list_devices(found, 32);
        bool opencl = false;
        for (size_t i = 0; i < count && i < 32; i++)
            opencl |= found[i].available && strcmp(found[i].backend, "opencl") == 0;
        _exit(opencl ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    return status == 0;
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL, "no folder below /tmp");
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    apart(without_driver, "no driver");
    apart(without_device, "no device");

    if (there_is_opencl()) {
        apart(broken_kernels, "broken kernels");
        apart(healthy, "an empty cache");
        CHECK(each_file(folder, leave) > 2, "nothing was cached");
        apart(healthy, "a full cache");
        apart(forked, "a forked child");
        each_file(folder, cut);
        apart(healthy, "truncated files");
        each_file(folder, flip);
        apart(healthy, "flipped bits");
        each_file(folder, empty);
        apart(healthy, "empty files");
        apart(unwritable, "a folder that cannot be made");
    } else {
        printf("no OpenCL device: only its absence was tested\n");
    }
    each_file(folder, discard);
    return end_of_checks();
}
