/* SPDX-License-Identifier: Apache-2.0
 *
 * Keras' .weights.h5. For each of four models Keras wrote its weights and its optimizer's state, and beside them, as
 * safetensors, inputs, outputs, and the outputs after one more step of training. The file is read, the outputs must
 * be Keras' before and after the step. What is written from there, Keras must load: tests/files_roundtrip.py.
 *
 *     test_files_keras GOLDENS          the test, with what Keras wrote once (tests/golden/files/keras_*.hex, gzip)
 *     test_files_keras --read FOLDER    with NAME.weights.h5 and NAME.safetensors; writes ours_NAME.weights.h5
 */
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700

#include <fcntl.h>
#include <math.h>
#include <zlib.h>

#include "files_check.h"

static ls_context *ls;
static char folder[300];
static char log_text[2048];

static void keep_log(void *user, ls_log_level level, const char *message)
{
    (void)user, (void)level;
    snprintf(log_text, sizeof log_text, "%s", message);
}

/* ---- The models, as tests/files_roundtrip.py has them ---- */

struct job {
    ls_model *model;
    ls_optimizer *optimizer;
};

static struct job make_mlp(void)
{
    ls_layer *layers[] = {ls_dense(ls, 4, .activation = LS_RELU, .name = "first"), ls_dropout_layer(ls, 0),
                          ls_layer_normalization_layer(ls), ls_dense(ls, 3), NULL};
    struct job job = {ls_sequential(ls, "mlp", layers), ls_adam(ls, 0.01f, .amsgrad = true, .use_ema = true)};
    ls_build(job.model, LS_SHAPE(1, 5));
    return job;
}

static struct job make_cnn(void)
{
    ls_layer *layers[] = {ls_rescaling(ls, 0.5f), ls_conv2d(ls, 3, {3}), ls_batch_normalization_layer(ls),
                          ls_relu_layer(ls), ls_max_pooling2d(ls), ls_flatten(ls), ls_prelu_layer(ls), ls_dense(ls, 2),
                          NULL};
    struct job job = {ls_sequential(ls, "cnn", layers),
                      ls_sgd(ls, .momentum = 0.9f, .schedule = ls_exponential_decay(0.01f, 10, 0.5f, false))};
    ls_build(job.model, LS_SHAPE(1, 8, 8, 2));
    return job;
}

static struct job make_functional(void)
{
    ls_symbol *a = ls_input(ls, LS_SHAPE(3)), *b = ls_input(ls, LS_SHAPE(2), .dtype = LS_INT32);
    ls_model *inner = ls_sequential(ls, "inner", (ls_layer *[]){ls_dense(ls, 4), ls_dense(ls, 4), NULL});
    ls_symbol *x = ls_apply(inner, ls_apply(ls_normalization(ls), a));
    ls_symbol *e = ls_apply(ls_flatten(ls), ls_apply(ls_embedding(ls, 5, 4), b));
    ls_symbol *y = ls_apply(ls_dense(ls, 3), ls_apply(ls_merge_concatenate(ls), x, e));
    struct job job = {ls_functional(ls, "fun", LS_SYMBOLS(a, b), LS_SYMBOLS(y)),
                      ls_rmsprop(ls, 0.01f, .momentum = 0.5f, .centered = true)};
    return job;
}

static struct job make_small(void)
{
    struct job job = {ls_sequential(ls, "small", (ls_layer *[]){ls_dense(ls, 2, .no_bias = true), NULL}),
                      ls_adagrad(ls, 0.1f)};
    ls_build(job.model, LS_SHAPE(1, 3));
    return job;
}

static const struct {
    const char *name;
    struct job (*make)(void);
} models[] = {{"mlp", make_mlp}, {"cnn", make_cnn}, {"functional", make_functional}, {"small", make_small}};
enum { MODELS = sizeof models / sizeof *models };

static void finish(struct job *job)
{
    ls_layer_destroy(&job->model);
    ls_optimizer_destroy(&job->optimizer);
}

/* ---- Against Keras ---- */

static const char *in_folder(const char *prefix, const char *name, const char *suffix)
{
    static char paths[4][400];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, 400, "%s/%s%s%s", folder, prefix, name, suffix);
    return path;
}

static ls_tensor forward(ls_model *model, ls_safetensors *io, bool training)
{
    ls_tensor x[2] = {ls_safetensors_read(io, "x0")};
    size_t count = 1;
    for (size_t i = 0; i < ls_safetensors_count(io); i++)
        if (strcmp(ls_safetensors_name(io, i), "x1") == 0)
            x[count++] = ls_safetensors_read(io, "x1");
    return ls_call(model, .inputs = x, .input_count = count, .training = training);
}

