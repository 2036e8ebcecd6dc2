// Insertion and deletion of points. Boxes are exact unions at every moment, so that a tree rebuilt from its points
// has the same boxes, bit for bit.
#include "forest_descent.h"

// SplitMix64; a tree owns its generator.
RCF_INLINE double uniform(rcf_tree *tree) {
  uint64_t z = tree->random += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

// The greatest float below x.
RCF_INLINE float below(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  bits = x > 0 ? bits - 1 : x < 0 ? bits + 1 : 0x80000001u;
  memcpy(&x, &bits, 4);
  return x;
}

// The cut that lies `distance` into the gaps between query and box. A coordinate is gapped on one side at most.
RCF_INLINE rcf_node cut_in_gap(
    const float *query, const float *box, uint32_t dimensions, uint32_t half, double distance,
    int *query_is_right) {
  // Eight coordinates at a time as long as the cut lies beyond them; the last gap found takes what rounding leaves.
  uint32_t start = 0;
  if (half >= 16)
    for (; start + 8 < dimensions; start += 8) {
      v8 above = LOAD(v8, query + start) - LOAD(v8, box + start);
      v8 under = LOAD(v8, query + half + start) - LOAD(v8, box + half + start);
      v8 gap = __builtin_elementwise_max(__builtin_elementwise_max(above, under), (v8){0});
      const double sum = (double)sum8(&gap);
      if (distance < sum) break;
      distance -= sum;
    }
  uint32_t chosen = dimensions;
  for (uint32_t i = start; i < dimensions; i++) {
    const float above = query[i] - box[i], under = query[half + i] - box[half + i];
    const float gap = above > 0 ? above : under;
    if (!(gap > 0)) continue;
    chosen = i;
    if (distance < (double)gap) break;
    distance -= (double)gap;
  }
  for (uint32_t i = start; chosen == dimensions; i--)
    if (query[i] > box[i] || query[half + i] > box[half + i]) chosen = i;
  *query_is_right = query[chosen] > box[chosen];
  const float low = *query_is_right ? box[chosen] : query[chosen];
  const float high = *query_is_right ? query[chosen] : -box[half + chosen];
  float cut = (float)((double)low + distance);
  if (cut < low) cut = low;
  if (cut >= high) cut = below(high);
  return (rcf_node){.cut = cut, .dimension = (uint16_t)chosen};
}

typedef struct {
  const rcf_forest *forest;
  rcf_tree *tree;
  rcf_node *nodes;
  float *boxes, *ranges;  // null where the tree keeps none
  uint32_t number;
} tree_state;

RCF_INLINE tree_state state_of(const rcf_forest *f, uint32_t tree) {
  const size_t first = (size_t)tree * f->capacity;
  tree_state state = {f, f->trees + tree, f->nodes + first, f->scratch_boxes, f->scratch_ranges, tree};
  if (tree < f->boxed_trees) {
    state.boxes = f->boxes + first * f->lanes;
    state.ranges = f->ranges + first;
  }
  return state;
}

RCF_INLINE uint16_t take_node(tree_state *s) {
  const uint16_t free = s->tree->free_node;
  if (free == RCF_NONE) return s->tree->node_limit++;
  s->tree->free_node = s->nodes[free].left;
  return free;
}

// target = max(box, query), and the sum of its sides.
RCF_INLINE void grow(float *target, float *range, const float *box, const float *query, uint32_t lanes) {
  int changed;
  if (lanes > 16) {
    *range = unite_wide(target, box, query, lanes / 2, &changed);
    return;
  }
  maximum(target, box, query, lanes);
  *range = range_sum(target, lanes);
}

// Puts a new inner node with `cut` where `link` points, above what was there.
RCF_INLINE void splice(
    tree_state *s, uint16_t *link, rcf_node cut, int query_is_right, uint32_t mass, uint32_t entry,
    const float *query, const float *box, uint32_t lanes) {
  const uint16_t below_it = *link, leaf = (uint16_t)(RCF_LEAF | entry);
  const uint16_t node = take_node(s);
  cut.left = query_is_right ? below_it : leaf;
  cut.right = query_is_right ? leaf : below_it;
  cut.left_mass = query_is_right ? (uint16_t)mass : 1;
  s->nodes[node] = cut;
  *link = node;
  grow(s->boxes + (size_t)node * lanes, s->ranges + node, box, query, lanes);
}

// The box of a child: its own, or its point's in `leaf`.
RCF_INLINE const float *child_box(
    const rcf_forest *f, uint32_t tree, const float *boxes, uint32_t reference, uint32_t lanes,
    float *leaf) {
  if (!is_leaf(reference)) return boxes + (size_t)reference * lanes;
  point_lanes(stored_point(f, tree, entry_of(reference)), f->dimensions, lanes, 0, leaf);
  return leaf;
}

// Whether the box of the node changed.
RCF_INLINE int unite(
    const rcf_forest *f, uint32_t tree, float *boxes, float *ranges, const rcf_node *nodes, uint32_t node,
    uint32_t lanes) {
  float *left = f->lane_scratch + lanes, *right = f->lane_scratch + 2 * lanes;
  const float *a = child_box(f, tree, boxes, nodes[node].left, lanes, left);
  const float *b = child_box(f, tree, boxes, nodes[node].right, lanes, right);
  float *box = boxes + (size_t)node * lanes;
  int changed;
  if (lanes > 16) {
    ranges[node] = unite_wide(box, a, b, lanes / 2, &changed);
    return changed;
  }
  changed = maximum(box, a, b, lanes);
  if (changed) ranges[node] = range_sum(box, lanes);
  return changed;
}

RCF_DISPATCH void rcf_rebuild(const rcf_forest *f, uint32_t tree, float *boxes, float *ranges) {
  const rcf_node *nodes = f->nodes + (size_t)tree * f->capacity;
  uint16_t *order = f->order;
  const uint32_t root = f->trees[tree].root;
  if (root == RCF_NONE || is_leaf(root)) return;
  uint32_t count = 0;
  order[count++] = (uint16_t)root;
  for (uint32_t next = 0; next < count; next++) {
    const rcf_node *node = nodes + order[next];
    if (!is_leaf(node->left)) order[count++] = node->left;
    if (!is_leaf(node->right)) order[count++] = node->right;
  }
  const uint32_t lanes = f->lanes;
  while (count-- > 0) {
    const uint32_t node = order[count];
    unite(f, tree, boxes, ranges, nodes, node, lanes);
    ranges[node] = range_sum(boxes + (size_t)node * lanes, lanes);
  }
}

// From the root along the way of the query: at each box it is separated with probability gap / (range + gap), by a cut
// uniform in the gaps; else the box grows to hold it and the walk goes on. The same distribution as drawing a cut at
// every level from the leaf up and keeping the highest that separates.
RCF_INLINE int32_t insert(
    tree_state *s, const float *query, uint32_t entry, uint32_t position, const uint16_t *path,
    uint32_t lanes) {
  const rcf_forest *f = s->forest;
  const uint32_t half = lanes / 2;
  uint16_t *link = &s->tree->root;
  uint32_t mass = s->tree->mass++;
  set_position(f, s->number, entry, position);
  if (mass == 0) {
    *link = (uint16_t)(RCF_LEAF | entry);
    return -1;
  }
  float *leaf_box = f->lane_scratch;
  int query_is_right = 0;
  for (;; path += RCF_LOCKSTEP) {
    const uint32_t reference = *path;
    if (is_leaf(reference)) {
      const uint32_t other = entry_of(reference);
      point_lanes(stored_point(f, s->number, other), f->dimensions, lanes, 0, leaf_box);
      const float gap = gap_sum(query, leaf_box, lanes);
      if (gap == 0) {
        set_position(f, s->number, entry, position_of(f, s->number, other));
        return (int32_t)other;
      }
      const double distance = uniform(s->tree) * (double)gap;
      const rcf_node cut = cut_in_gap(query, leaf_box, f->dimensions, half, distance, &query_is_right);
      splice(s, link, cut, query_is_right, mass, entry, query, leaf_box, lanes);
      return -1;
    }
    float *box = s->boxes + (size_t)reference * lanes;
    const float gap = gap_sum(query, box, lanes);
    if (gap > 0) {
      const double distance = uniform(s->tree) * ((double)s->ranges[reference] + (double)gap);
      if (distance < (double)gap) {
        const rcf_node cut = cut_in_gap(query, box, f->dimensions, half, distance, &query_is_right);
        splice(s, link, cut, query_is_right, mass, entry, query, box, lanes);
        return -1;
      }
      grow(box, s->ranges + reference, box, query, lanes);
    }
    rcf_node *node = s->nodes + reference;
    const int right = path[RCF_LOCKSTEP] != node->left;
    mass = right ? mass - node->left_mass : node->left_mass;
    node->left_mass += !right;
    link = right ? &node->right : &node->left;
  }
}

// Takes a point that left the node out of its box. Only the sides that the point touched can move; a box that does
// not change changes none above it. Returns whether it did.
RCF_INLINE int shrink(tree_state *s, const float *query, uint32_t number, uint32_t lanes) {
  const rcf_forest *f = s->forest;
  float *box = s->boxes + (size_t)number * lanes;
  // A large box is touched somewhere nearly always.
  if (lanes <= 16 && strictly_inside(query, box, lanes)) return 0;
  return unite(f, s->number, s->boxes, s->ranges, s->nodes, number, lanes);
}

// Gives the leaf's own entry a twin's key, so that the twin's entry is the one that becomes free.
RCF_INLINE uint32_t trade_places(const rcf_forest *f, uint32_t tree, uint32_t entry) {
  float *keys = f->keys + (size_t)tree * f->capacity;
  const uint32_t position = position_of(f, tree, entry), count = f->trees[tree].mass + 1;
  for (uint32_t other = 0; other < count; other++)
    if (other != entry && position_of(f, tree, other) == position) {
      const float key = keys[other];
      keys[other] = keys[entry];
      keys[entry] = key;
      return other;
    }
  return entry;
}

// The inner node that a deletion took out, its level, and what stands in its place.
typedef struct {
  uint32_t node, level, leaf, remaining;
} removal;

// Removes one copy of the point of an entry and returns the entry that became free; `gone` names the node that went
// with it, or none where copies stay.
RCF_INLINE uint32_t delete(
    tree_state *s, uint32_t entry, const uint16_t *path, removal *gone, uint32_t lanes, int boxed) {
  const rcf_forest *f = s->forest;
  rcf_node *nodes = s->nodes;
  uint32_t mass = s->tree->mass--, depth = 0;
  for (; !is_leaf(path[depth * RCF_LOCKSTEP]); depth++) {
    rcf_node *node = nodes + path[depth * RCF_LOCKSTEP];
    const int left = path[(depth + 1) * RCF_LOCKSTEP] == node->left;
    mass = left ? node->left_mass : mass - node->left_mass;
    node->left_mass -= left;
  }
  const uint16_t leaf = path[depth * RCF_LOCKSTEP];
  *gone = (removal){.node = RCF_NONE, .leaf = leaf};
  if (mass > 1) return entry_of(leaf) == entry ? trade_places(f, s->number, entry) : entry;
  if (depth == 0) {
    s->tree->root = RCF_NONE;
    return entry;
  }
  const uint16_t parent = path[(depth - 1) * RCF_LOCKSTEP];
  const uint16_t sibling = nodes[parent].left == leaf ? nodes[parent].right : nodes[parent].left;
  *gone = (removal){parent, depth - 1, leaf, sibling};
  if (depth == 1) {
    s->tree->root = sibling;
  } else {
    rcf_node *above = nodes + path[(depth - 2) * RCF_LOCKSTEP];
    if (above->left == parent) above->left = sibling;
    else above->right = sibling;
  }
  nodes[parent].left = s->tree->free_node;
  s->tree->free_node = parent;
  if (!boxed) return entry;
  float *query = f->lane_scratch + 3 * lanes;
  if (lanes <= 16)
    point_lanes(stored_point(f, s->number, entry), f->dimensions, lanes, -1, query);
  for (uint32_t level = depth - 1; level-- > 0;)
    if (!shrink(s, query, path[level * RCF_LOCKSTEP], lanes)) break;
  return entry;
}

// Takes the node that is gone out of a way through it. A shorter way has its leaf at that level, because it was found
// together with the departing point's.
RCF_INLINE void lead_around(const tree_state *s, uint16_t *path, const removal *gone, const float *query) {
  path += (size_t)gone->level * RCF_LOCKSTEP;
  if (*path != gone->node) return;
  if (path[RCF_LOCKSTEP] != gone->leaf) {
    do {
      path[0] = path[RCF_LOCKSTEP];
      path += RCF_LOCKSTEP;
    } while (!is_leaf(path[-RCF_LOCKSTEP]));
    return;
  }
  uint32_t reference = gone->remaining;
  for (; !is_leaf(reference); path += RCF_LOCKSTEP) {
    *path = (uint16_t)reference;
    reference = child_of(s->nodes + reference, query);
  }
  *path = (uint16_t)reference;
}

RCF_INLINE uint32_t replace(
    const rcf_forest *f, uint32_t tree, uint32_t leaving, const float *query, uint32_t position, float key,
    const rcf_walk *walk, uint32_t lanes) {
  tree_state state = state_of(f, tree);
  removal gone;
  const int boxed = tree < f->boxed_trees;
  const uint32_t total = state.tree->mass;
  const uint32_t entry = delete(&state, leaving, walk->departure, &gone, lanes, boxed);
  if (gone.node != RCF_NONE) lead_around(&state, walk->arrival, &gone, query);
  if (!boxed) rcf_rebuild(f, tree, f->scratch_boxes, f->scratch_ranges);
  const int32_t joined = insert(&state, query, entry, position, walk->arrival, lanes);
  f->keys[(size_t)tree * f->capacity + entry] = key;
  return (gone.node != RCF_NONE || total == 1 ? RCF_LEFT : 0) | (joined < 0 ? 0 : RCF_JOINED);
}

RCF_DISPATCH uint32_t rcf_replace(
    const rcf_forest *f, uint32_t tree, uint32_t leaving, const float *query, uint32_t position, float key,
    const rcf_walk *walk) {
  switch (f->lanes) {
    case 4: return replace(f, tree, leaving, query, position, key, walk, 4);
    case 8: return replace(f, tree, leaving, query, position, key, walk, 8);
    case 16: return replace(f, tree, leaving, query, position, key, walk, 16);
    case 96: return replace(f, tree, leaving, query, position, key, walk, 96);
    case 192: return replace(f, tree, leaving, query, position, key, walk, 192);
    default: return replace(f, tree, leaving, query, position, key, walk, f->lanes);
  }
}

RCF_DISPATCH int32_t rcf_insert(
    const rcf_forest *f, uint32_t tree, const float *query, uint32_t entry, uint32_t position) {
  tree_state state = state_of(f, tree);
  if (tree >= f->boxed_trees) rcf_rebuild(f, tree, f->scratch_boxes, f->scratch_ranges);
  uint16_t *path = f->due_paths;
  uint32_t reference = state.tree->root;
  for (; !is_leaf(reference); path += RCF_LOCKSTEP) {
    *path = (uint16_t)reference;
    reference = child_of(state.nodes + reference, query);
  }
  *path = (uint16_t)reference;
  return insert(&state, query, entry, position, f->due_paths, f->lanes);
}

void rcf_find_walks(
    const rcf_forest *f, const uint16_t *trees, uint32_t count, const uint16_t *leaving, const float *query,
    rcf_walk *walks) {
  descents d;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t tree = trees[i];
    d.nodes[2 * i] = d.nodes[2 * i + 1] = f->nodes + (size_t)tree * f->capacity;
    d.roots[2 * i] = d.roots[2 * i + 1] = f->trees[tree].root;
    d.queries[2 * i] = stored_point(f, tree, leaving[tree]);
    d.queries[2 * i + 1] = query;
    walks[i] = (rcf_walk){f->due_paths + 2 * i, f->due_paths + 2 * i + 1};
  }
  fill_up(&d, 2 * count);
  descend(&d, f->due_paths, 2 * count, 0);
}

