/* SPDX-License-Identifier: Apache-2.0
 *
 * NPY, NumPy's format: "\x93NUMPY", a version, the length of a header, and the header: a Python dictionary
 * with 'descr', 'fortran_order' and 'shape'. Only what numpy.save writes of plain numbers is read: no pickled
 * objects, structures, strings or Fortran order. numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
#include <stdlib.h>
#include <string.h>

#include "../core/internal.h"
#include "array_file.h"

enum { MOST_HEADER = 1 << 16 };

struct parser {
    struct ls_input *in;
    const char *at; /* ends with a NUL that the header does not contain */
    struct ls_array_header *header;
    bool seen[3]; /* descr, fortran_order, shape */
};

static ls_status bad(struct parser *p, const char *what)
{
    return ls_fail(p->in->ls, LS_BAD_FILE, "%s: the NPY header %s", p->in->path, what);
}

static bool accept(struct parser *p, const char *token)
{
    while (*p->at == ' ')
        p->at++;
    size_t length = strlen(token);
    if (strncmp(p->at, token, length) != 0)
        return false;
    p->at += length;
    return true;
}

static ls_status parse_descr(struct parser *p)
{
    static const struct {
        const char *name;
        enum ls_number number;
    } types[] = {{"b1'", LS_NUMBER_bool},    {"u1'", LS_NUMBER_uint8},   {"i1'", LS_NUMBER_int8},
                 {"u2'", LS_NUMBER_uint16},  {"i2'", LS_NUMBER_int16},   {"u4'", LS_NUMBER_uint32},
                 {"i4'", LS_NUMBER_int32},   {"u8'", LS_NUMBER_uint64},  {"i8'", LS_NUMBER_int64},
                 {"f2'", LS_NUMBER_float16}, {"f4'", LS_NUMBER_float32}, {"f8'", LS_NUMBER_float64}};
    if (!accept(p, "'"))
        return bad(p, "has a structured type; only plain numbers can be read");
    const char *name = p->at;
    p->header->big_endian = *name == '>';
    if (*name && strchr("<>|=", *name))
        p->at++;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strncmp(p->at, types[i].name, strlen(types[i].name)) == 0) {
            p->header->number = types[i].number;
            p->at += strlen(types[i].name);
            return LS_OK;
        }
    return ls_fail(p->in->ls, LS_BAD_FILE,
                   "%s: the NPY header has the type '%.8s; bool, integers and floats of up to 8 bytes can be read",
                   p->in->path, name);
}

static ls_status parse_size(struct parser *p, int64_t *size)
{
    if (!accept(p, "") || *p->at < '0' || *p->at > '9')
        return bad(p, "has a shape that is no tuple of sizes");
    for (*size = 0; *p->at >= '0' && *p->at <= '9'; p->at++)
        if (!ls_checked_mul(*size, 10, size) || *size > INT64_MAX - 9)
            return bad(p, "has a size that overflows");
        else
            *size += *p->at - '0';
    return LS_OK;
}

static ls_status parse_shape(struct parser *p)
{
    ls_shape *shape = &p->header->shape;
    if (!accept(p, "("))
        return bad(p, "has a shape that is no tuple of sizes");
    while (!accept(p, ")")) {
        if (shape->rank == LS_MAX_RANK)
            return bad(p, "has a rank above 8");
        if (parse_size(p, &shape->dim[shape->rank++]) != LS_OK)
            return ls_error(p->in->ls);
        bool comma = accept(p, ",");
        if (!comma && (shape->rank == 1 || !accept(p, ")")))
            return bad(p, "has a shape that is no tuple of sizes");
        if (!comma)
            return LS_OK;
    }
    return LS_OK;
}

static ls_status parse_entry(struct parser *p)
{
    static const char *const keys[] = {"'descr'", "'fortran_order'", "'shape'"};
    int key = 0;
    while (key < 3 && !accept(p, keys[key]))
        key++;
    if (key == 3 || p->seen[key] || !accept(p, ":"))
        return bad(p, "is not a dictionary of 'descr', 'fortran_order' and 'shape'");
    p->seen[key] = true;
    if (key == 0)
        return parse_descr(p);
    if (key == 2)
        return parse_shape(p);
    if (accept(p, "True"))
        return bad(p, "says fortran_order; save numpy.ascontiguousarray(a) instead");
    return accept(p, "False") ? LS_OK : bad(p, "has a fortran_order that is neither True nor False");
}

static ls_status parse(struct parser *p)
{
    if (!accept(p, "{"))
        return bad(p, "is not a dictionary");
    while (!accept(p, "}")) {
        if (parse_entry(p) != LS_OK)
            return ls_error(p->in->ls);
        if (!accept(p, ",") && !(accept(p, "") && *p->at == '}'))
            return bad(p, "is not a dictionary: a comma is missing");
    }
    if (!p->seen[0] || !p->seen[1] || !p->seen[2])
        return bad(p, "lacks 'descr', 'fortran_order' or 'shape'");
    accept(p, "\n");
    return *p->at == '\0' && p->at[-1] == '\n' ? LS_OK : bad(p, "goes on after its dictionary, or has no line end");
}

ls_status ls_npy_header(struct ls_input *in, struct ls_array_header *header)
{
    unsigned char magic[12];
    if (ls_input_read_exactly(in, magic, 10, "its header") != LS_OK)
        return ls_error(in->ls);
    if (memcmp(magic, "\x93NUMPY", 6) != 0)
        return ls_fail(in->ls, LS_BAD_FILE, "%s: is not an NPY file: does not begin with \\x93NUMPY", in->path);
    if (magic[6] < 1 || magic[6] > 3 || magic[7] != 0)
        return ls_fail(in->ls, LS_BAD_FILE, "%s: NPY version %d.%d; 1.0, 2.0 and 3.0 are known", in->path, magic[6],
                       magic[7]);
    size_t length = (size_t)magic[8] | (size_t)magic[9] << 8, prefix = magic[6] == 1 ? 10 : 12;
    if (prefix == 12) {
        if (ls_input_read_exactly(in, magic + 10, 2, "its header") != LS_OK)
            return ls_error(in->ls);
        length |= (size_t)magic[10] << 16 | (size_t)magic[11] << 24;
    }
    if (length > MOST_HEADER)
        return ls_fail(in->ls, LS_BAD_FILE, "%s: an NPY header of %zu bytes is too long", in->path, length);
    char *text = malloc(length + 1);
    if (!text)
        return ls_fail(in->ls, LS_OUT_OF_MEMORY, "%s: no host memory for its header", in->path);
    memset(header, 0, sizeof *header);
    header->offset = (int64_t)(prefix + length);
    struct parser parser = {.in = in, .at = text, .header = header};
    ls_status status = ls_input_read_exactly(in, text, length, "its header");
    text[length] = '\0';
    if (status == LS_OK)
        status = strlen(text) == length ? parse(&parser) : bad(&parser, "contains a NUL");
    free(text);
    return status;
}
