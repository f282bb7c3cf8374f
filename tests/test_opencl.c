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
#include <unistd.h>

#include "apart.h"

static char folder[] = "/tmp/lockstep-test-XXXXXX";

static void healthy(void) { check_healthy("opencl"); }
static void forked(void) { check_forked("opencl"); }

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

int main(void)
{
    CHECK(mkdtemp(folder) != NULL, "no folder below /tmp");
    setenv("LOCKSTEP_CACHE_DIR", folder, 1);
    apart(without_driver, "no driver");
    apart(without_device, "no device");

    if (there_is("opencl")) {
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
