/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing Protocol Buffers: a message is its fields one after another, each a number with a type, then the
 * value; a message within is written first, as bytes.
 */
#ifndef LOCKSTEP_IO_PROTOBUF_H
#define LOCKSTEP_IO_PROTOBUF_H

#include "bytes.h"

void ls_proto_varint(struct ls_bytes *message, int field, uint64_t value);
void ls_proto_double(struct ls_bytes *message, int field, double value);
void ls_proto_bytes(struct ls_bytes *message, int field, const void *data, size_t count);
void ls_proto_text(struct ls_bytes *message, int field, const char *text);
/** A message within; frees `inner`. */
void ls_proto_message(struct ls_bytes *message, int field, struct ls_bytes *inner);

#endif
