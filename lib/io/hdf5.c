/* SPDX-License-Identifier: Apache-2.0
 *
 * HDF5 through libhdf5, as h5py would write it (the oldest format version), and as distrustful as Keras reads it.
 */
#define _POSIX_C_SOURCE 200809L

#include "hdf5.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hdf5.h>

#include "../core/internal.h"
#include "atomic.h"

struct ls_h5 {
    ls_context *context;
    char *path;
    hid_t file;
    char member[256];
};

/* ---- Inside the library: one at a time, silent, without plugins ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static H5E_auto2_t outer_print;
static void *outer_data;
static unsigned outer_plugins;

static void enter(void)
{
    pthread_mutex_lock(&lock);
    /* At exit it would print about what it could not close of damaged files. No effect if the program has used it. */
    H5dont_atexit();
    H5open();
    H5Eget_auto2(H5E_DEFAULT, &outer_print, &outer_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLget_loading_state(&outer_plugins);
    H5PLset_loading_state(0);
}

static void leave(void)
{
    H5Eclear2(H5E_DEFAULT);
    H5PLset_loading_state(outer_plugins);
    H5Eset_auto2(H5E_DEFAULT, outer_print, outer_data);
    pthread_mutex_unlock(&lock);
}

static ls_status bad(struct ls_h5 *f, const char *at, const char *what)
{
    return ls_fail(f->context, LS_BAD_FILE, "%s: %s%s%s", f->path, at, at[0] ? ": " : "", what);
}

static ls_status no_memory(struct ls_h5 *f)
{
    return ls_fail(f->context, LS_OUT_OF_MEMORY, "%s: no memory for libhdf5", f->path);
}

static void free_file(struct ls_h5 *f)
{
    if (f->file >= 0) {
        enter();
        H5Fclose(f->file);
        leave();
    }
    free(f->path);
    free(f);
}

void ls_h5_close(struct ls_h5 **file)
{
    if (!file || !*file)
        return;
    free_file(*file);
    *file = NULL;
}

static struct ls_h5 *make(ls_context *ls, const char *path)
{
    struct ls_h5 *f = calloc(1, sizeof *f);
    if (f) {
        f->context = ls;
        f->file = -1;
        f->path = strdup(path);
    }
    if (f && f->path)
        return f;
    free(f);
    ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory", path);
    return NULL;
}

/* ---- Writing ---- */

struct ls_h5 *ls_h5_create(ls_context *ls, const char *path)
{
    struct ls_h5 *f = make(ls, path);
    if (!f)
        return NULL;
    enter();
    /* In memory alone. */
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 16, 0);
    f->file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    leave();
    if (f->file < 0) {
        no_memory(f);
        ls_h5_close(&f);
    }
    return f;
}

/* Makes the groups above the last component of a path; false on an error. */
static bool make_groups(hid_t file, const char *at, bool last_too)
{
    char path[1024];
    if ((size_t)snprintf(path, sizeof path, "%s", at) >= sizeof path)
        return false;
    for (char *slash = path;; slash++) {
        slash += strcspn(slash, "/");
        char end = *slash;
        if (!end && !last_too)
            return true;
        *slash = '\0';
        if (H5Lexists(file, path, H5P_DEFAULT) <= 0) {
            hid_t group = H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
            if (group < 0)
                return false;
            H5Gclose(group);
        }
        *slash = end;
        if (!end)
            return true;
    }
}

static bool set_name(hid_t file, const char *group, const char *name)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), at = H5Gopen2(file, group, H5P_DEFAULT);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    hid_t attribute = H5Acreate2(at, "name", type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool good = attribute >= 0 && H5Awrite(attribute, type, &name) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    if (at >= 0)
        H5Gclose(at);
    H5Sclose(space);
    H5Tclose(type);
    return good;
}

ls_status ls_h5_group(struct ls_h5 *f, const char *group, const char *name)
{
    enter();
    bool good = make_groups(f->file, group, true) && (!name || set_name(f->file, group, name));
    leave();
    return good ? LS_OK : no_memory(f);
}

