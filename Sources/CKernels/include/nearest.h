#ifndef CKERNELS_NEAREST_H
#define CKERNELS_NEAREST_H

#include <stddef.h>
#include <stdint.h>

/// Centres of a panel; the lanes behind the last centre have infinite norms.
#define KM_LANES 16

/// Finds the centre nearest to each row: the one with the least |c|² / 2 - x·c, the first of several in a lane.
///
/// Panel p holds, feature after feature, the values of centres 16 p ... 16 p + 15. `nearest` takes the centre,
/// `least` the value; `second` takes the least value of the other centres unless it is null. Products may be
/// contracted: the last bits depend on the CPU.
void km_nearest(
    const float *rows, size_t count, size_t dimensions, const float *panels, const float *half_norms,
    size_t panel_count, uint32_t *nearest, float *least, float *second);

/// Writes the rows less `shift`.
void km_shift(const float *rows, size_t count, size_t dimensions, const float *shift, float *shifted);

/// Adds each row to the sums and counts of its centre and returns the sum of its squared distances from it.
double km_accumulate(
    const float *rows, size_t count, size_t dimensions, const float *centres, const uint32_t *nearest,
    double *sums, double *counts);

/// Lowers each `least` to the squared distance of its row from `centre`, where that is less.
void km_approach(
    const float *rows, size_t count, size_t dimensions, const float *centre, float *least);

/// The sum over the rows of weight × the least of `least` and the squared distance from `centre`.
double km_potential(
    const float *rows, size_t count, size_t dimensions, const float *centre, const float *weights,
    const float *least);

/// What is known of rows by the triangle inequality: upper bounds of the distance to the own centre, lower bounds of
/// that to any other.
typedef struct {
  float *upper, *lower;
  uint32_t *own;
} km_bounds;

/// Bounds of rows just assigned, made wider by what rounding may have cost. Row r goes to entry `entries[r]`, or
/// r if that is null. Returns the sum of the squares of all rows' lengths.
double km_set_bounds(
    const float *rows, size_t count, size_t dimensions, const float *least, const float *second,
    const uint32_t *entries, km_bounds bounds);

/// Moves the bounds of `count` entries with the centres and writes which rows need their distances computed.
///
/// Centre c moved by `moves[c]`; any but `farthest` by `next` at most, that one by `way`; half the distance of c from
/// its nearest neighbour is `margins[c]`. Returns how many rows were written to `doubtful`.
size_t km_review(
    km_bounds bounds, size_t count, const float *moves, const float *margins, uint32_t farthest, float way, float next,
    uint32_t *doubtful);

/// The index of the first value that is not finite or is beyond `limit`, or `count`.
size_t km_first_unusable(const float *values, size_t count, float limit);

/// Writes the rows less `shift` as doubles, `stride` apart, and adds them to `sums`. What lies between the
/// features and the stride is left alone.
void km_widen(
    const float *rows, size_t count, size_t dimensions, const float *shift, size_t stride, double *widened,
    double *sums);

/// Adds rowsᵀ rows to `products`, `stride` × `stride`, a multiple of 16; of the lower triangle only what shares a
/// block with the diagonal is meaningful.
void km_products(const double *rows, size_t count, size_t stride, double *products);

#endif
