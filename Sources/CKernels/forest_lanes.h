// Vector arithmetic that gives the same bits on every CPU: sixteen virtual lanes, one order of reduction, no
// contraction. Wider registers come by run-time dispatch of the functions marked RCF_DISPATCH.
#ifndef FOREST_LANES_H
#define FOREST_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "forest.h"

#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__) && defined(__linux__)
#define RCF_DISPATCH __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RCF_DISPATCH
#endif
#define RCF_INLINE static inline __attribute__((always_inline))

typedef float v16 __attribute__((vector_size(64), aligned(4)));
typedef float v8 __attribute__((vector_size(32), aligned(4)));
typedef float v4 __attribute__((vector_size(16), aligned(4)));
typedef int32_t i16 __attribute__((vector_size(64), aligned(4)));
typedef int32_t i8 __attribute__((vector_size(32), aligned(4)));
typedef int32_t i4 __attribute__((vector_size(16), aligned(4)));
typedef double d4 __attribute__((vector_size(32), aligned(8)));
typedef float v2 __attribute__((vector_size(8), aligned(4)));

// Vectors of any width pass through memory, never by value, so that no ABI depends on the CPU.
#define LOAD(type, pointer) (*(const type *)(pointer))
#define STORE(type, pointer, value) (*(type *)(pointer) = (value))

RCF_INLINE float sum4(const v4 *a) {
  v2 low = __builtin_shufflevector(*a, *a, 0, 1) + __builtin_shufflevector(*a, *a, 2, 3);
  return low[0] + low[1];
}

RCF_INLINE float sum8(const v8 *a) {
  v4 low = __builtin_shufflevector(*a, *a, 0, 1, 2, 3) + __builtin_shufflevector(*a, *a, 4, 5, 6, 7);
  return sum4(&low);
}

RCF_INLINE float sum16(const v16 *a) {
  v8 low = __builtin_shufflevector(*a, *a, 0, 1, 2, 3, 4, 5, 6, 7) +
           __builtin_shufflevector(*a, *a, 8, 9, 10, 11, 12, 13, 14, 15);
  return sum8(&low);
}

// The larger of each pair. The builtin would also say what is larger than no number, which takes three more steps.
RCF_INLINE void larger16(v16 *a, const v16 *b) {
  const i16 keep = *a > *b;
  *a = (v16)(((i16)*a & keep) | ((i16)*b & ~keep));
}

RCF_INLINE void larger8(v8 *a, const v8 *b) {
  const i8 keep = *a > *b;
  *a = (v8)(((i8)*a & keep) | ((i8)*b & ~keep));
}

