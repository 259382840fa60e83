/// Checks of element-wise programs and of the functions that they compute.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "row_checks.h"
#include "strides.h"

static double operated(const prunec_instruction *instruction, const double *registers) {
  double a = registers[instruction->a], b = registers[instruction->b], c = registers[instruction->c];
  switch (instruction->operation) {
  case prunec_op_number: return instruction->value;
  case prunec_op_add: return a + b;
  case prunec_op_subtract: return a - b;
  case prunec_op_multiply: return a * b;
  case prunec_op_divide: return a / b;
  case prunec_op_minimum: return isnan(a) || isnan(b) ? NAN : a < b ? a : b;
  case prunec_op_maximum: return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
  case prunec_op_power: return pow(a, b);
  case prunec_op_modulus: return fmod(a, b);
  case prunec_op_less: return a < b;
  case prunec_op_less_or_equal: return a <= b;
  case prunec_op_equal: return a == b;
  case prunec_op_and: return a != 0 && b != 0;
  case prunec_op_or: return a != 0 || b != 0;
  case prunec_op_xor: return (a != 0) != (b != 0);
  case prunec_op_not: return a == 0;
  case prunec_op_select: return a != 0 ? b : c;
  case prunec_op_activate: return check_activate(instruction->activation, a);
  case prunec_op_negate: return -a;
  case prunec_op_absolute: return fabs(a);
  case prunec_op_reciprocal: return 1 / a;
  case prunec_op_square_root: return sqrt(a);
  case prunec_op_exponential: return exp(a);
  case prunec_op_logarithm: return log(a);
  case prunec_op_error_function: return erf(a);
  case prunec_op_sine: return sin(a);
  case prunec_op_cosine: return cos(a);
  case prunec_op_floor: return floor(a);
  case prunec_op_ceiling: return ceil(a);
  case prunec_op_round: return nearbyint(a);
  case prunec_op_sign: return isnan(a) ? a : (a > 0) - (a < 0);
  case prunec_op_softplus: return a > 50 ? a : log1p(exp(a));
  case prunec_op_elu: return a < 0 ? instruction->value * expm1(a) : a;
  case prunec_op_to_int8: return a > -128 ? fmin(a, 127) : -128;
  case prunec_op_to_uint8: return a > 0 ? fmin(a, 255) : 0;
  // Registers with the bits of int32 are checked apart.
  case prunec_op_to_int32:
  case prunec_op_from_int32:
  case prunec_op_add_int32:
  case prunec_op_subtract_int32:
  case prunec_op_multiply_int32:
  case prunec_op_minimum_int32:
  case prunec_op_maximum_int32:
  case prunec_op_less_int32:
  case prunec_op_less_or_equal_int32:
  case prunec_op_equal_int32: break;
  }
  return NAN;
}

/// Numbers that functions are tried with besides those of a grid.
static const float special_numbers[] = {
  0, -0.0f, 1, -1, 0.5f, -0.5f, 1e-40f, -1e-40f, 1e-6f, -1e-6f, 8388607.5f, -8388607.5f, 3e9f, -3e9f,
  9000, -9000, 1e30f, -1e30f, 88.7f, -87.3f, 100, -100, 120, -120, INFINITY, -INFINITY, NAN,
};

enum { special_count = sizeof special_numbers / sizeof *special_numbers, grid_count = 2000 };

static void check_function(const prunec_kernels *kernels, prunec_instruction instruction) {
  enum { count = special_count + grid_count };
  float x[count], y[count];
  for (long i = 0; i < count; i++)
    x[i] = i < special_count ? special_numbers[i] : ((float)(i - special_count) - grid_count / 2) / 79;
  prunec_program program = {
    .rank = 1, .shape = {count}, .operand_count = 1, .instruction_count = 1,
    .operands = {{.elements = x, .strides = {1}}}, .instructions = {instruction},
    .y = {.elements = y, .strides = {1}},
  };
  CHECK_RUN(kernels, program, &program);
  for (long i = 0; i < count; i++) {
    bool saturates = instruction.operation >= prunec_op_to_int8;
    double expected =
        isnan(x[i]) && !saturates ? NAN : (float)operated(&instruction, (double[]){x[i]});
    // x times a gate of zero: not a number, or the limit.
    bool is_limit = isinf(x[i]) && instruction.operation == prunec_op_activate;
    if (is_limit && (isnan(expected) || expected == 0)) continue;
    // Errors of x (1 + erf(x / sqrt 2)) are relative to x.
    double tolerance = 5e-7 * fmax(1, fmin(8, fabs(x[i])));
    if (!check_is_result(y[i], expected, tolerance))
      check_fail("operation %d, function %d of %g is %.9g, not %.9g", instruction.operation,
          instruction.activation.function, (double)x[i], (double)y[i], expected);
  }
}