static void check_close(const char *name, const char *what, ls_tensor got, ls_tensor want)
{
    float a[64], b[64];
    size_t n = (size_t)ls_size(want);
    CHECK(n > 0 && n <= 64 && ls_size(got) == (int64_t)n, "%s: %s has %zu values", name, what, (size_t)ls_size(got));
    if (ls_read(got, a, n * sizeof *a) != LS_OK || ls_read(want, b, n * sizeof *b) != LS_OK)
        return;
    for (size_t i = 0; i < n; i++)
        CHECK(fabs((double)a[i] - (double)b[i]) <= 2e-6 + 1e-5 * fabs((double)b[i]), "%s: %s %zu: %.9g, Keras %.9g", name,
              what, i, (double)a[i], (double)b[i]);
}

static void check_model(size_t m)
{
    const char *name = models[m].name;
    LS_SCOPE(ls) {
        struct job job = models[m].make();
        ls_safetensors *io = ls_safetensors_open(ls, in_folder("", name, ".safetensors"));
        const char *file = in_folder("", name, ".weights.h5"), *ours = in_folder("ours_", name, ".weights.h5");
        log_text[0] = '\0';
        CHECK(ls_load_weights(job.model, file, .optimizer = job.optimizer) == LS_OK, "%s", ls_error_message(ls));
        CHECK(!log_text[0], "%s", log_text);
        check_close(name, "output", forward(job.model, io, false), ls_safetensors_read(io, "y"));
        CHECK(ls_save_weights(job.model, ours, .optimizer = job.optimizer) == LS_OK, "%s", ls_error_message(ls));
        /* What we wrote is what we read, to the bit, optimizer and all. */
        struct job again = models[m].make();
        CHECK(ls_load_weights(again.model, ours, .optimizer = again.optimizer) == LS_OK, "%s", ls_error_message(ls));
        ls_variables a = ls_optimizer_variables(job.optimizer), b = ls_optimizer_variables(again.optimizer);
        CHECK(strcmp(ls_fingerprint_model(job.model).text, ls_fingerprint_model(again.model).text) == 0, "%s", name);
        CHECK(strcmp(ls_fingerprint(a.items, a.count).text, ls_fingerprint(b.items, b.count).text) == 0, "%s", name);
        finish(&again);
        ls_tensor loss;
        LS_TAPE(tape, ls)
            loss = ls_mean_squared_error(ls_safetensors_read(io, "target"), forward(job.model, io, true));
        ls_apply_gradients(job.optimizer, ls_gradients_of(tape, loss, ls_trainable_variables(job.model)));
        check_close(name, "output after a step", forward(job.model, io, false), ls_safetensors_read(io, "y_after"));
        CHECK(ls_error(ls) == LS_OK, "%s: %s", name, ls_error_message(ls));
        ls_clear_error(ls);
        ls_safetensors_close(&io);
        finish(&job);
    }
}

/* ---- Files that do not fit ---- */

static struct job victim;

static void check_unchanged(const char *path, ls_status status, const char *says)
{
    ls_fingerprint_text before = ls_fingerprint_model(victim.model);
    CHECK(ls_load_weights(victim.model, path) == status, "%s", ls_error_message(ls));
    CHECK_ERROR(ls, status, says);
    CHECK(strcmp(before.text, ls_fingerprint_model(victim.model).text) == 0, "the model changed: %s", says);
}

