#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes layers/layers.golden: what Keras' layers compute in float64, for tests/test_layers.c.

    python generate_layers.py

A case gives a layer, or a model, inputs and weights from a seed that is its name, and asks for its outputs,
its losses, its weights that do not train, and the gradients of sum(output 0 * cotangent) + sum(losses) to
its inputs and to its trainable weights. The bounds are those of engine.py. The layers are named in the table
of tests/test_layers.c, which makes the same ones in C.
"""

import os
import pathlib

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers as L, regularizers as R  # noqa: E402

from engine import Family, Random, nudged, is_float  # noqa: E402

IMAGE, SEQUENCE, VECTOR = (2, 5, 6, 3), (2, 7, 3), (3, 4)


def two_inputs():
    """Two inputs, two outputs, a shared layer at two depths."""
    a, b = keras.Input((4,)), keras.Input((4,))
    shared = L.Dense(4, activation="tanh")
    late = L.Dense(3)
    x, y = shared(a), shared(shared(b))
    first = late(L.Concatenate()([x, y]))
    second = L.Add()([L.Multiply()([x, y]), a])
    return keras.Model([a, b], [first, second])


def branches():
    """Layers of one depth stand in the order in which outputs are traced back."""
    a = keras.Input((4,))
    wide, narrow = L.Dense(5, activation="relu")(a), L.Dense(2, use_bias=False)(a)
    return keras.Model(a, L.Concatenate()([narrow, L.Dense(3)(wide)]))


def regularised():
    return keras.Sequential([
        L.Dense(3, kernel_regularizer=R.L2(0.25), bias_regularizer=R.L1(0.5), activity_regularizer=R.L1(0.125)),
        L.Dense(2, kernel_regularizer=R.L1L2(0.5, 0.25), activity_regularizer=R.L2(1.0))])


def layer_table():
    same = {"padding": "same"}
    yield "dense_relu", lambda: L.Dense(3, activation="relu"), [VECTOR]
    yield "dense_softmax", lambda: L.Dense(3, activation="softmax", use_bias=False), [(2, 3, 4)]
    yield "conv1d_causal", lambda: L.Conv1D(2, 3, padding="causal", dilation_rate=2), [SEQUENCE]
    yield "conv2d_valid", lambda: L.Conv2D(2, (3, 2), activation="relu"), [IMAGE]
    yield "conv2d_same", lambda: L.Conv2D(2, 3, strides=2, use_bias=False, **same), [IMAGE]
    yield "conv2d_gelu", lambda: L.Conv2D(2, 2, activation="gelu"), [IMAGE]
    yield "conv2d_groups", lambda: L.Conv2D(4, 2, groups=2, dilation_rate=2), [(2, 4, 5, 2)]
    yield "depthwise", lambda: L.DepthwiseConv2D((2, 3), depth_multiplier=2), [IMAGE]
    yield "transpose_valid", lambda: L.Conv2DTranspose(2, 3, strides=2), [(2, 3, 2, 3)]
    yield "transpose_same", lambda: L.Conv2DTranspose(2, 3, strides=2, activation="tanh", **same), [(2, 3, 2, 3)]
    yield "max_pooling1d", lambda: L.MaxPooling1D(), [SEQUENCE]
    yield "max_pooling2d", lambda: L.MaxPooling2D(3, strides=2, **same), [IMAGE]
    yield "average_pooling1d", lambda: L.AveragePooling1D(3, strides=1), [SEQUENCE]
    yield "average_pooling2d", lambda: L.AveragePooling2D((2, 3), **same), [IMAGE]
    yield "global_max1d", lambda: L.GlobalMaxPooling1D(), [SEQUENCE]
    yield "global_max2d", lambda: L.GlobalMaxPooling2D(keepdims=True), [IMAGE]
    yield "global_average1d", lambda: L.GlobalAveragePooling1D(), [SEQUENCE]
    yield "global_average2d", lambda: L.GlobalAveragePooling2D(), [IMAGE]
    yield "batch_norm", lambda: L.BatchNormalization(), [IMAGE]
    yield "batch_norm_axis", lambda: L.BatchNormalization(axis=1, momentum=0.75, epsilon=0.125), [SEQUENCE]
    yield "batch_norm_plain", lambda: L.BatchNormalization(center=False, scale=False), [(5, 3)]
    yield "layer_norm", lambda: L.LayerNormalization(), [SEQUENCE]
    yield "layer_norm_axes", lambda: L.LayerNormalization(axis=[1, 2], scale=False), [SEQUENCE]
    yield "normalization", lambda: L.Normalization(mean=[1.0, -2.0, 0.5], variance=[4.0, 0.25, 1.0]), [(2, 3)]
    yield "embedding", lambda: L.Embedding(5, 3), [np.int32([[0, 4, 2], [2, 2, 1]])]
    yield "flatten", lambda: L.Flatten(), [IMAGE]
    yield "reshape", lambda: L.Reshape((-1, 9)), [IMAGE]
    yield "permute", lambda: L.Permute((3, 1, 2)), [IMAGE]
    yield "zero_padding", lambda: L.ZeroPadding2D(((1, 0), (2, 3))), [IMAGE]
    yield "up_sampling", lambda: L.UpSampling2D((2, 3)), [(2, 2, 2, 3)]
    yield "up_sampling_bilinear", lambda: L.UpSampling2D(interpolation="bilinear"), [(2, 3, 2, 2)]
    yield "rescaling", lambda: L.Rescaling(0.25, offset=-1.0), [VECTOR]
    yield "re_lu", lambda: L.ReLU(), [VECTOR]
    yield "re_lu_all", lambda: L.ReLU(max_value=1.0, negative_slope=0.25, threshold=0.5), [(5, 7)]
    yield "leaky_re_lu", lambda: L.LeakyReLU(), [VECTOR]
    yield "p_re_lu", lambda: L.PReLU(), [VECTOR]
    yield "p_re_lu_shared", lambda: L.PReLU(shared_axes=[1, 2]), [IMAGE]
    yield "softmax", lambda: L.Softmax(axis=1), [SEQUENCE]
    for name in ACTIVATIONS:
        yield f"activation_{name}", lambda name=name: L.Activation(name), [(5, 7)]
    yield "lambda_square", lambda: L.Lambda(lambda x: x * x), [VECTOR]
    for name in ("Add", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        yield f"merge_{name.lower()}", lambda name=name: getattr(L, name)(), [VECTOR, VECTOR, VECTOR]
    yield "merge_subtract", lambda: L.Subtract(), [(2, 3, 4), (2, 1, 4)]
    yield "merge_concatenate_first", lambda: L.Concatenate(axis=1), [(2, 3, 4), (2, 2, 4)]
    yield "merge_dot", lambda: L.Dot(axes=1), [VECTOR, VECTOR]
    yield "merge_dot_axes", lambda: L.Dot(axes=(2, 1)), [(2, 3, 4), (2, 4, 5)]
    yield "merge_dot_cosine", lambda: L.Dot(axes=1, normalize=True), [VECTOR, VECTOR]
    yield "two_inputs", two_inputs, [VECTOR, VECTOR]
    yield "branches", branches, [VECTOR]
    yield "regularised", regularised, [VECTOR]


ACTIVATIONS = ("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh",
               "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid",
               "silu", "softmax", "soft_shrink", "softplus", "softsign", "sparse_sigmoid", "squareplus", "tanh",
               "tanh_shrink")
BOTH = {"batch_norm", "batch_norm_axis", "batch_norm_plain"}


def listed(x):
    return list(x) if isinstance(x, (list, tuple)) else [x]


def evaluate(make, xs, weights, training, g, dtype):
    """Outputs, gradients: [y…, losses, weights that do not train], [to float inputs…, to trainable weights…]."""
    keras.config.set_floatx(dtype)
    keras.backend.clear_session()
    layer = make()
    xs = [tf.constant(x, dtype) if np.asarray(x).dtype.kind == "f" else tf.constant(x) for x in xs]
    argument = xs if len(xs) > 1 else xs[0]
    layer(argument)
    if weights is None:
        return layer
    layer.set_weights(weights)
    sources = [x for x in xs if x.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        ys = listed(layer(argument, training=training))
        losses = layer.losses
        g = np.ones(ys[0].shape) if g is None else g
        target = tf.reduce_sum(ys[0] * tf.constant(g, dtype)) + sum(losses)
    sources += [v.value for v in layer.trainable_variables]
    gradients = tape.gradient(target, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    extra = ([tf.stack(losses)] if losses else []) + [v.value for v in layer.non_trainable_variables]
    return ([np.asarray(v, np.float64) for v in [*ys, *extra]],
            [np.asarray(tf.convert_to_tensor(v), np.float64) for v in gradients])


def draw_weights(layer, random):
    """Positive where a variance is meant."""
    return [random.uniform(v.shape, 0.25, 2.0) if "variance" in v.name else random.uniform(v.shape, -1, 1)
            for v in layer.weights]


def add_case(family, name, make, inputs, training):
    full = f"layers/{name}/{'training' if training else 'inference'}"
    random = Random(full)
    xs = [x if isinstance(x, np.ndarray) else random.uniform(x) for x in inputs]
    layer = evaluate(make, xs, None, False, None, "float64")
    weights = draw_weights(layer, random)
    trainable = [i for i, v in enumerate(layer.weights) if v.trainable]
    shape = evaluate(make, xs, weights, training, None, "float64")[0][0].shape
    g = random.uniform(shape)
    exact = evaluate(make, xs, weights, training, g, "float64")
    single = [evaluate(make, xs, weights, training, g, "float32")]
    moved = [evaluate(make, [nudged(x, random.generator) for x in xs],
                      [nudged(w, random.generator) for w in weights], training,
                      nudged(g, random.generator), "float64") for _ in range(4)]
    family._begin(full, name, [training], (), (), ())
    for x in [*xs, *weights]:
        family._input(np.asarray(x), ())
    for i in range(len(exact[0])):
        family._output(i, exact, single, moved, ())
    family._words("cotangent", g)
    places = [i for i, x in enumerate(xs) if is_float(x)] + [len(xs) + i for i in trainable]
    for k, place in enumerate(places):
        family._expected(f"gradient {place}", exact[1][k], [s[1][k] for s in single], [m[1][k] for m in moved], ())


def main():
    family = Family("layers")
    for name, make, inputs in layer_table():
        for training in ((False, True) if name in BOTH else (True,)):
            add_case(family, name, make, inputs, training)
    print(family.write(pathlib.Path(__file__).parent / "layers"), "bytes,", len(family.cases), "cases")


if __name__ == "__main__":
    main()