const char *prunec_check_functions(const prunec_kernels *kernels) {
  check_begin();
  for (prunec_operation operation = prunec_op_negate; operation <= prunec_op_to_uint8; operation++)
    check_function(kernels, (prunec_instruction){.operation = operation, .value = 1.5f});
  for (prunec_function function = prunec_identity; function <= prunec_gelu_tanh; function++) {
    prunec_activation activation = {function, 0.25f, 0.5f};
    check_function(kernels, (prunec_instruction){.operation = prunec_op_activate, .activation = activation});
  }
  return check_result();
}

// ---------------------------------------------------------------------------------------------------
// Programs

/// An operation that keeps its operands' numbers in bounds.
static prunec_instruction random_instruction(long registers) {
  prunec_instruction instruction = {
    .operation = (prunec_operation)check_random(0, prunec_op_to_uint8),
    .a = (uint8_t)check_random(0, registers - 1), .b = (uint8_t)check_random(0, registers - 1),
    .c = (uint8_t)check_random(0, registers - 1), .value = 2 * check_random_float(),
    .activation = {(prunec_function)check_random(0, prunec_gelu_tanh), 0.25f, 0.75f},
  };
  switch (instruction.operation) {
  // These jump, or need operands of their own: they are tried apart.
  case prunec_op_divide: case prunec_op_power: case prunec_op_modulus: case prunec_op_less:
  case prunec_op_less_or_equal: case prunec_op_equal: case prunec_op_and: case prunec_op_or:
  case prunec_op_xor: case prunec_op_not: case prunec_op_select: case prunec_op_reciprocal:
  case prunec_op_square_root: case prunec_op_logarithm: case prunec_op_exponential: case prunec_op_floor:
  case prunec_op_ceiling: case prunec_op_round: case prunec_op_sign: case prunec_op_multiply:
    instruction.operation = prunec_op_add;
    break;
  default: break;
  }
  return instruction;
}

/// Computes a program by plain loops.
static void run_plainly(const prunec_program *p, float *y) {
  for (long place = 0; place < check_places(p->rank, p->shape); place++) {
    double registers[prunec_max_operands + prunec_max_instructions];
    for (long k = 0; k < p->operand_count; k++) {
      long offset = check_offset(place, p->rank, p->shape, p->operands[k].strides);
      const void *x = p->operands[k].elements;
      switch (p->operands[k].storage) {
      case prunec_word: registers[k] = ((const float *)x)[offset]; break;
      case prunec_int8: registers[k] = ((const int8_t *)x)[offset]; break;
      case prunec_bool:
      case prunec_uint8: registers[k] = ((const uint8_t *)x)[offset]; break;
      }
    }
    for (long k = 0; k < p->instruction_count; k++)
      registers[p->operand_count + k] = operated(&p->instructions[k], registers);
    y[check_offset(place, p->rank, p->shape, p->y.strides)] =
        (float)registers[p->operand_count + p->instruction_count - 1];
  }
}