static void test_misfits(void)
{
    victim = make_mlp();
    check_unchanged(in_folder("", "cnn", ".weights.h5"), LS_NOT_FOUND, "the model has no layer for layers/");
    check_unchanged(in_folder("", "small", ".weights.h5"), LS_SHAPE_MISMATCH, "has 1 variables, but first has 2: kernel, bias");
    check_unchanged(in_folder("", "small", ".weights.h5"), LS_SHAPE_MISMATCH, "layers/dense_1/vars is missing");
    check_unchanged(in_folder("", "absent", ".weights.h5"), LS_NOT_FOUND, "cannot be opened");
    check_unchanged(in_folder("", "mlp", ".bin"), LS_INVALID_ARGUMENT, "must end with .weights.h5");
    finish(&victim);
    ls_layer *layers[] = {ls_dense(ls, 4), ls_layer_normalization_layer(ls), ls_dense(ls, 2), NULL};
    victim = (struct job){ls_sequential(ls, "other", layers), ls_sgd(ls)};
    check_unchanged(in_folder("", "mlp", ".weights.h5"), LS_INVALID_ARGUMENT, "has no weights yet");
    ls_build(victim.model, LS_SHAPE(1, 6));
    check_unchanged(in_folder("", "mlp", ".weights.h5"), LS_NOT_FOUND, "other/dense/kernel is (6, 4), but in the file");
    check_unchanged(in_folder("", "mlp", ".weights.h5"), LS_NOT_FOUND, "(4, 2), but in the file, as layers/dense_1/vars/0, (4, 3)");
    finish(&victim);
    /* Another optimizer's state: a warning, as in Keras. */
    struct job job = make_mlp();
    ls_optimizer *sgd = ls_sgd(ls, .momentum = 0.5f);
    log_text[0] = '\0';
    CHECK(ls_load_weights(job.model, in_folder("", "mlp", ".weights.h5"), .optimizer = sgd) == LS_OK, "%s", ls_error_message(ls));
    CHECK(strstr(log_text, "SGD") && strstr(log_text, "variables for an optimizer"), "%s", log_text);
    ls_optimizer_destroy(&sgd);
    finish(&job);
}

static void unpack_to(const char *goldens, const char *golden, const char *path);

/* What h5py can write and must not be believed: see bad_h5 in tests/files_roundtrip.py. */
static const struct {
    const char *name, *says;
} bad[] = {
    {"soft", "a link to elsewhere"},      {"outside", "a link to elsewhere"}, {"external", "lies in another file"},
    {"virtual", "lies in another file"},  {"bomb", "not as large as its shape says"},
    {"chunk", "chunks beyond its shape"}, {"lzf", "filter other than deflate"}, {"float64", "is float64"},
    {"integer", "a whole number"},        {"string", "does not hold numbers"}, {"group", "is not an array"},
    {"rank", "(3, 2), but in the file, as layers/dense/vars/0, (6,)"}, {"more", "has 2 variables"},
    {"other", "is missing"},              {"cycle", "is not an array"},
};
static const char *const good[] = {"good_gzip", "good_big_endian", "good_float16"};

static void test_bad(const char *goldens)
{
    char golden[100];
    const char *path = in_folder("", "bad", ".weights.h5");
    victim = make_small();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ls_fingerprint_text before = ls_fingerprint_model(victim.model);
        snprintf(golden, sizeof golden, "h5_%s.gz.hex", bad[i].name);
        unpack_to(goldens, golden, path);
        CHECK(ls_load_weights(victim.model, path) != LS_OK && strstr(ls_error_message(ls), bad[i].says), "%s: %s",
              bad[i].name, ls_error_message(ls));
        ls_clear_error(ls);
        CHECK(strcmp(before.text, ls_fingerprint_model(victim.model).text) == 0, "%s: changed", bad[i].name);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        float kernel[6] = {0};
        snprintf(golden, sizeof golden, "h5_%s.gz.hex", good[i]);
        unpack_to(goldens, golden, path);
        CHECK(ls_load_weights(victim.model, path) == LS_OK, "%s: %s", good[i], ls_error_message(ls));
        CHECK(ls_read(ls_all_variables(victim.model).items[0], kernel, sizeof kernel) == LS_OK && kernel[5] == 5, "%s",
              good[i]);
        ls_clear_error(ls);
        ls_variables all = ls_all_variables(victim.model);
        ls_assign(all.items[0], ls_zeros(ls, LS_FLOAT32, LS_SHAPE(3, 2)));
    }
    unlink(path);
    finish(&victim);
}

