/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning to learn: MAML (Finn, Abbeel and Levine, 2017) on sinusoids. A task is y = a sin(x + p) with
 * an amplitude and a phase of its own, of which ten points are known. The weights are trained so that
 * one step of gradient descent on those points fits the task: the outer gradient goes through the
 * inner one. The same digits with LOCKSTEP_BACKEND=reference and =opencl.
 */
#include <lockstep/lockstep.h>

#include "options.h"

enum { TASKS = 4, POINTS = 10, UNITS = 40, WEIGHTS = 6 };

struct points {
    ls_tensor x, y; /* (tasks, points, 1) */
};

struct tasks {
    ls_tensor amplitude, phase; /* (tasks, 1, 1) */
};

static struct tasks draw_tasks(ls_context *ls)
{
    ls_shape shape = LS_SHAPE(TASKS, 1, 1);
    return (struct tasks){ls_random_uniform(ls, shape, 0.1f, 5), ls_random_uniform(ls, shape, 0, 3.14159f)};
}

static struct points draw_points(ls_context *ls, struct tasks tasks)
{
    ls_tensor x = ls_random_uniform(ls, LS_SHAPE(TASKS, POINTS, 1), -5, 5);
    return (struct points){x, ls_mul(tasks.amplitude, ls_sin(ls_add(x, tasks.phase)))};
}

/*
 * Mean squared error of the network with weights `w` on each task, summed over the tasks. Adapted weights
 * have a leading dimension, one set per task; those that are shared have a leading 1.
 */
static ls_tensor loss_of(const ls_tensor *w, struct points p)
{
    ls_tensor h = ls_tanh(ls_add(ls_matmul(p.x, w[0]), w[1]));
    h = ls_tanh(ls_add(ls_matmul(h, w[2]), w[3]));
    ls_tensor error = ls_sub(ls_add(ls_matmul(h, w[4]), w[5]), p.y);
    return ls_sum(ls_mean(ls_square(error), (int[]){1, 2}, 2, false), NULL, 0, false);
}

/* One step of gradient descent for each task: `adapted` is (tasks, …), still a function of `w`. */
static void adapt(ls_context *ls, const ls_tensor *w, struct points p, ls_tensor *adapted)
{
    ls_tensor loss, mine[WEIGHTS], g[WEIGHTS], rate = ls_scalar(ls, -0.02f);
    LS_TAPE (inner, ls) {
        for (int i = 0; i < WEIGHTS; i++) { /* a copy of the weights for each task */
            ls_shape shape = ls_shape_of_tensor(w[i]);
            mine[i] = ls_broadcast_to(w[i], LS_SHAPE(TASKS, shape.dim[1], shape.dim[2]));
            ls_watch(inner, mine[i]);
        }
        loss = loss_of(mine, p);
    }
    ls_gradient(inner, loss, mine, WEIGHTS, g);
    for (int i = 0; i < WEIGHTS; i++)
        adapted[i] = ls_fma(rate, g[i], mine[i]);
}

/* The mean loss over new tasks, before and after adapting to ten of their points. */
static void evaluate(ls_context *ls, const ls_tensor *w, const char *when)
{
    enum { ROUNDS = 25 };
    float before = 0, after = 0;
    ls_set_random_seed(ls, 1000); /* the same tasks each time */
    for (int i = 0; i < ROUNDS; i++) {
        LS_SCOPE (ls) {
            struct tasks tasks = draw_tasks(ls);
            struct points known = draw_points(ls, tasks), others = draw_points(ls, tasks);
            ls_tensor adapted[WEIGHTS];
            adapt(ls, w, known, adapted);
            before += ls_item(loss_of(w, others));
            after += ls_item(loss_of(adapted, others));
        }
    }
    if (ls_error(ls) == LS_OK)
        printf("%-16s loss on new tasks %.4f, after one step on each %.4f\n", when, (double)before / (ROUNDS * TASKS),
               (double)after / (ROUNDS * TASKS));
}

/* After Ctrl-C: the work is not lost. */
static void save(ls_context *ls, const ls_tensor *w)
{
    static const char *const names[WEIGHTS] = {"kernel", "bias", "kernel_1", "bias_1", "kernel_2", "bias_2"};
    ls_named_tensor tensors[WEIGHTS];
    for (int i = 0; i < WEIGHTS; i++)
        tensors[i] = (ls_named_tensor){names[i], w[i]};
    if (ls_save_safetensors(ls, "maml.safetensors", tensors, WEIGHTS) == LS_OK)
        printf("interrupted: the weights are in maml.safetensors\n");
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 1, .steps = 2000, .seed = 42};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);

    static const int64_t sizes[WEIGHTS][2] = {{1, UNITS}, {1, UNITS}, {UNITS, UNITS}, {1, UNITS}, {UNITS, 1}, {1, 1}};
    static const float limit[WEIGHTS] = {0.4f, 0, 0.27f, 0, 0.38f, 0}; /* Glorot's; biases start at 0 */
    ls_tensor w[WEIGHTS];
    for (int i = 0; i < WEIGHTS; i++)
        w[i] = ls_variable(ls_random_uniform(ls, LS_SHAPE(1, sizes[i][0], sizes[i][1]), -limit[i], limit[i]), "w", true);
    ls_optimizer *adam = ls_adam(ls, .learning_rate = 2e-3f);

    evaluate(ls, w, "untrained:");
    ls_set_random_seed(ls, options.seed + 1);
    for (long long step = 0; step < options.steps * options.epochs && !interrupted && ls_error(ls) == LS_OK; step++) {
        LS_SCOPE (ls) {
            ls_tensor loss, g[WEIGHTS], adapted[WEIGHTS];
            struct tasks tasks = draw_tasks(ls);
            LS_TAPE (outer, ls) {
                adapt(ls, w, draw_points(ls, tasks), adapted);
                loss = loss_of(adapted, draw_points(ls, tasks));
            }
            ls_gradient(outer, loss, w, WEIGHTS, g);
            ls_apply_gradients(adam, (ls_gradients){g, w, WEIGHTS, ls});
        }
    }
    evaluate(ls, w, "meta-trained:");
    if (ls_error(ls) == LS_OK)
        printf("weights: %s\n", ls_fingerprint(w, WEIGHTS).text);
    if (interrupted)
        save(ls, w);
    return leave(ls, "maml");
}