static void check_program(const prunec_kernels *kernels) {
  prunec_program p = {.rank = check_random(0, 4)};
  static const long extents[] = {1, 1, 2, 3, 5, 7, 8, 16, 17, 33, 100};
  for (long axis = 0; axis < p.rank; axis++) p.shape[axis] = extents[check_random(0, axis < 2 ? 10 : 8)];
  if (p.rank == 1 && check_random(0, 2) == 0) p.shape[0] = 200 + check_random(0, 4999);
  if (p.rank == 2 && check_random(0, 2) == 0) p.shape[1] = 200 + check_random(0, 399);
  long span = check_random_strides(p.rank, p.shape, check_random(0, 3) > 0, check_random(0, 1), p.y.strides);
  p.operand_count = 1 + check_random(0, 3);
  bool has_bytes = check_random(0, 3) == 0;
  for (long k = 0; k < p.operand_count; k++) {
    prunec_operand *operand = &p.operands[k];
    check_random_strides(p.rank, p.shape, check_random(0, 3) > 0, check_random(0, 1), operand->strides);
    long kind = check_random(0, 3);
    for (long axis = 0; axis < p.rank; axis++)
      if (kind == 0 || (kind == 1 && axis < p.rank - 1) || (kind == 2 && check_random(0, 1)))
        operand->strides[axis] = 0;
    long operand_span = 1;
    for (long axis = 0; axis < p.rank; axis++) operand_span += operand->strides[axis] * (p.shape[axis] - 1);
    if (has_bytes && check_random(0, 1)) {
      operand->storage = (prunec_storage)check_random(prunec_bool, prunec_uint8);
      operand->elements = check_buffer((size_t)operand_span);
      long least = operand->storage == prunec_int8 ? -3 : 0, most = operand->storage == prunec_bool ? 1 : 3;
      for (long i = 0; i < operand_span; i++)
        ((int8_t *)operand->elements)[i] = (int8_t)check_random(least, most);
    } else {
      operand->elements = check_buffer_between(operand_span, -3, 3);
    }
  }
  p.instruction_count = 1 + check_random(0, check_random(0, 1) ? 1 : 7);
  for (long k = 0; k < p.instruction_count; k++)
    p.instructions[k] = random_instruction(p.operand_count + k);
  bool gives_bytes = check_random(0, 4) == 0;
  if (gives_bytes && p.instruction_count < 8) {
    // A comparison that rounding does not turn over.
    p.instructions[p.instruction_count++] =
        (prunec_instruction){.operation = prunec_op_number, .value = 1000};
    uint8_t last = (uint8_t)(p.operand_count + p.instruction_count - 2);
    p.instructions[p.instruction_count++] =
        (prunec_instruction){.operation = prunec_op_less, .a = last, .b = (uint8_t)(last + 1)};
  }
  float *y = check_blank_buffer(span), *expected = check_blank_buffer(span);
  run_plainly(&p, expected);
  uint8_t *bytes = NULL;
  if (gives_bytes) {
    bytes = check_buffer((size_t)span);
    memset(bytes, 77, (size_t)span);
    p.y.storage = prunec_bool;
    p.y.elements = bytes;
    CHECK_RUN(kernels, program, &p);
    for (long i = 0; i < span; i++)
      if (bytes[i] != (check_is_blank(expected[i]) ? 77 : expected[i] != 0)) check_fail("bytes of a program");
  } else {
    p.y.elements = y;
    CHECK_RUN(kernels, program, &p);
    check_agreement("program", y, expected, span, 2e-5);
    // In the place of an operand that has y's strides.
    for (long k = 0; k < p.operand_count; k++)
      if (p.operands[k].storage == prunec_word
          && memcmp(p.operands[k].strides, p.y.strides, (size_t)p.rank * sizeof(long)) == 0) {
        for (long i = 0; i < span; i++)
          if (check_is_blank(expected[i])) expected[i] = ((const float *)p.operands[k].elements)[i];
        p.y.elements = p.operands[k].elements;
        CHECK_RUN(kernels, program, &p);
        check_agreement("program in place", p.y.elements, expected, span, 2e-5);
        break;
      }
  }
  check_free(bytes);
  check_free(y);
  check_free(expected);
  for (long k = 0; k < p.operand_count; k++) check_free(p.operands[k].elements);
}

/// Operations of two and three numbers, one by one.
static void check_operation(const prunec_kernels *kernels, prunec_operation operation) {
  enum { count = 77 };
  prunec_program p = {
    .rank = 1, .shape = {count}, .operand_count = 3, .instruction_count = 1,
    .instructions = {{.operation = operation, .a = 0, .b = 1, .c = 2}},
  };
  bool is_logical = operation >= prunec_op_and && operation <= prunec_op_not;
  for (long k = 0; k < 3; k++) {
    float *x = check_buffer_between(count, -3, 3);
    for (long i = 0; i < count; i++) {
      if (is_logical || (operation == prunec_op_select && k == 0)) x[i] = (float)check_random(0, 1);
      else if (i % 5 == k && operation != prunec_op_modulus) x[i] = roundf(x[i]);
      if (!is_logical && i % 19 == 10 + k) x[i] = NAN;
    }
    p.operands[k] = (prunec_operand){.elements = x, .strides = {1}};
  }
  check_begin();
  for (long form = 0; form < 3; form++) {
    // A power of 2 or 3 has a way of its own.
    if (form > 0) p.operands[1].strides[0] = 0;
    if (form > 0 && !is_logical) *(float *)p.operands[1].elements = (float)form + 1;
    float *y = check_blank_buffer(count), expected[count];
    p.y = (prunec_operand){.elements = y, .strides = {1}};
    run_plainly(&p, expected);
    CHECK_RUN(kernels, program, &p);
    char what[32];
    snprintf(what, sizeof what, "operation %d", operation);
    check_agreement(what, y, expected, count, 2e-6);
    check_free(y);
  }
  for (long k = 0; k < 3; k++) check_free(p.operands[k].elements);
}

