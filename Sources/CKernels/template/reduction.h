/// Reductions: rows and columns of numbers to one, by a function of each and a function of two results.

typedef vector (*reduction_map)(vector x, vector center);
typedef vector (*reduction_combine)(vector a, vector b);

static inline vector map_itself(vector x, vector center) {
  (void)center;
  return x;
}

static inline vector map_absolute(vector x, vector center) {
  (void)center;
  return vector_absolute(x);
}

static inline vector map_square(vector x, vector center) {
  (void)center;
  return x * x;
}

static inline vector map_squared_distance(vector x, vector center) {
  return (x - center) * (x - center);
}

static inline vector combine_sum(vector a, vector b) {
  return a + b;
}

static inline vector combine_product(vector a, vector b) {
  return a * b;
}

/// What is not a number wins.
static inline vector combine_maximum(vector a, vector b) {
  return vector_select(a != a, a, vector_maximum(a, b));
}

static inline vector combine_minimum(vector a, vector b) {
  return vector_select(a != a, a, vector_minimum(a, b));
}

/// The lanes of x before `count`, and `otherwise` in the others.
static inline vector vector_keep(vector x, long count, vector otherwise) {
  static const int32_t numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  integers lanes;
  memcpy(&lanes, numbers, sizeof lanes);
  return vector_select(lanes < (int32_t)count, x, otherwise);
}

/// `count` elements at a stride, which is not 1, then zeros.
static inline vector vector_load_apart(const float *x, long stride, long count) {
  float lanes[width] = {0};
  for (long lane = 0; lane < count; lane++) lanes[lane] = x[lane * stride];
  return vector_load(lanes);
}

/// Reduces a row into the lanes of a vector: what is beyond the row counts as `identity`. Long rows are
/// reduced in parts, which keeps the errors of sums small.
static inline __attribute__((always_inline)) vector reduce_row_by(
    reduction_map map, reduction_combine combine, vector identity,
    const float *x, long stride, long count, vector center) {
  enum { part = 256 * width };
  vector total = identity;
  for (; count > 0; count -= part, x += part * stride) {
    vector r0 = identity, r1 = identity, r2 = identity, r3 = identity;
    long end = smaller(part, count), i = 0;
    if (stride == 1) {
      for (; i + 4 * width <= end; i += 4 * width) {
        r0 = combine(r0, map(vector_load(x + i), center));
        r1 = combine(r1, map(vector_load(x + i + width), center));
        r2 = combine(r2, map(vector_load(x + i + 2 * width), center));
        r3 = combine(r3, map(vector_load(x + i + 3 * width), center));
      }
      for (; i + width <= end; i += width) r0 = combine(r0, map(vector_load(x + i), center));
    }
    for (; i < end; i += width) {
      long lanes = smaller(width, end - i);
      vector x_i = stride == 1 ? vector_load_partial(x + i, lanes)
                               : vector_load_apart(x + i * stride, stride, lanes);
      r1 = combine(r1, vector_keep(map(x_i, center), lanes, identity));
    }
    total = combine(total, combine(combine(r0, r1), combine(r2, r3)));
  }
  return total;
}

/// Reduces eight rows of up to a vector of columns.
static inline __attribute__((always_inline)) vector reduce_eight_rows_by(
    reduction_map map, reduction_combine combine, const float *x, long pitch, long lanes, vector center) {
  vector r0 = map(vector_load_up_to(x, lanes), center);
  vector r1 = map(vector_load_up_to(x + pitch, lanes), center);
  vector r2 = map(vector_load_up_to(x + 2 * pitch, lanes), center);
  vector r3 = map(vector_load_up_to(x + 3 * pitch, lanes), center);
  x += 4 * pitch;
  r0 = combine(r0, map(vector_load_up_to(x, lanes), center));
  r1 = combine(r1, map(vector_load_up_to(x + pitch, lanes), center));
  r2 = combine(r2, map(vector_load_up_to(x + 2 * pitch, lanes), center));
  r3 = combine(r3, map(vector_load_up_to(x + 3 * pitch, lanes), center));
  return combine(combine(r0, r1), combine(r2, r3));
}

