/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of tensors: safetensors, and the weights of models in Keras' format or as safetensors.
 *
 *     ls_save_weights(mlp, "mlp.weights.h5");
 *     ls_load_weights(mlp, "mlp.safetensors", .optimizer = adam);
 *
 * Every save is atomic: either the file from before or the whole new one is there, whatever fails and whenever
 * the process is killed. Every reader checks a file before it allocates memory for it, and a load that fails
 * changes nothing. Messages name the file, what is wrong and the way out. All calls block for the device and the
 * disk. One thread per context at a time; two processes may not save to one path at once (an error). See docs/files.md.
 */
#ifndef LOCKSTEP_FILES_H
#define LOCKSTEP_FILES_H

#include <lockstep/layers.h>
#include <lockstep/optimizers.h>
#include <lockstep/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- safetensors ---- */

/** An entry of a file: its name, and what it holds. */
typedef struct ls_named_tensor {
    const char *name;
    ls_tensor tensor;
} ls_named_tensor;

typedef struct ls_safetensors_options {
    ls_context *context;
    const char *path;
    const ls_named_tensor *tensors; /* any order; names UTF-8, each once */
    size_t count;
    const char *const *metadata; /* key, value, key, value, …, NULL; NULL: none */
} ls_safetensors_options;

/**
 * Saves tensors as safetensors: float32 as F32, float16 F16, bfloat16 BF16, int32 I32, uint8 U8, bool BOOL. The
 * metadata get one more entry, "lockstep.crc32c", by which ls_safetensors_open notices damage. safetensors'
 * save_file. Errors: LS_INVALID_ARGUMENT (a name twice or not UTF-8, "__metadata__"), LS_NOT_FOUND, LS_FILE_ERROR,
 * LS_OUT_OF_MEMORY, those of ls_read.
 */
LS_API ls_status ls_save_safetensors_with(const ls_safetensors_options *options);
/** ls_save_safetensors(ls, "a.safetensors", tensors, count). */
#define ls_save_safetensors(...) ls_save_safetensors_with(&(ls_safetensors_options){.context = __VA_ARGS__})

/** An open safetensors file. Belongs to its context. */
typedef struct ls_safetensors ls_safetensors;

/**
 * Opens a file and checks it whole: sizes, offsets without holes or overlaps, and the checksum where Lockstep wrote
 * it. Tensors are read later, one by one, so the file must stay as it is. safetensors' safe_open. NULL on an error:
 * LS_NOT_FOUND, LS_FILE_ERROR, LS_BAD_FILE, LS_OUT_OF_MEMORY.
 */
LS_API ls_safetensors *ls_safetensors_open(ls_context *ls, const char *path);
/** How many tensors there are; 0 for NULL. */
LS_API size_t ls_safetensors_count(const ls_safetensors *file);
/** Of tensor i, in the order of the data: its name, type ("F32") and shape (rank -1 above LS_MAX_RANK). What is
 * out of range gives "" and rank 0. They belong to the file. */
LS_API const char *ls_safetensors_name(const ls_safetensors *file, size_t i);
LS_API const char *ls_safetensors_dtype(const ls_safetensors *file, size_t i);
LS_API ls_shape ls_safetensors_shape(const ls_safetensors *file, size_t i);
/**
 * Reads one tensor; the result belongs to the innermost scope. I64 becomes int32, and LS_OVERFLOW names a number
 * that does not fit. LS_NOT_FOUND lists the names there are; LS_DTYPE_MISMATCH for types without an ls_dtype (F64, U32,
 * …); LS_BAD_FILE for a BOOL that is neither 0 nor 1, or when the file has changed.
 */
LS_API ls_tensor ls_safetensors_read(ls_safetensors *file, const char *name);
/** The value of a metadata key; NULL if there is none. Belongs to the file. */
LS_API const char *ls_safetensors_metadata(const ls_safetensors *file, const char *key);
/** Closes it and sets `*file` to NULL. Accepts NULL. */
LS_API void ls_safetensors_close(ls_safetensors **file);

/* ---- The weights of models ---- */

typedef struct ls_weights_options {
    ls_model *model;         /* built: called once, or by ls_build */
    const char *path;        /* ends with .weights.h5 or .safetensors */
    ls_optimizer *optimizer; /* whose state is in the file too; NULL: none */
} ls_weights_options;

/**
 * Saves all variables of a model, and of its optimizer if one is given. As .weights.h5 the file is what
 * keras.Model.save_weights writes, so that keras.Model.load_weights reads it into the same model (LS_UNAVAILABLE
 * without libhdf5 at build time); as .safetensors the tensors have the variables' names, "mlp/dense/kernel", and
 * those of the optimizer "optimizer/" before theirs. Errors: those of ls_save_safetensors, LS_INVALID_ARGUMENT for
 * another ending and for a model without weights.
 */
LS_API ls_status ls_save_weights_with(const ls_weights_options *options);
/** ls_save_weights(mlp, "mlp.weights.h5") or with .optimizer = adam. */
#define ls_save_weights(...) ls_save_weights_with(&(ls_weights_options){.model = __VA_ARGS__})

/**
 * Gives a model the variables of a file that ls_save_weights or Keras wrote: all of them, or none on an error.
 * LS_SHAPE_MISMATCH, LS_NOT_FOUND, LS_BAD_FILE list what does not fit: shapes with both sides, names that are missing
 * and names that are too many. float16 and bfloat16 are widened to float32. With an optimizer its slots are made for
 * the model's trainable variables, and set; where the file has no state for it, or another optimizer's, a warning
 * says so and the optimizer stays as it is, as in Keras. Layers are found in .weights.h5 by their kind and order,
 * in .safetensors by the variables' names.
 */
LS_API ls_status ls_load_weights_with(const ls_weights_options *options);
/** ls_load_weights(mlp, "mlp.weights.h5"). */
#define ls_load_weights(...) ls_load_weights_with(&(ls_weights_options){.model = __VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