// Adds up how far the query lies outside a box of more than 16 lanes, in sixteen sums. A coordinate lies above the box
// or under it, never both.
RCF_INLINE void add_gaps(const float *query, const float *box, uint32_t half, v16 *total) {
  uint32_t i = 0;
  for (; i + 16 <= half; i += 16) {
    v16 gap = LOAD(v16, query + i) - LOAD(v16, box + i);
    const v16 under = LOAD(v16, query + half + i) - LOAD(v16, box + half + i);
    larger16(&gap, &under);
    *total += __builtin_elementwise_max(gap, (v16){0});
  }
  if (i < half) {
    v8 gap = LOAD(v8, query + i) - LOAD(v8, box + i);
    const v8 under = LOAD(v8, query + half + i) - LOAD(v8, box + half + i);
    larger8(&gap, &under);
    gap = __builtin_elementwise_max(gap, (v8){0});
    *total += __builtin_shufflevector(gap, (v8){0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
}

// How far the query lies outside the box, summed over the lanes.
RCF_INLINE float gap_sum(const float *query, const float *box, uint32_t lanes) {
  if (lanes == 4) {
    v4 gap = __builtin_elementwise_max(LOAD(v4, query) - LOAD(v4, box), (v4){0});
    return sum4(&gap);
  }
  if (lanes == 8) {
    v8 gap = __builtin_elementwise_max(LOAD(v8, query) - LOAD(v8, box), (v8){0});
    return sum8(&gap);
  }
  v16 total = {0};
  if (lanes == 16)
    total = __builtin_elementwise_max(LOAD(v16, query) - LOAD(v16, box), (v16){0});
  else
    add_gaps(query, box, lanes / 2, &total);
  return sum16(&total);
}

// The first steps of the reduction, down to four sums.
RCF_INLINE void gap_quarters(const float *query, const float *box, uint32_t lanes, v4 *sums) {
  if (lanes == 4) {
    *sums = __builtin_elementwise_max(LOAD(v4, query) - LOAD(v4, box), (v4){0});
    return;
  }
  v8 gap;
  if (lanes == 8) {
    gap = __builtin_elementwise_max(LOAD(v8, query) - LOAD(v8, box), (v8){0});
  } else {
    v16 wide = {0};
    if (lanes == 16)
      wide = __builtin_elementwise_max(LOAD(v16, query) - LOAD(v16, box), (v16){0});
    else
      add_gaps(query, box, lanes / 2, &wide);
    gap = __builtin_shufflevector(wide, wide, 0, 1, 2, 3, 4, 5, 6, 7) +
          __builtin_shufflevector(wide, wide, 8, 9, 10, 11, 12, 13, 14, 15);
  }
  *sums = __builtin_shufflevector(gap, gap, 0, 1, 2, 3) + __builtin_shufflevector(gap, gap, 4, 5, 6, 7);
}

// Four times gap_sum with one reduction for all: the same sums in the same order.
RCF_INLINE void gap_sums4(const float *query, const float *const *boxes, uint32_t lanes, v4 *gaps) {
  v4 a, b, c, d;
  gap_quarters(query, boxes[0], lanes, &a);
  gap_quarters(query, boxes[1], lanes, &b);
  gap_quarters(query, boxes[2], lanes, &c);
  gap_quarters(query, boxes[3], lanes, &d);
  v4 ab = __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
  v4 cd = __builtin_shufflevector(c, d, 0, 1, 4, 5) + __builtin_shufflevector(c, d, 2, 3, 6, 7);
  *gaps = __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
}

// The sum of the sides of the box.
RCF_INLINE float range_sum(const float *box, uint32_t lanes) {
  const uint32_t half = lanes / 2;
  if (lanes == 4) {
    v2 side = LOAD(v2, box) + LOAD(v2, box + 2);
    return side[0] + side[1];
  }
  if (lanes == 8) {
    v4 side = LOAD(v4, box) + LOAD(v4, box + 4);
    return sum4(&side);
  }
  if (lanes == 16) {
    v8 side = LOAD(v8, box) + LOAD(v8, box + 8);
    return sum8(&side);
  }
  v16 total = {0};
  uint32_t i = 0;
  for (; i + 16 <= half; i += 16) total += LOAD(v16, box + i) + LOAD(v16, box + half + i);
  if (i < half) {
    v8 rest = LOAD(v8, box + i) + LOAD(v8, box + half + i);
    total += __builtin_shufflevector(rest, (v8){0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
  return sum16(&total);
}

// target = max(a, b), lane by lane. Returns whether it differs from what stood in the target.
RCF_INLINE int maximum(float *target, const float *a, const float *b, uint32_t lanes) {
  int changed = 0;
  for (uint32_t i = 0; i < lanes; i++) {
    float larger = a[i] > b[i] ? a[i] : b[i];
    changed |= larger != target[i];
    target[i] = larger;
  }
  return changed;
}

// The same for more than 16 lanes, with the sum of the sides; bits count as differing, not values.
RCF_INLINE float unite_wide(float *target, const float *a, const float *b, uint32_t half, int *changed) {
  v16 total = {0};
  i16 differs = {0};
  uint32_t i = 0;
  for (; i + 16 <= half; i += 16) {
    v16 high = LOAD(v16, a + i), low = LOAD(v16, a + half + i);
    const v16 other_high = LOAD(v16, b + i), other_low = LOAD(v16, b + half + i);
    larger16(&high, &other_high);
    larger16(&low, &other_low);
    differs |= (i16)high ^ LOAD(i16, target + i);
    differs |= (i16)low ^ LOAD(i16, target + half + i);
    STORE(v16, target + i, high);
    STORE(v16, target + half + i, low);
    total += high + low;
  }
  if (i < half) {
    v8 high = LOAD(v8, a + i), low = LOAD(v8, a + half + i);
    const v8 other_high = LOAD(v8, b + i), other_low = LOAD(v8, b + half + i);
    larger8(&high, &other_high);
    larger8(&low, &other_low);
    const i8 rest = ((i8)high ^ LOAD(i8, target + i)) | ((i8)low ^ LOAD(i8, target + half + i));
    differs |= __builtin_shufflevector(rest, (i8){0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    STORE(v8, target + i, high);
    STORE(v8, target + half + i, low);
    const v8 side = high + low;
    total += __builtin_shufflevector(side, (v8){0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
  *changed = __builtin_reduce_or(differs) != 0;
  return sum16(&total);
}

// Whether the query lies inside the box and touches none of its sides; 4, 8 or 16 lanes.
RCF_INLINE int strictly_inside(const float *query, const float *box, uint32_t lanes) {
  if (lanes == 4) {
    const i4 touches = LOAD(v4, query) >= LOAD(v4, box);
    return __builtin_reduce_or(touches) == 0;
  }
  if (lanes == 8) {
    const i8 touches = LOAD(v8, query) >= LOAD(v8, box);
    return __builtin_reduce_or(touches) == 0;
  }
  const i16 touches = LOAD(v16, query) >= LOAD(v16, box);
  return __builtin_reduce_or(touches) == 0;
}

// The lanes of a point: `padding` is 0 for a box, -1 for a query.
RCF_INLINE void point_lanes(
    const float *point, uint32_t dimensions, uint32_t lanes, float padding, float *target) {
  const uint32_t half = lanes / 2;
  for (uint32_t i = 0; i < dimensions; i++) {
    target[i] = point[i];
    target[half + i] = -point[i];
  }
  for (uint32_t i = dimensions; i < half; i++) target[i] = target[half + i] = padding;
}

RCF_INLINE uint32_t position_of(const rcf_forest *f, uint32_t tree, uint32_t entry) {
  const size_t index = (size_t)tree * f->capacity + entry;
  return f->wide ? ((const uint32_t *)f->points)[index] : ((const uint16_t *)f->points)[index];
}

RCF_INLINE void set_position(const rcf_forest *f, uint32_t tree, uint32_t entry, uint32_t position) {
  const size_t index = (size_t)tree * f->capacity + entry;
  if (f->wide)
    ((uint32_t *)f->points)[index] = position;
  else
    ((uint16_t *)f->points)[index] = (uint16_t)position;
}

RCF_INLINE const float *stored_point(const rcf_forest *f, uint32_t tree, uint32_t entry) {
  return f->store + (size_t)position_of(f, tree, entry) * f->block;
}

RCF_INLINE int is_leaf(uint32_t reference) { return (reference & RCF_LEAF) != 0; }
RCF_INLINE uint32_t entry_of(uint32_t reference) { return reference & (RCF_LEAF - 1); }

// The child that the query goes to: an address in place of a branch, because cuts are not predictable.
RCF_INLINE uint32_t child_of(const rcf_node *node, const float *query) {
  const size_t right = query[node->dimension] > node->cut;
  uint16_t child;
  memcpy(&child, (const char *)node + offsetof(rcf_node, left) + right * sizeof child, sizeof child);
  return child;
}

#endif