static ls_status write_array(struct ls_h5 *f, const char *at, ls_shape shape, hid_t stored, hid_t native,
                             const void *data)
{
    hsize_t dims[LS_MAX_RANK] = {0};
    for (int d = 0; d < shape.rank; d++)
        dims[d] = (hsize_t)shape.dim[d];
    hid_t space = shape.rank ? H5Screate_simple(shape.rank, dims, NULL) : H5Screate(H5S_SCALAR);
    bool good = space >= 0 && make_groups(f->file, at, false);
    hid_t set = good ? H5Dcreate2(f->file, at, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT) : -1;
    good = set >= 0 && H5Dwrite(set, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    if (set >= 0)
        H5Dclose(set);
    if (space >= 0)
        H5Sclose(space);
    return good ? LS_OK : no_memory(f);
}

ls_status ls_h5_write(struct ls_h5 *f, const char *at, ls_shape shape, const float *data)
{
    enter();
    ls_status status = write_array(f, at, shape, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, data);
    leave();
    return status;
}

ls_status ls_h5_write_int(struct ls_h5 *f, const char *at, int64_t value)
{
    enter();
    ls_status status = write_array(f, at, LS_SCALAR_SHAPE, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
    leave();
    return status;
}

ls_status ls_h5_save(struct ls_h5 *f)
{
    void *image = NULL;
    enter();
    ssize_t size = H5Fflush(f->file, H5F_SCOPE_GLOBAL) >= 0 ? H5Fget_file_image(f->file, NULL, 0) : -1;
    if (size > 0 && (image = malloc((size_t)size)) && H5Fget_file_image(f->file, image, (size_t)size) != size)
        size = -1;
    leave();
    ls_status status = size > 0 && image ? ls_atomic_save(f->context, f->path, image, (size_t)size) : no_memory(f);
    free(image);
    return status;
}

/* ---- Reading ---- */

/* So that neither a pipe nor a device is opened by libhdf5. */
static ls_status check_regular(ls_context *ls, const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int code = fd < 0 || fstat(fd, &info) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (code)
        return ls_fail(ls, code == ENOENT || code == ENOTDIR ? LS_NOT_FOUND : LS_FILE_ERROR, "%s: cannot be opened: %s",
                       path, ls_reason_of(code).text);
    return S_ISREG(info.st_mode) ? LS_OK : ls_fail(ls, LS_FILE_ERROR, "%s: is not a regular file", path);
}

struct ls_h5 *ls_h5_open(ls_context *ls, const char *path)
{
    if (check_regular(ls, path) != LS_OK)
        return NULL;
    struct ls_h5 *f = make(ls, path);
    if (!f)
        return NULL;
    enter();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access, false, true); /* some network disks have no locks; saves are atomic anyway */
#endif
    f->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    leave();
    if (f->file < 0) {
        bad(f, "",
            "is not a whole HDF5 file; Keras' save_weights writes them. If it is safetensors, let its name "
            "end with .safetensors");
        ls_h5_close(&f);
    }
    return f;
}

/* Whether every link on the way is a hard one: 1, 0 where the way ends, -1 with the error raised. */
static int follow(struct ls_h5 *f, const char *at)
{
    char path[1024];
    if (strcmp(at, "/") == 0)
        return 1;
    if ((size_t)snprintf(path, sizeof path, "%s", at) >= sizeof path) {
        bad(f, "", "a path in it is too long");
        return -1;
    }
    for (char *slash = path;; slash++) {
        slash += strcspn(slash, "/");
        char end = *slash;
        *slash = '\0';
        H5L_info_t info;
        htri_t there = H5Lexists(f->file, path, H5P_DEFAULT);
        if (there == 0)
            return 0;
        if (there < 0 || H5Lget_info(f->file, path, &info, H5P_DEFAULT) < 0) {
            bad(f, path, "is damaged");
            return -1;
        }
        if (info.type != H5L_TYPE_HARD) {
            bad(f, path, "is a link to elsewhere, which is refused for your safety");
            return -1;
        }
        *slash = end;
        if (!end)
            return 1;
    }
}

/* An open group; -1 if there is none, or with the error raised. */
static hid_t open_group(struct ls_h5 *f, const char *group)
{
    if (follow(f, group) != 1)
        return -1;
    hid_t object = H5Oopen(f->file, group, H5P_DEFAULT);
    if (object >= 0 && H5Iget_type(object) == H5I_GROUP)
        return object;
    bad(f, group, object < 0 ? "is damaged" : "is not a group");
    if (object >= 0)
        H5Oclose(object);
    return -1;
}

int64_t ls_h5_members(struct ls_h5 *f, const char *group)
{
    enter();
    H5G_info_t info = {.nlinks = 0};
    hid_t g = open_group(f, group);
    bool good = g >= 0 && H5Gget_info(g, &info) >= 0;
    if (g >= 0 && !good)
        bad(f, group, "is damaged");
    if (g >= 0)
        H5Oclose(g);
    leave();
    return good ? (int64_t)info.nlinks : -1;
}

const char *ls_h5_member(struct ls_h5 *f, const char *group, int64_t i)
{
    enter();
    hid_t g = open_group(f, group);
    ssize_t length = g < 0 ? -1
                           : H5Lget_name_by_idx(g, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, f->member,
                                                sizeof f->member, H5P_DEFAULT);
    if (g >= 0)
        H5Oclose(g);
    leave();
    if (length < 0 || (size_t)length >= sizeof f->member) {
        bad(f, group, "a name in it is damaged or too long");
        f->member[0] = '\0';
    }
    return f->member;
}

/* Whether libhdf5 may read it: stored inside the file, as large as it says, packed by known filters at most. */
static ls_status check_storage(struct ls_h5 *f, const char *at, hid_t set, int64_t elements, size_t element)
{
    hid_t how = H5Dget_create_plist(set);
    H5D_layout_t layout = how < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(how);
    hsize_t chunk[H5S_MAX_RANK], stored = H5Dget_storage_size(set);
    int64_t bytes, piece = 1;
    const char *wrong = NULL;
    if (layout < 0)
        wrong = "is damaged";
    else if (layout == H5D_VIRTUAL || H5Pget_external_count(how) != 0)
        wrong = "lies in another file, which is refused for your safety";
    else if (!ls_checked_mul(elements, (int64_t)element, &bytes) || (layout != H5D_CHUNKED && stored != (hsize_t)bytes))
        wrong = "is not as large as its shape says";
    int filters = layout == H5D_CHUNKED && !wrong ? H5Pget_nfilters(how) : 0;
    for (int i = 0; i < filters; i++) {
        unsigned flags, config;
        size_t count = 0;
        H5Z_filter_t id = H5Pget_filter2(how, (unsigned)i, &flags, &count, NULL, 0, NULL, &config);
        if (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32)
            wrong = "is packed by a filter other than deflate; save it again without";
    }
    int rank = layout == H5D_CHUNKED && !wrong ? H5Pget_chunk(how, H5S_MAX_RANK, chunk) : 0;
    for (int d = 0; d < rank; d++)
        if (!ls_checked_mul(piece, (int64_t)chunk[d], &piece) || piece > elements + 4096)
            wrong = "has chunks beyond its shape";
    /* deflate packs at most 1032 bytes into one. */
    if (layout == H5D_CHUNKED && !wrong && (hsize_t)bytes / 1032 > stored)
        wrong = "is not as large as its shape says";
    if (how >= 0)
        H5Pclose(how);
    return wrong ? bad(f, at, wrong) : LS_OK;
}

/* Keras keeps bfloat16 as opaque pairs of bytes, with an attribute that says so. */
static bool is_bfloat16(hid_t set, hid_t type)
{
    return H5Tget_class(type) == H5T_OPAQUE && H5Tget_size(type) == 2 && H5Aexists(set, "dtype") > 0;
}

static ls_status describe(struct ls_h5 *f, const char *at, hid_t set, ls_shape *shape, enum ls_h5_kind *kind)
{
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    hsize_t dims[H5S_MAX_RANK];
    int rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
    H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    size_t size = type < 0 ? 0 : H5Tget_size(type);
    const char *wrong = NULL;
    if (rank < 0 || H5Sget_simple_extent_type(space) == H5S_NULL)
        wrong = "is damaged, or has no elements";
    else if (rank > LS_MAX_RANK)
        wrong = "has a rank above 8";
    else if (is_bfloat16(set, type))
        *kind = LS_H5_BFLOAT16;
    else if (class == H5T_INTEGER && size <= 8)
        *kind = LS_H5_INTEGER;
    else if (class == H5T_FLOAT && (size == 4 || size == 2))
        *kind = LS_H5_FLOAT;
    else
        wrong = class == H5T_FLOAT ? "is float64; save float32 weights" : "does not hold numbers";
    shape->rank = wrong ? 0 : rank;
    for (int d = 0; d < shape->rank; d++)
        shape->dim[d] = dims[d] <= INT64_MAX ? (int64_t)dims[d] : -1;
    int64_t elements = ls_shape_elements(shape);
    if (!wrong && elements < 0)
        wrong = "has a shape that is too large";
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return wrong ? bad(f, at, wrong) : check_storage(f, at, set, elements, size);
}

/* An open data set, checked; -1 with the error raised. */
static hid_t open_set(struct ls_h5 *f, const char *at, ls_shape *shape, enum ls_h5_kind *kind)
{
    int there = follow(f, at);
    if (there == 0)
        bad(f, at, "is missing");
    if (there != 1)
        return -1;
    hid_t set = H5Oopen(f->file, at, H5P_DEFAULT);
    if (set < 0 || H5Iget_type(set) != H5I_DATASET)
        bad(f, at, set < 0 ? "is damaged" : "is not an array");
    else if (describe(f, at, set, shape, kind) == LS_OK)
        return set;
    if (set >= 0)
        H5Oclose(set);
    return -1;
}

ls_status ls_h5_describe(struct ls_h5 *f, const char *at, ls_shape *shape, enum ls_h5_kind *kind)
{
    enter();
    hid_t set = open_set(f, at, shape, kind);
    if (set >= 0)
        H5Oclose(set);
    leave();
    return ls_error(f->context);
}

/* bfloat16 is the upper half of float32; the halves lie at the front of `data`. */
static void widen(float *data, int64_t elements)
{
    for (int64_t i = elements; i-- > 0;) {
        uint16_t half;
        memcpy(&half, (unsigned char *)data + 2 * i, sizeof half);
        uint32_t bits = (uint32_t)half << 16;
        memcpy(&data[i], &bits, sizeof bits);
    }
}

static ls_status read_set(struct ls_h5 *f, const char *at, hid_t set, enum ls_h5_kind kind, hid_t native, void *data)
{
    hid_t type = kind == LS_H5_BFLOAT16 ? H5Dget_type(set) : native;
    bool good = type >= 0 && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    if (kind == LS_H5_BFLOAT16 && type >= 0)
        H5Tclose(type);
    return good ? LS_OK : bad(f, at, "cannot be read: it is damaged");
}

ls_status ls_h5_read(struct ls_h5 *f, const char *at, float *data, int64_t elements)
{
    ls_shape shape;
    enum ls_h5_kind kind;
    enter();
    hid_t set = open_set(f, at, &shape, &kind);
    if (set >= 0 && (kind == LS_H5_INTEGER || ls_shape_elements(&shape) != elements))
        bad(f, at, "is not what it was a moment ago");
    else if (set >= 0 && elements > 0 && read_set(f, at, set, kind, H5T_NATIVE_FLOAT, data) == LS_OK &&
             kind == LS_H5_BFLOAT16)
        widen(data, elements);
    if (set >= 0)
        H5Oclose(set);
    leave();
    return ls_error(f->context);
}

ls_status ls_h5_read_int(struct ls_h5 *f, const char *at, int32_t *value)
{
    ls_shape shape;
    enum ls_h5_kind kind;
    int64_t wide = 0;
    enter();
    hid_t set = open_set(f, at, &shape, &kind);
    if (set >= 0 && (kind != LS_H5_INTEGER || shape.rank != 0))
        bad(f, at, "is not one whole number");
    else if (set >= 0 && read_set(f, at, set, kind, H5T_NATIVE_INT64, &wide) == LS_OK) {
        *value = (int32_t)wide;
        if (*value != wide)
            ls_fail(f->context, LS_OVERFLOW, "%s: %s: %lld does not fit int32", f->path, at, (long long)wide);
    }
    if (set >= 0)
        H5Oclose(set);
    leave();
    return ls_error(f->context);
}
