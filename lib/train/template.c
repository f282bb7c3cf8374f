/* SPDX-License-Identifier: Apache-2.0
 *
 * File names with numbers in them: the part of Python's str.format that checkpoints are named with.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/internal.h"
#include "../io/bytes.h"
#include "number.h"
#include "template.h"

/* {name:[0][width][.places][d, f or e]} */
struct field {
    char name[LS_LOG_NAME_SIZE];
    bool zeros;
    int width, places; /* places -1: not given */
    char type;         /* '\0': not given */
};

static int read_number(const char **c)
{
    int number = 0;
    while (isdigit((unsigned char)**c) && number < 1000)
        number = number * 10 + (*(*c)++ - '0');
    return number;
}

/* Reads behind the brace; NULL if it is not understood. */
static const char *read_field(const char *c, struct field *field)
{
    size_t length = strcspn(c, ":}");
    *field = (struct field){.places = -1};
    if (length == 0 || length >= sizeof field->name)
        return NULL;
    memcpy(field->name, c, length);
    c += length;
    if (*c == ':') {
        c++;
        field->zeros = *c == '0';
        field->width = read_number(&c);
        if (*c == '.') {
            c++;
            if (!isdigit((unsigned char)*c))
                return NULL;
            field->places = read_number(&c);
        }
        if (*c == 'd' || *c == 'f' || *c == 'e')
            field->type = *c++;
    }
    bool fits = field->width <= 60 && field->places <= 17 && !(field->type == 'd' && field->places >= 0);
    return *c == '}' && fits ? c + 1 : NULL;
}

/* As format(value, ".<places>e"). */
static struct ls_number exponential(double value, int places)
{
    struct ls_number n;
    snprintf(n.text, sizeof n.text, "%.*e", places, value);
    char *point = n.text + strspn(n.text, "-0123456789"); /* the locale's */
    if (isfinite(value) && *point != 'e') {
        char *rest = point + strcspn(point, "0123456789");
        *point = '.';
        memmove(point + 1, rest, strlen(rest) + 1);
    }
    return n;
}

/* False where the type does not fit the value. */
static bool put_value(struct ls_bytes *out, const struct field *field, double value, bool whole)
{
    char text[80];
    struct ls_number n;
    if (field->type == 'd' && !whole)
        return false;
    if (whole && field->type != 'f' && field->type != 'e') {
        if (field->places >= 0)
            return false;
        snprintf(n.text, sizeof n.text, "%.0f", value);
    } else if (field->type == 'e') {
        n = exponential(value, field->places >= 0 ? field->places : 6);
    } else if (field->type == 'f') {
        n = ls_number_fixed(value, field->places >= 0 ? field->places : 6);
    } else if (field->places >= 0) {
        return false;
    } else {
        n = ls_number(value);
    }
    int room = field->width - (int)strlen(n.text);
    bool minus = n.text[0] == '-';
    snprintf(text, sizeof text, "%*s", room > 0 ? room : 0, "");
    if (field->zeros) {
        memset(text, '0', strlen(text));
        if (minus)
            ls_bytes_text(out, "-");
    }
    ls_bytes_text(out, text);
    ls_bytes_text(out, n.text + (field->zeros && minus));
    return true;
}

static bool put_field(struct ls_bytes *out, const struct field *field, const struct ls_template_count *counts,
                      ls_logs *logs, bool *known)
{
    for (; counts->name; counts++)
        if (strcmp(counts->name, field->name) == 0 && counts->value >= 0)
            return put_value(out, field, (double)counts->value, true);
    *known = ls_logs_has(logs, field->name);
    return *known && put_value(out, field, ls_logs_get(logs, field->name), false);
}

char *ls_template_fill(ls_context *ls, const char *who, const char *text, const struct ls_template_count *counts,
                       ls_logs *logs)
{
    struct ls_bytes out = {0};
    for (const char *c = text; !ls_failed(ls) && *c;) {
        struct field field;
        bool known = true;
        if ((c[0] == '{' || c[0] == '}') && c[1] == c[0]) {
            ls_bytes_append(&out, c, 1);
            c += 2;
        } else if (*c != '{') {
            ls_bytes_append(&out, c++, 1);
        } else {
            const char *next = read_field(c + 1, &field);
            if (!next || !put_field(&out, &field, counts, logs, &known))
                ls_fail(ls, LS_INVALID_ARGUMENT,
                        known ? "%s: \"%s\": \"%.40s\" is not understood; {epoch:02d} and "
                                "{val_loss:.2f} are"
                              : "%s: \"%s\": there is no number for \"%.40s\" among epoch, batch and the "
                                "logs",
                        who, text, c);
            c = next;
        }
    }
    ls_bytes_append(&out, "", 1);
    if (out.failed)
        ls_fail(ls, LS_OUT_OF_MEMORY, "%s: no host memory for a path", who);
    if (!ls_failed(ls))
        return (char *)out.data;
    ls_bytes_free(&out);
    return NULL;
}