// The order of the entries is not part of the state of a forest, so it must not break ties.
static uint32_t greatest_point(const rcf_forest *f, uint32_t tree, float key) {
  const float *keys = f->keys + (size_t)tree * f->capacity;
  const uint32_t count = f->trees[tree].mass;
  uint32_t last = count;
  for (uint32_t i = 0; i < count; i++) {
    if (keys[i] != key) continue;
    if (last < count) {
      const float *a = stored_point(f, tree, i), *b = stored_point(f, tree, last);
      uint32_t j = 0;
      while (j < f->dimensions && a[j] == b[j]) j++;
      if (j == f->dimensions || a[j] < b[j]) continue;
    }
    last = i;
  }
  return last;
}

RCF_DISPATCH uint32_t rcf_last_entry(const rcf_forest *f, uint32_t tree) {
  const float *keys = f->keys + (size_t)tree * f->capacity;
  const uint32_t count = f->trees[tree].mass, whole = count & ~15u;
  float most = keys[0];
  if (whole > 0) {
    v16 largest = LOAD(v16, keys);
    for (uint32_t i = 16; i < whole; i += 16)
      largest = __builtin_elementwise_max(largest, LOAD(v16, keys + i));
    most = __builtin_reduce_max(largest);
  }
  for (uint32_t i = whole; i < count; i++) most = keys[i] > most ? keys[i] : most;
  i16 equal = {0}, where = {0}, here = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  for (uint32_t i = 0; i < whole; i += 16) {
    const i16 match = LOAD(v16, keys + i) == most;
    equal -= match;
    where |= match & here;
    here += 16;
  }
  uint32_t found = (uint32_t)__builtin_reduce_add(equal);
  uint32_t last = (uint32_t)__builtin_reduce_or(where);
  for (uint32_t i = whole; i < count; i++)
    if (keys[i] == most) {
      found++;
      last = i;
    }
  return found == 1 ? last : greatest_point(f, tree, most);
}

void rcf_query(const rcf_forest *f, const float *point, float *query) {
  point_lanes(point, f->dimensions, f->lanes, -1, query);
}
