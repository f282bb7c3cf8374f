/* SPDX-License-Identifier: Apache-2.0
 *
 * A library of its own needs a source; see "Maps fused by libshaderc" in meson.build.
 */
extern int beside_shaderc;
int beside_shaderc;
