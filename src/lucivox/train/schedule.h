#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <lucivox/train/options.h>

namespace lucivox {

// The hybrid schedule (Chaturvedi et al., section 2.2): when a network becomes sparse, how fast, and how fast
// it learns before and after. Pure functions of the options and of the losses so far, so that a resumed run
// decides as the straight one did. A loss is an epoch's mean training loss.

// When a dense network becomes sparse, and why.
struct Switch {
  int64_t epoch = 0;  // the first sparse one, from 0
  std::string reason;
};

// Whether the loss has flattened (figure 4b), told as text; nothing while it has not.
// The gradient of the loss is |L_t - L_(t-1)|, its noise taken off by the running median of 5 of them. In the
// figure it falls by orders of magnitude for 28 epochs and stays within one for the 22 left, which is half an
// order in 10: the loss is flat when over the last 10 epochs the smoothed gradient stayed within half an
// order of magnitude, and below 1/10 of the largest there was. So 16 epochs is the earliest, and a loss that
// never fell is never flat.
std::optional<std::string> flattening(const std::vector<double>& losses);

// The step, counted from 0 through all epochs, before which batch norms are frozen; nothing: never. With
// kFreezeEarly after a tenth of the training, but at least 160 steps, in which they do what they are for, and
// at most a third: norms of the batch at hand make the first steps learn many times as fast, and from then on
// they only keep a network from what its users will see.
std::optional<int64_t> freezing_step(const TrainOptions& options, int64_t steps_per_epoch);

// The switch, when the epoch that follows `losses` is to be the first sparse one: after dense_epochs, or,
// with the automatic switch, once the loss has flattened and after dense_epochs at the latest.
std::optional<Switch> switch_after(const std::vector<double>& losses, const SparsityOptions& options);

// The share to prune at the `pruning`-th (from 1) of gradual_epochs prunings, one at each epoch's start: the
// cubic schedule s_t = s_f (1 - (1 - (t - t_0) / n)^3) of Zhu and Gupta, "To prune, or not to prune", 2017,
// equation 1, with nothing pruned at t_0. Nothing after the last one.
std::optional<double> amount_at(int64_t pruning, const SparsityOptions& options);

// The epoch at which the learning rate of dense epochs has fallen to 0: the last one, or with a cosine and
// sparse epochs of their own rate the last dense one. Runs that differ in nothing else than sparsity and
// agree in this have the same dense epochs.
int64_t dense_schedule_end(const TrainOptions& options);

// When `epochs` epochs are done, the one under way as a fraction. "exponential": learning_rate *
// decay^(whole epochs). "cosine": along half a cosine from learning_rate to 0 at the end of the training,
// after a short warm-up. From a switch with a learning rate of its own on, the same from that one and from
// there; a cosine before it ends with the dense epochs.
double learning_rate_at(double epochs, const std::optional<Switch>& switched, const TrainOptions& options);

// The part of the learning rate that is used in `step` (from 0) of `all_steps`: once norms are frozen, it
// rises anew from nearly 0. Live norms make up for whatever a step does to the size of weights, so that these
// change by large parts of themselves; frozen ones multiply such changes from layer to layer.
double warmth_after_freezing(int64_t step, std::optional<int64_t> freezing_step, int64_t all_steps);

}  // namespace lucivox
