#ifndef CKERNELS_LSTM_H
#define CKERNELS_LSTM_H

#include <stddef.h>

// The steps of a long short-term memory and its training. Every result is one fixed sequence of IEEE additions,
// multiplications, divisions and square roots, so that it has the same bits on every CPU.

/// out[r][j] += in[r][0] * weights[0][j] + in[r][1] * weights[1][j] + ... in this order, for `rows` rows.
/// `width`, the number of columns of `weights` and `out`, is a multiple of four.
void lstm_affine(
    const float *in, size_t in_stride, const float *weights, float *out, size_t rows, size_t depth, size_t width);

/// Turns pre-activations into gates in place and moves the cells on. A row of `gates` has the input, forget,
/// candidate and output gates of `cells` cells, one kind after the other.
/// `cell_tanh`, the squashed new cells, may be null; `cell_out` may be `cell_in`.
void lstm_cells(
    float *gates, const float *cell_in, float *cell_out, float *cell_tanh, float *hidden, size_t rows, size_t cells);

/// The way back through `lstm_cells`: `hidden_gradient` and the gradient of the new cells give that of the
/// pre-activations and, in `cell_gradient`, that of the old cells.
void lstm_cells_gradient(
    const float *gates, const float *cell_in, const float *cell_tanh, const float *hidden_gradient,
    float *cell_gradient, float *gate_gradient, size_t rows, size_t cells);

/// What one step of Adam needs beside the arrays.
typedef struct {
  float gradient_factor;  // of clipping
  float weight_decay;
  float rate;  // the learning rate over 1 - first_decay^t
  float first_decay;
  float second_decay;
  float second_correction;  // 1 / (1 - second_decay^t)
  float epsilon;
} lstm_adam;

/// One step of Adam with coupled weight decay.
void lstm_adam_step(
    float *weights, const float *gradient, float *first, float *second, size_t count, const lstm_adam *step);

/// average[i] += share * (weights[i] - average[i])
void lstm_average(float *average, const float *weights, size_t count, float share);

#endif
