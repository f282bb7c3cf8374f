/* SPDX-License-Identifier: Apache-2.0
 *
 * TensorBoard's event files: records of a length, its checksum, a message and its checksum. The messages are
 * those of tensorflow/core/util/event.proto and framework/summary.proto.
 */
#define _DEFAULT_SOURCE /* gethostname */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lockstep/events.h>
#include <lockstep/ops.h>

#include "../core/internal.h"
#include "atomic.h"
#include "folders.h"
#include "protobuf.h"

enum { FLUSH_AT = 1 << 20, BUCKETS = 30, LONGEST_NAME = 65535 };
enum { EVENT_WALL_TIME = 1, EVENT_STEP = 2, EVENT_FILE_VERSION = 3, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_TENSOR = 8, VALUE_METADATA = 9 };
enum { METADATA_PLUGIN = 1, PLUGIN_NAME = 1 };
enum { TENSOR_DTYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4, TENSOR_STRING = 8, SHAPE_DIM = 2, DIM_SIZE = 1 };
enum { DT_FLOAT = 1, DT_DOUBLE = 2, DT_STRING = 7 };

struct ls_event_writer {
    ls_context *context;
    char *path;
    int fd;
    double wall_time;
    off_t written;           /* whole records that the file holds */
    struct ls_bytes waiting; /* records that it does not */
};

/* ---- Records ---- */

/* As TensorFlow: a checksum of data that hold checksums would be weak, so it is turned and shifted. */
static uint32_t masked_crc(const void *data, size_t count)
{
    uint32_t crc = ls_crc32c(0, data, count);
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static double now(const ls_event_writer *writer)
{
    if (writer->wall_time != 0)
        return writer->wall_time;
    struct timespec time = {0};
    clock_gettime(CLOCK_REALTIME, &time);
    return fma((double)time.tv_nsec, 1e-9, (double)time.tv_sec);
}

static void add_record(struct ls_bytes *records, const struct ls_bytes *message)
{
    size_t start = records->count;
    ls_bytes_u64(records, message->count);
    if (!records->failed)
        ls_bytes_u32(records, masked_crc(records->data + start, 8));
    ls_bytes_append(records, message->data, message->count);
    ls_bytes_u32(records, masked_crc(message->data, message->count));
    if (records->failed)
        records->count = start;
}

/* Writes an event down; frees it. */
static ls_status add_event(ls_event_writer *writer, struct ls_bytes *event)
{
    struct ls_bytes *waiting = &writer->waiting;
    waiting->failed |= event->failed;
    if (!waiting->failed)
        add_record(waiting, event);
    ls_bytes_free(event);
    if (waiting->failed) {
        waiting->failed = false;
        return ls_fail(writer->context, LS_OUT_OF_MEMORY, "%s: no host memory for one more record", writer->path);
    }
    return waiting->count < FLUSH_AT ? LS_OK : ls_event_flush(writer);
}

/* ---- Opening, flushing, closing ---- */

static void free_writer(void *object)
{
    ls_event_writer *writer = object;
    if (writer->fd >= 0)
        close(writer->fd);
    ls_bytes_free(&writer->waiting);
    free(writer->path);
    free(writer);
}

/* As free_writer, but what was written is not lost. */
static void close_owned(void *object)
{
    ls_event_writer *writer = object;
    if (writer->fd >= 0)
        ls_write_all(writer->fd, writer->waiting.data, writer->waiting.count);
    free_writer(writer);
}

/* The path of a new file: TensorBoard looks for "tfevents". NULL without memory. */
static char *new_path(const ls_event_writer_options *o, double time)
{
    static atomic_uint count;
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0 || !host[0])
        strcpy(host, "localhost");
    const char *suffix = o->filename_suffix ? o->filename_suffix : ".v2";
    size_t size = strlen(o->folder) + strlen(suffix) + sizeof host + 100;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/events.out.tfevents.%010.0f.%s.%ld.%u%s", o->folder, floor(time), host, (long)getpid(),
                 atomic_fetch_add(&count, 1), suffix);
    return path;
}

static ls_status fail_open(ls_context *ls, const char *path, int code)
{
    return ls_fail(ls, code == ENOENT ? LS_NOT_FOUND : LS_FILE_ERROR, "%s: cannot be made for an event writer: %s%s",
                   path, ls_reason_of(code).text, ls_way_out(code));
}

