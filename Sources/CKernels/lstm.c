// Long short-term memory: matrix products, gates, their gradients and Adam. Loops over cells are left to the
// compiler's vectors: no reduction among them, so their width changes no bit.
// - Source: Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997, with the forget gates of Gers et al., 2000.
#include "lstm.h"

#include "forest_lanes.h"

// Replaces sixteen numbers by their sigmoid, or by their hyperbolic tangent, 2 sigmoid(2x) - 1.
RCF_INLINE void squash16(float *values, const float *from, int tangent) {
  const float factor = tangent ? -2.0f : -1.0f;
  v16 x = LOAD(v16, from) * factor;
  x = __builtin_elementwise_min(__builtin_elementwise_max(x, (v16){0} - 87.0f), (v16){0} + 87.0f);
  // Adding and taking away this number rounds to an integer.
  const v16 steps = (x * 1.44269504f + 0x1.8p23f) - 0x1.8p23f;
  const v16 r = (x - steps * 0x1.62e4p-1f) - steps * 0x1.7f7d1cp-20f;
  const v16 series =
      1.0f / 2 + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720 + r * (1.0f / 5040)))));
  const i16 power = (__builtin_convertvector(steps, i16) + 127) << 23;
  const v16 exponential = (1 + (r + r * r * series)) * (v16)power;
  STORE(v16, values, tangent ? 2 / (1 + exponential) - 1 : 1 / (1 + exponential));
}

RCF_INLINE void squash(float *values, const float *from, size_t count, int tangent) {
  size_t j = 0;
  for (; j + 16 <= count; j += 16) squash16(values + j, from + j, tangent);
  if (j == count) return;
  float rest[16] = {0};
  memcpy(rest, from + j, (count - j) * sizeof(float));
  squash16(rest, rest, tangent);
  memcpy(values + j, rest, (count - j) * sizeof(float));
}

// Products of R rows and V vectors of columns, accumulated in registers.
#define BLOCK(name, type, R, V)                                                                               \
  RCF_INLINE void name(                                                                                       \
      const float *in, size_t in_stride, const float *weights, float *out, size_t depth, size_t width) {      \
    const size_t lanes = sizeof(type) / sizeof(float);                                                        \
    type sums[R][V];                                                                                          \
    _Pragma("clang loop unroll(full)") for (size_t r = 0; r < R; r++)                                         \
        _Pragma("clang loop unroll(full)") for (size_t v = 0; v < V; v++) sums[r][v] =                        \
            LOAD(type, out + r * width + v * lanes);                                                          \
    for (size_t k = 0; k < depth; k++) {                                                                      \
      const float *row = weights + k * width;                                                                 \
      _Pragma("clang loop unroll(full)") for (size_t r = 0; r < R; r++) {                                     \
        const float value = in[r * in_stride + k];                                                            \
        _Pragma("clang loop unroll(full)") for (size_t v = 0; v < V; v++) sums[r][v] +=                       \
            value * LOAD(type, row + v * lanes);                                                              \
      }                                                                                                       \
    }                                                                                                         \
    _Pragma("clang loop unroll(full)") for (size_t r = 0; r < R; r++)                                         \
        _Pragma("clang loop unroll(full)") for (size_t v = 0; v < V; v++)                                     \
            STORE(type, out + r * width + v * lanes, sums[r][v]);                                             \
  }
BLOCK(block_4_32, v16, 4, 2)
BLOCK(block_4_16, v16, 4, 1)
BLOCK(block_4_4, v4, 4, 1)
BLOCK(block_1_80, v16, 1, 5)
BLOCK(block_1_16, v16, 1, 1)
BLOCK(block_1_4, v4, 1, 1)

