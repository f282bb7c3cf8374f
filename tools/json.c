/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "tool.h"

static bool first_object, first_member;

void json_begin_list(void)
{
    first_object = true;
    fputs("[", stdout);
}

void json_end_list(void) { fputs(first_object ? "]\n" : "\n]\n", stdout); }

void json_begin_object(void)
{
    fputs(first_object ? "\n  {" : ",\n  {", stdout);
    first_object = false;
    first_member = true;
}

void json_end_object(void)
{
    fputs("}", stdout);
    fflush(stdout);
}

/* The length of the UTF-8 sequence that begins here; 0 if it is none (RFC 3629, section 4). */
static int sequence_length(const unsigned char *s)
{
    int length = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                                 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
    bool too_large = s[0] == 0xf4 && s[1] >= 0x90;
    return overlong || surrogate || too_large ? 0 : length;
}

static void quoted(const char *text)
{
    putchar('"');
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int length = sequence_length(s);
        if (length == 0)
            fputs("\\ufffd", stdout);
        else if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            printf("\\u%04x", *s);
        else
            fwrite(s, 1, (size_t)length, stdout);
        s += length ? length : 1;
    }
    putchar('"');
}

static void key_of(const char *key)
{
    fputs(first_member ? "" : ", ", stdout);
    first_member = false;
    quoted(key);
    fputs(": ", stdout);
}

void json_text(const char *key, const char *text)
{
    key_of(key);
    quoted(text);
}

void json_number(const char *key, double number)
{
    key_of(key);
    if (isfinite(number))
        printf("%.9g", number);
    else
        fputs("null", stdout);
}

void json_integer(const char *key, uint64_t number)
{
    key_of(key);
    printf("%" PRIu64, number);
}

void json_bool(const char *key, bool truth)
{
    key_of(key);
    fputs(truth ? "true" : "false", stdout);
}