/// Reduces columns: totals[c] = combine(totals[c], all of x[row, c]). Rows are read as they lie in memory,
/// eight at a time, which also keeps the errors of sums small.
static inline __attribute__((always_inline)) void reduce_columns_by(
    reduction_map map, reduction_combine combine, const float *x, long rows, long pitch, long count,
    const float *centers, float *totals) {
  const vector zero = vector_broadcast(0);
  const long full = count / width * width, lanes = count - full;
  for (; rows >= 8; rows -= 8, x += 8 * pitch) {
    for (long c = 0; c < full; c += width) {
      vector center = centers ? vector_load(centers + c) : zero;
      vector r = reduce_eight_rows_by(map, combine, x + c, pitch, width, center);
      vector_store(totals + c, combine(vector_load(totals + c), r));
    }
    if (lanes > 0) {
      vector center = centers ? vector_load_partial(centers + full, lanes) : zero;
      vector r = reduce_eight_rows_by(map, combine, x + full, pitch, lanes, center);
      vector_store_partial(totals + full, combine(vector_load_partial(totals + full, lanes), r), lanes);
    }
  }
  for (; rows > 0; rows--, x += pitch)
    for (long c = 0; c < count; c += width) {
      long up_to = smaller(width, count - c);
      vector center = centers ? vector_load_partial(centers + c, up_to) : zero;
      vector r = map(vector_load_partial(x + c, up_to), center);
      vector_store_partial(totals + c, combine(vector_load_partial(totals + c, up_to), r), up_to);
    }
}

// ---------------------------------------------------------------------------------------------------
// The kernel

/// How many columns a unit has, and how many are reduced at once where several units are asked for.
enum { reduction_chunk = 128, reduction_columns = 1024 };

/// How a reduction walks.
typedef struct {
  axes kept;     ///< of x, then of y
  axes reduced;  ///< of x
  bool is_vertical;  ///< The last kept axis lies at stride one: whole rows are reduced at once.
  long chunks;
} reduction_plan;

static reduction_plan reduction_plan_make(const prunec_reduction *p) {
  reduction_plan plan;
  plan.kept = axes_make(p->kept_rank, p->kept_shape, 2);
  axes_set(&plan.kept, 0, p->x_kept);
  axes_set(&plan.kept, 1, p->y_strides);
  axes_sort(&plan.kept, 0);
  axes_simplify(&plan.kept, 1);
  plan.reduced = axes_make(p->reduced_rank, p->reduced_shape, 1);
  axes_set(&plan.reduced, 0, p->x_reduced);
  axes_sort(&plan.reduced, 0);
  axes_simplify(&plan.reduced, 1);
  long last = plan.kept.rank - 1, last_reduced = plan.reduced.rank - 1;
  plan.is_vertical = plan.kept.strides[0][last] == 1 && plan.kept.shape[last] > 1
    && (plan.reduced.strides[0][last_reduced] != 1 || plan.reduced.shape[last_reduced] == 1);
  plan.chunks = plan.is_vertical ? parts(plan.kept.shape[last], reduction_chunk) : 1;
  return plan;
}

static long reduction_units(const prunec_reduction *p) {
  reduction_plan plan = reduction_plan_make(p);
  return axes_places(&plan.kept, plan.kept.rank - plan.is_vertical) * plan.chunks;
}

static inline float reduction_finish(prunec_reduction_kind kind, float total, float count) {
  if (kind == prunec_reduce_mean) return total / count;
  return kind == prunec_reduce_l2 ? sqrtf(total) : total;
}

static inline float reduction_of_lanes(reduction_combine combine, vector x) {
  if (combine == combine_sum) return vector_sum(x);
  if (combine == combine_maximum && !integers_any(x != x)) return vector_largest(x);
  if (combine == combine_minimum && !integers_any(x != x)) return vector_smallest(x);
  float lanes[width];
  vector_store(lanes, x);
  vector total = vector_broadcast(lanes[0]);
  for (long lane = 1; lane < width; lane++) total = combine(total, vector_broadcast(lanes[lane]));
  return total[0];
}