/* The new file, open; -1 with the error raised. */
static ls_status open_file(ls_event_writer *writer, const ls_event_writer_options *o)
{
    char *folder = malloc(strlen(o->folder) + 1);
    int code = folder ? ls_make_folders(strcpy(folder, o->folder)) : ENOMEM;
    free(folder);
    if (code)
        return fail_open(writer->context, o->folder, code);
    do {
        free(writer->path);
        writer->path = new_path(o, now(writer));
        if (!writer->path)
            return fail_open(writer->context, o->folder, ENOMEM);
        writer->fd = open(writer->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (writer->fd < 0 && (errno == EEXIST || errno == EINTR));
    return writer->fd < 0 ? fail_open(writer->context, writer->path, errno) : LS_OK;
}

ls_event_writer *ls_event_writer_open_with(const ls_event_writer_options *o)
{
    if (!o)
        return ls_no_options("event_writer_open");
    ls_context *ls = o->context;
    if (!ls || ls_failed(ls))
        return NULL;
    if (!o->folder || !o->folder[0] || !isfinite(o->wall_time) || o->wall_time < 0) {
        ls_fail(ls, LS_INVALID_ARGUMENT, "event_writer: needs a folder, and a wall time that is not negative");
        return NULL;
    }
    ls_event_writer *writer = malloc(sizeof *writer);
    if (!writer) {
        ls_fail(ls, LS_OUT_OF_MEMORY, "event_writer: no host memory");
        return NULL;
    }
    *writer = (ls_event_writer){.context = ls, .fd = -1, .wall_time = o->wall_time};
    if (open_file(writer, o) != LS_OK || ls_own(ls, writer, close_owned) != LS_OK) {
        free_writer(writer);
        return NULL;
    }
    struct ls_bytes event = {0};
    ls_proto_double(&event, EVENT_WALL_TIME, now(writer));
    ls_proto_text(&event, EVENT_FILE_VERSION, "brain.Event:2");
    if (add_event(writer, &event) != LS_OK || ls_event_flush(writer) != LS_OK) {
        ls_disown(ls, writer);
        free_writer(writer);
        return NULL;
    }
    return writer;
}

ls_status ls_event_flush(ls_event_writer *writer)
{
    if (!writer)
        return LS_INVALID_ARGUMENT;
    struct ls_bytes *waiting = &writer->waiting;
    int code = ls_write_all(writer->fd, waiting->data, waiting->count);
    if (code) {
        /* A part of a record would end the file for readers. */
        if (ftruncate(writer->fd, writer->written) == 0)
            lseek(writer->fd, writer->written, SEEK_SET);
        return ls_fail(writer->context, LS_FILE_ERROR, "%s: cannot be written: %s%s", writer->path,
                       ls_reason_of(code).text, ls_way_out(code));
    }
    writer->written += (off_t)waiting->count;
    waiting->count = 0;
    return ls_error(writer->context);
}

const char *ls_event_writer_path(const ls_event_writer *writer) { return writer ? writer->path : ""; }

ls_status ls_event_writer_close(ls_event_writer **pointer)
{
    if (!pointer || !*pointer)
        return LS_OK;
    ls_event_writer *writer = *pointer;
    ls_context *ls = writer->context;
    ls_status status = ls_event_flush(writer);
    if (fsync(writer->fd) != 0)
        status =
            ls_fail(ls, LS_FILE_ERROR, "%s: cannot be brought to the disk: %s", writer->path, ls_reason_of(errno).text);
    int fd = writer->fd;
    writer->fd = -1;
    if (close(fd) != 0 && errno != EINTR)
        status = ls_fail(ls, LS_FILE_ERROR, "%s: cannot be closed: %s", writer->path, ls_reason_of(errno).text);
    ls_disown(ls, writer);
    free_writer(writer);
    *pointer = NULL;
    return status;
}

/* ---- Values ---- */

static bool check_text(ls_event_writer *writer, const char *what, const char *text, size_t longest)
{
    size_t length = text ? strlen(text) : 0;
    if (text && length <= longest && ls_is_utf8(text, length))
        return true;
    ls_fail(writer->context, LS_INVALID_ARGUMENT, "%s: %s is %s", writer->path, what,
            !text              ? "NULL"
            : length > longest ? "too long"
                               : "not UTF-8, which readers of the file refuse");
    return false;
}

static bool may_write(ls_event_writer *writer, const char *name)
{
    if (!writer || ls_failed(writer->context) || !check_text(writer, "the name of a value", name, LONGEST_NAME))
        return false;
    if (name[0])
        return true;
    ls_fail(writer->context, LS_INVALID_ARGUMENT, "%s: the name of a value is empty", writer->path);
    return false;
}

static ls_status status_of(const ls_event_writer *writer)
{
    return writer ? ls_error(writer->context) : LS_INVALID_ARGUMENT;
}

/* An event with one tensor, which `plugin` of TensorBoard draws; frees the tensor. */
static ls_status add_tensor(ls_event_writer *writer, const char *name, int64_t step, const char *plugin,
                            struct ls_bytes *tensor)
{
    struct ls_bytes data = {0}, metadata = {0}, value = {0}, summary = {0}, event = {0};
    ls_proto_text(&data, PLUGIN_NAME, plugin);
    ls_proto_message(&metadata, METADATA_PLUGIN, &data);
    ls_proto_text(&value, VALUE_TAG, name);
    ls_proto_message(&value, VALUE_METADATA, &metadata);
    ls_proto_message(&value, VALUE_TENSOR, tensor);
    ls_proto_message(&summary, SUMMARY_VALUE, &value);
    ls_proto_double(&event, EVENT_WALL_TIME, now(writer));
    ls_proto_varint(&event, EVENT_STEP, (uint64_t)step);
    ls_proto_message(&event, EVENT_SUMMARY, &summary);
    return add_event(writer, &event);
}

static void begin_tensor(struct ls_bytes *tensor, int dtype, const int64_t *dims, int rank)
{
    struct ls_bytes shape = {0};
    for (int i = 0; i < rank; i++) {
        struct ls_bytes dim = {0};
        ls_proto_varint(&dim, DIM_SIZE, (uint64_t)dims[i]);
        ls_proto_message(&shape, SHAPE_DIM, &dim);
    }
    ls_proto_varint(tensor, TENSOR_DTYPE, (uint64_t)dtype);
    ls_proto_message(tensor, TENSOR_SHAPE, &shape);
}

ls_status ls_event_scalar(ls_event_writer *writer, const char *name, float value, int64_t step)
{
    if (!may_write(writer, name))
        return status_of(writer);
    struct ls_bytes tensor = {0}, content = {0};
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    ls_bytes_u32(&content, bits);
    begin_tensor(&tensor, DT_FLOAT, NULL, 0);
    ls_proto_message(&tensor, TENSOR_CONTENT, &content);
    return add_tensor(writer, name, step, "scalars", &tensor);
}

ls_status ls_event_text(ls_event_writer *writer, const char *name, const char *text, int64_t step)
{
    if (!may_write(writer, name) || !check_text(writer, "a text", text, INT32_MAX / 2))
        return status_of(writer);
    struct ls_bytes tensor = {0};
    begin_tensor(&tensor, DT_STRING, NULL, 0);
    ls_proto_text(&tensor, TENSOR_STRING, text);
    return add_tensor(writer, name, step, "text", &tensor);
}

/* ---- Histograms ---- */

struct buckets {
    double low, high, count[BUCKETS];
};

static void find_range(struct buckets *b, const float *values, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        double v = (double)values[i];
        if (!isfinite(v))
            continue;
        b->low = !any || v < b->low ? v : b->low;
        b->high = !any || v > b->high ? v : b->high;
        any = true;
    }
}

static struct buckets count_values(const float *values, size_t count)
{
    struct buckets b = {0};
    find_range(&b, values, count);
    double width = (b.high - b.low) / BUCKETS;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i])) {
            double at = b.high > b.low ? floor(((double)values[i] - b.low) / width) : BUCKETS;
            b.count[at < BUCKETS ? (int)at : BUCKETS - 1]++;
        }
    return b;
}

