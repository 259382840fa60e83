/// Moving elements: runs, transposes, and anything else.

enum {
  copy_bytes = 1 << 15,  ///< About how much a unit moves.
  copy_tile = 64,        ///< Units of transposes are squares of so many elements, or long and thin.
  copy_square = 16,      ///< Squares of so many elements are moved while their cache lines are at hand.
};

typedef enum {
  copy_by_runs,        ///< The innermost axis lies at stride one in both.
  copy_by_transposing, ///< The innermost axis of y lies at stride one, in x its neighbour does.
  copy_by_elements,
} copy_method;

typedef struct {
  axes axes;  ///< of x, then of y; the two innermost axes are a unit's.
  copy_method method;
  long block_rows, block_length, row_blocks, length_blocks;
} copy_plan;

static copy_plan copy_plan_make(const prunec_copy *p) {
  copy_plan plan;
  axes *axes = &plan.axes;
  *axes = axes_make(p->rank, p->shape, 2);
  axes_set(axes, 0, p->x_strides);
  axes_set(axes, 1, p->y_strides);
  axes_sort(axes, 1);
  axes_simplify(axes, 2);
  long last = axes->rank - 1;
  plan.method = copy_by_elements;
  if (axes->strides[0][last] == 1 && axes->strides[1][last] == 1) plan.method = copy_by_runs;
  else if (axes->strides[1][last] == 1)
    for (long axis = 0; axis < last; axis++)
      if (axes->strides[0][axis] == 1 && axes->shape[axis] > 1) {
        for (; axis < last - 1; axis++) axes_swap(axes, axis, axis + 1);
        plan.method = copy_by_transposing;
      }
  long rows = axes->shape[last - 1], length = axes->shape[last];
  if (plan.method == copy_by_transposing) {
    plan.block_length = copy_tile;
    plan.block_rows = copy_tile * larger(1, copy_tile / larger(1, length));
  } else {
    plan.block_length = copy_bytes / p->element_size;
    plan.block_rows = larger(1, plan.block_length / larger(1, length));
  }
  plan.row_blocks = parts(rows, plan.block_rows);
  plan.length_blocks = parts(length, plan.block_length);
  return plan;
}

static long copy_units(const prunec_copy *p) {
  copy_plan plan = copy_plan_make(p);
  return axes_places(&plan.axes, plan.axes.rank - 2) * plan.row_blocks * plan.length_blocks;
}

/// Copies elements of a constant size, row by row.
static inline __attribute__((always_inline)) void copy_elements_of(
    size_t size, const char *x, const long *x_strides, char *y, const long *y_strides, long rows,
    long count) {
  for (long row = 0; row < rows; row++) {
    const char *from = x + row * x_strides[0];
    char *to = y + row * y_strides[0];
    for (long i = 0; i < count; i++, from += x_strides[1], to += y_strides[1]) memcpy(to, from, size);
  }
}

/// Copies elements; strides are in bytes.
static void copy_elements(long size, const char *x, const long *x_strides,
    char *y, const long *y_strides, long rows, long count) {
  switch (size) {
  case 1: copy_elements_of(1, x, x_strides, y, y_strides, rows, count); break;
  case 2: copy_elements_of(2, x, x_strides, y, y_strides, rows, count); break;
  case 4: copy_elements_of(4, x, x_strides, y, y_strides, rows, count); break;
  default: copy_elements_of(8, x, x_strides, y, y_strides, rows, count); break;
  }
}

/// Copies runs of bytes, or of words of four. Short ones go without a call.
static inline void copy_runs(
    const char *x, long x_row, char *y, long y_row, long rows, long bytes, bool has_words) {
  enum { size = 4 * width };
  if (bytes > 1024 || (bytes < size && !has_words)) {
    for (long row = 0; row < rows; row++) memcpy(y + row * y_row, x + row * x_row, (size_t)bytes);
  } else if (bytes < size) {
    for (long row = 0; row < rows; row++, x += x_row, y += y_row)
      vector_store_partial((float *)y, vector_load_partial((const float *)x, bytes / 4), bytes / 4);
  } else {
    for (long row = 0; row < rows; row++, x += x_row, y += y_row) {
      // The last vector may overlap the one before.
      for (long i = 0; i < bytes - size; i += size) {
        vector part;
        memcpy(&part, x + i, size);
        memcpy(y + i, &part, size);
      }
      vector last;
      memcpy(&last, x + bytes - size, size);
      memcpy(y + bytes - size, &last, size);
    }
  }
}

/// y[i, 0..2] = x[0..2, i]: three planes become pixels of three adjacent channels of four bytes.
static inline void interleave_three(const char *x, long x_row, char *y, long count) {
  typedef int32_t four __attribute__((vector_size(16)));
  long i = 0;
  for (; i + 4 <= count; i += 4, x += 16, y += 48) {
    four a, b, c;
    memcpy(&a, x, 16);
    memcpy(&b, x + x_row, 16);
    memcpy(&c, x + 2 * x_row, 16);
    four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), bc = __builtin_shufflevector(b, c, 1, 5, 2, 6);
    four ca = __builtin_shufflevector(c, a, 2, 7, 3, 3);
    four first = __builtin_shufflevector(ab, c, 0, 1, 4, 2);
    four second = __builtin_shufflevector(bc, a, 0, 1, 6, 2);
    four third = __builtin_shufflevector(ca, b, 0, 1, 7, 2);
    memcpy(y, &first, 16);
    memcpy(y + 16, &second, 16);
    memcpy(y + 32, &third, 16);
  }
  for (; i < count; i++, x += 4, y += 12)
    for (long channel = 0; channel < 3; channel++) memcpy(y + 4 * channel, x + channel * x_row, 4);
}