static inline __attribute__((always_inline)) void reduction_of_columns(
    reduction_map map, reduction_combine combine, float identity,
    const prunec_reduction *p, const reduction_plan *plan, long begin, long end) {
  const axes *kept = &plan->kept, *reduced = &plan->reduced;
  const long last = kept->rank - 1, y_stride = kept->strides[1][last];
  const long inner = reduced->rank - 1, rows = reduced->shape[inner], row_stride = reduced->strides[0][inner];
  const long outer = axes_places(reduced, inner);
  for (long unit = begin, units; unit < end; unit += units) {
    place to = place_number(kept, last, unit / plan->chunks), from = place_number(reduced, inner, 0);
    const long chunk = unit % plan->chunks, first = chunk * reduction_chunk;
    units = smaller(smaller(plan->chunks - chunk, end - unit), reduction_columns / reduction_chunk);
    const long count = smaller(units * reduction_chunk, kept->shape[last] - first);
    float totals[reduction_columns];
    for (long c = 0; c < count; c++) totals[c] = identity;
    for (long i = 0; i < outer; i++, place_advance(&from, reduced)) {
      const float *x = p->x + to.offsets[0] + first + from.offsets[0];
      reduce_columns_by(map, combine, x, rows, row_stride, count, NULL, totals);
    }
    float *y = p->y + to.offsets[1] + first * y_stride;
    for (long c = 0; c < count; c++)
      y[c * y_stride] = reduction_finish(p->kind, totals[c], (float)(outer * rows));
  }
}

static inline __attribute__((always_inline)) void reduction_of_rows(
    reduction_map map, reduction_combine combine, float identity,
    const prunec_reduction *p, const reduction_plan *plan, long begin, long end) {
  const axes *kept = &plan->kept, *reduced = &plan->reduced;
  const long inner = reduced->rank - 1, length = reduced->shape[inner], stride = reduced->strides[0][inner];
  const long outer = axes_places(reduced, inner);
  const vector nothing = vector_broadcast(identity), zero = vector_broadcast(0);
  // After all places of a reduction comes the first one again.
  place to = place_number(kept, kept->rank, begin), from = place_number(reduced, inner, 0);
  for (long unit = begin; unit < end; unit++, place_advance(&to, kept)) {
    const float *x = p->x + to.offsets[0];
    vector total = nothing;
    for (long i = 0; i < outer; i++, place_advance(&from, reduced)) {
      vector row = reduce_row_by(map, combine, nothing, x + from.offsets[0], stride, length, zero);
      total = combine(total, row);
    }
    float y = reduction_of_lanes(combine, total);
    p->y[to.offsets[1]] = reduction_finish(p->kind, y, (float)(outer * length));
  }
}

static inline __attribute__((always_inline)) void reduction_by(
    reduction_map map, reduction_combine combine, float identity,
    const prunec_reduction *p, const reduction_plan *plan, long begin, long end) {
  if (plan->is_vertical) reduction_of_columns(map, combine, identity, p, plan, begin, end);
  else reduction_of_rows(map, combine, identity, p, plan, begin, end);
}

static void reduction(const prunec_reduction *p, long begin, long end) {
  if (begin >= end) return;
  reduction_plan plan = reduction_plan_make(p);
  switch (p->kind) {
  case prunec_reduce_sum:
  case prunec_reduce_mean: reduction_by(map_itself, combine_sum, 0, p, &plan, begin, end); break;
  case prunec_reduce_maximum:
    reduction_by(map_itself, combine_maximum, -INFINITY, p, &plan, begin, end);
    break;
  case prunec_reduce_minimum:
    reduction_by(map_itself, combine_minimum, INFINITY, p, &plan, begin, end);
    break;
  case prunec_reduce_product: reduction_by(map_itself, combine_product, 1, p, &plan, begin, end); break;
  case prunec_reduce_sum_of_squares:
  case prunec_reduce_l2: reduction_by(map_square, combine_sum, 0, p, &plan, begin, end); break;
  case prunec_reduce_l1: reduction_by(map_absolute, combine_sum, 0, p, &plan, begin, end); break;
  }
}
