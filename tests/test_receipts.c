/* SPDX-License-Identifier: Apache-2.0
 *
 *     test_receipts TOOL [KIND]      with KIND, only what another kind of device writes
 *
 * Receipts of one training, run in several ways, as `lockstep compare` (TOOL) sees them: eager and
 * captured, on another device, every third step, continued from its state, in two files; and parted.
 * Then files that are cut off, damaged, foreign, or cannot be written.
 */
#define _XOPEN_SOURCE 700 /* realpath */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lockstep/lockstep.h>

#include "check.h"
#include "devices.h"

enum { BATCH = 9, INPUTS = 6 };

static char folder[] = "/tmp/lockstep-test-XXXXXX";
static const char *tool;

/* Two networks that are trained by optimizers of their own, one with moving averages, one with a slope in its loss. */
struct pair {
    ls_layer *model[3]; /* they end with NULL */
    ls_optimizer *adam[3];
    ls_tensor x;
};

static void step(void *user, const ls_tensor *in, ls_tensor *out)
{
    struct pair *p = user;
    ls_context *ls = in[0].context;
    for (int k = 0; k < 2; k++) {
        ls_tensor slope = {0};
        LS_TAPE(outer, ls) {
            ls_tensor y = {0};
            LS_TAPE(inner, ls) {
                ls_watch(inner, in[0]);
                y = ls_mean(ls_square(ls_call(p->model[k], in[0], .training = true)), NULL, 0, false);
            }
            if (k == 1)
                ls_gradient(inner, y, in, 1, &slope);
            out[k] = k ? ls_add(y, ls_mean(ls_square(slope), NULL, 0, false)) : y;
        }
        ls_apply_gradients(p->adam[k], ls_gradients_of(outer, out[k], ls_trainable_variables(p->model[k])));
    }
}

static const char *path_of(const char *file)
{
    static char path[128];
    snprintf(path, sizeof path, file[0] == '/' ? "%s" : "%s/%s", file[0] == '/' ? file : folder, file);
    return path;
}

struct run {
    const char *receipt, *device;
    int steps, again; /* `again`: so many, the state of `from` once more, and then `steps` */
    bool captured;
    const char *from, *to; /* snapshots */
    uint64_t seed;
};

static ls_status train(const struct run *r)
{
    fflush(stdout);
    pid_t child = fork(); /* the first context of its process */
    if (child != 0) {
        int status = 0;
        waitpid(child, &status, 0);
        return WIFEXITED(status) ? (ls_status)WEXITSTATUS(status) : LS_INTERNAL;
    }
    setenv("LOCKSTEP_RECEIPT", path_of(r->receipt), 1);
    ls_context *ls = ls_open(r->device ? r->device : "reference");
    ls_set_random_seed(ls, 5 + r->seed);
    struct pair p = {.x = ls_random_normal(ls, LS_SHAPE(BATCH, INPUTS), 0, 1)};
    for (int k = 0; k < 2; k++) {
        p.model[k] = ls_sequential(ls, k ? "second" : "first",
                                   (ls_layer *[]){ls_dense(ls, 7, .activation = LS_TANH),
                                                  k ? ls_dense(ls, 5) : ls_batch_normalization_layer(ls), ls_dense(ls, 3),
                                                  NULL});
        p.adam[k] = ls_adam(ls, .learning_rate = 0.01f, .clipnorm = k ? 0.5f : 0);
        ls_call(p.model[k], p.x);
    }
    ls_snapshot from = {.context = ls, .path = r->from, .models = p.model, .optimizers = p.adam};
    char start[128];
    if (r->from) {
        snprintf(start, sizeof start, "%s", path_of(r->from));
        from.path = start;
        CHECK(ls_load_snapshot(&from) == LS_OK, "%s", ls_error_message(ls));
    }
    ls_function *function = r->captured ? ls_function_create(ls, step, &p, 1, 2) : NULL;
    for (int i = 0; i < r->again + r->steps; i++)
        LS_SCOPE(ls) {
            if (r->again && i == r->again)
                CHECK(ls_load_snapshot(&from) == LS_OK, "%s", ls_error_message(ls));
            ls_tensor out[2];
            if (function && i != 3) /* one step between two replays is eager */
                ls_function_call(function, &p.x, out);
            else
                step(&p, &p.x, out);
        }
    if (r->to)
        CHECK(ls_save_snapshot(&(ls_snapshot){.context = ls, .path = path_of(r->to), .models = p.model, .optimizers = p.adam}) ==
                  LS_OK, "%s", ls_error_message(ls));
    const char *message = ls_error_message(ls);
    if (*message)
        printf("    (%s)\n", message);
    fflush(stdout);
    _exit(ls_close(&ls));
}

