/* SPDX-License-Identifier: Apache-2.0
 *
 * The families of ops of random graphs, one file each, and their rows as one list.
 */
#include <string.h>

#include "graphs.h"

static const struct row *const families[] = {graph_elementwise_rows, graph_reduce_rows,      graph_shape_rows,
                                             graph_part_rows,        graph_move_rows,        graph_index_rows,
                                             graph_linalg_rows,      graph_convolution_rows, graph_network_rows};

static const struct row *rows[512];
static int count;

static void add(const struct row *row)
{
    for (int i = 0; i < count; i++)
        if (strcmp(rows[i]->name, row->name) == 0)
            return; /* what is written goes before what is derived */
    rows[count++] = row;
}

int graph_row_count(void)
{
    if (count == 0) {
        for (size_t f = 0; f < sizeof families / sizeof *families; f++)
            for (const struct row *row = families[f]; row->name; row++)
                add(row);
        for (int i = 0; graph_derived_row(i); i++)
            add(graph_derived_row(i));
    }
    return count;
}

const struct row *graph_row(int i) { return i < graph_row_count() ? rows[i] : NULL; }
