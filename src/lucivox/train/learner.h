#pragma once

#include <utility>

#include <lucivox/sparse/mask.h>
#include <lucivox/train/adam.h>
#include <lucivox/train/step.h>

namespace lucivox {

// A network that learns, with what its training gathers.
struct Learner {
  Learner(Network& of, LossFunction loss, const TrainOptions& options, const Ranks& ranks)
      : network(of),
        adam(of.weights(), options.beta2),
        step(of, std::move(loss), adam, held, options, ranks) {}
  Learner(const Learner&) = delete;  // its step knows where its parts are
  Learner& operator=(const Learner&) = delete;

  Network& network;
  Adam adam;
  Masks held;  // of the network as it is trained now
  TrainingStep step;
};

}  // namespace lucivox