static int compare(const char *words, char *said, size_t size)
{
    char command[600];
    snprintf(command, sizeof command, "cd %s && '%s' compare %s 2>&1", folder, tool, words);
    FILE *out = popen(command, "r");
    size_t length = out ? fread(said, 1, size - 1, out) : 0;
    said[length] = '\0';
    int status = out ? pclose(out) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool system_says(const char *command, const char *what)
{
    char said[64] = "", whole[400];
    snprintf(whole, sizeof whole, "cd %s && %s", folder, command);
    FILE *out = popen(whole, "r");
    size_t length = out ? fread(said, 1, sizeof said - 1, out) : 0;
    return out && pclose(out) == 0 && length > 0 && strncmp(said, what, strlen(what)) == 0;
}

static void expect(const char *words, int status, const char *part)
{
    char said[4000];
    int got = compare(words, said, sizeof said);
    CHECK(got == status && strstr(said, part), "compare %s: %d, not %d, or no \"%s\":\n%s", words, got, status, part, said);
}

static void ways(void)
{
    CHECK(train(&(struct run){"captured.lsr", .steps = 12, .captured = true}) == LS_OK, "captured");
    CHECK(train(&(struct run){"baseline.lsr", "reference:baseline", .steps = 12}) == LS_OK, "baseline");
    CHECK(train(&(struct run){"third.lsr,every=3", .steps = 12}) == LS_OK, "every");
    CHECK(train(&(struct run){"captured3.lsr,every=3", .steps = 12, .captured = true}) == LS_OK, "every, captured");
    expect("a.lsr captured.lsr", 0, "the 24 steps in both agree");
    expect("a.lsr baseline.lsr", 0, "the 24 steps in both agree");
    expect("a.lsr third.lsr", 0, "the 8 steps in both agree");
    expect("third.lsr captured3.lsr", 0, "the 8 steps in both agree");
    CHECK(system_says("grep -c 'batch_normalization/moving_mean.first/batch_normalization/moving_variance' a.lsr", "1"),
          "no moving averages in the receipt");
}

/* Five steps here, a snapshot, and seven more there: the receipt of twelve, by itself and in one file. */
static void continued(const char *here, const char *there, bool captured)
{
    CHECK(train(&(struct run){"start.lsr", here, .steps = 5, .to = "snapshot", .captured = captured}) == LS_OK, "start");
    struct run rest = {"rest.lsr", there, .steps = 7, .from = "snapshot", .captured = captured};
    CHECK(train(&rest) == LS_OK, "rest");
    expect("a.lsr start.lsr", 0, "the 10 steps in both agree");
    expect("a.lsr rest.lsr", 0, "the 14 steps in both agree");
    rest.receipt = "start.lsr,append";
    CHECK(train(&rest) == LS_OK, "append");
    expect("a.lsr start.lsr", 0, "the 24 steps in both agree");
}

static void continued_otherwise(void)
{
    struct run rest = {"rest.lsr", .steps = 7, .from = "snapshot", .seed = 77};
    CHECK(train(&rest) == LS_OK, "rest");
    expect("a.lsr rest.lsr", 1, "they part at step 6 of adam: loss"); /* another seed gives it another x */
    rest = (struct run){"rest3.lsr,every=3", .steps = 7, .from = "snapshot"};
    CHECK(train(&rest) == LS_OK, "every third of the rest");
    expect("a.lsr rest3.lsr", 0, "the 6 steps in both agree");
    expect("third.lsr rest3.lsr", 0, "agree");
    for (int captured = 0; captured < 2; captured++) {
        rest = (struct run){"twice.lsr,every=4", .steps = 7, .again = 3, .from = "snapshot", .captured = captured};
        CHECK(train(&rest) == LS_OK, "the rest twice");
        expect("a.lsr twice.lsr", 0, "the 4 steps in both agree"); /* 8 and 12 of each optimizer */
        expect("a.lsr twice.lsr", 0, "\n20 steps of a.lsr are not in the other");
    }
}

static size_t read_whole(const char *file, char *data, size_t size)
{
    FILE *f = fopen(path_of(file), "rb");
    size_t length = f ? fread(data, 1, size - 1, f) : 0;
    if (f)
        fclose(f);
    data[length] = '\0';
    return length;
}

static void write_file(const char *file, const char *data, size_t size)
{
    FILE *f = fopen(path_of(file), "wb");
    CHECK(f && fwrite(data, 1, size, f) == size, "cannot write");
    fclose(f);
}

/* A run that was killed leaves a file without its end, perhaps in the middle of a line: the next one goes on behind it. */
static void appended_to_a_torn_file(void)
{
    static char data[1 << 16];
    CHECK(train(&(struct run){"start.lsr", .steps = 5, .to = "snapshot"}) == LS_OK, "start");
    size_t size = read_whole("start.lsr", data, sizeof data);
    struct run rest = {"torn.lsr,append", "reference:baseline", .steps = 7, .from = "snapshot"};
    const size_t left[] = {0, 9, 30, size / 2, size - 40, size - 400};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        write_file("torn.lsr", data, left[i]);
        CHECK(train(&rest) == LS_OK, "append to %zu bytes", left[i]);
        expect("a.lsr torn.lsr", 0, "steps in both agree");
        expect("a.lsr torn.lsr", 0, "torn.lsr: 14 steps on reference:baseline");
    }
    expect("a.lsr torn.lsr", 0, "torn.lsr: 8 steps on reference, ");
    write_file("notes.lsr", "my notes\n", 9);
    rest.receipt = "notes.lsr,append";
    CHECK(train(&rest) == LS_FILE_ERROR, "appended to a foreign file");
    CHECK(read_whole("notes.lsr", data, sizeof data) == 9, "a foreign file was changed");
}