/* safetensors of models: by names, all or nothing. */
static void test_safetensors(void)
{
    struct job a = make_mlp(), b = make_mlp();
    const char *path = in_folder("", "model", ".safetensors");
    ls_optimizer_build(a.optimizer, ls_trainable_variables(a.model));
    CHECK(ls_save_weights(a.model, path, .optimizer = a.optimizer) == LS_OK, "%s", ls_error_message(ls));
    CHECK(strcmp(ls_fingerprint_model(a.model).text, ls_fingerprint_model(b.model).text) != 0, "two models, one draw");
    CHECK(ls_load_weights(b.model, path, .optimizer = b.optimizer) == LS_OK, "%s", ls_error_message(ls));
    CHECK(strcmp(ls_fingerprint_model(a.model).text, ls_fingerprint_model(b.model).text) == 0, "not the same");
    CHECK(ls_load_weights(b.model, path) == LS_OK, "without the optimizer: %s", ls_error_message(ls));
    victim = b;
    ls_named_tensor some[] = {{"mlp/first/kernel", ls_zeros(ls, LS_FLOAT32, LS_SHAPE(5, 3))},
                              {"more", ls_zeros(ls, LS_FLOAT32, LS_SHAPE(1))}};
    ls_save_safetensors(ls, path, some, 2);
    check_unchanged(path, LS_SHAPE_MISMATCH, "mlp/first/kernel is (5, 4), but in the file (5, 3)");
    check_unchanged(path, LS_SHAPE_MISMATCH, "mlp/first/bias is missing");
    check_unchanged(path, LS_SHAPE_MISMATCH, "the model has no more");
    /* Half of the bits is widened. */
    struct job small = make_small();
    ls_named_tensor half = {"small/dense/kernel", ls_from_host(ls, LS_BFLOAT16, LS_SHAPE(3, 2), (uint16_t[6]){0x3fc0})};
    ls_save_safetensors(ls, path, &half, 1);
    float kernel[6] = {0};
    CHECK(ls_load_weights(small.model, path) == LS_OK, "%s", ls_error_message(ls));
    CHECK(ls_read(ls_all_variables(small.model).items[0], kernel, sizeof kernel) == LS_OK && kernel[0] == 1.5f, "bfloat16");
    finish(&small);
    finish(&a);
    finish(&b);
    unlink(path);
}

static bool opens(const char *path)
{
    ls_fingerprint_text before = ls_fingerprint_model(victim.model);
    bool good = ls_load_weights(victim.model, path) == LS_OK;
    if (!good) {
        char message[1200];
        snprintf(message, sizeof message, "%s", ls_error_message(ls));
        ls_status status = ls_error(ls);
        ls_clear_error(ls);
        CHECK(strcmp(before.text, ls_fingerprint_model(victim.model).text) == 0, "%s: the model changed", message);
        ls_load_weights(victim.model, path);
        CHECK(ls_error(ls) == status, "another error the second time");
    }
    return good;
}

/* ---- */

static void unpack_to(const char *goldens, const char *golden, const char *path)
{
    size_t size = 0;
    unsigned char *packed = load_hex(goldens, golden, &size), *data = malloc(1 << 20);
    z_stream stream = {.next_in = packed, .avail_in = (uInt)size, .next_out = data, .avail_out = 1 << 20};
    CHECK(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK && inflate(&stream, Z_FINISH) == Z_STREAM_END, "%s", golden);
    store_file(path, data, stream.total_out);
    inflateEnd(&stream);
    free(packed);
    free(data);
}

static void unpack(const char *goldens, const char *name, const char *suffix)
{
    char golden[100];
    snprintf(golden, sizeof golden, "keras_%s%s.gz.hex", name, suffix);
    unpack_to(goldens, golden, in_folder("", name, suffix));
}

int main(int argc, char **argv)
{
    ls = ls_open_logged("reference", LS_LOG_WARNING, keep_log, NULL);
    bool read = argc == 3 && strcmp(argv[1], "--read") == 0;
    if (read)
        snprintf(folder, sizeof folder, "%s", argv[2]);
    else if (argc == 2)
        make_folder(folder);
    else
        return 2;
    struct job probe = make_small();
    if (ls_save_weights(probe.model, in_folder("", "probe", ".weights.h5")) == LS_UNAVAILABLE) {
        printf("built without HDF5\n");
        return 77;
    }
    finish(&probe);
    unlink(in_folder("", "probe", ".weights.h5"));
    for (size_t m = 0; m < MODELS; m++) {
        if (!read) {
            unpack(argv[1], models[m].name, ".weights.h5");
            unpack(argv[1], models[m].name, ".safetensors");
        }
        check_model(m);
    }
    if (!read) {
        test_misfits();
        test_bad(argv[1]);
        test_safetensors();
        size_t size = 0;
        unsigned char *data = load_file(in_folder("", "small", ".weights.h5"), &size);
        victim = make_small();
        try_damages(ls, in_folder("", "damaged", ".weights.h5"), data, size, 11, 0, opens);
        finish(&victim);
        free(data);
        unlink(in_folder("", "damaged", ".weights.h5"));
        for (size_t m = 0; m < MODELS; m++) {
            unlink(in_folder("", models[m].name, ".weights.h5"));
            unlink(in_folder("", models[m].name, ".safetensors"));
            unlink(in_folder("ours_", models[m].name, ".weights.h5"));
        }
        rmdir(folder);
    }
    CHECK(ls_close(&ls) == LS_OK, "close");
    return end_of_checks();
}