/// y[j, i] = x[i, j] for four times four elements of four bytes.
static inline void transpose_four(const char *x, long x_row, char *y, long y_row) {
#if defined __SSE2__
  __m128 r0 = _mm_loadu_ps((const float *)x), r1 = _mm_loadu_ps((const float *)(x + x_row));
  __m128 r2 = _mm_loadu_ps((const float *)(x + 2 * x_row)), r3 = _mm_loadu_ps((const float *)(x + 3 * x_row));
  _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
  _mm_storeu_ps((float *)y, r0);
  _mm_storeu_ps((float *)(y + y_row), r1);
  _mm_storeu_ps((float *)(y + 2 * y_row), r2);
  _mm_storeu_ps((float *)(y + 3 * y_row), r3);
#elif defined __aarch64__
  uint32x4_t r0 = vld1q_u32((const uint32_t *)x), r1 = vld1q_u32((const uint32_t *)(x + x_row));
  uint32x4_t r2 = vld1q_u32((const uint32_t *)(x + 2 * x_row));
  uint32x4_t r3 = vld1q_u32((const uint32_t *)(x + 3 * x_row));
  uint32x4x2_t even = vzipq_u32(r0, r2), odd = vzipq_u32(r1, r3);
  uint32x4x2_t upper = vzipq_u32(even.val[0], odd.val[0]), lower = vzipq_u32(even.val[1], odd.val[1]);
  vst1q_u32((uint32_t *)y, upper.val[0]);
  vst1q_u32((uint32_t *)(y + y_row), upper.val[1]);
  vst1q_u32((uint32_t *)(y + 2 * y_row), lower.val[0]);
  vst1q_u32((uint32_t *)(y + 3 * y_row), lower.val[1]);
#else
  for (long i = 0; i < 4; i++)
    for (long j = 0; j < 4; j++) memcpy(y + j * y_row + i * 4, x + i * x_row + j * 4, 4);
#endif
}

/// y[j, i] = x[i, j]: rows i of x have `columns` adjacent elements, rows j of y have `rows`. Rows are so many
/// bytes apart.
static void copy_transposing(
    long size, const char *x, long x_row, char *y, long y_row, long rows, long columns) {
  if (rows == 3 && size == 4 && y_row == 12) {
    interleave_three(x, x_row, y, columns);
    return;
  }
  for (long i = 0; i < rows; i += copy_square)
    for (long j = 0; j < columns; j += copy_square) {
      long height = smaller(copy_square, rows - i), breadth = smaller(copy_square, columns - j);
      const char *from = x + i * x_row + j * size;
      char *to = y + j * y_row + i * size;
      long done_rows = 0, done_columns = 0;
      if (size == 4) {
        done_rows = height / 4 * 4;
        done_columns = breadth / 4 * 4;
        for (long column = 0; column < done_columns; column += 4)
          for (long row = 0; row < done_rows; row += 4)
            transpose_four(from + row * x_row + column * 4, x_row, to + column * y_row + row * 4, y_row);
      }
      const long x_strides[] = {size, x_row}, y_strides[] = {y_row, size};
      copy_elements(size, from + done_rows * x_row, x_strides, to + done_rows * size, y_strides, done_columns,
          height - done_rows);
      copy_elements(size, from + done_columns * size, x_strides, to + done_columns * y_row, y_strides,
          breadth - done_columns, height);
    }
}

static void copy(const prunec_copy *p, long begin, long end) {
  if (begin >= end) return;
  copy_plan plan = copy_plan_make(p);
  const axes *axes = &plan.axes;
  const long size = p->element_size, row_axis = axes->rank - 2, axis = axes->rank - 1;
  const long x_strides[] = {axes->strides[0][row_axis] * size, axes->strides[0][axis] * size};
  const long y_strides[] = {axes->strides[1][row_axis] * size, axes->strides[1][axis] * size};
  for (long unit = begin; unit < end; unit++) {
    long first = unit % plan.length_blocks * plan.block_length;
    long first_row = unit / plan.length_blocks % plan.row_blocks * plan.block_rows;
    place outer = place_number(axes, axes->rank - 2, unit / plan.length_blocks / plan.row_blocks);
    long rows = smaller(plan.block_rows, axes->shape[row_axis] - first_row);
    long count = smaller(plan.block_length, axes->shape[axis] - first);
    const char *x = (const char *)p->x + outer.offsets[0] * size;
    char *y = (char *)p->y + outer.offsets[1] * size;
    x += first_row * x_strides[0] + first * x_strides[1];
    y += first_row * y_strides[0] + first * y_strides[1];
    switch (plan.method) {
    case copy_by_runs: copy_runs(x, x_strides[0], y, y_strides[0], rows, count * size, size >= 4); break;
    case copy_by_transposing:
      copy_transposing(size, x, x_strides[1], y, y_strides[0], count, rows);
      break;
    case copy_by_elements: copy_elements(size, x, x_strides, y, y_strides, rows, count); break;
    }
  }
}

// ---------------------------------------------------------------------------------------------------
// Gather

static long gather_units(const prunec_gather *p) {
  return p->inner > 0 ? p->outer * p->count : 0;
}

static void gather(const prunec_gather *p, long begin, long end) {
  if (begin >= end) return;
  long outer = begin / p->count, i = begin % p->count;
  for (long unit = begin; unit < end; unit++) {
    const char *x = (const char *)p->x + outer * p->x_outer + p->index[i] * p->x_row;
    char *y = (char *)p->y + outer * p->y_outer + i * p->y_row;
    if (p->inner == 4) memcpy(y, x, 4);
    else if (p->inner == 8) memcpy(y, x, 8);
    else memcpy(y, x, (size_t)p->inner);
    if (++i == p->count) {
      i = 0;
      outer++;
    }
  }
}
