// Distances from rows to centres: tiles of rows against panels of centres, kept in registers.
#include "nearest.h"

#include <math.h>

#if defined(__x86_64__) && defined(__linux__)
#define KM_DISPATCH \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), min_vector_width(512)))
#else
#define KM_DISPATCH
#endif
#define KM_INLINE static inline __attribute__((always_inline))
#define KM_TILE 8

typedef float lanes __attribute__((ext_vector_type(16), aligned(4)));
typedef int32_t marks __attribute__((ext_vector_type(16), aligned(4)));

typedef struct {
  lanes least[KM_TILE], second[KM_TILE];
  marks centre[KM_TILE];
} tile;

KM_INLINE void keep(tile *t, size_t row, const lanes *value, const marks *centre, int with_second) {
  const marks closer = *value < t->least[row];
  if (with_second) {
    // The larger of the two values that could be least is the smallest of the others, or not.
    const lanes other = closer ? t->least[row] : *value;
    t->second[row] = other < t->second[row] ? other : t->second[row];
  }
  t->least[row] = closer ? *value : t->least[row];
  t->centre[row] = closer ? *centre : t->centre[row];
}

KM_INLINE void reduce(
    const tile *t, size_t row, int with_second, uint32_t *nearest, float *least, float *second) {
  float best = t->least[row][0], other = INFINITY;
  int32_t centre = t->centre[row][0];
  for (int lane = 1; lane < KM_LANES; lane++) {
    const float value = t->least[row][lane];
    if (value < best) {
      other = best;
      best = value;
      centre = t->centre[row][lane];
    } else if (value < other) {
      other = value;
    }
  }
  *nearest = (uint32_t)centre;
  *least = best;
  if (with_second) {
    for (int lane = 0; lane < KM_LANES; lane++) {
      if (t->second[row][lane] < other) other = t->second[row][lane];
    }
    *second = other;
  }
}

// `rows` and `panels` are compile-time constants: all sums stay in registers.
KM_INLINE void against(
    tile *t, const float *x, size_t row_count, size_t d, const float *panel, const float *norms, size_t panels,
    size_t first, int with_second) {
  lanes sums[3][KM_TILE];
  for (size_t p = 0; p < panels; p++) {
    for (size_t r = 0; r < row_count; r++) sums[p][r] = *(const lanes *)(norms + p * KM_LANES);
  }
  for (size_t j = 0; j < d; j++) {
    lanes centre[3];
    for (size_t p = 0; p < panels; p++) centre[p] = *(const lanes *)(panel + (p * d + j) * KM_LANES);
    for (size_t r = 0; r < row_count; r++) {
      const float value = x[r * d + j];
      for (size_t p = 0; p < panels; p++) sums[p][r] -= value * centre[p];
    }
  }
  for (size_t p = 0; p < panels; p++) {
    const int32_t base = (int32_t)((first + p) * KM_LANES);
    const marks index = {base, base + 1, base + 2, base + 3, base + 4, base + 5, base + 6, base + 7,
        base + 8, base + 9, base + 10, base + 11, base + 12, base + 13, base + 14, base + 15};
    for (size_t r = 0; r < row_count; r++) keep(t, r, &sums[p][r], &index, with_second);
  }
}

KM_INLINE void nearest_of(
    const float *x, size_t row_count, size_t d, const float *panels, const float *norms, size_t panel_count,
    int with_second, uint32_t *nearest, float *least, float *second) {
  tile t;
  for (size_t r = 0; r < row_count; r++) {
    t.least[r] = t.second[r] = (lanes)INFINITY;
    t.centre[r] = (marks)0;
  }
  size_t p = 0;
  for (; p + 3 <= panel_count; p += 3) {
    against(&t, x, row_count, d, panels + p * d * KM_LANES, norms + p * KM_LANES, 3, p, with_second);
  }
  for (; p < panel_count; p++) {
    against(&t, x, row_count, d, panels + p * d * KM_LANES, norms + p * KM_LANES, 1, p, with_second);
  }
  for (size_t r = 0; r < row_count; r++) {
    reduce(&t, r, with_second, nearest + r, least + r, with_second ? second + r : 0);
  }
}

#pragma clang fp contract(fast)
KM_DISPATCH void km_nearest(
    const float *rows, size_t count, size_t dimensions, const float *panels, const float *half_norms,
    size_t panel_count, uint32_t *nearest, float *least, float *second) {
  size_t r = 0;
  for (; r + KM_TILE <= count; r += KM_TILE) {
    const float *x = rows + r * dimensions;
    if (second) {
      nearest_of(x, KM_TILE, dimensions, panels, half_norms, panel_count, 1, nearest + r, least + r, second + r);
    } else {
      nearest_of(x, KM_TILE, dimensions, panels, half_norms, panel_count, 0, nearest + r, least + r, 0);
    }
  }
  for (; r < count; r++) {
    const float *x = rows + r * dimensions;
    nearest_of(
        x, 1, dimensions, panels, half_norms, panel_count, second != 0, nearest + r, least + r,
        second ? second + r : least + r);
  }
}

KM_DISPATCH void km_shift(
    const float *rows, size_t count, size_t dimensions, const float *shift, float *shifted) {
  for (size_t r = 0; r < count; r++) {
    for (size_t j = 0; j < dimensions; j++) shifted[r * dimensions + j] = rows[r * dimensions + j] - shift[j];
  }
}

