/* SPDX-License-Identifier: Apache-2.0
 *
 * IDX, the format of MNIST: 00 00 type rank, then `rank` sizes and the elements, all big-endian.
 */
#include "../core/internal.h"
#include "array_file.h"

static int number_of(unsigned char code)
{
    static const struct {
        unsigned char code;
        enum ls_number number;
    } types[] = {{0x08, LS_NUMBER_uint8}, {0x09, LS_NUMBER_int8},    {0x0b, LS_NUMBER_int16},
                 {0x0c, LS_NUMBER_int32}, {0x0d, LS_NUMBER_float32}, {0x0e, LS_NUMBER_float64}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].code == code)
            return (int)types[i].number;
    return -1;
}

ls_status ls_idx_header(struct ls_input *in, struct ls_array_header *header)
{
    unsigned char magic[4], size[4];
    if (ls_input_read_exactly(in, magic, sizeof magic, "its header") != LS_OK)
        return ls_error(in->ls);
    int number = number_of(magic[2]);
    if (magic[0] != 0 || magic[1] != 0 || number < 0)
        return ls_fail(in->ls, LS_BAD_FILE,
                       "%s: is not an IDX file: begins with %02x %02x %02x %02x, not 00 00 and a type of 08 to 0e",
                       in->path, magic[0], magic[1], magic[2], magic[3]);
    if (magic[3] > LS_MAX_RANK)
        return ls_fail(in->ls, LS_BAD_FILE, "%s: has rank %d; at most %d is possible", in->path, magic[3], LS_MAX_RANK);
    *header = (struct ls_array_header){.number = (enum ls_number)number, .big_endian = true, .shape.rank = magic[3]};
    for (int d = 0; d < header->shape.rank; d++) {
        if (ls_input_read_exactly(in, size, sizeof size, "its header") != LS_OK)
            return ls_error(in->ls);
        header->shape.dim[d] = (int64_t)size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
    }
    header->offset = 4 + 4 * header->shape.rank;
    return LS_OK;
}