static void on_another(const char *name)
{
    struct device_kind kind = device_kind_of(name);
    ls_status status = train(&(struct run){"device.lsr", kind.words, .steps = 12, .captured = true});
    if (status == LS_NOT_FOUND || status == LS_UNAVAILABLE)
        device_absent(&kind, "it cannot be opened");
    CHECK(status == LS_OK, "%s", name);
    expect("a.lsr device.lsr", 0, "the 24 steps in both agree");
    continued("reference", kind.words, false);
    continued(kind.words, "reference", true);
}

static void parted(void)
{
    setenv("LOCKSTEP_CACHE_DIR", folder, 1); /* without verdicts of other runs */
    CHECK(train(&(struct run){"order.lsr", "fault:order,reference", .steps = 3}) == LS_OK, "order");
    expect("a.lsr order.lsr", 1, "they part at step 1 of adam: gradient of first/dense/kernel");
    expect("a.lsr order.lsr", 1, "LOCKSTEP_BACKEND='verify:reference,fault:order,reference'");
    char selftest[300];
    snprintf(selftest, sizeof selftest, "'%s' selftest fault:order,reference || test $? -eq 1", tool);
    CHECK(system_says(selftest, "fault:order,reference"), "no self-test");
    CHECK(train(&(struct run){"order.lsr", "fault:order,reference", .steps = 3}) == LS_OK, "order, class T");
    expect("a.lsr order.lsr", 1, "a device of class T");
    expect("a.lsr order.lsr", 1, "LOCKSTEP_BACKEND='verify:reference,fault:order,reference,bits'");
    CHECK(train(&(struct run){"seed.lsr", .steps = 3, .seed = 1}) == LS_OK, "seed");
    expect("a.lsr seed.lsr", 1, "the first loss differs already");
    CHECK(train(&(struct run){"none.lsr", .steps = 0}) == LS_OK, "no step");
    expect("a.lsr none.lsr", 2, "none.lsr cannot be read");
    CHECK(train(&(struct run){"wrong.lsr,every=0", .steps = 1}) == LS_INVALID_ARGUMENT, "every=0");
    CHECK(train(&(struct run){"wrong.lsr,evry=2", .steps = 1}) == LS_INVALID_ARGUMENT, "evry=2");
    CHECK(train(&(struct run){"lost.lsr", "fault:lost=900,reference", .steps = 12}) != LS_OK, "a lost device");
    expect("a.lsr lost.lsr", 2, "has no end");
    CHECK(train(&(struct run){"verified.lsr", "verify:reference,reference:baseline", .steps = 3}) == LS_OK, "verify:");
    expect("verified.lsr order.lsr", 1, "LOCKSTEP_BACKEND='verify:reference,fault:order,reference,bits'");
    CHECK(train(&(struct run){"/no/such/folder/x.lsr", .steps = 1}) == LS_FILE_ERROR, "a missing folder");
    if (access("/dev/full", W_OK) == 0)
        CHECK(train(&(struct run){"/dev/full", .steps = 3}) == LS_FILE_ERROR, "a full disk");
}

