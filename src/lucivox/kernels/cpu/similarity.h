#pragma once

#include <cstdint>
#include <span>

namespace lucivox::cpu {

// Structural similarity of pairs of images a and b (Wang et al., IEEE TIP 13(4), 2004, eq. 6 to 13), in one
// pass over memory forward and two backward. Images are contiguous float32 [images][rows][columns].
struct SimilarImages {
  int64_t images, rows, columns;
};

// Every window that fits is weighted by vertical[i] * horizontal[j].
struct Similarity {
  std::span<const float> vertical, horizontal;  // at most as many as rows, columns
  float c1, c2;
  bool luminance;  // (2 ma mb + c1) / (ma^2 + mb^2 + c1) times structure; else structure alone,
                   // (2 cov + c2) / (va + vb + c2)
};

// similarity[image] = its mean over all windows. `means` keeps the weighted means of a, b, a^2 + b^2 and ab
// of every window: [4][images][rows - v + 1][columns - h + 1].
void similarity(const SimilarImages& size, const Similarity& kind, const float* a, const float* b,
                float* means, double* similarity);

// The gradients with respect to a and b of the sum over images of weight[image] * similarity[image].
void similarity_gradient(const SimilarImages& size, const Similarity& kind, const float* a, const float* b,
                         const float* means, const double* weight, float* da, float* db);

}  // namespace lucivox::cpu