/// Result of an operation of int32 on two numbers; comparisons give 1 or 0, as bits of float32.
static int32_t operated_integers(prunec_operation operation, int32_t a, int32_t b) {
  float truth = 0;
  int32_t bits;
  switch (operation) {
  case prunec_op_add_int32: return (int32_t)((uint32_t)a + (uint32_t)b);
  case prunec_op_subtract_int32: return (int32_t)((uint32_t)a - (uint32_t)b);
  case prunec_op_multiply_int32: return (int32_t)((uint32_t)a * (uint32_t)b);
  case prunec_op_minimum_int32: return a < b ? a : b;
  case prunec_op_maximum_int32: return a > b ? a : b;
  case prunec_op_less_int32: truth = a < b; break;
  case prunec_op_less_or_equal_int32: truth = a <= b; break;
  default: truth = a == b; break;
  }
  memcpy(&bits, &truth, sizeof bits);
  return bits;
}

/// Operations on registers with the bits of int32.
static void check_integers(const prunec_kernels *kernels) {
  enum { count = 39 };
  float x[count];
  int32_t a[count], b[count], results[count], integers[count];
  for (long i = 0; i < count; i++) {
    x[i] = i < special_count ? special_numbers[i] : 1e6f * check_random_float();
    a[i] = (int32_t)(0x9e3779b9u * (uint32_t)i);
    b[i] = i % 5 == 3 ? a[i] : (int32_t)(0x85ebca6bu * (uint32_t)(i + 1));
  }
  prunec_program p = {
    .rank = 1, .shape = {count}, .operand_count = 2, .instruction_count = 1,
    .operands = {{.elements = a, .strides = {1}}, {.elements = b, .strides = {1}}},
    .instructions = {{.operation = prunec_op_add_int32, .a = 0, .b = 1}},
    .y = {.elements = results, .strides = {1}},
  };
  for (prunec_operation operation = prunec_op_add_int32; operation <= prunec_op_equal_int32; operation++) {
    p.instructions[0].operation = operation;
    CHECK_RUN(kernels, program, &p);
    for (long i = 0; i < count; i++)
      if (results[i] != operated_integers(operation, a[i], b[i]))
        check_fail("operation %d of %d and %d is %d", operation, a[i], b[i], results[i]);
  }
  p.operand_count = 1;
  p.instructions[0].operation = prunec_op_from_int32;
  float numbers[count];
  p.y.elements = numbers;
  CHECK_RUN(kernels, program, &p);
  p.instructions[0].operation = prunec_op_to_int32;
  p.operands[0].elements = x;
  p.y.elements = integers;
  CHECK_RUN(kernels, program, &p);
  for (long i = 0; i < count; i++) {
    if (numbers[i] != (float)a[i]) check_fail("%d as a float is %.9g", a[i], (double)numbers[i]);
    double whole = isnan(x[i]) ? 0 : fmax(INT32_MIN, fmin(INT32_MAX, trunc(x[i])));
    if (integers[i] != whole) check_fail("%.9g as an integer is %d", (double)x[i], integers[i]);
  }
}

/// Elements of 8 bits, written and read again.
static void check_bytes(const prunec_kernels *kernels, prunec_storage storage) {
  enum { most = 300 };
  float x[most], z[most];
  uint8_t y[2 * most];
  double least = storage == prunec_int8 ? -128 : 0, greatest = storage == prunec_int8 ? 127 : 255;
  for (long count = 1; count <= most; count += count < 70 ? 1 : 115)
    for (long stride = 1; stride <= 2; stride++) {
      for (long i = 0; i < count; i++)
        x[i] = i % 7 == 3 && i < special_count ? special_numbers[i] : 200 * check_random_float();
      prunec_program p = {
        .rank = 1, .shape = {count}, .operand_count = 1, .instruction_count = 1,
        .operands = {{.elements = x, .strides = {1}}},
        .instructions = {{.operation = prunec_op_activate}},
        .y = {.elements = y, .storage = storage, .strides = {stride}},
      };
      CHECK_RUN(kernels, program, &p);
      p.operands[0] = p.y;
      p.y = (prunec_operand){.elements = z, .strides = {1}};
      CHECK_RUN(kernels, program, &p);
      for (long i = 0; i < count; i++) {
        double expected = x[i] > least ? nearbyint(fmin(x[i], greatest)) : least;
        if (z[i] != expected) check_fail("%.9g in 8 bits is %g, not %g", (double)x[i], (double)z[i], expected);
      }
    }
}

const char *prunec_check_programs(const prunec_kernels *kernels) {
  check_begin();
  for (prunec_operation operation = prunec_op_number; operation <= prunec_op_select; operation++)
    check_operation(kernels, operation);
  check_integers(kernels);
  check_bytes(kernels, prunec_int8);
  check_bytes(kernels, prunec_uint8);
  for (long i = 0; i < 600; i++) check_program(kernels);
  return check_result();
}