static double edge(const struct buckets *b, int i)
{
    return i == BUCKETS ? b->high : fma(i, (b->high - b->low) / BUCKETS, b->low);
}

ls_status ls_event_histogram_of(ls_event_writer *writer, const char *name, const float *values, size_t count,
                                int64_t step)
{
    if (!may_write(writer, name))
        return status_of(writer);
    if (!values && count > 0)
        return ls_fail(writer->context, LS_INVALID_ARGUMENT, "%s: the values of %s are NULL", writer->path, name);
    struct buckets b = count_values(values, count);
    struct ls_bytes tensor = {0}, content = {0};
    for (int i = 0; i < BUCKETS; i++) {
        double row[] = {edge(&b, i), edge(&b, i + 1), b.count[i]};
        for (int c = 0; c < 3; c++) {
            uint64_t bits;
            memcpy(&bits, &row[c], sizeof bits);
            ls_bytes_u64(&content, bits);
        }
    }
    begin_tensor(&tensor, DT_DOUBLE, (int64_t[]){BUCKETS, 3}, 2);
    ls_proto_message(&tensor, TENSOR_CONTENT, &content);
    return add_tensor(writer, name, step, "histograms", &tensor);
}

ls_status ls_event_histogram(ls_event_writer *writer, const char *name, ls_tensor values, int64_t step)
{
    if (!may_write(writer, name))
        return status_of(writer);
    ls_context *ls = writer->context;
    if (values.context != ls)
        return ls_fail(ls, values.context ? LS_FOREIGN_HANDLE : LS_INVALID_ARGUMENT, "%s: the tensor for %s %s",
                       writer->path, name, values.context ? "belongs to another context" : "is nil");
    ls_scope_begin(ls);
    if (ls_dtype_of(values) != LS_FLOAT32)
        values = ls_cast(values, LS_FLOAT32);
    size_t count = (size_t)ls_size(values);
    float *data = malloc(count ? count * sizeof *data : 1);
    if (!data)
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for %zu values of %s", writer->path, count, name);
    if (data && ls_read(values, data, count * sizeof *data) == LS_OK)
        ls_event_histogram_of(writer, name, data, count, step);
    free(data);
    return ls_scope_end(ls);
}
