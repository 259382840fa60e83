/// Element-wise programs: blocks of elements pass through all instructions; registers are small buffers.

enum { program_row = 256, program_longest_block = 4096 };

/// One of the operations on vectors. Callers name it by a constant, so that the choice costs nothing.
static inline vector vector_operate(prunec_operation operation, vector a, vector b, vector c, vector value) {
  vector one = vector_broadcast(1);
  switch (operation) {
  case prunec_op_number: return value;
  case prunec_op_add: return a + b;
  case prunec_op_subtract: return a - b;
  case prunec_op_multiply: return a * b;
  case prunec_op_divide: return a / b;
  case prunec_op_minimum: return vector_select(a != a, a, vector_minimum(a, b));
  case prunec_op_maximum: return vector_select(a != a, a, vector_maximum(a, b));
  case prunec_op_power:
    // Squares and cubes are what models are full of.
    if (!integers_any(b != 2.0f)) return a * a;
    if (!integers_any(b != 3.0f)) return a * a * a;
    for (long lane = 0; lane < width; lane++) a[lane] = powf(a[lane], b[lane]);
    return a;
  case prunec_op_modulus:
    for (long lane = 0; lane < width; lane++) a[lane] = fmodf(a[lane], b[lane]);
    return a;
  case prunec_op_less: return (vector)((a < b) & (integers)one);
  case prunec_op_less_or_equal: return (vector)((a <= b) & (integers)one);
  case prunec_op_equal: return (vector)((a == b) & (integers)one);
  case prunec_op_and: return (vector)((integers)a & (integers)b);
  case prunec_op_or: return (vector)((integers)a | (integers)b);
  case prunec_op_xor: return (vector)((integers)a ^ (integers)b);
  case prunec_op_not: return one - a;
  case prunec_op_select: return vector_select(a != 0.0f, b, c);
  case prunec_op_activate: return a;
  case prunec_op_negate: return -a;
  case prunec_op_absolute: return vector_absolute(a);
  case prunec_op_reciprocal: return one / a;
  case prunec_op_square_root: return vector_square_root(a);
  case prunec_op_exponential: return vector_exponential(a);
  case prunec_op_logarithm: return vector_logarithm(a);
  case prunec_op_error_function: return vector_error_function(a);
  case prunec_op_sine: return vector_sine(a);
  case prunec_op_cosine: return vector_cosine(a);
  case prunec_op_floor: return vector_floor(a);
  case prunec_op_ceiling: return vector_ceiling(a);
  case prunec_op_round: return vector_round(a);
  case prunec_op_sign: {
    vector magnitude = (vector)((a != 0.0f) & (integers)one);
    return vector_select(a != a, a, vector_with_sign(magnitude, a));
  }
  case prunec_op_softplus: return vector_softplus(a);
  case prunec_op_elu: return vector_select(a < 0.0f, value * vector_exponential_minus_one(a), a);
  case prunec_op_to_int8: return vector_saturate(a, -128, 127);
  case prunec_op_to_uint8: return vector_saturate(a, 0, 255);
  case prunec_op_to_int32: return (vector)vector_truncate_to_integers(a);
  case prunec_op_from_int32: return integers_to_vector((integers)a);
  case prunec_op_add_int32: return (vector)((naturals)a + (naturals)b);
  case prunec_op_subtract_int32: return (vector)((naturals)a - (naturals)b);
  case prunec_op_multiply_int32: return (vector)((naturals)a * (naturals)b);
  case prunec_op_minimum_int32: return vector_select((integers)a < (integers)b, a, b);
  case prunec_op_maximum_int32: return vector_select((integers)a < (integers)b, b, a);
  case prunec_op_less_int32: return (vector)(((integers)a < (integers)b) & (integers)one);
  case prunec_op_less_or_equal_int32: return (vector)(((integers)a <= (integers)b) & (integers)one);
  case prunec_op_equal_int32: return (vector)(((integers)a == (integers)b) & (integers)one);
  }
  return a;
}

/// Rows of elements in memory.
typedef struct {
  const float *x;
  long pitch;
} program_register;