static void bad_files(void)
{
    static char data[1 << 16], said[4000];
    size_t size = read_whole("a.lsr", data, sizeof data);
    CHECK(size > 3000 && size < sizeof data, "the receipt has %zu bytes", size);
    for (size_t n = 0; n < size; n += 1 + n / 9) {
        write_file("bad.lsr", data, n);
        int status = compare("a.lsr bad.lsr", said, sizeof said);
        CHECK(status == 2 && strstr(said, "bad.lsr"), "%zu bytes: %d %s", n, status, said);
    }
    for (size_t n = 0; n < size; n += 1 + size / 40) {
        data[n] ^= 4;
        write_file("bad.lsr", data, size);
        data[n] ^= 4;
        int status = compare("a.lsr bad.lsr", said, sizeof said);
        CHECK(status == 2 && strstr(said, "bad.lsr"), "byte %zu changed: %d %s", n, status, said);
    }
    char *line = strstr(data, "\nstep\t0\t5\t"), *next = line ? strchr(line + 1, '\n') : NULL;
    CHECK(next != NULL, "no fifth step");
    FILE *f = fopen(path_of("bad.lsr"), "wb");
    CHECK(f && next && fwrite(data, (size_t)(line - data), 1, f) == 1 && fputs(next, f) >= 0 && fclose(f) == 0, "cannot write");
    expect("a.lsr bad.lsr", 2, "some are missing");
    write_file("bad.lsr", data, size / 2);
    expect("--partial a.lsr bad.lsr", 0, "in both agree");
    expect("a.lsr bad.lsr", 2, "cut off");
    write_file("bad.lsr", "PK\3\4", 4);
    expect("a.lsr bad.lsr", 2, "not a receipt");
    expect("a.lsr", 2, "two receipts");
    expect("a.lsr .", 2, "");
    expect("a.lsr /dev/zero", 2, "not a receipt");
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    char *path = realpath(argv[1], NULL); /* the tool is run elsewhere */
    tool = path ? path : argv[1];
    CHECK(mkdtemp(folder) != NULL, "no folder");
    setenv("LOCKSTEP_CACHE_DIR", folder, 0);
    CHECK(train(&(struct run){"a.lsr", .steps = 12}) == LS_OK, "a");
    if (argc > 2) {
        on_another(argv[2]);
    } else {
        ways();
        continued("reference", "reference:baseline", true);
        continued_otherwise();
        appended_to_a_torn_file();
        parted();
        bad_files();
    }
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "cannot remove %s", folder);
    free(path);
    return end_of_checks();
}
