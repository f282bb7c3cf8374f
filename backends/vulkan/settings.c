/* SPDX-License-Identifier: Apache-2.0
 *
 * What the environment says to Vulkan devices: LOCKSTEP_VULKAN_TEST and LOCKSTEP_TIMEOUT.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "vulkan.h"

/* The smallest `range` that holds whatever is not computed in parts. */
enum { LEAST_RANGE = 4096, MOST_SECONDS = 99999999 };

const char *ls_vk_test_option(const char *word)
{
    const char *list = ls_env("LOCKSTEP_VULKAN_TEST");
    size_t length = strlen(word);
    while (list != NULL && *list != '\0') {
        size_t span = strcspn(list, ",");
        if (strncmp(list, word, length) == 0 && (span == length || list[length] == '='))
            return list + length + (list[length] == '=');
        list += span + (list[span] == ',');
    }
    return NULL;
}

uint64_t ls_vk_patience(void)
{
    enum { USUAL = 1800 }; /* a long batch on a slow device takes minutes */
    const char *seconds = ls_env("LOCKSTEP_TIMEOUT");
    return seconds != NULL ? strtoull(seconds, NULL, 10) : USUAL;
}

/* Whether `text`, up to its end or a comma, is a number from `least` to `most`. */
static bool is_number(const char *text, unsigned long long least, unsigned long long most)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 12 || (text[digits] != '\0' && text[digits] != ','))
        return false;
    unsigned long long number = strtoull(text, NULL, 10);
    return number >= least && number <= most;
}

/* Whether what stands before the next comma is an option. */
static bool is_option(const char *text)
{
    static const char *const words[] = {"fma=double", "fma=integer", "staging", "unfused", "fused", "nobarriers"};
    size_t span = strcspn(text, ",");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span == strlen(words[i]) && strncmp(text, words[i], span) == 0)
            return true;
    return strncmp(text, "range=", 6) == 0    ? is_number(text + 6, LEAST_RANGE, UINT32_MAX)
           : strncmp(text, "groups=", 7) == 0 ? is_number(text + 7, 1, UINT32_MAX)
                                              : strncmp(text, "rounds=", 7) == 0 && is_number(text + 7, 1, INT32_MAX);
}

ls_status ls_vk_check_settings(struct ls_message *message)
{
    const char *list = ls_env("LOCKSTEP_VULKAN_TEST"), *seconds = ls_env("LOCKSTEP_TIMEOUT");
    while (list != NULL && *list != '\0') {
        int span = (int)strcspn(list, ",");
        if (!is_option(list)) {
            snprintf(message->text, sizeof message->text,
                     "LOCKSTEP_VULKAN_TEST: \"%.*s\" is not understood; there is fma=double, fma=integer, staging, "
                     "unfused, fused, nobarriers, range=BYTES from %d on, groups=NUMBER and rounds=NUMBER from 1 on",
                     span, list, LEAST_RANGE);
            return LS_INVALID_ARGUMENT;
        }
        list += span + (list[span] == ',');
    }
    if (seconds == NULL || is_number(seconds, 0, MOST_SECONDS))
        return LS_OK;
    snprintf(message->text, sizeof message->text,
             "LOCKSTEP_TIMEOUT: \"%.64s\" is not a number of seconds, at most %d, or 0 to wait for ever", seconds,
             MOST_SECONDS);
    return LS_INVALID_ARGUMENT;
}