/// Applies an operation of one to three operands to rows of `count` elements. y may be an operand.
static inline __attribute__((always_inline)) void operate_on_rows_by(
    prunec_operation operation, int operands, program_register a, program_register b, program_register c,
    float value, long rows, long count, float *y, long y_pitch) {
  vector zero = vector_broadcast(0), number = vector_broadcast(value);
  for (; rows > 0; rows--) {
    long i = 0;
    for (; i + width <= count; i += width) {
      vector first = vector_load(a.x + i);
      vector second = operands > 1 ? vector_load(b.x + i) : zero;
      vector third = operands > 2 ? vector_load(c.x + i) : zero;
      vector_store(y + i, vector_operate(operation, first, second, third, number));
    }
    if (i < count) {
      vector first = vector_load_partial(a.x + i, count - i);
      vector second = operands > 1 ? vector_load_partial(b.x + i, count - i) : zero;
      vector third = operands > 2 ? vector_load_partial(c.x + i, count - i) : zero;
      vector_store_partial(y + i, vector_operate(operation, first, second, third, number), count - i);
    }
    a.x += a.pitch;
    b.x += b.pitch;
    c.x += c.pitch;
    y += y_pitch;
  }
}

static void operate_on_rows(const prunec_instruction *instruction, const program_register *registers,
    long rows, long count, float *y, long y_pitch) {
  program_register a = registers[instruction->a], b = a, c = a;
  switch (instruction->operation) {
#define CASE1(OPERATION) \
  case OPERATION: \
    operate_on_rows_by(OPERATION, 1, a, b, c, instruction->value, rows, count, y, y_pitch); \
    break;
#define CASE2(OPERATION) \
  case OPERATION: \
    b = registers[instruction->b]; \
    operate_on_rows_by(OPERATION, 2, a, b, c, instruction->value, rows, count, y, y_pitch); \
    break;
  case prunec_op_number: break;
  CASE2(prunec_op_add)
  CASE2(prunec_op_subtract)
  CASE2(prunec_op_multiply)
  CASE2(prunec_op_divide)
  CASE2(prunec_op_minimum)
  CASE2(prunec_op_maximum)
  CASE2(prunec_op_power)
  CASE2(prunec_op_modulus)
  CASE2(prunec_op_less)
  CASE2(prunec_op_less_or_equal)
  CASE2(prunec_op_equal)
  CASE2(prunec_op_and)
  CASE2(prunec_op_or)
  CASE2(prunec_op_xor)
  CASE1(prunec_op_not)
  case prunec_op_select:
    b = registers[instruction->b];
    c = registers[instruction->c];
    operate_on_rows_by(prunec_op_select, 3, a, b, c, 0, rows, count, y, y_pitch);
    break;
  case prunec_op_activate:
    activate_rows(&instruction->activation, rows, count, a.x, a.pitch, y, y_pitch);
    break;
  CASE1(prunec_op_negate)
  CASE1(prunec_op_absolute)
  CASE1(prunec_op_reciprocal)
  CASE1(prunec_op_square_root)
  CASE1(prunec_op_exponential)
  CASE1(prunec_op_logarithm)
  CASE1(prunec_op_error_function)
  CASE1(prunec_op_sine)
  CASE1(prunec_op_cosine)
  CASE1(prunec_op_floor)
  CASE1(prunec_op_ceiling)
  CASE1(prunec_op_round)
  CASE1(prunec_op_sign)
  CASE1(prunec_op_softplus)
  CASE1(prunec_op_elu)
  CASE1(prunec_op_to_int8)
  CASE1(prunec_op_to_uint8)
  CASE1(prunec_op_to_int32)
  CASE1(prunec_op_from_int32)
  CASE2(prunec_op_add_int32)
  CASE2(prunec_op_subtract_int32)
  CASE2(prunec_op_multiply_int32)
  CASE2(prunec_op_minimum_int32)
  CASE2(prunec_op_maximum_int32)
  CASE2(prunec_op_less_int32)
  CASE2(prunec_op_less_or_equal_int32)
  CASE2(prunec_op_equal_int32)
#undef CASE1
#undef CASE2
  }
}

/// How a program is cut into blocks. The two innermost axes are called rows and elements.
typedef struct {
  axes axes;  ///< of the operands in their order, then of y
  bool reads_directly;  ///< All operands are rows of words, or constants: no block has to be buffered.
  long block_rows, block_length, row_blocks, length_blocks;
} program_plan;

/// Whether the rows of a set lie in memory as kernels like them.
static bool is_direct(const prunec_operand *operand, const axes *axes, long set) {
  return operand->storage == prunec_word && axes->strides[set][axes->rank - 1] == 1;
}

