/* SPDX-License-Identifier: Apache-2.0
 *
 * A Wasserstein GAN with gradient penalty (Gulrajani and others, 2017) that learns the points of a circle.
 * The critic is asked to have slope 1 between real and generated points: its loss contains a gradient,
 * so training it takes a second derivative. The same digits with LOCKSTEP_BACKEND=reference and =opencl.
 */
#include <lockstep/lockstep.h>

#include "options.h"

enum { BATCH = 64, NOISE = 4, CRITIC_STEPS = 5 };

struct gan {
    ls_context *ls;
    ls_model *generator, *critic;
    ls_optimizer *generator_adam, *critic_adam;
};

static ls_tensor mean(ls_tensor a) { return ls_mean(a, NULL, 0, false); }

/* Points at distance 1 from the centre, in random directions: (batch, 2). */
static ls_tensor real_points(ls_context *ls)
{
    ls_tensor angle = ls_random_uniform(ls, LS_SHAPE(BATCH, 1), 0, 6.2831853f);
    return ls_concat((ls_tensor[]){ls_cos(angle), ls_sin(angle)}, 2, 1);
}

static ls_tensor generated_points(struct gan *gan, bool training)
{
    return ls_call(gan->generator, ls_random_normal(gan->ls, LS_SHAPE(BATCH, NOISE), 0, 1), .training = training);
}

/* mean((|slope of the critic| - 1)^2) at random points between real and fake ones. */
static ls_tensor gradient_penalty(struct gan *gan, ls_tensor real, ls_tensor fake)
{
    ls_context *ls = gan->ls;
    ls_tensor where = ls_random_uniform(ls, LS_SHAPE(BATCH, 1), 0, 1), score, slope;
    ls_tensor between = ls_fma(where, ls_sub(fake, real), real);
    LS_TAPE (tape, ls) {
        ls_watch(tape, between);
        score = ls_call(gan->critic, between, .training = true);
    }
    ls_gradient(tape, score, &between, 1, &slope);
    ls_tensor squares = ls_sum(ls_square(slope), (int[]){1}, 1, false);
    ls_tensor norm = ls_sqrt(ls_add(squares, ls_scalar(ls, 1e-12f)));
    return mean(ls_square(ls_sub(norm, ls_scalar(ls, 1))));
}

/* Returns the penalty before the step. */
static ls_tensor train_critic(struct gan *gan)
{
    ls_context *ls = gan->ls;
    ls_tensor real = real_points(ls), fake = generated_points(gan, false), loss, penalty;
    LS_TAPE (tape, ls) {
        ls_tensor gap = ls_sub(mean(ls_call(gan->critic, fake, .training = true)),
                               mean(ls_call(gan->critic, real, .training = true)));
        penalty = gradient_penalty(gan, real, fake);
        loss = ls_fma(ls_scalar(ls, 10), penalty, gap);
    }
    ls_apply_gradients(gan->critic_adam, ls_gradients_of(tape, loss, ls_trainable_variables(gan->critic)));
    return penalty;
}

static void train_generator(struct gan *gan)
{
    ls_tensor loss;
    LS_TAPE (tape, gan->ls)
        loss = ls_neg(mean(ls_call(gan->critic, generated_points(gan, true), .training = true)));
    ls_apply_gradients(gan->generator_adam, ls_gradients_of(tape, loss, ls_trainable_variables(gan->generator)));
}

/* One step: the critic's, several times, then the generator's. outputs: the last penalty. */
static void train_step(void *user, const ls_tensor *inputs, ls_tensor *outputs)
{
    (void)inputs;
    for (int i = 0; i < CRITIC_STEPS; i++)
        outputs[0] = train_critic(user);
    train_generator(user);
}

/* How far generated points are from the circle, on average. */
static void print_distance(struct gan *gan, const char *when)
{
    LS_SCOPE (gan->ls) {
        ls_tensor radius = ls_sqrt(ls_sum(ls_square(generated_points(gan, false)), (int[]){1}, 1, false));
        float distance = ls_item(mean(ls_abs(ls_sub(radius, ls_scalar(gan->ls, 1)))));
        if (ls_error(gan->ls) == LS_OK)
            printf("distance from the circle %s training: %.4f\n", when, (double)distance);
    }
}

static ls_model *network(ls_context *ls, const char *name, int64_t outputs)
{
    return ls_sequential(ls, name, (ls_layer *[]){
        ls_dense(ls, 32, .activation = LS_RELU),
        ls_dense(ls, 32, .activation = LS_RELU),
        ls_dense(ls, outputs),
        NULL});
}

int main(int argc, char **argv)
{
    struct options options = {.epochs = 1, .steps = 1500, .seed = 42, .can_capture = true};
    read_options(argc, argv, &options);
    stop_on_interrupt();
    ls_context *ls = ls_open(NULL); /* LOCKSTEP_BACKEND, else the best device */
    ls_set_random_seed(ls, options.seed);
    struct gan gan = {
        .ls = ls,
        .generator = network(ls, "generator", 2),
        .critic = network(ls, "critic", 1),
        .generator_adam = ls_adam(ls, .learning_rate = 2e-3f, .beta_1 = 0.5f),
        .critic_adam = ls_adam(ls, .learning_rate = 2e-3f, .beta_1 = 0.5f),
    };

    ls_function *captured = options.captured ? ls_function_create(ls, train_step, &gan, 0, 1) : NULL;

    print_distance(&gan, "before");
    long long steps = options.steps * options.epochs;
    for (long long step = 0; step < steps && !interrupted && ls_error(ls) == LS_OK; step++) {
        LS_SCOPE (ls) {
            ls_tensor penalty;
            if (captured)
                ls_function_call(captured, NULL, &penalty);
            else
                train_step(&gan, NULL, &penalty);
            if (step == 0 || step == steps - 1)
                printf("step %lld: gradient penalty %.4f\n", step + 1, (double)ls_item(penalty));
        }
    }
    print_distance(&gan, "after");
    if (ls_error(ls) == LS_OK)
        printf("weights: %s, %s\n", ls_fingerprint_model(gan.generator).text, ls_fingerprint_model(gan.critic).text);
    save_if_interrupted(gan.generator, "wgan_gp_generator.safetensors");
    save_if_interrupted(gan.critic, "wgan_gp_critic.safetensors");
    return leave(ls, "wgan_gp");
}