KM_DISPATCH double km_accumulate(
    const float *rows, size_t count, size_t dimensions, const float *centres, const uint32_t *nearest,
    double *sums, double *counts) {
  double total = 0;
  for (size_t r = 0; r < count; r++) {
    const float *x = rows + r * dimensions;
    const float *c = centres + nearest[r] * dimensions;
    double *sum = sums + nearest[r] * dimensions;
    float distance = 0;
    {
#pragma clang fp reassociate(on) contract(fast)
      for (size_t j = 0; j < dimensions; j++) {
        const float difference = x[j] - c[j];
        distance += difference * difference;
        sum[j] += (double)x[j];
      }
    }
    total += distance;
    counts[nearest[r]] += 1;
  }
  return total;
}

KM_DISPATCH void km_approach(
    const float *rows, size_t count, size_t dimensions, const float *centre, float *least) {
  for (size_t r = 0; r < count; r++) {
    const float *x = rows + r * dimensions;
    float distance = 0;
    {
#pragma clang fp reassociate(on) contract(fast)
      for (size_t j = 0; j < dimensions; j++) {
        const float difference = x[j] - centre[j];
        distance += difference * difference;
      }
    }
    if (distance < least[r]) least[r] = distance;
  }
}

KM_DISPATCH double km_potential(
    const float *rows, size_t count, size_t dimensions, const float *centre, const float *weights,
    const float *least) {
  double total = 0;
  for (size_t r = 0; r < count; r++) {
    const float *x = rows + r * dimensions;
    float distance = 0;
    {
#pragma clang fp reassociate(on) contract(fast)
      for (size_t j = 0; j < dimensions; j++) {
        const float difference = x[j] - centre[j];
        distance += difference * difference;
      }
    }
    total += (double)weights[r] * (double)(distance < least[r] ? distance : least[r]);
  }
  return total;
}

KM_DISPATCH double km_set_bounds(
    const float *rows, size_t count, size_t dimensions, const float *least, const float *second,
    const uint32_t *entries, km_bounds bounds) {
  double total = 0;
  for (size_t r = 0; r < count; r++) {
    const float *x = rows + r * dimensions;
    float square = 0;
    {
#pragma clang fp reassociate(on) contract(fast)
      for (size_t j = 0; j < dimensions; j++) square += x[j] * x[j];
    }
    total += square;
    const size_t entry = entries ? entries[r] : r;
    const float slack = 8e-7f * (square + __builtin_fabsf(least[r]) + __builtin_fabsf(second[r]));
    const float near = square + 2 * least[r] + slack, far = square + 2 * second[r] - slack;
    bounds.upper[entry] = near > 0 ? __builtin_sqrtf(near) : 0;
    // With one centre alone there is no second, and nothing to doubt.
    bounds.lower[entry] = second[r] == INFINITY ? INFINITY : far > 0 ? __builtin_sqrtf(far) : 0;
  }
  return total;
}

KM_DISPATCH size_t km_review(
    km_bounds bounds, size_t count, const float *moves, const float *margins, uint32_t farthest, float way, float next,
    uint32_t *doubtful) {
  size_t found = 0;
  for (size_t r = 0; r < count; r++) {
    const uint32_t own = bounds.own[r];
    const float near = bounds.upper[r] + moves[own], far = bounds.lower[r] - (own == farthest ? next : way);
    const float margin = margins[own];
    bounds.upper[r] = near;
    bounds.lower[r] = far;
    doubtful[found] = (uint32_t)r;
    found += near > (far > margin ? far : margin);
  }
  return found;
}

KM_DISPATCH size_t km_first_unusable(const float *values, size_t count, float limit) {
  for (size_t start = 0; start < count; start += 4096) {
    const size_t end = count - start < 4096 ? count : start + 4096;
    int bad = 0;
    for (size_t i = start; i < end; i++) bad |= !(__builtin_fabsf(values[i]) <= limit);
    if (!bad) continue;
    for (size_t i = start; i < end; i++) {
      if (!(__builtin_fabsf(values[i]) <= limit)) return i;
    }
  }
  return count;
}

KM_DISPATCH void km_widen(
    const float *rows, size_t count, size_t dimensions, const float *shift, size_t stride, double *widened,
    double *sums) {
  for (size_t r = 0; r < count; r++) {
    const float *x = rows + r * dimensions;
    double *wide = widened + r * stride;
    for (size_t j = 0; j < dimensions; j++) {
      const double value = (double)x[j] - (double)shift[j];
      wide[j] = value;
      sums[j] += value;
    }
  }
}

typedef double wide_lanes __attribute__((ext_vector_type(8), aligned(8)));

KM_DISPATCH void km_products(const double *rows, size_t count, size_t stride, double *products) {
  for (size_t i = 0; i < stride; i += 8) {
    for (size_t j = i / 16 * 16; j < stride; j += 16) {
      wide_lanes sums[8][2];
      for (size_t k = 0; k < 8; k++) sums[k][0] = sums[k][1] = (wide_lanes)0.0;
      for (size_t r = 0; r < count; r++) {
        const double *x = rows + r * stride;
        const wide_lanes low = *(const wide_lanes *)(x + j), high = *(const wide_lanes *)(x + j + 8);
        for (size_t k = 0; k < 8; k++) {
          sums[k][0] += x[i + k] * low;
          sums[k][1] += x[i + k] * high;
        }
      }
      for (size_t k = 0; k < 8; k++) {
        double *target = products + (i + k) * stride + j;
        *(wide_lanes *)target += sums[k][0];
        *(wide_lanes *)(target + 8) += sums[k][1];
      }
    }
  }
}