/// Whether an operand is one number.
static bool is_constant(const axes *axes, long set) {
  for (long axis = 0; axis < axes->rank; axis++)
    if (axes->shape[axis] != 1 && axes->strides[set][axis] != 0) return false;
  return true;
}

static program_plan program_plan_make(const prunec_program *p) {
  long sets = p->operand_count + 1;
  program_plan plan;
  plan.axes = axes_make(p->rank, p->shape, sets);
  for (long k = 0; k < p->operand_count; k++) axes_set(&plan.axes, k, p->operands[k].strides);
  axes_set(&plan.axes, sets - 1, p->y.strides);
  axes_sort(&plan.axes, sets - 1);
  axes_simplify(&plan.axes, 2);
  plan.reads_directly = p->instruction_count <= 1 && is_direct(&p->y, &plan.axes, sets - 1);
  for (long k = 0; k < p->operand_count; k++)
    if (!is_direct(&p->operands[k], &plan.axes, k) && !is_constant(&plan.axes, k))
      plan.reads_directly = false;

  long rows = plan.axes.shape[plan.axes.rank - 2], length = plan.axes.shape[plan.axes.rank - 1];
  long size = plan.reads_directly ? program_longest_block : program_row;
  if (length > program_row) {
    plan.block_rows = 1;
    plan.block_length = size;
  } else {
    plan.block_rows = larger(1, size / larger(1, parts(length, width) * width));
    plan.block_length = program_row;
  }
  plan.row_blocks = parts(rows, plan.block_rows);
  plan.length_blocks = parts(length, plan.block_length);
  return plan;
}

static long program_units(const prunec_program *p) {
  program_plan plan = program_plan_make(p);
  return axes_places(&plan.axes, plan.axes.rank - 2) * plan.row_blocks * plan.length_blocks;
}

/// Copies elements with any strides and of any storage into rows.
static void program_read(const prunec_operand *operand, long offset, long row_stride, long stride,
    long rows, long count, float *y, long pitch) {
  for (long row = 0; row < rows; row++, offset += row_stride, y += pitch) {
    long i = 0;
    switch (operand->storage) {
    case prunec_word: {
      const float *x = (const float *)operand->elements + offset;
      for (; i < count; i++) y[i] = x[i * stride];
      break;
    }
    case prunec_int8: {
      const int8_t *x = (const int8_t *)operand->elements + offset;
      for (; stride == 1 && i + width <= count; i += width) vector_store(y + i, vector_load_int8(x + i));
      for (; i < count; i++) y[i] = x[i * stride];
      break;
    }
    case prunec_bool:
    case prunec_uint8: {
      const uint8_t *x = (const uint8_t *)operand->elements + offset;
      for (; stride == 1 && i + width <= count; i += width) vector_store(y + i, vector_load_uint8(x + i));
      for (; i < count; i++) y[i] = x[i * stride];
      break;
    }
    }
  }
}

/// The whole number that 8 bits hold and x is nearest to.
static inline float saturate(float x, float least, float most) {
  return nearbyintf(x > least ? x < most ? x : most : least);
}

/// Copies rows to elements with any strides and of any storage.
static void program_write(const prunec_operand *operand, long offset, long row_stride, long stride,
    long rows, long count, const float *x, long pitch) {
  for (long row = 0; row < rows; row++, offset += row_stride, x += pitch) {
    long i = 0;
    switch (operand->storage) {
    case prunec_word: {
      float *y = (float *)operand->elements + offset;
      for (; i < count; i++) y[i * stride] = x[i];
      break;
    }
    case prunec_int8: {
      int8_t *y = (int8_t *)operand->elements + offset;
      for (; stride == 1 && i + width <= count; i += width)
        vector_store_int8(y + i, vector_saturate(vector_load(x + i), -128, 127));
      for (; i < count; i++) y[i * stride] = (int8_t)saturate(x[i], -128, 127);
      break;
    }
    case prunec_uint8: {
      uint8_t *y = (uint8_t *)operand->elements + offset;
      for (; stride == 1 && i + width <= count; i += width)
        vector_store_uint8(y + i, vector_saturate(vector_load(x + i), 0, 255));
      for (; i < count; i++) y[i * stride] = (uint8_t)saturate(x[i], 0, 255);
      break;
    }
    case prunec_bool: {
      uint8_t *y = (uint8_t *)operand->elements + offset;
      for (; i < count; i++) y[i * stride] = x[i] != 0;
      break;
    }
    }
  }
}

