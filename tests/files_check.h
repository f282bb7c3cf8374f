/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of files: whole files in memory, goldens in hexadecimal, and going through every damage.
 */
#ifndef TESTS_FILES_CHECK_H
#define TESTS_FILES_CHECK_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

/** A file's bytes, at most 16 MiB, for free(); NULL if it cannot be opened. */
static inline unsigned char *load_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    unsigned char *data = malloc(1 << 24);
    *size = fread(data, 1, 1 << 24, f);
    fclose(f);
    return data;
}

static inline void store_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

/** The bytes that a golden writes down as hexadecimal digits and white space. */
static inline unsigned char *load_hex(const char *folder, const char *name, size_t *size)
{
    char path[512];
    size_t length = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unsigned char *text = load_file(path, &length);
    *size = 0;
    if (!text) {
        perror(path);
        exit(1);
    }
    for (size_t i = 0; i + 1 < length; i++) {
        unsigned byte;
        if (text[i] > ' ' && sscanf((char *)text + i++, "%2x", &byte) == 1)
            text[(*size)++] = (unsigned char)byte;
    }
    return text;
}

/** Makes a folder in memory, if there is such a place, for tests that write many files. */
static inline void make_folder(char folder[64])
{
    snprintf(folder, 64, "%s/lockstep-files-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        exit(1);
    }
}

/**
 * Has `opens` open every beginning of a file, and the file with every single bit turned (or every so many). `opens` returns whether
 * it was accepted. Beginnings must all be refused; of the turned ones at least `refused` of 100. Every refusal must
 * have a message that names the file.
 */
static inline void try_damages(ls_context *ls, const char *path, const unsigned char *data, size_t size, size_t every,
                               int refused, bool (*opens)(const char *path))
{
    unsigned char *copy = malloc(size + 1);
    size_t accepted = 0;
    for (size_t n = 0; n < size; n += every) {
        store_file(path, data, n);
        CHECK(!opens(path) && strstr(ls_error_message(ls), path), "cut off at %zu: %s", n, ls_error_message(ls));
        ls_clear_error(ls);
    }
    for (size_t bit = 0; bit < 8 * size; bit += every) {
        memcpy(copy, data, size);
        copy[bit / 8] ^= (unsigned char)(1u << bit % 8);
        store_file(path, copy, size);
        bool good = opens(path);
        accepted += good;
        CHECK(good || strstr(ls_error_message(ls), path), "bit %zu: %s", bit, ls_error_message(ls));
        ls_clear_error(ls);
    }
    CHECK(accepted * every * 100 <= 8 * size * (size_t)(100 - refused), "%zu of %zu damaged files were accepted", accepted,
          8 * size / every);
    memcpy(copy, data, size);
    copy[size] = 0;
    store_file(path, copy, size + 1);
    CHECK(!refused || !opens(path), "one byte more");
    ls_clear_error(ls);
    free(copy);
}

#endif
