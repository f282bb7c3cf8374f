/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of lib/ops/elementwise.def, in order, by those of its macros that the includer defined; the others expand
 * to nothing. Afterwards none is defined, nor LS_ROWS. No include guard: it may be included more than once.
 */
#ifndef F_F
#define F_F(...)
#endif
#ifndef F_FF
#define F_FF(...)
#endif
#ifndef F_FFF
#define F_FFF(...)
#endif
#ifndef F_I
#define F_I(...)
#endif
#ifndef I_F
#define I_F(...)
#endif
#ifndef I_I
#define I_I(...)
#endif
#ifndef I_FF
#define I_FF(...)
#endif
#ifndef I_II
#define I_II(...)
#endif
#ifndef W_IWW
#define W_IWW(...)
#endif
#include "../ops/elementwise.def"
#undef F_F
#undef F_FF
#undef F_FFF
#undef F_I
#undef I_F
#undef I_I
#undef I_FF
#undef I_II
#undef W_IWW
#undef LS_ROWS