/// Passes one block, whose operands are in their registers, through all instructions.
static void program_run(const prunec_program *p, program_register *registers,
    float (*buffers)[program_row], long pitch, long rows, long count, float *y, long y_pitch) {
  for (long k = 0; k < p->instruction_count; k++) {
    const prunec_instruction *instruction = &p->instructions[k];
    long result = p->operand_count + k;
    bool is_last = k == p->instruction_count - 1;
    if (instruction->operation == prunec_op_number) continue;
    float *to = is_last && y ? y : buffers[result];
    operate_on_rows(instruction, registers, rows, count, to, is_last && y ? y_pitch : pitch);
    registers[result] = (program_register){to, pitch};
  }
}

static void program(const prunec_program *p, long begin, long end) {
  if (begin >= end) return;
  program_plan plan = program_plan_make(p);
  const axes *axes = &plan.axes;
  enum { most_registers = prunec_max_operands + prunec_max_instructions };
  float buffers[most_registers][program_row] __attribute__((aligned(64)));
  program_register registers[most_registers];
  const long row_axis = axes->rank - 2, axis = axes->rank - 1, y_set = p->operand_count;
  const long last = p->operand_count + p->instruction_count - 1;

  bool is_filled[most_registers] = {false};
  for (long k = 0; k <= last; k++) {
    float number;
    if (k < p->operand_count) {
      if (!is_constant(axes, k)) continue;
      program_read(&p->operands[k], 0, 0, 0, 1, 1, &number, 0);
    } else {
      const prunec_instruction *instruction = &p->instructions[k - p->operand_count];
      if (instruction->operation != prunec_op_number) continue;
      number = instruction->value;
    }
    for (long i = 0; i < program_row; i++) buffers[k][i] = number;
    registers[k] = (program_register){buffers[k], 0};
    is_filled[k] = true;
  }

  // Results that are numbers, bytes or apart from each other go through a buffer.
  bool writes_directly = p->instruction_count > 0 && is_direct(&p->y, axes, y_set) && !is_filled[last];
  for (long unit = begin; unit < end; unit++) {
    long first = unit % plan.length_blocks * plan.block_length;
    long first_row = unit / plan.length_blocks % plan.row_blocks * plan.block_rows;
    place outer = place_number(axes, axes->rank - 2, unit / plan.length_blocks / plan.row_blocks);
    long rows = smaller(plan.block_rows, axes->shape[row_axis] - first_row);
    long length = smaller(plan.block_length, axes->shape[axis] - first);
    // A long row is worked on as several short ones.
    bool is_long = length > program_row;
    for (long start = 0; start < length;) {
      long count = is_long ? smaller(program_row, length - start) : length;
      if (is_long && count == program_row) rows = (length - start) / program_row;
      else if (is_long) rows = 1;
      long pitch = parts(count, width) * width;
      for (long k = 0; k < p->operand_count; k++) {
        if (is_filled[k]) continue;
        const long *strides = axes->strides[k];
        long offset = outer.offsets[k] + first_row * strides[row_axis] + (first + start) * strides[axis];
        if (is_direct(&p->operands[k], axes, k)) {
          const float *x = (const float *)p->operands[k].elements + offset;
          registers[k] = (program_register){x, is_long ? program_row : strides[row_axis]};
        } else {
          program_read(&p->operands[k], offset, strides[row_axis], strides[axis], rows, count,
              buffers[k], pitch);
          registers[k] = (program_register){buffers[k], pitch};
        }
      }
      const long *strides = axes->strides[y_set];
      long offset = outer.offsets[y_set] + first_row * strides[row_axis] + (first + start) * strides[axis];
      long y_pitch = is_long ? program_row * strides[axis] : strides[row_axis];
      float *y = writes_directly ? (float *)p->y.elements + offset : NULL;
      program_run(p, registers, buffers, pitch, rows, count, y, y_pitch);
      if (!writes_directly)
        program_write(&p->y, offset, y_pitch, strides[axis], rows, count, registers[last].x,
            registers[last].pitch);
      start += is_long ? rows * count : length;
    }
  }
}