RCF_DISPATCH void lstm_affine(
    const float *in, size_t in_stride, const float *weights, float *out, size_t rows, size_t depth, size_t width) {
  size_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float *input = in + r * in_stride;
    float *output = out + r * width;
    size_t j = 0;
    for (; j + 32 <= width; j += 32) block_4_32(input, in_stride, weights + j, output + j, depth, width);
    for (; j + 16 <= width; j += 16) block_4_16(input, in_stride, weights + j, output + j, depth, width);
    for (; j + 4 <= width; j += 4) block_4_4(input, in_stride, weights + j, output + j, depth, width);
  }
  for (; r < rows; r++) {
    const float *input = in + r * in_stride;
    float *output = out + r * width;
    size_t j = 0;
    for (; j + 80 <= width; j += 80) block_1_80(input, in_stride, weights + j, output + j, depth, width);
    for (; j + 16 <= width; j += 16) block_1_16(input, in_stride, weights + j, output + j, depth, width);
    for (; j + 4 <= width; j += 4) block_1_4(input, in_stride, weights + j, output + j, depth, width);
  }
}

RCF_DISPATCH void lstm_cells(
    float *gates, const float *cell_in, float *cell_out, float *cell_tanh, float *hidden, size_t rows, size_t cells) {
  for (size_t r = 0; r < rows; r++) {
    float *in = gates + 4 * cells * r, *forget = in + cells, *candidate = forget + cells, *out = candidate + cells;
    const size_t at = r * cells;
    squash(in, in, 2 * cells, 0);
    squash(candidate, candidate, cells, 1);
    squash(out, out, cells, 0);
    float *new = cell_out + at;
    for (size_t j = 0; j < cells; j++) new[j] = forget[j] * cell_in[at + j] + in[j] * candidate[j];
    squash(hidden + at, new, cells, 1);
    if (cell_tanh) memcpy(cell_tanh + at, hidden + at, cells * sizeof(float));
    for (size_t j = 0; j < cells; j++) hidden[at + j] *= out[j];
  }
}

RCF_DISPATCH void lstm_cells_gradient(
    const float *restrict gates, const float *restrict cell_in, const float *restrict cell_tanh,
    const float *restrict hidden_gradient, float *restrict cell_gradient, float *restrict gate_gradient, size_t rows,
    size_t cells) {
  for (size_t r = 0; r < rows; r++) {
    const float *in = gates + 4 * cells * r, *forget = in + cells, *candidate = forget + cells,
                *out = candidate + cells;
    float *to_in = gate_gradient + 4 * cells * r, *to_forget = to_in + cells, *to_candidate = to_forget + cells,
          *to_out = to_candidate + cells;
    const size_t at = r * cells;
    for (size_t j = 0; j < cells; j++) {
      const float squashed = cell_tanh[at + j], from_hidden = hidden_gradient[at + j];
      const float cell = cell_gradient[at + j] + from_hidden * out[j] * (1 - squashed * squashed);
      to_in[j] = cell * candidate[j] * in[j] * (1 - in[j]);
      to_forget[j] = cell * cell_in[at + j] * forget[j] * (1 - forget[j]);
      to_candidate[j] = cell * in[j] * (1 - candidate[j] * candidate[j]);
      to_out[j] = from_hidden * squashed * out[j] * (1 - out[j]);
      cell_gradient[at + j] = cell * forget[j];
    }
  }
}

RCF_DISPATCH void lstm_adam_step(
    float *restrict weights, const float *restrict gradient, float *restrict first, float *restrict second,
    size_t count, const lstm_adam *step) {
  const lstm_adam s = *step;
  for (size_t i = 0; i < count; i++) {
    const float slope = gradient[i] * s.gradient_factor + s.weight_decay * weights[i];
    first[i] = s.first_decay * first[i] + (1 - s.first_decay) * slope;
    second[i] = s.second_decay * second[i] + (1 - s.second_decay) * slope * slope;
    weights[i] -= s.rate * first[i] / (__builtin_elementwise_sqrt(second[i] * s.second_correction) + s.epsilon);
  }
}

RCF_DISPATCH void lstm_average(float *restrict average, const float *restrict weights, size_t count, float share) {
  for (size_t i = 0; i < count; i++) average[i] += share * (weights[i] - average[i]);
}
