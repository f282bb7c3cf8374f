/* SPDX-License-Identifier: Apache-2.0
 *
 * Expands ROW(name) for every row of lib/ops/elementwise.def, in order. No include guard: the
 * includer defines ROW and may include this more than once.
 */
#define F_F(name, ...) ROW(name)
#define F_FF(name, ...) ROW(name)
#define F_FFF(name, ...) ROW(name)
#define F_I(name, ...) ROW(name)
#define I_F(name, ...) ROW(name)
#define I_I(name, ...) ROW(name)
#define I_FF(name, ...) ROW(name)
#define I_II(name, ...) ROW(name)
#define W_IWW(name, ...) ROW(name)
#include "elementwise_rows.h"
