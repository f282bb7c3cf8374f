/* SPDX-License-Identifier: Apache-2.0
 *
 * Native calls that fail. A backend reaches its driver through a table of function pointers; here each
 * pointer is replaced by a function that counts the call, makes it fail when its turn has come, and
 * keeps the balance of the objects that the driver made and released.
 *
 * What is needed is a row per function: where its pointer lies, how it tells its code, what it makes or
 * releases. Arguments are passed on as words, up to NATIVE_WORDS of them, whatever their number and
 * types: integers and pointers travel alike on the 64-bit systems that this test runs on. A function with
 * floating-point arguments gets a replacement of its own that asks native_due.
 */
#ifndef TESTS_NATIVE_CALLS_H
#define TESTS_NATIVE_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NATIVE_WORDS = 12, NATIVE_KINDS = 24 };

typedef uintptr_t native_word;
typedef native_word native_function(native_word, native_word, native_word, native_word, native_word, native_word,
                                    native_word, native_word, native_word, native_word, native_word, native_word);

struct native_call {
    const char *name;
    void *entry;               /* of the table */
    native_function *replacement;
    const int *codes;          /* that it may return, ends with 0 */
    int code_argument;         /* which argument points to the code, counted from 1; 0: it is the result */
    int makes, releases;       /* a kind of object, from 1 on; 0: none */
    int made_argument;         /* which argument points to what was made; 0: the result */
    bool done_anyway;          /* a failure is told after the real call: releases and waits */
    bool may_be_harmless;      /* a failure of it may leave all results as they are */

    native_function *real;
    long calls;                /* since native_plan */
};

/** Puts the replacements into the table, which has been filled. Once per filled table. */
void native_replace(struct native_call *calls, size_t count);

/** From now on the call `ordinal` (from 1) of `call` fails with `code`. NULL: none does. Counts from 0. */
void native_plan(struct native_call *calls, size_t count, struct native_call *call, long ordinal, int code);

/** Whether the planned failure has happened. */
bool native_met(void);

/** Counts a call; the code that it has to return, or 0. */
int native_due(struct native_call *call);

/** What a replacement does. */
native_word native_pass(struct native_call *call, const native_word *words);

/** Objects that were made and not released: of a kind, and of all. */
extern long native_live[NATIVE_KINDS];
long native_balance(void);

/** Defines the replacement of a function whose row is `call`. */
#define NATIVE_REPLACEMENT(function, call)                                                                   \
    static native_word function(native_word a, native_word b, native_word c, native_word d, native_word e,   \
                                native_word f, native_word g, native_word h, native_word i, native_word j,   \
                                native_word k, native_word l)                                                \
    {                                                                                                        \
        return native_pass(call, (const native_word[NATIVE_WORDS]){a, b, c, d, e, f, g, h, i, j, k, l});     \
    }

#endif
